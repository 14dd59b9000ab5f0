"""The OpenAI chat-completions format: what a request becomes, and what an answer means. No network here.

Text from a server is data: whatever it sends, reading it ends in a value or in `EndpointRefused`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from seedbed.errors import EndpointRefused
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

_MESSAGE_CHARS = 500
_MOST_TOKENS = 1 << 40
"""A count above this is nonsense, and would overflow an integer column."""

_PASSING = {408, 409, 425, 429}
_RATE_LIMITS = {429, 529}
_TOO_FAST_NOT_TOO_POOR = re.compile(r"retryDelay|per[ -]minute|\bRPM\b|\bTPM\b")
"""Gemini words a per-minute limit like an empty account, but names a delay."""
_NO_CREDIT = re.compile(r"insufficient[_ ](quota|credit|fund|balance)|credit balance|billing", re.I)
_NO_CREDIT_IN_400 = re.compile(r"credit balance is too low|insufficient_quota", re.I)
"""A 400 may quote the prompt back, and prompts talk about billing; only these phrases are the server's own."""
_NO_MODEL = re.compile(r"model_not_found|\bmodel\b.{0,200}?\b(not found|does ?n[o']t exist|not exist)", re.I | re.S)
_NO_PAGE = re.compile(r"^(404[: ]*)?(page )?not found\.?$|invalid url|unknown url|cannot post|<html|<!doctype", re.I)
_FLAGGED = re.compile(r"content_filter|content_policy|moderation|was flagged", re.I)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def body(request: Request, model: str) -> dict[str, Any]:
    """The JSON body of a request. Only parameters that every server knows: no `n`, no `response_format`."""
    return {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
    }


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> Reply | Failure | Retryable:
    """What an answer means for the request.

    Args:
        status: HTTP status.
        headers: HTTP headers; only the ones about waiting are read.
        content: The whole body.

    Returns:
        `Reply` without price and seconds; `Failure` (refused, truncated, terminal); or `Retryable` when asking again
        may help, which includes a 200 that cannot be read.

    Raises:
        EndpointRefused: Every further request would meet the same: key, credit, model name, address.
    """
    found = _json(content)
    error = _error(found)
    if 200 <= status < 300 and isinstance(code := error.get("code"), int) and 400 <= code < 600:
        status = code  # OpenRouter reports an upstream's fault inside a 200
    if 200 <= status < 300:
        return _read_success(found)
    text = _error_text(error, found, content)
    _refuse_when_hopeless(status, text, content[:4000].decode("utf-8", "replace"))
    seen = f"{status}: {text}"
    if status in _PASSING or status >= 500:
        return Retryable(seen, retry_after_s(headers), status in _RATE_LIMITS)
    if _FLAGGED.search(f"{error.get('code')} {text}"):
        return Failure("refused", seen)
    return Failure("terminal", seen)


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds the server asks us to wait, at least 0; None when it does not say or says it unreadably.

    Reads `retry-after-ms` first (finer), then `Retry-After` in seconds or as an HTTP date.

    >>> retry_after_s({"Retry-After": "2"})
    2.0
    """
    values = {name.lower(): value for name, value in headers.items()}
    milliseconds = _number(values.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    plain = values.get("retry-after")
    if plain is None or (seconds := _number(plain)) is not None:
        return None if plain is None else seconds
    try:
        date = parsedate_to_datetime(plain)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, an integer of 5,000 digits, 100,000 open brackets
        return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _error(found: Any) -> dict[str, Any]:
    outer = _mapping(_first(found) if isinstance(found, list) else found)
    error = outer.get("error")
    return error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}


def _error_text(error: dict[str, Any], found: Any, content: bytes) -> str:
    outer = _mapping(found)
    for candidate in (error.get("message"), outer.get("message"), outer.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return _clean(candidate)
    return _clean(content[: 4 * _MESSAGE_CHARS].decode("utf-8", "replace")) or "no message"


def _clean(text: str, chars: int = _MESSAGE_CHARS) -> str:
    """One printable line: a server must not move the cursor of a terminal or break a log."""
    plain = _UNPRINTABLE.sub(" ", _whole(text[: 2 * chars])).strip()
    return plain if len(plain) <= chars else plain[: chars - 3] + "..."


def _whole(text: str) -> str:
    """Half a surrogate pair is legal in JSON and cannot be written to any file."""
    return text.encode("utf-8", "replace").decode()


def _refuse_when_hopeless(status: int, text: str, raw: str) -> None:
    seen = f"{status}: {text}"
    if status in (400, 402, 403, 429) and _is_credit(status, f"{text} {raw}"):
        raise EndpointRefused("the account has no credit left", seen, "add credit, then run the same command again")
    if status == 401 or (status == 403 and not _FLAGGED.search(raw)):
        raise EndpointRefused("the endpoint refuses the key", seen, "check the key's environment variable")
    if (status in (400, 404) and "model_not_found" in raw) or (status == 404 and _NO_MODEL.search(text)):
        raise EndpointRefused("the endpoint does not have the model", seen, "correct the name in the address")
    if status in (404, 405) and (status == 405 or _NO_PAGE.search(text)):
        fix = "correct the address; a base URL usually ends in /v1"
        raise EndpointRefused("there is no chat-completions endpoint at this address", seen, fix)
    if 300 <= status < 400:
        raise EndpointRefused("the endpoint redirects", seen, "give the address it leads to")


def _is_credit(status: int, text: str) -> bool:
    if status == 402:
        return True
    if status == 400:
        return _NO_CREDIT_IN_400.search(text) is not None
    return _NO_CREDIT.search(text) is not None and not (status == 429 and _TOO_FAST_NOT_TOO_POOR.search(text))


def _read_success(found: Any) -> Reply | Failure | Retryable:
    answer = _mapping(found)
    choice = _mapping(_first(answer.get("choices")))
    message = _mapping(choice.get("message"))
    usage = _mapping(answer.get("usage"))
    tokens = (_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
    reason, refusal = choice.get("finish_reason"), message.get("refusal")
    if reason == "length":
        return Failure("truncated", "the answer stopped at max_tokens", *tokens)
    if reason == "content_filter":
        return Failure("refused", "the endpoint's content filter stopped the answer", *tokens)
    if isinstance(refusal, str) and refusal.strip():
        return Failure("refused", _clean(refusal), *tokens)
    text = _content(message.get("content"))
    if text is None:
        seen = f"unreadable answer: {_why_unreadable(found, choice)}"
        return Retryable(seen, may_be_billed=True, is_unreadable=True)
    model = answer.get("model")
    return Reply(text, *tokens, model=_clean(model, 200) if isinstance(model, str) else "")


def _content(content: Any) -> str | None:
    if isinstance(content, str):
        return _whole(content)
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part for part in parts if isinstance(part, str)]
    return _whole("".join(texts)) if texts else None


def _why_unreadable(found: Any, choice: dict[str, Any]) -> str:
    if not isinstance(found, dict):
        return "not a JSON object (cut off?)"
    return "its message has no text" if choice else "it holds no choices"


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None
