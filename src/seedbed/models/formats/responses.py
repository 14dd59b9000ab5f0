"""OpenAI's responses: the newer of its two ways to ask, with typed parts instead of one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from seedbed.models.address import Secret
from seedbed.models.formats import reading
from seedbed.models.formats.chat_completions import broken_off, unreadable
from seedbed.models.formats.constraints import Style, responses_parameters
from seedbed.models.formats.dialect import Dialect
from seedbed.models.formats.faults import error_of, read_fault, status_of
from seedbed.models.formats.shares import Usage
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

_BROKEN = ("failed", "cancelled", "in_progress", "queued")
"""What an answer that was waited for can only be when something went wrong at the service."""


class Responses:
    """See `seedbed.models.formats.Format`. It knows neither `n` nor `seed`; nothing is kept at the service.

    Args:
        model: Name of the model as the server knows it.
        constraints: `none` sends no schema, everything else sends JSON schemas as `text.format`.

    Source:
        OpenAI API reference, Responses (2026).
    """

    path = "/responses"
    most_draws = 1

    def __init__(self, model: str, constraints: Style = "openai") -> None:
        self.model, self.constraints = model, constraints
        self._dialect = Dialect(lambda it, strict: responses_parameters(it, strict=strict), "max_output_tokens")

    def headers(self, key: Secret | None) -> dict[str, str]:
        """See `Format`."""
        return {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}

    def body(self, request: Request, draws: int = 1) -> dict[str, Any]:  # noqa: ARG002 - most_draws is 1
        """See `Format`."""
        dialect = self._dialect
        dialect.check(request)
        body = {
            "model": self.model,
            "input": [_turn(role, text) for role, text in request.messages],
            "store": False,  # by default the service keeps every answer for 30 days
            **dialect.sampling(request),
            dialect.max_tokens: request.max_tokens,
        }
        if request.logprobs is not None and dialect.takes("logprobs"):
            body |= {"include": ["message.output_text.logprobs"], "top_logprobs": request.logprobs}
        if request.constraint is not None and self.constraints != "none":
            body |= dialect.shape(request.constraint)
        return body

    def learn(self, request: Request, status: int, content: bytes, sent: Mapping[str, Any]) -> None:
        """See `Format`."""
        self._dialect.learn(request, status, content, sent)

    def read(  # a request here gets one answer
        self,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        *,
        seconds: float = 0.0,
        draws: int = 1,  # noqa: ARG002
    ) -> list[Reply | Failure | Retryable]:
        """See `Format`."""
        found = reading.parsed(content)
        error = error_of(found)
        status = status_of(status, error)
        answer = reading.mapping(found)
        has_failed = answer.get("status") == "failed"
        if 200 <= status < 300 and has_failed and error:
            status = 400  # with an error code of its own, such as invalid_prompt
        if 200 <= status < 300:
            return [_read_success(found, answer, seconds)]
        meant = read_fault(status, headers, found, content, path=self.path, seconds=seconds)
        if has_failed and isinstance(meant, Retryable) and not meant.is_rate_limit:
            meant = replace(meant, may_be_billed=True)  # the model was at work already
        return [meant]


def _turn(role: str, text: str) -> dict[str, Any]:
    if role != "assistant":
        return {"role": role, "content": text}
    # What the model said goes back in the shape it came in; llama.cpp's server takes no other.
    return {"type": "message", "role": role, "content": [{"type": "output_text", "text": text}]}


def _read_success(found: Any, answer: dict[str, Any], seconds: float) -> Reply | Failure | Retryable:
    usage = _usage(reading.mapping(answer.get("usage")))
    if answer.get("status") in _BROKEN:
        return broken_off(answer)
    parts = [
        part
        for item in map(reading.mapping, reading.items(answer.get("output")))
        if item.get("type") == "message"  # not `reasoning`, whose parts hold text too
        for part in map(reading.mapping, reading.items(item.get("content")))
    ]
    if answer.get("status") == "incomplete":
        reason = reading.mapping(answer.get("incomplete_details")).get("reason")
        if reason == "content_filter":
            return usage.failure("refused", "the endpoint's content filter stopped the answer", seconds)
        return usage.failure("truncated", "the answer stopped at max_tokens", seconds)
    refusals = [part["refusal"] for part in parts if isinstance(part.get("refusal"), str)]
    if refusals:
        return usage.failure("refused", reading.clean(" ".join(refusals)), seconds)
    said = [part for part in parts if part.get("type") == "output_text"]
    text = reading.joined(said)
    if text is None:
        return unreadable("it holds no text" if isinstance(found, dict) else "not a JSON object (cut off?)")
    tokens = [entry for part in said for entry in reading.items(part.get("logprobs"))]
    return usage.reply(text, reading.model_name(answer.get("model")), seconds, reading.logprobs(tokens))


def _usage(usage: dict[str, Any]) -> Usage:
    cached = reading.count(reading.mapping(usage.get("input_tokens_details")).get("cached_tokens"))
    return Usage(reading.count(usage.get("input_tokens")), reading.count(usage.get("output_tokens")), cached or 0)
