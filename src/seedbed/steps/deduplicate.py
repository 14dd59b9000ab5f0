"""Reject near-copies of rows that came before."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from seedbed.rows import reject
from seedbed.similarity import near_duplicates
from seedbed.steps.context import Context, State
from seedbed.steps.step import Step


class Deduplicate(Step):
    """Reject accepted rows that nearly repeat an earlier one (the mistake they were made from included).

    Teachers repeat themselves, and a row that stands in the data five times is trained on five times. The paper
    keeps them. Rows that share a context are compared by the written field alone.
    """

    verb: Literal["deduplicate"] = "deduplicate"
    threshold: float = Field(0.9, gt=0, le=1)
    """Jaccard similarity of shingles at which a row counts as a near-copy; 1 rejects only exact repeats."""

    def run(self, ctx: Context, state: State) -> State:
        """Compare each accepted row with those before it."""
        kept = state.rows.filter((pl.col("status") == "accepted") & (pl.col("made_by") != "gold"))
        steer = ctx.read_gold("steer", "near-copies of gold") if kept.height else kept
        everything = pl.concat([steer, kept])
        bad: dict[str, str] = {}
        # Two rows of a pair or reading task repeat each other only where they stand on the same context.
        groups = everything.partition_by(ctx.task.context, maintain_order=True) if ctx.task.context else [everything]
        for group in groups:
            ids, is_gold = group["id"].to_list(), (group["made_by"] == "gold").to_list()
            for number, match in enumerate(
                near_duplicates(group[ctx.task.written].to_list(), threshold=self.threshold)
            ):
                if match is not None and not is_gold[number]:
                    bad[ids[number]] = f"near-copy: {match.similarity:.2f} like {ids[match.index]}"
        rows = reject(state.rows, bad)
        return State(rows, state.students, {"checked": kept.height, "near_copies": len(bad)})
