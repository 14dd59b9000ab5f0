"""Plain data on its way out of the sandbox: encoded there, decoded here, equal or not by our own rule. Also inside.

Not pickle: a pickle is a program. Only numbers, text, bytes, None and containers of them pass; an object of a class of
the program's own stays where it is, and with it whatever its `__eq__` would have claimed.
"""

from __future__ import annotations

import math
from fractions import Fraction

DEPTH = 60

Encoded = None | bool | int | float | str | list["Encoded"]


def encode(value: object, depth: int = DEPTH) -> Encoded:
    """JSON that says which plain value it was.

    Raises:
        TypeError: It is no plain value, or nested deeper than `DEPTH`.
    """
    if depth == 0:
        raise TypeError(f"nested more than {DEPTH} deep")
    if value is None or isinstance(value, (bool, str)):
        return value
    return _encode_number(value) or _encode_container(value, depth - 1)


def _encode_number(value: object) -> list[Encoded] | None:
    if isinstance(value, int):
        return ["int", hex(int(value))]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, Fraction):
        return ["fraction", hex(value.numerator), hex(value.denominator)]
    return None


def _encode_container(value: object, depth: int) -> list[Encoded]:
    if isinstance(value, dict):
        return ["dict", *([encode(key, depth), encode(item, depth)] for key, item in value.items())]
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return [kind.__name__, *(encode(item, depth) for item in value)]
    raise TypeError(f"{type(value).__name__} cannot leave the sandbox, only plain data can")


def decode(code: Encoded) -> object:
    """The value that `encode` was given.

    Raises:
        ValueError: Nothing that `encode` writes: the program wrote to the descriptor itself.
    """
    try:
        return _decode(code)
    except (TypeError, IndexError, AttributeError, OverflowError, ZeroDivisionError, RecursionError) as error:
        raise ValueError(f"not an encoded value: {type(error).__name__}") from error


def _decode(code: Encoded) -> object:
    if not isinstance(code, list):
        return code
    kind, items = code[0], code[1:]
    if kind == "int":
        return int(_text(items[0]), 16)
    if kind == "float":
        return float.fromhex(_text(items[0]))
    if kind == "complex":
        return complex(float.fromhex(_text(items[0])), float.fromhex(_text(items[1])))
    if kind == "bytes":
        return bytes.fromhex(_text(items[0]))
    if kind == "fraction":
        return Fraction(int(_text(items[0]), 16), int(_text(items[1]), 16))
    if kind == "dict":
        return {_decode(pair[0]): _decode(pair[1]) for pair in items if isinstance(pair, list)}
    container = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}.get(str(kind))
    if container is None:
        raise ValueError(f"not an encoded value: {str(kind)[:40]}")
    return container(_decode(item) for item in items)


def _text(code: Encoded) -> str:
    if not isinstance(code, str):
        raise TypeError("not text")
    return code


def same(found: object, right: object, tolerance: float = 1e-9) -> bool:
    """Whether two plain values are equal as Python has it, except that a float need only be close.

    Args:
        found: What the program returned.
        right: What it should have.
        tolerance: Relative (and below 1 absolute) distance at which a float still counts as equal; 0 for exactly.
    """
    if isinstance(found, _INEXACT) or isinstance(right, _INEXACT):
        return isinstance(found, _NUMBERS) and isinstance(right, _NUMBERS) and _close(found, right, tolerance)
    if isinstance(found, (list, tuple)) and isinstance(right, list if isinstance(found, list) else tuple):
        return len(found) == len(right) and all(same(a, b, tolerance) for a, b in zip(found, right, strict=True))
    if isinstance(found, dict) and isinstance(right, dict):
        return found.keys() == right.keys() and all(same(found[key], right[key], tolerance) for key in right)
    return bool(found == right)


_INEXACT = (float, complex)
_NUMBERS = (int, float, complex, Fraction)


def _close(found: complex | Fraction, right: complex | Fraction, tolerance: float) -> bool:
    try:
        a, b = complex(found), complex(right)
    except OverflowError:
        return False  # an integer that no float can hold is close to none
    if math.isnan(a.real) and math.isnan(b.real):
        return True  # a test that expects nan wants exactly that
    return a == b or abs(a - b) <= tolerance * max(1.0, abs(b))
