"""How the report says numbers: an estimate never stands without its interval, and clear is a word, not a colour."""

from __future__ import annotations

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
