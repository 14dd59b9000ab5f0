"""Choose among the solutions of the last `sample` step those that are worth training on."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from seedbed.rows import reject
from seedbed.sampling.curate import KEPT, curate
from seedbed.steps.context import Context, State
from seedbed.steps.draws import is_sound, way_key
from seedbed.steps.step import Step
from seedbed.task import Task


class Curate(Step):
    """Keep different, sound solutions, not too many of one problem; the others stay in the data with the reason.

    An answer may be right by wrong steps, and a student learns the steps. Easy problems are solved in most of their
    draws: without a cap the rows are mostly theirs.
    """

    kinds: ClassVar[Collection[str]] = ("reasoning",)
    verb: Literal["curate"] = "curate"
    per_problem: int | None = Field(None, ge=1)
    """Solutions kept of one problem; all of them by default."""
    distinct: Literal["steps", "text", "none"] = "steps"
    """Which solutions count as copies: those with the same equations, those with the same words, or none."""
    sound: Literal["any", "not known bad", "known good"] = "not known bad"
    """Whether a right answer by wrong steps is kept; `known good` also drops what no checker can follow."""
    balance: Literal["none", "flatter", "equal"] = "none"
    """Equalise rows over four bins of difficulty, by the share of a problem's draws that solved it."""

    def run(self, ctx: Context, state: State) -> State:
        """Mark what is not kept."""
        made = state.rows.filter(pl.col("made_by") != "gold")
        newest = made.filter(pl.col("made_by") == made["made_by"][-1]) if made.height else made
        chosen = curate(
            self._pool(ctx.task, newest.filter(pl.col("status") != "pending")),
            per_problem=self.per_problem,
            distinct=self.distinct != "none",
            sound=self.sound,
            balance=self.balance,
            rng_seed=int(ctx.rng("curate").integers(2**31)),
        )
        dropped = chosen.filter(pl.col("correct") & (pl.col("status") != KEPT)).select("id", "why")
        rows = reject(state.rows, {identity: f"curate, {why}" for identity, why in dropped.iter_rows()})
        counts = {"checked": int(chosen["correct"].sum()), "disagreed": dropped.height}
        return State(rows, state.students, counts)

    def _pool(self, task: Task, rows: pl.DataFrame) -> pl.DataFrame:
        """What was sampled, as a pool; whatever was accepted so far counts as right."""
        right = rows["status"] == "accepted"
        key = way_key(task, self.distinct)
        told = list(zip(rows[task.written], rows["solution"], right, strict=True))
        return rows.select(
            "id",
            problem_id=pl.col("parents").list.first(),
            model="made_by",
            draw=pl.int_range(pl.len()),
            text="solution",
            answer=pl.when(right).then("answer"),
            correct=right,
            key=pl.Series([key(text) if good else None for _, text, good in told], dtype=pl.String),
            sound=pl.Series([is_sound(task, *pair) if good else None for *pair, good in told], dtype=pl.Boolean),
        )
