"""Bring rows that somebody else made."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from seedbed.fingerprint import fingerprint
from seedbed.rows import account, gold_rows, read_table
from seedbed.steps.context import Context, State
from seedbed.steps.screen import screen
from seedbed.steps.step import Step
from seedbed.task import Task


class UseRows(Step):
    """Add rows from a file or data set, as seed rows that cost nothing.

    The rows keep their labels on trust; what is a near-copy of a test row is rejected like any other.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, table 5 (another method's rows as the seed).
    """

    kinds: ClassVar[Collection[str]] = (*Step.kinds, "reasoning")
    verb: Literal["use_rows"] = "use_rows"
    source: str
    """A .jsonl, .csv or .parquet file, or `hf:NAME[:CONFIG][@SPLIT]`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Task column to the file's column, where they differ."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The file's label value to the task's label name, where they differ."""
    first: int | None = Field(None, ge=1)
    """Take only so many, drawn without replacement with the run's rng seed."""

    def run(self, ctx: Context, state: State) -> State:
        """Append the file's rows."""
        found = self.read(ctx.task)
        if self.first is not None and self.first < found.height:
            found = found[sorted(ctx.rng("take").choice(found.height, self.first, replace=False).tolist())]
        ids = [fingerprint([ctx.step, identity]) for identity in found["id"]]
        rows = found.with_columns(pl.Series("id", ids), made_by=pl.lit(ctx.step), round=pl.lit(ctx.round_, pl.Int64))
        rows = screen(ctx, rows)
        return State(pl.concat([state.rows, rows]), state.students, {"asked": account(rows)})

    def read(self, task: Task) -> pl.DataFrame:
        """The file's rows, all of them.

        Raises:
            DataError: The file cannot be read, or its rows do not fit the task.
        """
        table = read_table(self.source)
        return gold_rows(task, table, columns=self.columns, labels=self.labels, source=self.source, setting=self.verb)
