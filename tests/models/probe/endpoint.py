"""An endpoint on loopback whose habits are knobs: what it honours, ignores, refuses or lies about."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.models.in_thread import served

KEY = "sk-canary-77b1e0c4d9"
"""It must never turn up in what is printed."""


@dataclass(frozen=True)
class Habits:
    """What the endpoint does; the defaults are those of a good one."""

    models: tuple[str, ...] | None = ("tiny", "large")
    """None: it has no list."""
    n: bool = True
    seed: bool = True
    temperature: bool = True
    """False: every draw is the same."""
    cold: bool = True
    """Temperature 0 gives one answer."""
    shape: bool = True
    logprobs: bool = True
    system: bool = True
    usage: bool = True
    length: str = "length"
    """What a cut answer says of its end."""
    keeps_max_tokens: bool = True
    refuses: tuple[str, ...] = ()
    """Parameters that are answered with 400."""
    wants_key: bool = False
    limits: tuple[tuple[str, str], ...] = ()
    too_fast: int = 0
    """First so many requests are answered with 429."""
    says: str = ""
    """Every answer begins with this."""


@dataclass
class Endpoint:
    """The running server and what it was asked."""

    habits: Habits
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def address(self) -> str:
        """What `open_model` takes."""
        return f"http://127.0.0.1:{self.port}/v1#tiny"

    async def list(self, request: web.Request) -> web.Response:
        """GET /models."""
        if self._is_stranger(request):
            return _error(401, "no key", "invalid_api_key")
        if self.habits.models is None:
            return web.Response(status=500, text="Internal Server Error")
        return web.json_response({"data": [{"id": name} for name in self.habits.models]})

    async def answer(self, request: web.Request) -> web.Response:
        """POST /chat/completions."""
        body, habits = await request.json(), self.habits
        self.bodies.append(body)
        if self._is_stranger(request):
            return _error(401, f"Incorrect API key: {request.headers.get('Authorization')}", "invalid_api_key")
        if len(self.bodies) <= habits.too_fast:
            return web.json_response({"error": {"message": "too fast"}}, status=429, headers={"retry-after-ms": "5"})
        for name in habits.refuses:
            if name in body and (name != "temperature" or body[name] != 1):
                return _error(400, f"Unsupported parameter: '{name}' is not supported with this model", "unsupported")
        if body["model"] != "tiny":
            return _error(404, "The model does not exist", "model_not_found")
        choices = [self._choice(body, index) for index in range(body.get("n", 1) if habits.n else 1)]
        words = sum(len(choice["message"]["content"].split()) for choice in choices)
        whole: dict[str, Any] = {"model": "tiny-1", "choices": choices}
        if habits.usage:
            whole["usage"] = {"prompt_tokens": len(json.dumps(body["messages"]).split()), "completion_tokens": words}
        return web.json_response(whole, headers=dict(habits.limits))

    def _is_stranger(self, request: web.Request) -> bool:
        return self.habits.wants_key and request.headers.get("Authorization") != f"Bearer {KEY}"

    def _choice(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        words, habits, reason = self._words(body), self.habits, "stop"
        if len(words) > body["max_tokens"] and habits.keeps_max_tokens:
            words, reason = words[: body["max_tokens"]], habits.length
        message = {"role": "assistant", "content": " ".join(words)}
        choice = {"index": index, "message": message, "finish_reason": reason}
        if body.get("logprobs") and habits.logprobs:
            top = [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -2.0}]
            choice["logprobs"] = {"content": [{"token": word, "logprob": -0.1, "top_logprobs": top} for word in words]}
        return choice

    def _words(self, body: dict[str, Any]) -> list[str]:
        habits, asked = self.habits, body["messages"][-1]["content"]
        if "response_format" in body and habits.shape:
            schema = body["response_format"]["json_schema"]["schema"]
            return [json.dumps({"harbour": schema["properties"]["harbour"]["enum"][0]})]
        if body["messages"][0]["role"] == "system":
            return ["Pelican."] if habits.system else ["Paris."]
        if asked.startswith("Count"):
            return ["one"] * 200
        if asked.startswith("List"):
            dice = self.dice
            if not habits.temperature or (body["temperature"] == 0 and habits.cold):
                dice = random.Random(0)
            elif "seed" in body and habits.seed:
                dice = random.Random(body["seed"])
            return [f"word{dice.randrange(10**6)}" for _ in range(6)]
        return [f"{habits.says}Hello", "there."]


def _error(status: int, message: str, code: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status)


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Endpoint]:
    """Serve on a free port, in a thread of its own, until the block ends."""
    endpoint = Endpoint(habits or Habits())
    app = web.Application()
    app.router.add_get("/v1/models", endpoint.list)
    app.router.add_post("/v1/chat/completions", endpoint.answer)
    with served(app) as endpoint.port:
        yield endpoint
