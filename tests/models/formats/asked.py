"""Requests and answers that the format tests share."""

from __future__ import annotations

import json
from typing import Any

from seedbed.models.formats import Format
from seedbed.models.wire import Retryable
from seedbed.request import Failure, JsonSchema, Reply, Request

ASK = Request((("user", "hi"),), temperature=1)
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
CLOSED = {**PERSON, "additionalProperties": False}
AS_PERSON = Request(ASK.messages, temperature=1, constraint=JsonSchema.of(PERSON, "person"))


def read(spoken: Format, status: int, content: Any, **headers: str) -> Reply | Failure | Retryable:
    """The one value that an answer means."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    (answer,) = spoken.read(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)
    return answer


def refuse(spoken: Format, request: Request, message: str, **error: Any) -> None:
    """Let a server refuse a request with these words."""
    spoken.learn(request, 400, json.dumps({"error": {"message": message, **error}}).encode(), spoken.body(request))
