"""A loopback server that speaks OpenAI's chat completions, runs no model, injects faults and counts what it sees.

python bench/model_calls/server.py            prints its port, then serves until killed

POST  any path            an answer to the prompt's row number, after a delay
GET   /reset?rows=2000&latency_s=0.05&...      forget everything and take these settings (see `Settings`)
GET   /stats              what was seen since the reset
GET   /when?answered=900  is answered when so many answers have been given: the instant for a kill, without polling
GET   /mark               from here on, count what is asked again although it had been answered

Prompts carry `[row 00000042]`; answers begin with it, so a client can prove that answers reached their rows. Which rows
are slow, refused or poisoned is drawn per row number from a fixed seed: the same for every client and every pass.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from array import array
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:[ ]*(\d+)", re.IGNORECASE)
MARK = b"[row "
ANSWER = " A fixed answer of about a hundred tokens, because what is measured is the client that reads it." * 4
STEPS = 20
"""The time of every twentieth of the answers is kept, so that a rate after settling can be told from the whole."""


@dataclass
class Settings:
    """How the server behaves until the next reset. Shares are of the rows; each kind is drawn on its own."""

    rows: int = 2000
    latency_s: float = 0.05
    slow_share: float = 0.0
    slow_factor: float = 100.0
    share_429: float = 0.0
    """Refused at once on the first try, with `Retry-After: 1`."""
    share_500: float = 0.0
    """Fails on the first try, after the latency."""
    poison_share: float = 0.0
    """Answers 400 at once, every time."""
    capacity: int = 0
    """Most requests in flight; what comes on top is refused at once with 429 and `Retry-After: 1`. 0: no limit."""

    def drawn(self, kind: str, share: float) -> set[int]:
        """The rows that a fault strikes."""
        return set(random.Random(f"{kind} {self.rows}").sample(range(self.rows), round(share * self.rows)))

    def slow_rows(self) -> set[int]:
        """The rows whose answer takes `slow_factor` times as long."""
        return self.drawn("slow", self.slow_share)


@dataclass
class Seen:
    """What came in and went out since the reset."""

    requests: int = 0
    answered: int = 0
    refused_429: int = 0
    failed_500: int = 0
    rejected_400: int = 0
    repeats: int = 0
    """Requests for a row that had been asked for before."""
    unmarked: int = 0
    """Requests without a row number: health checks, probes."""
    cut_off: int = 0
    """Requests whose connection was lost before their answer."""
    connections: int = 0
    max_in_flight: int = 0
    asked_again_although_answered: int = 0
    asked_since_mark: int = 0
    answered_at_mark: int = 0
    cut_off_at_mark: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    last_new_row_s: float = 0.0
    slot_seconds: float = 0.0
    slot_seconds_at_last_new_row: float = 0.0
    step_s: list[float] = field(default_factory=list)


class Books:
    """Settings and counts, shared by all connections."""

    def __init__(self) -> None:
        self.reset(Settings())

    def reset(self, settings: Settings) -> None:
        """Forget everything and behave like this from now on."""
        self.settings, self.seen = settings, Seen()
        self.slow = settings.slow_rows()
        self.refused = settings.drawn("429", settings.share_429)
        self.failing = settings.drawn("500", settings.share_500)
        self.poisoned = settings.drawn("poison", settings.poison_share)
        self.asked, self.given = array("L", [0] * settings.rows), bytearray(settings.rows)
        self.before_mark: bytearray | None = None
        self.in_flight, self.changed_s = 0, time.monotonic()
        self.waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.cpu_s = time.process_time()

    def change(self, by: int) -> float:
        """Count a request in or out of flight; returns now."""
        now = time.monotonic()
        seen = self.seen
        seen.slot_seconds += self.in_flight * (now - self.changed_s)
        self.changed_s = now
        self.in_flight += by
        seen.max_in_flight = max(seen.max_in_flight, self.in_flight)
        return now

    def ask(self, row: int) -> tuple[bytes, float]:
        """What to say to a request for a row, and after how long."""
        seen, settings = self.seen, self.settings
        seen.requests += 1
        is_first = False
        if 0 <= row < settings.rows:
            is_first = self.asked[row] == 0
            self.asked[row] += 1
            seen.repeats += not is_first
            if self.before_mark is not None:
                seen.asked_since_mark += 1
                seen.asked_again_although_answered += self.before_mark[row]
        else:
            seen.unmarked += 1
        now = self.change(0)
        if seen.requests == 1:
            seen.first_s = now
        if is_first:
            seen.last_new_row_s, seen.slot_seconds_at_last_new_row = now, seen.slot_seconds
        if row in self.poisoned:
            seen.rejected_400 += 1
            return REJECTED, 0.0
        if (is_first and row in self.refused) or (settings.capacity and self.in_flight >= settings.capacity):
            seen.refused_429 += 1
            return REFUSED, 0.0
        if is_first and row in self.failing:
            seen.failed_500 += 1
            return FAILED, settings.latency_s
        return b"", settings.latency_s * (settings.slow_factor if row in self.slow else 1.0)

    def give(self, row: int) -> None:
        """Count an answer that was written to a living connection."""
        seen = self.seen
        seen.answered += 1
        if 0 <= row < self.settings.rows:
            self.given[row] = 1
        if seen.answered * STEPS >= (len(seen.step_s) + 1) * self.settings.rows:
            seen.step_s.append(time.monotonic())
        if self.waiting:
            self.tell()

    def tell(self) -> None:
        """Answer who waits for a number of answers that has been reached."""
        for count, future in self.waiting:
            if self.seen.answered >= count and not future.done():
                future.set_result(None)

    def mark(self) -> None:
        """Remember which rows have been answered by now."""
        self.before_mark = bytearray(self.given)
        self.seen.answered_at_mark, self.seen.cut_off_at_mark = self.seen.answered, self.seen.cut_off

    def stats(self) -> dict[str, object]:
        """The counts as plain data."""
        self.change(0)
        return {**asdict(self.seen), "server_cpu_s": time.process_time() - self.cpu_s}


def whole(status: bytes, body: bytes, *headers: bytes) -> bytes:
    """An HTTP response."""
    lines = (b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def fault(status: bytes, message: str, *headers: bytes) -> bytes:
    """A refusal in the shape OpenAI's servers give it."""
    kind = "invalid_request_error" if status.startswith(b"400") else "server_error"
    return whole(status, json.dumps({"error": {"message": message, "type": kind, "code": None}}).encode(), *headers)


REFUSED = fault(b"429 Too Many Requests", "too fast", b"Retry-After: 1")
FAILED = fault(b"500 Internal Server Error", "it broke")
REJECTED = fault(b"400 Bad Request", "this prompt is never answered")


def _answer_parts() -> tuple[bytes, bytes]:
    """What comes before and after the eight digits of the row number."""
    message = {"role": "assistant", "content": "[row 00000000]" + ANSWER, "refusal": None}
    body = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 1_723_456_789,
        "model": "loopback",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 80, "completion_tokens": 96, "total_tokens": 176},
    }
    # Limits that no client here can reach; one peer reads them and throttles itself when they are missing.
    limits = [
        b"x-ratelimit-%s-%s: 999999999" % (which, what)
        for which in (b"limit", b"remaining")
        for what in (b"requests", b"tokens")
    ]
    before, after = whole(b"200 OK", json.dumps(body).encode(), *limits).split(b"00000000")
    return before, after


BEFORE, AFTER = _answer_parts()


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, each answered by a timer."""

    def __init__(self, books: Books) -> None:
        self.books, self.buffer, self.pending = books, b"", 0
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.books.seen.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio decides the signature
        self.transport = None
        self.books.seen.cut_off += self.pending

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            found = LENGTH.search(head)
            stop = end + 4 + (int(found.group(1)) if found else 0)
            if len(self.buffer) < stop:
                return
            body, self.buffer = self.buffer[end + 4 : stop], self.buffer[stop:]
            self.close_after = b"connection: close" in head.lower()
            if head.startswith(b"POST"):
                self.post(body)
            else:
                self.get(head.split(b" ", 2)[1].decode())

    def post(self, body: bytes) -> None:
        """Take one question."""
        at = body.find(MARK)
        row = int(body[at + 5 : at + 13]) if at >= 0 else -1
        said, wait_s = self.books.ask(row)
        if wait_s == 0.0:
            self.books.seen.last_s = time.monotonic()
            self.write(said)
            return
        self.books.change(1)
        self.pending += 1
        self.loop.call_later(wait_s, self.answer, self.books.seen, row, said)

    def answer(self, seen: Seen, row: int, said: bytes) -> None:
        """Say what was decided, unless the client is gone or the books were opened anew."""
        self.pending -= 1
        if seen is not self.books.seen:
            return
        seen.last_s = self.books.change(-1)
        if said or self.transport is None:
            self.write(said)
        else:
            self.books.give(row)
            self.write(BEFORE + b"%08d" % max(row, 0) + AFTER)

    def write(self, content: bytes) -> None:
        """Send, and hang up where the client asked for it."""
        if self.transport is not None:
            self.transport.write(content)
            if self.close_after:
                self.transport.close()

    def get(self, target: str) -> None:
        """The control side."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        if url.path == "/when":
            future = self.loop.create_future()
            future.add_done_callback(lambda _: self.write(whole(b"200 OK", b"{}")))
            self.books.waiting.append((int(query["answered"]), future))
            self.books.tell()
            return
        if url.path == "/reset":
            kinds = {name: type(value) for name, value in asdict(Settings()).items()}
            self.books.reset(Settings(**{name: kinds[name](value) for name, value in query.items()}))
        elif url.path == "/mark":
            self.books.mark()
        known = {"object": "list", "data": [{"id": "loopback", "object": "model", "created": 1, "owned_by": "bench"}]}
        found = known if url.path.endswith("/models") else self.books.stats()
        self.write(whole(b"200 OK", json.dumps(found).encode()))


async def serve() -> None:
    """Serve on a free port, whose number is printed."""
    books = Books()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(books), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
    else:
        sys.exit(uvloop.run(serve()))
