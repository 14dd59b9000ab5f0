"""What a status, its headers and a server's words mean for a request: shared by every format.

Text from a server is data: whatever it sends, reading it ends in a value or in `EndpointRefused`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from seedbed.errors import EndpointRefused
from seedbed.models.formats.reading import MESSAGE_CHARS, clean, first, mapping
from seedbed.models.wire import Retryable
from seedbed.request import Failure

_PASSING = {408, 409, 425, 429}
_RATE_LIMITS = {429, 529}
_STATUS_OF = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504,
    "overloaded_error": 529, "rate_limit_exceeded": 429, "server_error": 500,
}  # fmt: skip
"""Of Anthropic's error types and those of OpenAI that come inside a 200: the status the same fault has elsewhere."""
_TOO_FAST_NOT_TOO_POOR = re.compile(r"retryDelay|per[ -](minute|day)|\b[RT]P[MD]\b|[Tt]ry again in")
"""Gemini words a per-minute limit like an empty account, but names a delay; OpenAI's daily limits name the page where
one can pay for a higher one."""
_NO_CREDIT = re.compile(
    r"insufficient[_ ](quota|credit|fund|balance)|credit balance|billing|spend[_ ]limit|specified \w+ usage limits",
    re.I,
)
_NO_CREDIT_IN_400 = re.compile(r"credit balance is too low|insufficient_quota|specified \w+ usage limits", re.I)
"""A 400 may quote the prompt back, and prompts talk about billing; only these phrases are the server's own."""
_NO_MODEL = re.compile(
    r"model_not_found|\Amodel: \S+\Z|\bmodel\b.{0,200}?\b(not found|does ?n[o']t exist|not exist)", re.I | re.S
)
_NO_PAGE = re.compile(
    r"^(404[: ]*)?((page|file) )?not found\.?$|invalid url|unknown url|cannot post|<html|<!doctype", re.I
)
_FLAGGED = re.compile(r"content_filter|content_policy|moderation|was flagged", re.I)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def error_of(found: Any) -> dict[str, Any]:
    """The `error` object of an answer, wherever the server puts it; empty where there is none."""
    outer = mapping(first(found) if isinstance(found, list) else found)
    error = outer.get("error")
    return error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}


def status_of(status: int, error: dict[str, Any]) -> int:
    """The status an answer should have had: some servers report a fault inside a 200."""
    if not 200 <= status < 300 or not error:
        return status
    code = error.get("code")
    if type(code) is int and 400 <= code < 600:  # OpenRouter: an upstream's fault
        return code
    for name in (error.get("type"), code):
        if isinstance(name, str) and name in _STATUS_OF:
            return _STATUS_OF[name]
    return status


def read_fault(
    status: int, headers: Mapping[str, str], found: Any, content: bytes, *, path: str, seconds: float = 0.0
) -> Failure | Retryable:
    """What an answer that is no success means for the request.

    Args:
        status: HTTP status, or what `status_of` made of it.
        headers: HTTP headers; only the ones about waiting are read.
        found: The body as JSON, None where it is none.
        content: The whole body.
        path: What was asked for under the base URL, for the message.
        seconds: How long it took.

    Returns:
        `Failure` (refused or terminal), or `Retryable` when asking again may help.

    Raises:
        EndpointRefused: Every further request would meet the same: key, credit, model name, address.
    """
    error = error_of(found)
    text = error_text(error, found, content)
    _refuse_when_hopeless(status, text, content[:4000].decode("utf-8", "replace"), path)
    seen = f"{status}: {text}"
    if status in _PASSING or status >= 500:
        return Retryable(seen, retry_after_s(headers), status in _RATE_LIMITS)
    if _FLAGGED.search(f"{error.get('code')} {text}"):
        return Failure("refused", seen, seconds=seconds)
    return Failure("terminal", seen, seconds=seconds)


def error_text(error: dict[str, Any], found: Any, content: bytes) -> str:
    """The server's words, as one printable line."""
    outer = mapping(found)
    for candidate in (error.get("message"), outer.get("message"), outer.get("detail")):
        if isinstance(candidate, str) and candidate.strip():
            return clean(candidate)
    return clean(content[: 4 * MESSAGE_CHARS].decode("utf-8", "replace")) or "no message"


def retry_after_s(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds the server asks us to wait, at least 0; None when it does not say or says it unreadably.

    Reads `retry-after-ms` first (finer), then `Retry-After` in seconds or as an HTTP date, then when the quota that is
    used up comes back (`x-ratelimit-reset-*`, `anthropic-ratelimit-*-reset`).

    >>> retry_after_s({"Retry-After": "2"})
    2.0
    >>> retry_after_s({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"})
    90.0
    """
    values = {name.lower(): value for name, value in headers.items()}
    now = now or datetime.now(UTC)
    milliseconds = _number(values.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    plain = values.get("retry-after")
    if plain is None:
        return _quota_back_s(values, now)
    seconds = _number(plain)
    return _until(plain, now) if seconds is None else seconds


def _quota_back_s(values: dict[str, str], now: datetime) -> float | None:
    waits = []
    for name, value in values.items():
        if "ratelimit" in name and "remaining" in name and value.strip() == "0":
            wait = _duration(values.get(name.replace("remaining", "reset"), ""), now)
            waits += [] if wait is None else [wait]
    return max(waits, default=None)


def _duration(value: str, now: datetime) -> float | None:
    """Seconds in `12ms`, `6m0s` or `2`, or until an RFC 3339 time or a Unix time in seconds or milliseconds."""
    if (seconds := _number(value)) is not None:
        if seconds < 1e9:
            return seconds
        return max(0.0, (seconds / 1000 if seconds > 1e11 else seconds) - now.timestamp())
    if len(value) <= 32 and (parts := _PART.findall(value)) and "".join(map("".join, parts)) == value:
        return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    try:
        return _until_date(datetime.fromisoformat(value), now)
    except (ValueError, OverflowError):
        return None


def _until(value: str, now: datetime) -> float | None:
    try:
        return _until_date(parsedate_to_datetime(value), now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _until_date(date: datetime, now: datetime) -> float:
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _refuse_when_hopeless(status: int, text: str, raw: str, path: str) -> None:
    seen = f"{status}: {text}"
    if status in (400, 402, 403, 429) and _is_credit(status, f"{text} {raw}"):
        raise EndpointRefused("the account has no credit left", seen, "add credit, then run the same command again")
    if status == 401 or (status == 403 and not _FLAGGED.search(raw)):
        raise EndpointRefused("the endpoint refuses the key", seen, "check the key's environment variable")
    if (status in (400, 404) and "model_not_found" in raw) or (status == 404 and _NO_MODEL.search(text)):
        raise EndpointRefused("the endpoint does not have the model", seen, "correct the name in the address")
    if status in (404, 405) and (status == 405 or _NO_PAGE.search(text)):
        problem = f"there is no {path.strip('/').replace('/', ' ').replace('chat ', 'chat-')} endpoint at this address"
        raise EndpointRefused(problem, seen, "correct the address; a base URL usually ends in /v1")
    if 300 <= status < 400:
        raise EndpointRefused("the endpoint redirects", seen, "give the address it leads to")


def _is_credit(status: int, text: str) -> bool:
    if status == 402:
        return True
    if status == 400:
        return _NO_CREDIT_IN_400.search(text) is not None
    return _NO_CREDIT.search(text) is not None and not (status == 429 and _TOO_FAST_NOT_TOO_POOR.search(text))
