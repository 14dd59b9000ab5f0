"""Defects of running text: a negation, a name, a unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from seedbed.inspection.tamper.edits import Edit, Operator, replaced, shuffled

# "has" and "does" take a negation only beside another verb, which needs a parser; they are negated never, and freed.
SAYS = re.compile(r"\b(?:is|are|was|were|can|could|will|would|should|must)\b(?!['\u2019]t|\s+not\b|\s*[?.,;:!)]|not\b)")
DENIES = re.compile(r"(?<=\w)n['\u2019]t\b|\s+not\b(?!\s+only)")
IRREGULAR = {"can": "ca", "will": "wo"}
ASKS = re.compile(r"[^.!?]*\?")
NAME = re.compile(r"\b[A-Z][\w-]*[a-z](?:\s[A-Z][\w-]*[a-z])*")
NO_NAMES = frozenset(
    "If The This That He She They We You It His Her Their But And So Then How What When Where Why".split()  # noqa: SIM905
)
STARTS = re.compile(r"(?:^|[.!?:\n][\"'\u201d\u2019)]*\s+|[\"\u201c(])$")
UNITS = (
    ("km", "miles", "m"),
    ("kilometers", "miles", "meters", "feet", "yards"),
    ("kilometres", "metres", "centimetres"),
    ("cm", "inches", "mm"),
    ("kg", "pounds", "g", "tons"),
    ("kilograms", "grams", "pounds", "ounces"),
    ("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
    ("second", "minute", "hour", "day", "week", "month", "year"),
    ("liters", "gallons", "milliliters"),
    ("litres", "millilitres"),
    ("\u00b0C", "\u00b0F"),
    ("Celsius", "Fahrenheit"),
    ("thousand", "million", "billion"),
    ("dollars", "euros", "cents"),
    ("mph", "km/h"),
    ("MB", "GB", "TB"),
)
OTHER_UNITS = {unit: [other for other in group if other != unit] for group in UNITS for unit in group}
UNIT = re.compile(
    r"(?<=\d)\s?-?(?P<unit>" + "|".join(map(re.escape, sorted(OTHER_UNITS, key=len, reverse=True))) + r")(?![\w/])"
)


def negate(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """A sentence that now denies what it said, or says what it denied; questions are left alone."""
    added = [(at, at, " not") for at in (found.end() for found in SAYS.finditer(text)) if not ASKS.match(text, at)]
    taken = []
    for found in DENIES.finditer(text):
        if found.group().strip() == "not":
            taken.append((*found.span(), ""))
            continue
        verb = next((full for full, short in IRREGULAR.items() if text[: found.start()].endswith(short)), None)
        short = IRREGULAR[verb] if verb else ""
        taken.append((found.start() - len(short), found.end(), verb or ""))
    for start, end, now in shuffled(rng, added + taken):
        yield replaced(text, start, end, now)


def swap_entity(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """One mention of a name replaced by another name of the same text; a text with one name only has no candidate."""
    spans = [found.span() for found in NAME.finditer(text)]
    inner = [span for span in (_inner(text, *span) for span in spans) if span[1] > span[0]]
    sure = {text[start:end] for start, end in inner} - NO_NAMES
    mentions = {span for span in [*spans, *inner] if text[slice(*span)] in sure}
    for start, end in shuffled(rng, sorted(mentions)):
        mention = text[start:end]
        others = sorted(one for one in sure if one not in mention and mention not in one)
        if others:
            yield replaced(text, start, end, str(rng.choice(others)))


def _inner(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without a word that may have its capital from the start of a sentence only."""
    if not STARTS.search(text[:start]):
        return start, end
    first, _, rest = text[start:end].partition(" ")
    return (start + len(first) + 1, end) if rest else (start, start)


def swap_unit(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """Another unit of the same kind after a number, which stays as it was."""
    for found in shuffled(rng, UNIT.finditer(text)):
        yield replaced(text, *found.span("unit"), str(rng.choice(OTHER_UNITS[found["unit"]])))


PROSE = (Operator("negation", negate), Operator("entity", swap_entity), Operator("unit", swap_unit))
