"""The first wrong step of a worked calculation, found by recomputing every equation in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from seedbed.inspection.symbolic.expressions import Term, chains, value
from seedbed.inspection.symbolic.finding import FirstError

PLAN = re.compile(r"can be (?:re)?written as \"([^\"]+)\"")
ANSWER = re.compile(r"answer is:?\s*\$?(-?[\d,]+(?:\.\d+)?)")


def first_error(question: str, steps: Sequence[str], *, check_plan: bool = True) -> FirstError:
    """The first step that states something false, by exact arithmetic; no model is asked.

    Works on any steps of the kind "expression = value", with units, percent signs and rounding. A capital letter is a
    variable: where a step defines it, later steps are held to its value, and to the value that was stated even if that
    was wrong, so that a mistake is found where it was made. What cannot be read for sure is skipped and does not count
    as checked. A calculation that is right but answers another question is found only where the question is itself an
    expression.

    Args:
        question: The problem. An expression before an equal sign, such as `(3 + 4) * 2 =`, is computed too.
        steps: The trace, in order.
        check_plan: Also hold the first rewriting (`can be written as "A - B"`) and the final answer against the
            question. Off, for comparison with readers who looked at the calculation only.

    Returns:
        The first wrong step with its reason; step None where all that could be read holds.

    Source:
        The task is that of Tyen et al. 2023, LLMs cannot find reasoning errors, arXiv:2311.08516. Differs: symbolic,
        where they prompt models.

    >>> first_error("", ["3 apples + 4 apples = 7 apples", "7 * 2 = 15, so the answer is 15"]).step
    1
    """
    named: dict[str, Fraction] = {}
    asked = _asked(question) if check_plan else None
    checked = 0
    for number, step in enumerate(steps):
        false = []
        last: Fraction | None = None
        for chain in chains(step):
            seen, wrong, last = _check_chain(chain, named)
            checked += seen
            false += wrong
        for seen, wrong in (_check_plan(step, asked, named), _check_answer(step, last, asked)):
            checked += seen
            false += wrong
        if false:
            return FirstError(number, "; ".join(false), checked)
    return FirstError(None, "", checked)


def _check_chain(chain: Sequence[Term], named: dict[str, Fraction]) -> tuple[int, list[str], Fraction | None]:
    """Compare neighbours in a chain, and learn the variable that it defines."""
    readings = [Fraction(1, 100)] + [Fraction(1)] * any(term.has_percent for term in chain)
    tried = [_compare(chain, [value(term, named, percent) for term in chain]) for percent in readings]
    checked, false, last = min(tried, key=lambda one: len(one[1]))
    if (name := chain[0].name) is not None and last is not None:
        named[name] = last
    return checked, false, last


def _compare(chain: Sequence[Term], values: Sequence[Fraction | None]) -> tuple[int, list[str], Fraction | None]:
    known = [(term, found) for term, found in zip(chain, values, strict=True) if found is not None]
    false = []
    for (left, before), (right, after) in pairwise(known):
        if abs(before - after) > max(left.slack, right.slack):
            false.append(f"{left.text} is {_shown(before)}, not {right.text}")
    return max(len(known) - 1, 0), false, known[-1][1] if known else None


def _check_plan(step: str, asked: Fraction | None, named: Mapping[str, Fraction]) -> tuple[int, list[str]]:
    found = PLAN.search(step)
    if asked is None or found is None:
        return 0, []
    planned = _whole(found[1], named)
    if planned is None:
        return 0, []
    wrong = f"{found[1]} comes to {_shown(planned)}, the question to {_shown(asked)}"
    return 1, [] if planned == asked else [wrong]


def _check_answer(step: str, last: Fraction | None, asked: Fraction | None) -> tuple[int, list[str]]:
    """The answer is what the step's last equation came to, and what was asked for."""
    found = ANSWER.search(step)
    if found is None:
        return 0, []
    given = Fraction(found[1].replace(",", "") or 0)
    for right, what in ((last, "the calculation"), (asked, "the question")):
        if right is not None and given != right:
            return 1, [f"the answer is {_shown(given)}, {what} comes to {_shown(right)}"]
    return int(last is not None or asked is not None), []


def _asked(question: str) -> Fraction | None:
    return _whole(question.rstrip().removesuffix("=").rstrip(), {}) if question.rstrip().endswith("=") else None


def _whole(text: str, named: Mapping[str, Fraction]) -> Fraction | None:
    """Value of a text that is an expression and nothing else."""
    found = chains(f"0 = {text}")
    return value(found[0][1], named) if len(found) == 1 and len(found[0]) == 2 else None


def _shown(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):g}"
