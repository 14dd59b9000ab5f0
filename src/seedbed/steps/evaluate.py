"""Open the sealed test split, once, and score every student of the run on it."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl

from seedbed.errors import DataError
from seedbed.evaluation import metrics, shift
from seedbed.rows import accepted
from seedbed.steps.context import Context, State
from seedbed.steps.step import Step
from seedbed.steps.train import answer, headline, tagged


class Evaluate(Step):
    """Score the students of every round on the test split, in one opening.

    All of them at once: opening the test split after each round would turn it into another `select`.
    """

    verb: Literal["evaluate"] = "evaluate"

    def run(self, ctx: Context, state: State) -> State:
        """Predict, score, and measure how far the rows are from gold."""
        if state.student is None:
            raise DataError("there is no student to evaluate", "no `train` step ran", "put `train` before `evaluate`")
        test = ctx.gold.test.open("final evaluation")
        scores, answers = {}, []
        for trained in state.students:
            found = answer(ctx, trained.student, test)
            answers.append(tagged(found, trained.name, "test"))
            scores[trained.name] = headline(found).to_dict()
        final = answers[-1]
        more: dict[str, Any] = {"test": scores, "final": state.student.name}
        if ctx.task.kind == "classification":
            labels = list(ctx.task.labels)
            more["confusion"] = metrics.confusion(
                final["expected"].to_list(), final["predicted"].to_list(), labels
            ).tolist()
            more["macro_f1"] = metrics.macro_f1(final["expected"].to_list(), final["predicted"].to_list(), labels)
        else:
            more["f1"] = float(final["score"].mean() or 0.0)  # type: ignore[arg-type]
        more["shift"] = self._shift(ctx, state)
        return State(state.rows, state.students, more, pl.concat(answers))

    def _shift(self, ctx: Context, state: State) -> dict[str, Any]:
        """How the synthetic rows differ from the gold that may be looked at."""
        gold = pl.concat([ctx.read_gold("steer", "distribution shift"), ctx.read_gold("select", "distribution shift")])
        made = accepted(state.rows).filter(pl.col("made_by") != "gold")
        if gold.height < 20 or made.height < 20:
            return {}
        return shift.summary(gold[ctx.task.written].to_list(), made[ctx.task.written].to_list(), rng=ctx.rng("shift"))
