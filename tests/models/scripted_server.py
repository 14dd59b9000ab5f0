"""A server on loopback that answers from a script and counts what a provider would bill.

An answer depends on the prompt and on how often it was asked, so a test knows beforehand what will happen to which row.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.models.in_thread import in_thread


@dataclass(frozen=True)
class Answer:
    """What the server sends back for one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    ending: Literal["whole", "cut", "stalled", "hung_up"] = "whole"
    """cut: a whole HTTP answer whose JSON ends in the middle. stalled: half of it, then silence. hung_up: no answer."""


Script = Callable[[str, int, dict[str, Any]], Answer]
"""From the last message, how often it was asked before, and the whole body, to an answer."""


def said(text: str, *, tokens_in: int | None = 10, tokens_out: int | None = 5, finish: str = "stop") -> Answer:
    """A good answer."""
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion", "model": "tiny", "choices": [choice]}
    return Answer(body=json.dumps(whole | ({} if tokens_in is None else {"usage": usage})).encode())


def error(status: int, message: str, *, code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI words it; header names are given with underscores."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": code}}).encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class ScriptedServer:
    """The running server. `answered` counts whole good answers per prompt: what a provider would bill."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.port = 0

    @property
    def address(self) -> str:
        """What `open_model` takes."""
        return f"http://127.0.0.1:{self.port}/v1#tiny"


@contextmanager
def scripted_server(script: Script = lambda prompt, _times, _body: said(f"to {prompt}")) -> Iterator[ScriptedServer]:
    """Serve on a free port, in a thread of its own, until the block ends."""
    server = ScriptedServer(script)
    connections: set[_Connection] = set()
    listening: list[asyncio.Server] = []

    async def start() -> None:
        create = asyncio.get_running_loop().create_server
        listener = await create(lambda: _Connection(server, connections), "127.0.0.1", 0, backlog=1024)
        listening.append(listener)
        server.port = listener.sockets[0].getsockname()[1]

    async def shut() -> None:
        listening[0].close()
        for connection in list(connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    with in_thread(start, shut):
        yield server


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: ScriptedServer, connections: set[_Connection]) -> None:
        self.server, self.connections, self.buffer = server, connections, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(headers[b"content-length"])
        if len(rest) < size:
            return
        self.buffer = rest[size:]
        self._answer(json.loads(rest[:size]))

    def _answer(self, body: dict[str, Any]) -> None:
        server = self.server
        prompt = body.get("input", body.get("messages"))[-1]["content"]
        server.in_flight += 1
        server.most_in_flight = max(server.most_in_flight, server.in_flight)
        answer = server.script(prompt, server.asked[prompt], body)
        server.asked[prompt] += 1
        # Through the loop also without a wait, so that the requests of one moment are in flight together.
        asyncio.get_running_loop().call_later(answer.wait_s, self._send, prompt, answer)

    def _send(self, prompt: str, answer: Answer) -> None:
        self.server.in_flight -= 1
        if self.transport.is_closing():
            return
        if answer.ending == "hung_up":
            self.transport.abort()
            return
        body = answer.body[: len(answer.body) // 2] if answer.ending == "cut" else answer.body
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        whole = f"HTTP/1.1 {answer.status} Status\r\n{lines}\r\n".encode() + body
        if answer.ending == "stalled":
            self.transport.write(whole[: len(whole) // 2])
            return
        self.server.answered[prompt] += answer.status == 200 and answer.ending == "whole"
        self.transport.write(whole)
