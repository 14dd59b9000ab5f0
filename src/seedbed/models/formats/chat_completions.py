"""OpenAI's chat completions, which vLLM, SGLang, llama.cpp, Ollama and most services speak too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedbed.models.address import Secret
from seedbed.models.formats import reading
from seedbed.models.formats.constraints import Style, chat_parameters
from seedbed.models.formats.dialect import Dialect
from seedbed.models.formats.faults import error_of, error_text, read_fault, status_of
from seedbed.models.formats.shares import Usage
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

_BROKEN = ("error", "abort")
"""How OpenRouter, and how vLLM and SGLang say that an answer ended in a fault; part of its text may be there."""


class ChatCompletions:
    """See `seedbed.models.formats.Format`.

    Args:
        model: Name of the model as the server knows it.
        constraints: How the server is told what an answer must look like.
        max_tokens: What the server calls it, `max_tokens` or `max_completion_tokens`.

    Source:
        OpenAI API reference, Chat Completions (2026); vLLM documentation, Structured Outputs; llama.cpp's server.
    """

    path = "/chat/completions"
    most_draws = 128

    def __init__(self, model: str, constraints: Style = "openai", *, max_tokens: str = "max_tokens") -> None:
        self.model = model
        self._dialect = Dialect(lambda it, strict: chat_parameters(it, constraints, strict=strict), max_tokens)

    def headers(self, key: Secret | None) -> dict[str, str]:
        """See `Format`."""
        return {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}

    def body(self, request: Request, draws: int = 1) -> dict[str, Any]:
        """See `Format`. Without seed, logprobs or constraint: only parameters that every server knows."""
        dialect = self._dialect
        dialect.check(request)
        body = {
            "model": self.model,
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            **dialect.sampling(request),
            dialect.max_tokens: request.max_tokens,
        }
        if draws > 1:
            body["n"] = draws
        if request.seed is not None and dialect.takes("seed"):
            body["seed"] = request.seed
        if request.logprobs is not None and dialect.takes("logprobs"):
            body["logprobs"], body["top_logprobs"] = True, request.logprobs
        if request.constraint is not None:
            body |= dialect.shape(request.constraint)
        return body

    def learn(self, request: Request, status: int, content: bytes, sent: Mapping[str, Any]) -> None:
        """See `Format`."""
        self._dialect.learn(request, status, content, sent)

    def read(
        self, status: int, headers: Mapping[str, str], content: bytes, *, seconds: float = 0.0, draws: int = 1
    ) -> list[Reply | Failure | Retryable]:
        """See `Format`."""
        found = reading.parsed(content)
        error = error_of(found)
        status = status_of(status, error)
        if not 200 <= status < 300:
            return [read_fault(status, headers, found, content, path=self.path, seconds=seconds)]
        answer = reading.mapping(found)
        choices = reading.items(answer.get("choices"))
        if not choices:
            why = "it holds no choices" if isinstance(found, dict) else "not a JSON object (cut off?)"
            return [unreadable(why)]
        model = reading.model_name(answer.get("model"))
        usage = _usage(reading.mapping(answer.get("usage")))
        if draws == 1 or len(choices) == 1:
            return [_read_choice(choices[0], usage, model, seconds)]
        return _read_choices(choices[:draws], usage, model, seconds)


def unreadable(why: str) -> Retryable:
    """An answer that came and makes no sense."""
    return Retryable(f"unreadable answer: {why}", may_be_billed=True, is_unreadable=True)


def broken_off(found: Any) -> Retryable:
    """An answer that a fault ended, whatever part of it is there."""
    error = error_of(found)
    words = f": {error_text(error, None, b'')}" if error else ""
    return Retryable(f"the endpoint broke its answer off{words}", may_be_billed=True)


def _usage(usage: dict[str, Any]) -> Usage:
    details = usage.get("prompt_tokens_details")
    cached = reading.count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(reading.count(usage.get("prompt_tokens")), reading.count(usage.get("completion_tokens")), cached or 0)


def _read_choices(choices: list[Any], usage: Usage, model: str, seconds: float) -> list[Reply | Failure | Retryable]:
    lengths: list[int | None] = [_length(choice) for choice in choices]
    while True:
        shares = usage.shared(lengths)
        answers = [_read_choice(choice, share, model, seconds) for choice, share in zip(choices, shares, strict=True)]
        again = [None if isinstance(it, Retryable) else length for it, length in zip(answers, lengths, strict=True)]
        if again == lengths:
            return answers
        lengths = again  # what one unreadable answer used is booked on the others


def _length(choice: Any) -> int:
    content = reading.mapping(reading.mapping(choice).get("message")).get("content")
    return len(content) if isinstance(content, str) else 0


def _read_choice(found: Any, usage: Usage, model: str, seconds: float) -> Reply | Failure | Retryable:
    choice = reading.mapping(found)
    message = reading.mapping(choice.get("message"))
    reason, refusal = choice.get("finish_reason"), message.get("refusal")
    if reason in _BROKEN or choice.get("error"):
        return broken_off(choice)
    if reason == "length":
        return usage.failure("truncated", "the answer stopped at max_tokens", seconds)
    if reason == "content_filter":
        return usage.failure("refused", "the endpoint's content filter stopped the answer", seconds)
    if isinstance(refusal, str) and refusal.strip():
        return usage.failure("refused", reading.clean(refusal), seconds)
    content = message.get("content")
    text = reading.whole(content) if isinstance(content, str) else reading.joined(_said(content))
    if text is None:
        return unreadable("its message has no text" if choice else "it holds no choices")
    found_logprobs = choice.get("logprobs")
    logprobs = None if found_logprobs is None else reading.logprobs(reading.mapping(found_logprobs).get("content"))
    return usage.reply(text, model, seconds, logprobs)


def _said(content: Any) -> list[Any]:
    """The parts that are answer and not thinking (Mistral and others send both in one list)."""
    return [
        part for part in reading.items(content) if reading.mapping(part).get("type", "text") in ("text", "output_text")
    ]
