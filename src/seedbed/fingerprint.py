"""Identity by content: canonical JSON of known types, hashed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def fingerprint(value: Any, *, digits: int = 16) -> str:
    """Hash a value of plain data so that equal settings give equal names on every machine.

    Args:
        value: None, bool, int, finite float, str, bytes, and mappings (with str keys) or sequences of these.
            Everything else raises: a default `repr` holds an address and would lie about identity.
        digits: Length of the result in hexadecimal digits, 4 bits each.

    Returns:
        `digits` lower-case hexadecimal characters of a SHA-256.

    Raises:
        TypeError: A type whose identity is not plain.
        ValueError: A float that is not finite.

    >>> fingerprint({"b": 1, "a": [True, None]}) == fingerprint({"a": (True, None), "b": 1})
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a fingerprint needs finite numbers, got {value}")
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a fingerprint needs mappings with str keys")
        return {"map": {key: _plain(item) for key, item in value.items()}}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"no plain identity for {type(value).__name__}: turn it into str, numbers, lists or mappings first")
