"""What the teacher wrote for which mistake, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.report.html import Content, Markup, tag
from seedbed.report.page import Section, folded, lead, quote
from seedbed.report.words import count, several

OPEN = 4
"""Mistakes of a round that are shown at once; the others unfold."""


def examples_section(
    result: Mapping[str, Any], examples: Sequence[tuple[str, int, Sequence[Mapping[str, Any]]]]
) -> Section | None:
    """A few mistakes of every round beside their look-alikes; None where no round extrapolated."""
    if not examples:
        return None
    found = {step["name"]: step for step in result["steps"]}
    made: list[Content] = [
        lead(
            "On the left a gold row the teacher was shown, on the right what it wrote after it. ",
            "Look for what a number cannot say: does the new row carry the same difficulty, and is its label right?",
        )
    ]
    for name, round_, shown in examples:
        made.append(
            tag("h3", f"Round {round_}: {_how_many(found.get(name, {}))}" if round_ else _how_many(found[name]))
        )
        made += [_pair(one) for one in shown[:OPEN]]
        if rest := shown[OPEN:]:
            made.append(folded(f"{several(len(rest), 'more mistake')} of this round", [_pair(one) for one in rest]))
    return Section("examples", "What the teacher wrote for which mistake", made)


def _how_many(step: Mapping[str, Any]) -> str:
    if "mistakes" in step:
        return f"{several(step['mistakes'], 'mistake')} on {count(step.get('steer', 0))} steering rows"
    return f"all {several(step.get('all', 0), 'steering row')}, right or wrong"


def _pair(one: Mapping[str, Any]) -> Markup:
    asked: list[Content] = [tag("h4", "gold row"), quote(one["mistake"])]
    if one.get("context"):
        asked.append(folded("its context", quote(one["context"], longest=3000)))
    answered: list[Content] = ["right: ", tag("b", one["expected"])]
    if one.get("predicted") is not None:
        answered += [" · the student said: ", tag("b", one["predicted"])]
    asked.append(tag("p", answered, class_="said"))
    wrote = [tag("h4", "the teacher wrote"), tag("ul", [_row(row) for row in one["wrote"]])]
    return tag("div", tag("div", asked), tag("div", wrote), class_="pair")


def _row(row: Mapping[str, Any]) -> Markup:
    text = quote(row["text"]) if row["text"] else tag("p", "nothing", class_="said")
    context = folded("its context", quote(row["context"], longest=3000)) if row.get("context") else None
    why = f"{row['status']}: {row['why'] or 'no reason given'}"
    return tag("li", text, context, None if row["status"] == "accepted" else tag("p", why, class_="said"))
