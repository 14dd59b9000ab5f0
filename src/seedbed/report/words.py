"""How the report says numbers: an estimate never stands without its interval, and clear is a word, not a colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from seedbed.report.html import Markup, join, tag

Found = Mapping[str, Any]
"""An Estimate as plain data: value, low, high, n, method."""

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; what rounds to nothing has none."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def count(value: float) -> str:
    """A number of things, with thousands apart; a mean over seeds keeps one decimal where it needs it."""
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:,.1f}"


def usd(value: float | None) -> str:
    """A price; unknown is said, never shown as 0."""
    if value is None:
        return "unknown"
    return "0" if value == 0 else f"{value:,.2f}" if value >= 10 else f"{value:.4f}"


UNITS = {"flops": "FLOPs", "usd": "usd", "seconds": "s"}
"""What costs are counted in, as a reader says it."""


def amount(value: float | None, unit: str) -> str:
    """A cost with its unit: `1.2e11 FLOPs`, `0.000032 usd`, `12.3 s`; unknown is said, never shown as 0."""
    return "unknown" if value is None else f"{bare_amount(value, unit)} {UNITS[unit]}"


def bare_amount(value: float, unit: str) -> str:
    """The number alone, with the digits that its unit and size call for."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if unit == "flops":
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    if abs(value) >= 100:
        return f"{value:,.0f}" if unit == "seconds" else f"{value:,.2f}"
    # A draw of a small model costs millionths of a dollar: two digits that say something, wherever they begin.
    digits = max(1 if unit == "seconds" else 2, 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def amounts(found: Found | None, unit: str) -> Markup:
    """A cost with its interval; how it was made on hover."""
    return _number(found, lambda value: bare_amount(value, unit))


def several(n: float, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def points(found: Found) -> str:
    """A gain in points with its interval, as plain text: +11.8 [+9.2, +14.4]."""
    value, low, high = (signed(100 * found[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def per_cent(found: Found) -> str:
    """A score with its interval, as plain text: 83.7 [81.5, 85.7]."""
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * found[key] for key in ("value", "low", "high")))


def is_estimate(found: Any) -> bool:
    """True for an Estimate as plain data."""
    return isinstance(found, Mapping) and {"value", "low", "high", "n", "method"} <= set(found)


def score(found: Found | None) -> Markup:
    """A score in per cent with its interval; how it was made on hover."""
    return _number(found, lambda value: f"{100 * value:.1f}")


def gain(found: Found | None) -> Markup:
    """A gain in points with its interval; how it was made on hover."""
    return _number(found, lambda value: signed(100 * value))


def fraction(found: Found | None) -> Markup:
    """An estimate that is no per cent, such as an area under a curve."""
    return _number(found, lambda value: f"{value:.2f}")


def counts(found: Found | None) -> Markup:
    """A number of things with its interval, such as solutions over all problems."""
    return _number(found, lambda value: count(round(value)))


def clearness(found: Found) -> str:
    """Whether the whole interval lies on one side of zero."""
    if found["low"] > 0:
        return "clear gain"
    return "clear loss" if found["high"] < 0 else "not clear"


def pill(found: Found | None) -> Markup | None:
    """`clear gain`, `clear loss` or `not clear` in a frame."""
    if found is None:
        return None
    said = clearness(found)
    return tag("span", said, class_="pill " + said.replace(" ", "-"))


def made_how(found: Found) -> str:
    """What stands behind an interval."""
    return f"95 % interval, n = {count(found['n'])}, {found['method']}"


def _number(found: Found | None, form: Callable[[float], str]) -> Markup:
    if found is None:
        return tag("span", "–", class_="none")
    interval = tag("span", f"[{form(found['low'])}, {form(found['high'])}]", class_="ci")
    return tag("span", join([form(found["value"]), " ", interval]), class_="num", title=made_how(found))


METRICS = {"accuracy": "accuracy", "exact_match": "exact match", "em": "exact match", "f1": "token F1"}


def metric(name: str) -> str:
    """A metric's name as a reader says it."""
    return METRICS.get(name, name.replace("_", " "))
