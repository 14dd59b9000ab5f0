"""Reading JSON of any shape: each function ends in a value, whatever a server sent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from seedbed.request import TokenLogprob

MESSAGE_CHARS = 500
_MOST_TOKENS = 1 << 40
"""A count above this is nonsense, and would overflow an integer column."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def parsed(content: bytes) -> Any:
    """The JSON, or None where it is none."""
    try:
        return from_json(content)  # a third of the time; it is stricter, so what it refuses is read again
    except ValueError:
        pass
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, an integer of 5,000 digits, 100,000 open brackets
        return None


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def first(value: Any) -> Any:
    """The first of a list, or None."""
    return value[0] if isinstance(value, list) and value else None


def count(value: Any) -> int | None:
    """The value where it can be a number of tokens, else None."""
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None


def whole(text: str) -> str:
    """Text that can be written to a file: half a surrogate pair is legal in JSON and nowhere else."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def clean(text: str, chars: int = MESSAGE_CHARS) -> str:
    """One printable line: a server must not move the cursor of a terminal or break a log."""
    plain = _UNPRINTABLE.sub(" ", whole(text[: 2 * chars])).strip()
    return plain if len(plain) <= chars else plain[: chars - 3] + "..."


def model_name(value: Any) -> str:
    """The model's name as the endpoint gave it, as one printable line."""
    return _clean_name(value[:400]) if isinstance(value, str) else ""


@lru_cache(maxsize=64)
def _clean_name(text: str) -> str:
    return clean(text, 200)


def joined(parts: Iterable[Any]) -> str | None:
    """The text of a message that comes in parts; None where no part has any."""
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return whole("".join(texts)) if texts else None


def logprobs(entries: Any) -> tuple[TokenLogprob, ...] | None:
    """One per token; None where the endpoint gave none, or gave something else."""
    tokens = []
    for entry in items(entries):
        pair = _token(entry)
        if pair is None:
            return None
        alternatives = [_token(other) for other in items(entry.get("top_logprobs"))]
        top = sorted((it for it in alternatives if it is not None), key=lambda it: -it[1])
        tokens.append(TokenLogprob(*pair, tuple(top)))
    return tuple(tokens) or None


def _token(entry: Any) -> tuple[str, float] | None:
    found = mapping(entry)
    token, logprob = found.get("token"), found.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    try:
        value = float(logprob)
    except OverflowError:
        return None
    # 1e-3 too much is rounding; -Infinity, which json reads, fits into no JSON again. -9999 is what servers write.
    return (whole(token), min(0.0, value)) if math.isfinite(value) else None
