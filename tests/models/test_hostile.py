"""Servers that answer anything at all, on a real socket: every row gets one value, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from tests.models.in_thread import in_thread

from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.models.http import Http
from seedbed.models.wire import Retryable
from seedbed.request import Choice, Failure, JsonSchema, Reply, Request

Api = Literal["chat", "responses", "messages"]
APIS: list[Api] = ["chat", "responses", "messages"]
KEYS = ["choices", "message", "content", "error", "code", "usage", "prompt_tokens", "completion_tokens", "refusal",
        "detail", "text", "type", "output", "status", "stop_reason", "finish_reason", "logprobs", "token", "logprob",
        "top_logprobs", "input_tokens", "output_tokens", "incomplete_details", "reason", "model", "param",
        "cache_read_input_tokens", "prompt_tokens_details", "cached_tokens", "input_tokens_details"]  # fmt: skip
WORDS = ["", "stop", "length", "completed", "incomplete", "failed", "end_turn", "refusal", "text", "output_text",
         "message", "\ud83d", "\x00\x1b[2J", "max_tokens", "temperature", "overloaded_error", "x" * 3000]  # fmt: skip
GOOD = {
    "chat": b'{"choices": [{"message": {"content": "fine"}, "finish_reason": "stop"}]}',
    "responses": b'{"status": "completed", "output": [{"type": "message", "content":'
    b' [{"type": "output_text", "text": "fine"}]}]}',
    "messages": b'{"content": [{"type": "text", "text": "fine"}], "stop_reason": "end_turn"}',
}
QUICK = {"timeout_s": 0.5, "concurrency": 8}
Pieces = Iterator[bytes]


def response(body: bytes, *headers: bytes, status: bytes = b"200 OK", length: int | None = None) -> bytes:
    size = b"Content-Length: %d" % (len(body) if length is None else length)
    return b"\r\n".join([b"HTTP/1.1 " + status, size, *headers, b"", body])


def forever(piece: bytes, start: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Pieces:
    yield start
    while True:
        yield piece


def once(content: bytes) -> Pieces:
    yield content


class Server:
    """Sends what `script` gives for the number in the prompt, and hangs up when that ends."""

    def __init__(self, script: Callable[[int], Pieces]) -> None:
        self.script = script
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head, re.I)
            assert size is not None
            body = await reader.readexactly(int(size[1]))
            number = re.search(rb"row (\d+)", body)
            assert number is not None
            for piece in self.script(int(number[1])):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@contextmanager
def hostile_server(script: Callable[[int], Pieces]) -> Iterator[Server]:
    """Serve on a free port, in a thread of its own, until the block ends."""
    server = Server(script)
    listening: list[asyncio.Server] = []

    async def start() -> None:
        listener = await asyncio.start_server(server.answer, "127.0.0.1", 0, backlog=512)
        listening.append(listener)
        server.port = listener.sockets[0].getsockname()[1]

    async def shut() -> None:
        listening[0].close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    with in_thread(start, shut):
        yield server


def row(number: int) -> Request:
    constraint = [None, Choice(("a", "b")), JsonSchema.of({"type": "object"})][number % 3]
    return Request(
        (("user", f"row {number}"),), temperature=1, logprobs=2 if number % 2 else None, constraint=constraint
    )


Value = Reply | Failure | Retryable | EndpointRefused


def ask_all(api: Api, script: Callable[[int], Pieces], rows: int) -> list[Value]:
    """The value of each row, asked through the wire alone, a few at a time."""

    async def ask(wire: Http, number: int, room: asyncio.Semaphore) -> Value:
        async with room:
            try:
                return await wire.send(row(number))
            except EndpointRefused as refused:
                return refused

    async def run(port: int) -> list[Value]:
        settings = Endpoint(api=api, **QUICK)
        room = asyncio.Semaphore(16)
        wires = [Http(f"http://127.0.0.1:{port}/v1#m", settings) for _ in range(rows)]
        try:
            return list(await asyncio.gather(*(ask(wire, number, room) for number, wire in enumerate(wires))))
        finally:
            for wire in wires:
                await wire.close()

    with hostile_server(script) as server:
        return asyncio.run(run(server.port))


def can_be_stored(value: Value) -> bool:
    """Every text it holds can be written to a file and every number to a column."""
    if isinstance(value, EndpointRefused):
        return bool(str(value).encode())
    words = value.text + value.model if isinstance(value, Reply) else value.message
    counts = [] if isinstance(value, Retryable) else [value.tokens_in, value.tokens_out, value.tokens_cached]
    json.dumps([token.logprob for token in (value.logprobs or ())] if isinstance(value, Reply) else [], allow_nan=False)
    return bool(words.encode() or True) and all(count is None or 0 <= count < 1 << 63 for count in counts)


class Hostile:
    """Answers drawn at random from everything a server might do wrong."""

    def __init__(self, rng: random.Random, api: Api) -> None:
        self.rng, self.api = rng, api

    def value(self, depth: int = 0) -> Any:
        kind = self.rng.randrange(8 if depth < 6 else 5)
        if kind >= 5:
            keys = self.rng.choices(KEYS, k=self.rng.randrange(5))
            plain = {key: self.value(depth + 1) for key in keys}
            return plain if kind < 7 else [plain, self.value(depth + 1)][: self.rng.randrange(3)]
        numbers = [0, -1, 7, 1 << 62, 1 << 90, 10**400, 0.5, float("nan"), float("inf")]
        return [None, True, self.rng.choice(numbers), self.rng.choice(WORDS), []][kind]

    def bent(self) -> Any:
        """A good answer with one part of it replaced."""
        whole = json.loads(GOOD[self.api])
        node: Any = whole
        while True:
            place = self.rng.choice(list(node)) if isinstance(node, dict) else 0
            inner = node[place]
            if not isinstance(inner, dict | list) or not inner or self.rng.random() < 0.3:
                node[place] = self.value(3)
                return whole
            node = inner

    def body(self) -> bytes:
        whole = json.dumps(self.value() if self.rng.random() < 0.4 else self.bent()).encode()
        cut = self.rng.randrange(len(whole) + 1)
        noise = self.rng.randbytes(self.rng.randrange(40))
        return self.rng.choice(
            [whole, whole, whole, whole[:cut], whole[:cut] + noise + whole[cut:], noise, b"<html>no"]
        )

    def status(self) -> bytes:
        usual = [b"200 OK"] * 6 + [b"400 Bad", b"404 Not Found", b"429 Slow", b"500 Oh", b"529 Full", b"302 Go"]
        return self.rng.choice(
            [*usual, b"204 None", b"999 What", b"0 x", b"-1 x", b"100 Continue", b"101 Switch", b"two"]
        )

    def head(self) -> bytes:
        names = [b"Content-Type", b"Content-Encoding", b"Transfer-Encoding", b"Location", b"Retry-After", b"Set-Cookie",
                 b"Content-Length", b"Connection", b"retry-after-ms", b"x-ratelimit-remaining-tokens",
                 b"x-ratelimit-reset-tokens", b"Upgrade", b"X" * 50]  # fmt: skip
        values = [b"gzip", b"deflate", b"br", b"chunked", b"close", b"-5", b"1e999", b"0", b"\xff\xfe", b"http://[::1",
                  b"text/html; charset=\x00", b"=;=", b"nan", b"6m0s", b"9" * 400, b"a" * 9000]  # fmt: skip
        return self.rng.choice(names) + b": " + self.rng.choice(values)

    def answer(self) -> bytes:
        body, size = self.body(), None
        if self.rng.random() < 0.2:
            size = self.rng.choice([0, 1, len(body) + 5, len(body) // 2, 10**30])
        heads = [self.head() for _ in range(self.rng.randrange(3))] if self.rng.random() < 0.5 else []
        whole = response(body, *heads, status=self.status(), length=size)
        if self.rng.random() < 0.1:
            cut = self.rng.randrange(len(whole))
            return whole[:cut] + self.rng.randbytes(3) + whole[cut + 3 :]
        return whole


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("rng_seed", [1, 2])
def test_whatever_a_server_sends_each_row_gets_one_value_that_can_be_stored(api: Api, rng_seed: int) -> None:
    rng = random.Random(rng_seed)
    answers = [Hostile(rng, api).answer() for _ in range(200)]
    values = ask_all(api, lambda number: once(answers[number]), len(answers))
    assert len(values) == len(answers) and all(map(can_be_stored, values))
    # The fuzz is worth something only if it reaches every outcome.
    assert {type(value) for value in values} == {Reply, Failure, Retryable, EndpointRefused}


BOMB = gzip.compress(b"x" * (32 << 20), 9)
ODD = [
    response(b"\x1f\x8b garbage", b"Content-Encoding: gzip"),
    response(BOMB, b"Content-Encoding: gzip"),
    response(zlib.compress(b"[" * (1 << 20)), b"Content-Encoding: deflate"),
    response(b"[" * 200_000),
    response(b'{"choices": ' + b"9" * 200_000 + b"}"),
    response(b"{}", *(b"X-%d: y" % number for number in range(100_000))),
    response(b"{}", b"X: " + b"y" * (1 << 20)),
    b"HTTP/1.1 200 OK\r\n" + b"y" * (1 << 20),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    response(b"{}", length=10**9),
    b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    response(b"", b"Location: http://127.0.0.1:1/v1", status=b"307 Go"),
    response(b"<!doctype html><html>" + b"<p>" * 9000, b"Content-Type: text/html"),
    response(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    b"",
]


@pytest.mark.parametrize("api", APIS)
def test_the_odd_ways_of_http_end_in_a_value(api: Api) -> None:
    values = ask_all(api, lambda number: once(ODD[number]), len(ODD))
    assert len(values) == len(ODD) and all(map(can_be_stored, values))
    assert not any(isinstance(value, Reply) for value in values)


ENDLESS: list[Callable[[], Pieces]] = [
    lambda: forever(b"x" * 65536),
    lambda: forever(b"8\r\n12345678\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    lambda: forever(b"X-Y: z\r\n", b"HTTP/1.1 200 OK\r\n"),
    lambda: forever(b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    lambda: forever(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    lambda: forever(b"", b""),
    lambda: forever(b"\x00" * 65536, b""),
]


@pytest.mark.parametrize("api", APIS)
def test_streams_without_end_end_in_time_and_in_little_memory(api: Api) -> None:
    tracemalloc.start()
    start = time.monotonic()
    values = ask_all(api, lambda number: ENDLESS[number](), len(ENDLESS))
    seconds, (_, peak) = time.monotonic() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(isinstance(value, Retryable) for value in values)
    assert seconds < 5 and peak < 200 << 20


@pytest.mark.parametrize("api", APIS)
def test_a_run_against_a_hostile_server_accounts_for_every_row(api: Api, tmp_path: Any) -> None:
    rng = random.Random(3)
    # The server hangs up after each answer, and says so here: a row sent on a dying connection would count as lost.
    good = response(GOOD[api], b"connection: close")
    answers = [good if number % 2 else fault(rng, api) for number in range(60)]
    settings = Endpoint(api=api, attempts=2, **QUICK)
    with (
        hostile_server(lambda number: once(answers[number])) as server,
        Ledger.at(tmp_path / "ledger.sqlite") as ledger,
    ):
        model = open_model(f"http://127.0.0.1:{server.port}/v1#m", ledger=ledger, settings=settings)
        plain = (Request((("user", f"row {number}"),)) for number in range(60))
        found = list(model.generate(plain))
    assert len(found) == 60
    assert all(isinstance(answer, Reply) and answer.text == "fine" for answer in found[1::2])
    assert all(isinstance(answer, Reply | Failure) for answer in found)


def fault(rng: random.Random, api: Api) -> bytes:
    """A bad answer that concerns one row only."""
    status = rng.choice([b"200 OK", b"400 Bad", b"413 Big", b"422 Odd"])
    noise = rng.choice([rng.randbytes(30), b"<html>", b"[" * 9000, json.dumps(Hostile(rng, api).value()).encode()])
    return response(noise, b"connection: close", status=status, length=rng.choice([None, None, len(noise) + 9]))
