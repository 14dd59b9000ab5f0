"""OpenAI's files and batches endpoints on loopback, with the quirks of the real ones, counting what would be billed.

Written from the public documentation and from what users of such services report. A batch moves on by one state with
each look at it, so that no test waits for a clock.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.models.in_thread import served

KEY = "sk-canary-9d27c0b1fe"
EXPIRED = {"code": "batch_expired", "message": "This request could not be executed before the window expired."}
CANCELLED = {"code": "batch_cancelled", "message": "This request was cancelled."}


@dataclass(frozen=True)
class Line:
    """What becomes of one request of a batch."""

    status: int = 200
    body: Any = None
    error: dict[str, str] | None = None
    """Instead of a status: the request was not executed."""
    is_missing: bool = False
    """In neither file, although executed."""
    raw: bytes | None = None
    """Written instead of the line."""
    copies: int = 1

    @property
    def is_billed(self) -> bool:
        return self.error is None and self.status == 200


def said(text: str, tokens_in: int | None = 10, tokens_out: int | None = 5, finish: str = "stop") -> Line:
    """A good answer."""
    message = {"role": "assistant", "content": text}
    body: dict[str, Any] = {"model": "tiny-1", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    if tokens_in is not None:
        body["usage"] = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
    return Line(body=body)


def wrong(status: int, message: str, code: str | None = None) -> Line:
    """An error of one request."""
    return Line(status, {"error": {"message": message, "code": code}})


Script = Callable[[str, int, dict[str, Any]], Line]
"""From the last message, how often it was executed before, and the body, to what becomes of it."""


@dataclass
class Quirks:
    """What the service does beside answering."""

    ending: Callable[[int], str] = lambda _number: "completed"
    """How the n-th batch ends: completed, expired, cancelled."""
    faults: Callable[[int, list[dict[str, Any]]], list[dict[str, Any]]] = lambda _number, _lines: []
    """Why the n-th batch fails validation; empty where it does not."""
    create: list[str] = field(default_factory=list)
    """What the first calls that create a batch meet: a status, or `lost`: it is made and the answer never comes."""
    upload: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    download: list[str] = field(default_factory=list)
    """Likewise; `cut`: half of the file comes."""
    no_file: Any = None
    """What stands where there is no output or error file: null, or an empty text."""
    queue: int | None = None
    """Requests that may be in unfinished batches; more are refused while validating."""
    looks: int = 3
    """Looks at a batch before it ends."""
    page: int = 2
    """Batches listed at once."""
    deleted: set[str] = field(default_factory=set)
    """Files (`output`, `error`) that are gone when they are asked for."""
    is_stuck: bool = False
    """No batch ends."""


@dataclass
class Made:
    """A batch as the service knows it."""

    id: str
    number: int
    input_file: str
    endpoint: str
    metadata: dict[str, str]
    lines: list[dict[str, Any]]
    status: str = "validating"
    looks: int = 0
    output_file: Any = None
    error_file: Any = None
    errors: Any = None
    executed: int = 0


class BatchServer:
    """The running service."""

    def __init__(self, script: Script, quirks: Quirks) -> None:
        self.script, self.quirks = script, quirks
        self.billed: Counter[str] = Counter()
        """By prompt: answers that would be on the bill."""
        self.executed: Counter[str] = Counter()
        self.batches: list[Made] = []
        self.files: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.port = 0
        self.on_call: Callable[[str, str], None] = lambda _kind, _when: None
        """Told of each call, before and after the service did what was asked, and before it answers."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1#tiny"

    @property
    def sizes(self) -> list[int]:
        """Requests of each batch."""
        return [len(batch.lines) for batch in self.batches]

    def finish(self) -> None:
        """Let every batch end with the next look."""
        self.quirks.is_stuck, self.quirks.looks = False, 0

    @web.middleware
    async def tell(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Let a test act around a call."""
        kind = handler.__name__
        self.on_call(kind, "before")
        answer: web.StreamResponse = await handler(request)
        self.on_call(kind, "after")
        return answer

    # -- endpoints -----------------------------------------------------------------------------------------------------

    async def upload(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        form = await request.post()
        if (fault := self._next(self.quirks.upload)) is not None:
            return fault
        file = form["file"]
        assert form["purpose"] == "batch" and isinstance(file, web.FileField) and file.filename.endswith(".jsonl")
        name = f"file-{len(self.files)}"
        self.files[name] = file.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "batch", "status": "processed"})

    async def create(self, request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        fault = self.quirks.create.pop(0) if self.quirks.create else ""
        if fault and fault != "lost":
            return _fault(fault)
        assert sent["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[sent["input_file_id"]].splitlines()]
        number = len(self.batches)
        made = Made(
            f"batch_{number}", number, sent["input_file_id"], sent["endpoint"], sent.get("metadata") or {}, lines
        )
        self.batches.append(made)
        if fault == "lost":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self._shown(made))

    async def look(self, request: web.Request) -> web.StreamResponse:
        if (fault := self._next(self.quirks.look)) is not None:
            return fault
        made = next((each for each in self.batches if each.id == request.match_info["id"]), None)
        if made is None:
            return _fault("404")
        self._move(made)
        return web.json_response(self._shown(made))

    async def list(self, request: web.Request) -> web.StreamResponse:
        if (fault := self._next(self.quirks.listed)) is not None:
            return fault
        newest = list(reversed(self.batches))
        after = request.query.get("after")
        start = next(at for at, each in enumerate(newest, 1) if each.id == after) if after else 0
        page = newest[start : start + self.quirks.page]
        more = start + len(page) < len(newest)
        return web.json_response({"object": "list", "data": [self._shown(each) for each in page], "has_more": more})

    async def content(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["id"]
        fault = self.quirks.download.pop(0) if self.quirks.download else ""
        if fault and fault != "cut":
            return _fault(fault)
        if name not in self.files or any(name.startswith(kind) for kind in self.quirks.deleted):
            return _fault("404")
        content = self.files[name]
        response = web.StreamResponse(headers={"Content-Length": str(len(content))})
        await response.prepare(request)
        await response.write(content[: len(content) // 2] if fault == "cut" else content)
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
        return response

    # -- what happens behind them --------------------------------------------------------------------------------------

    def _move(self, made: Made) -> None:
        if made.status in ("completed", "failed", "expired", "cancelled"):
            return
        made.looks += 1
        if made.status == "validating":
            faults = self.quirks.faults(made.number, made.lines)
            busy = sum(len(each.lines) for each in self.batches if each.status in ("in_progress", "finalizing"))
            if self.quirks.queue is not None and busy + len(made.lines) > self.quirks.queue:
                faults = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}]
            if faults:
                made.status, made.errors = "failed", {"object": "list", "data": faults}
                return
        made.status = "in_progress"
        if made.looks >= self.quirks.looks and not self.quirks.is_stuck:
            self._execute(made, self.quirks.ending(made.number))

    def _execute(self, made: Made, ending: str) -> None:
        output, errors = [], []
        for line in reversed(made.lines):  # in any order but the one that was sent
            body = line["body"]
            prompt = (body.get("messages") or body.get("input"))[-1]["content"]
            self.bodies.append(body)
            result = self.script(prompt, self.executed[prompt], body)
            if result.error is None:
                self.executed[prompt] += 1
                self.billed[prompt] += result.is_billed
                made.executed += result.is_billed
            elif ending == "completed" and result.error is EXPIRED:
                ending = "expired"
            if not result.is_missing:
                written = _written(line["custom_id"], result)
                (output if result.is_billed else errors).extend([written] * result.copies)
        for kind, lines in (("output", output), ("error", errors)):
            if lines:
                self.files[f"{kind}-{made.number}"] = b"".join(lines)
                setattr(made, f"{kind}_file", f"{kind}-{made.number}")
        made.status = ending

    def _shown(self, made: Made) -> dict[str, Any]:
        return {
            "id": made.id,
            "object": "batch",
            "endpoint": made.endpoint,
            "errors": made.errors,
            "input_file_id": made.input_file,
            "completion_window": "24h",
            "status": made.status,
            "output_file_id": made.output_file or self.quirks.no_file,
            "error_file_id": made.error_file or self.quirks.no_file,
            "created_at": 4_000_000_000 + made.number,
            "request_counts": {"total": len(made.lines), "completed": made.executed, "failed": 0},
            "metadata": made.metadata,
        }

    @staticmethod
    def _next(faults: list[str]) -> web.Response | None:
        return _fault(faults.pop(0)) if faults else None


def _written(custom_id: str, line: Line) -> bytes:
    if line.raw is not None:
        return line.raw
    response = None if line.error else {"status_code": line.status, "request_id": "r", "body": line.body}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": line.error}).encode() + b"\n"


def _fault(name: str) -> web.Response:
    status, _, code = name.partition(" ")
    body = {"error": {"message": f"{code or 'trouble'} here", "code": code or None}}
    return web.json_response(body, status=int(status), headers={"Retry-After": "0"} if status == "429" else None)


@contextmanager
def batch_server(
    script: Script = lambda prompt, _times, _body: said(f"to {prompt}"), quirks: Quirks | None = None
) -> Iterator[BatchServer]:
    """Serve on a free port, in a thread of its own, until the block ends."""
    server = BatchServer(script, quirks or Quirks())
    app = web.Application(client_max_size=1 << 28, middlewares=[server.tell])
    app.router.add_post("/v1/files", server.upload)
    app.router.add_get("/v1/files/{id}/content", server.content)
    app.router.add_post("/v1/batches", server.create)
    app.router.add_get("/v1/batches", server.list)
    app.router.add_get("/v1/batches/{id}", server.look)
    with served(app) as server.port:
        yield server
