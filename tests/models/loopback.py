"""A server on loopback that speaks each wire format, has the faults of real ones on knobs, and counts its requests."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aiohttp import web
from tests.models.in_thread import served

KEY = "sk-canary-4f1d0a7be2"
"""The key the server wants. It must never turn up in a file, a message or a repr."""


@dataclass(frozen=True)
class Faults:
    """Shares of requests, in [0, 1], that meet each fault."""

    too_fast: float = 0.0
    broken: float = 0.0
    cut_off: float = 0.0
    stalled: float = 0.0
    poison: str = "POISON"
    """A prompt that holds this word is always answered with 400."""
    latency_s: float = 0.0
    """Longest wait before an answer; drawn evenly from 0."""
    retry_after_ms: int = 5
    credit: int | None = None
    """Answers until the account is empty."""


def text_for(prompt: str) -> str:
    """What the server answers to a prompt, always the same."""
    return f"answer {sha256(prompt.encode()).hexdigest()[:12]}"


@dataclass
class Loopback:
    """What the server was asked, and what it answered."""

    faults: Faults
    port: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def address(self) -> str:
        return f"{self.base_url}#tiny"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = body.get("input", body.get("messages"))[-1]["content"]
        self.requests[prompt] += 1
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        for given, right in [("Authorization", f"Bearer {KEY}"), ("x-api-key", KEY)]:
            if request.headers.get(given, right) != right:
                return _error(401, f"Incorrect API key provided: {request.headers[given]}", "invalid_api_key")
        if self.faults.latency_s:
            await asyncio.sleep(self.dice.random() * self.faults.latency_s)
        if self.faults.poison in prompt:
            return _error(400, "this prompt is never answered", "invalid_request_error")
        if fault := await self._fault(prompt):
            return fault
        if self.faults.credit is not None and self.answered.total() >= self.faults.credit:
            return _error(429, "You exceeded your current quota", "insufficient_quota")
        self.answered[prompt] += 1
        return web.json_response(self._good(prompt, body, request.path))

    async def _fault(self, prompt: str) -> web.Response | None:
        draw, faults = self.dice.random(), self.faults
        for share, name in [(faults.too_fast, "too_fast"), (faults.broken, "broken"), (faults.cut_off, "cut_off")]:
            if draw < share:
                return self._respond(name, prompt)
            draw -= share
        if draw < faults.stalled:
            await asyncio.sleep(60)
        return None

    def _respond(self, name: str, prompt: str) -> web.Response:
        if name == "too_fast":
            headers = {"retry-after-ms": str(self.faults.retry_after_ms), "Retry-After": "1"}
            return _error(429, "Rate limit reached", "rate_limit_exceeded", headers)
        if name == "broken":
            return web.Response(status=500, text="Internal Server Error")
        whole = json.dumps(self._good(prompt, {}, "/v1/chat/completions"))
        return web.Response(text=whole[: len(whole) // 2], content_type="application/json")

    def _good(self, prompt: str, body: dict[str, Any], path: str) -> dict[str, Any]:
        words, text = len(prompt.split()), text_for(prompt)
        if path == "/v1/messages":
            parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": text}]
            usage = {"input_tokens": words, "output_tokens": 2}
            return {"type": "message", "model": "tiny-1", "content": parts, "stop_reason": "end_turn", "usage": usage}
        if path == "/v1/responses":
            said = {"type": "message", "content": [{"type": "output_text", "text": text, "logprobs": []}]}
            output = [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}, said]
            usage = {"input_tokens": words, "output_tokens": 2}
            return {"object": "response", "status": "completed", "model": "tiny-1", "output": output, "usage": usage}
        draws = range(body.get("n", 1))
        choices = [{"index": it, "message": {"content": text if it == 0 else f"{text} again {it}"},
                    "finish_reason": "stop"} for it in draws]  # fmt: skip
        usage = {"prompt_tokens": words, "completion_tokens": 2 * len(draws)}
        return {"model": "tiny-1", "choices": choices, "usage": usage}


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=headers)


@contextmanager
def serving(faults: Faults | None = None) -> Iterator[Loopback]:
    """Serve on a free port, in a thread of its own, until the block ends."""
    server = Loopback(faults or Faults())
    app = web.Application()
    for path in ("chat/completions", "responses", "messages"):
        app.router.add_post(f"/v1/{path}", server.answer)
    with served(app) as server.port:
        yield server
