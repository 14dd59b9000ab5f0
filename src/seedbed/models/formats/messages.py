"""Anthropic's messages: the key in a header of its own, the system prompt beside the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedbed.models.address import Secret
from seedbed.models.formats import reading
from seedbed.models.formats.chat_completions import broken_off, unreadable
from seedbed.models.formats.constraints import Style, messages_parameters
from seedbed.models.formats.dialect import Dialect
from seedbed.models.formats.faults import error_of, read_fault, status_of
from seedbed.models.formats.shares import Usage
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

_VERSION = "2023-06-01"
_CUT_OFF = {"max_tokens": "the answer stopped at max_tokens",
            "model_context_window_exceeded": "the answer filled the model's context window"}  # fmt: skip


class Messages:
    """See `seedbed.models.formats.Format`. It knows neither `n` nor `seed` nor logprobs.

    `temperature` and `top_p` are sent only where they are not 1, which is the service's default: its newer models
    refuse the one, the other, or both together.

    Args:
        model: Name of the model as the server knows it.
        constraints: `none` sends no schema, everything else sends JSON schemas as `output_config.format`.

    Source:
        Anthropic API reference, Messages, Errors, Stop reasons, Structured outputs (2026).
    """

    path = "/messages"
    most_draws = 1

    def __init__(self, model: str, constraints: Style = "openai") -> None:
        self.model, self.constraints = model, constraints
        # There is no less strict way here: a schema is taken or not sent.
        self._dialect = Dialect(lambda it, _strict: messages_parameters(it))

    def headers(self, key: Secret | None) -> dict[str, str]:
        """See `Format`."""
        return {"anthropic-version": _VERSION} | ({} if key is None else {"x-api-key": key.reveal()})

    def body(self, request: Request, draws: int = 1) -> dict[str, Any]:  # noqa: ARG002 - most_draws is 1
        """See `Format`."""
        self._dialect.check(request)
        turns = [{"role": role, "content": text} for role, text in request.messages if role != "system"]
        body: dict[str, Any] = {"model": self.model, "max_tokens": request.max_tokens, "messages": turns}
        if len(turns) < len(request.messages):
            body["system"] = "\n\n".join(text for role, text in request.messages if role == "system")
        body |= {name: value for name, value in self._dialect.sampling(request).items() if value != 1}
        if request.constraint is not None and self.constraints != "none":
            body |= self._dialect.shape(request.constraint)
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
        if not 200 <= status < 300:
            return [read_fault(status, headers, found, content, path=self.path, seconds=seconds)]
        return [_read_success(found, reading.mapping(found), seconds)]


def _read_success(found: Any, answer: dict[str, Any], seconds: float) -> Reply | Failure | Retryable:
    usage = _usage(reading.mapping(answer.get("usage")))
    reason = answer.get("stop_reason")
    if reason == "refusal":
        why = reading.mapping(answer.get("stop_details")).get("explanation")
        return usage.failure("refused", reading.clean(why) if isinstance(why, str) else "the model declined", seconds)
    if isinstance(reason, str) and reason in _CUT_OFF:
        return usage.failure("truncated", _CUT_OFF[reason], seconds)
    if reason == "pause_turn":  # a long turn of tools of the service, which wants to be sent back to be gone on with
        return broken_off(found)
    parts = answer.get("content")
    # Not `thinking`; and a model may end its turn without a word, which is a whole answer.
    said = [part for part in reading.items(parts) if reading.mapping(part).get("type") == "text"]
    text = "" if parts == [] and reason == "end_turn" else reading.joined(said)
    if text is None:
        return unreadable("it holds no text" if isinstance(found, dict) else "not a JSON object (cut off?)")
    return usage.reply(text, reading.model_name(answer.get("model")), seconds)


def _usage(usage: dict[str, Any]) -> Usage:
    """The service counts what it read from its cache, and what it put there, beside `input_tokens`."""
    tokens_in, tokens_out = reading.count(usage.get("input_tokens")), reading.count(usage.get("output_tokens"))
    read = reading.count(usage.get("cache_read_input_tokens")) or 0
    written = reading.count(usage.get("cache_creation_input_tokens")) or 0
    return Usage(None if tokens_in is None else tokens_in + read + written, tokens_out, read)
