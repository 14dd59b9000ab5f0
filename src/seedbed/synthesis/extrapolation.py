"""Error extrapolation: for gold rows that the student gets wrong, ask the teacher for look-alikes.

Source:
    Wang, Zhou and Sachan 2023, Let's Synthesize Step by Step, arXiv:2310.13671, algorithm 2. Differs: the number of
    requests may be fixed (spread evenly over the mistakes) instead of exactly one per mistake, and the prompt may
    also carry the student's wrong answer or a rationale; both are off by default. On all of gold instead of the
    mistakes it is the paper's baseline GoldGen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from seedbed.synthesis.drafts import Draft
from seedbed.synthesis.prompts import fenced
from seedbed.task import Task


def spread(examples: int, count: int, rng: np.random.Generator) -> list[int]:
    """Deal `count` requests to `examples` rows as evenly as possible, in shuffled passes.

    Returns:
        (count,) row positions; nobody gets a second request before everybody has one. Empty without examples.
    """
    order: list[int] = []
    while examples and len(order) < count:
        order.extend(int(index) for index in rng.permutation(examples))
    return order[:count]


def drafts(
    task: Task,
    examples: pl.DataFrame,
    order: list[int],
    *,
    show_wrong_answer: bool = False,
    rationales: Mapping[str, str] | None = None,
    round_: int = 1,
) -> list[Draft]:
    """Plan one look-alike for each position in `order`.

    Args:
        task: Decides the form of the prompt; a real context is kept, only the written field is new.
        examples: Gold rows; with `show_wrong_answer` they carry a column `predicted`.
        order: Positions in `examples`, one per row to write.
        show_wrong_answer: Tell the teacher what the student answered.
        rationales: Row id to why its label is right, to be told to the teacher.
        round_: Which round asks; lets recorded replies of several rounds be told apart.
    """
    rows = examples.to_dicts()
    made = []
    for position in order:
        row = rows[position]
        hint = f'A model answered "{row["predicted"]}" to it, which is wrong.\n' if show_wrong_answer else ""
        if reason := (rationales or {}).get(row["id"]):
            hint += f"Why the label is right: {reason}\n"
        slots = {"label": row[task.target], "example": row[task.written], "hint": hint, "round": str(round_)}
        known = {task.target: row[task.target], "parents": [row["id"]], "rationale": reason}
        verb = "extrapolate"
        if task.context is not None:
            slots["context"] = known[task.context] = row[task.context]
            verb = "extrapolate_pair"
        if task.kind == "extractive_qa":
            verb = "extrapolate_qa"
        else:
            slots["meaning"] = task.labels[row[task.target]]
        made.append(Draft(verb, slots, known))
    return made


def reason_drafts(task: Task, mistakes: pl.DataFrame) -> list[Draft]:
    """One draft per mistake that asks why its gold answer is right."""
    return [
        Draft("explain", {"label": row[task.target], **shown(task, row)}, {"parents": [row["id"]]})
        for row in mistakes.to_dicts()
    ]


def shown(task: Task, row: dict[str, str]) -> dict[str, str]:
    """The slots of a prompt that shows one whole row: its context as a block, and its written field."""
    block = f"{task.context}:\n<<<\n{fenced(row[task.context])}\n>>>\n\n" if task.context else ""
    return {"context_block": block, "example": row[task.written]}
