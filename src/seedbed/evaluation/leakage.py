"""Copies of test rows among rows that would be trained on, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from seedbed.errors import DataError
from seedbed.similarity import Match, nearest
from seedbed.task import Task

Kind = Literal["shared_context", "copied_context", "copied_text"]


@dataclass(frozen=True, slots=True)
class Leak:
    """A row that repeats something of a test row."""

    id: str
    """The row that should not be trained on."""
    test_id: str
    """The test row that it repeats."""
    kind: Kind
    """shared_context: the test row's context as it is; copied_context: nearly; copied_text: what was written."""
    field: str
    similarity: float
    """Shared shingles divided by all, in (0, 1]."""

    @property
    def reason(self) -> str:
        """For the row's `why`."""
        alike = "equal" if self.similarity == 1.0 else f"{self.similarity:.2f} alike"
        return f"{self.kind.replace('_', ' ')}, {self.field} {alike} to test row {self.test_id}"


def find_leaks(
    task: Task, rows: pl.DataFrame, test: pl.DataFrame, *, threshold: float = 0.7, context_threshold: float = 0.8
) -> list[Leak]:
    """Every row that repeats a test row: its context, or the text that was written.

    For a pair task a shared premise is a leak by itself, whatever the hypothesis: a row extrapolated from a gold row
    keeps that row's premise, and the same premise in the test split then was seen in training. A shared label or a
    shared topic is no leak. A written text counts at `threshold`; one so short that it has no more than three words
    counts only when equal, because two different short texts are often alike ("a fun film", "a fun film too").

    Args:
        task: Names the context and the written field.
        rows: (n,) rows that would be trained on, with `id` and the task's fields.
        test: (m,) test rows with `id` and the task's fields; answers are not needed.
        threshold: Lowest similarity of written texts that counts as a copy, in (0, 1].
        context_threshold: The same for contexts; higher, since passages on one subject share more by themselves.

    Returns:
        One leak per leaking row, in the rows' order; of several fields the context comes first.

    Raises:
        DataError: A field is missing, or a threshold is outside (0, 1].
    """
    if not 0 < min(threshold, context_threshold) <= max(threshold, context_threshold) <= 1:
        raise DataError("a threshold lies above 0 and up to 1", f"{threshold}, {context_threshold}", "0.7 finds edits")
    found: dict[str, Leak] = {}
    test_ids = test["id"].to_list()
    # The context comes last and overwrites: it is the stronger reason.
    for name in (task.written, *([task.context] if task.context else [])):
        limit = context_threshold if name == task.context else threshold
        for identity, text, match in _matches(rows, test, name):
            if match is not None and (match.is_exact or (match.similarity >= limit and len(text.split()) > 3)):
                kind: Kind = "copied_text"
                if name == task.context:
                    kind = "shared_context" if match.is_exact else "copied_context"
                found[identity] = Leak(identity, test_ids[match.index], kind, name, match.similarity)
    return [found[identity] for identity in rows["id"].to_list() if identity in found]


def _matches(rows: pl.DataFrame, test: pl.DataFrame, name: str) -> list[tuple[str, str, Match | None]]:
    for frame, whose in ((rows, "rows"), (test, "test rows")):
        if missing := [column for column in ("id", name) if column not in frame.columns]:
            raise DataError(
                f"the {whose} lack what is compared", f"missing {missing}", "give `id` and the task's fields"
            )
    # Contexts repeat: each distinct text is looked up once.
    distinct = list(dict.fromkeys(rows[name].to_list()))
    answers = dict(zip(distinct, nearest(distinct, test[name].to_list()), strict=True))
    return [(identity, text, answers[text]) for identity, text in rows.select("id", name).iter_rows()]
