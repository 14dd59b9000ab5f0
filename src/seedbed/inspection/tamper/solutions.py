"""Defects of worked solutions: a number, an operator, two operands, a step that is left out.

`still_adds_up` recomputes both texts and so proves that a planted defect is one. A verifier that recomputes finds all
defects that were proven so, by construction; its sensitivity says nothing then. Plant without the check to measure it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from seedbed.inspection.symbolic.arithmetic import first_error
from seedbed.inspection.tamper.edits import Edit, Operator, replaced, shuffled

NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\w]|[.,]\d)")
SIGN = re.compile(r"(?<=[\d)])\s*(?P<sign>[+*/\u00d7\u00f7\u2212-])\s*(?=[\d($-])")
PAIR = re.compile(
    r"(?<![\w.,)*/\u00d7\u00f7-])(?<![*/\u00d7\u00f7-] )"
    r"(?P<left>\d+(?:\.\d+)?)(?P<sign>\s*[/\u00f7\u2212-]\s*)(?P<right>\d+(?:\.\d+)?)(?![\w.]\d)"
)
MARKER = re.compile(r"^\s*(?:step\s+)?\d+[.):]", re.IGNORECASE | re.MULTILINE)
SENTENCE = re.compile(r"[^.!?]+(?:[.!?](?!\s|$)[^.!?]*)*[.!?]*\s*")
OTHER_SIGNS = {"+": "-*", "-": "+*", "*": "+-/", "/": "*-", "\u00d7": "+-", "\u00f7": "\u00d7-", "\u2212": "+\u00d7"}
OFF_BY = (1, 2, 3, 5, 10)


def steps_of(text: str) -> list[str]:
    """Cut a solution into its steps, white space kept: its lines, or its sentences where it has one line only.

    >>> steps_of("He has 3.5 left. So 2 * 3.5 = 7.")
    ['He has 3.5 left. ', 'So 2 * 3.5 = 7.']
    """
    lines = [line for line in text.splitlines(keepends=True) if line]
    return lines if sum(bool(line.strip()) for line in lines) > 1 else SENTENCE.findall(text)


def still_adds_up(original: str, tampered: str) -> bool:
    """True where recomputing finds no more false steps than before, and no fewer statements to recompute."""
    before, after = _recomputed(original), _recomputed(tampered)
    return after[0] <= before[0] and after[1] >= before[1]


def _recomputed(text: str) -> tuple[int, int]:
    found = [first_error("", [step]) for step in steps_of(text)]
    return sum(one.step is not None for one in found), sum(one.checked for one in found)


def change_number(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """A number that is off by a little; numbers of a list's items are left alone."""
    markers = [range(*found.span()) for found in MARKER.finditer(text)]
    for found in shuffled(rng, NUMBER.finditer(text)):
        if any(found.start() in marker for marker in markers):
            continue
        shown = found.group()
        decimals = len(shown.partition(".")[2])
        unit = round(float(shown.replace(",", "")) * 10**decimals)
        off = int(rng.choice(OFF_BY)) * (-1 if rng.random() < 0.5 else 1)
        moved = unit + off if unit + off >= 0 else unit - off
        whole, part = divmod(moved, 10**decimals)
        grouped = f"{whole:,}" if "," in shown else str(whole)
        yield replaced(text, *found.span(), grouped + (f".{part:0{decimals}d}" if decimals else ""))


def change_operator(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """Another sign between two operands; `2 + 2` never becomes `2 * 2`, and nothing is divided by zero."""
    for found in shuffled(rng, SIGN.finditer(text)):
        for sign in shuffled(rng, OTHER_SIGNS[found["sign"]]):
            edit = replaced(text, *found.span("sign"), sign)
            if not _same_value(text, edit, found.start()):
                yield edit
                break


def _same_value(text: str, edit: Edit, near: int) -> bool:
    """True where the two operands give the same under both signs, such as 2 + 2 and 2 * 2."""
    left = re.search(r"\d+(?:\.\d+)?$", text[:near])
    right = re.match(r"\D*(\d+(?:\.\d+)?)", text[edit.at + len(edit.was) :])
    if left is None or right is None:
        return False
    a, b = float(left.group()), float(right[1])
    made = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}
    same = {"\u00d7": "*", "\u00f7": "/", "\u2212": "-"}
    before, after = (made[same.get(sign, sign)] for sign in (edit.was, edit.now))
    return after is None or before == after


def swap_operands(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """`8 - 5` becomes `5 - 8`, for the two operations where order counts."""
    for found in shuffled(rng, PAIR.finditer(text)):
        if float(found["left"]) != float(found["right"]) and float(found["left"]) != 0:
            yield replaced(text, *found.span(), found["right"] + found["sign"] + found["left"])


def drop_step(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """A calculation that is missing though a later step goes on from its result."""
    steps = steps_of(text)
    starts = np.cumsum([0, *map(len, steps)])
    for at in shuffled(rng, range(len(steps) - 1)):
        results = re.findall(r"=\s*\$?(?:<<[^>]*>>)?\s*\$?(\d[\d,]*(?:\.\d+)?)", steps[at])
        later = NUMBER.findall("".join(steps[at + 1 :]))
        if results and results[-1] in later:
            yield replaced(text, int(starts[at]), int(starts[at + 1]), "")


SOLUTIONS = (
    Operator("number", change_number),
    Operator("operator", change_operator),
    Operator("swapped operands", swap_operands),
    Operator("dropped step", drop_step),
)
