"""Open the sealed test split, once, and score every student of the run on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, replace
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from seedbed.errors import DataError
from seedbed.estimate import bootstrap
from seedbed.evaluation import metrics, shift, slices
from seedbed.rows import accepted
from seedbed.steps.context import Context, State
from seedbed.steps.step import Step
from seedbed.steps.train import answer, headline, tagged

SHOWN = 8
"""Slices in a report."""
LEAST = 10
"""Rows a slice needs in either half of the test rows."""
ON_MAP = 100
"""Texts of each kind on the map: enough to see, few enough for t-SNE to take a second."""


class Evaluate(Step):
    """Score the students of every round on the test split, in one opening.

    All of them at once: opening the test split after each round would turn it into another `select`.
    """

    kinds: ClassVar[Collection[str]] = (*Step.kinds, "reasoning")
    verb: Literal["evaluate"] = "evaluate"
    shift: bool = True
    """Also measure how the synthetic texts differ from gold, and draw both on a map; takes a few seconds."""

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
            said = final["expected"].to_list(), final["predicted"].to_list()
            more["labels"] = labels
            more["confusion"] = metrics.confusion(*said, labels).tolist()
            more["macro_f1"] = metrics.macro_f1(*said, labels)
        elif ctx.task.kind == "extractive_qa":
            f1 = bootstrap(final["score"].to_numpy(), clusters=final["cluster"].to_list(), rng_seed=0)
            more["f1"] = f1.to_dict()
        # Many small matrices: a second thread only waits for the first; see `seedbed.run`.
        with threadpool_limits(1):
            if len(answers) > 1:
                more["slices"] = self._slices(ctx, test, answers[0], final)
            if self.shift and ctx.task.kind != "reasoning":
                # The sampled problems are gold's own: there is no shift to see.
                more |= self._shift(ctx, state)
        return State(state.rows, state.students, more, pl.concat(answers))

    def _slices(
        self, ctx: Context, test: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame
    ) -> list[dict[str, Any]]:
        """The slices where the first student was weakest, under the first and the last student.

        They are chosen on one random half of the test rows and measured on the other: measured on the rows they were
        chosen on, the weakest slices would gain by luck alone. Rows that share a context are in one half.
        """
        half = one_half(before, ctx.rng("slices"))
        right = dict(before.select("id", "correct").iter_rows())
        ranked = []
        for each in slices.find_slices(ctx.task, test, before["correct"].to_numpy(), rng_seed=ctx.rng_seed):
            seen = [right[row] for row in each.row_ids if row in half]
            rest = tuple(row for row in each.row_ids if row not in half)
            if len(seen) >= LEAST and len(rest) >= LEAST:
                ranked.append((sum(seen) / len(seen), replace(each, row_ids=rest, n=len(rest))))
        # Ties go by name: the order they come in knows the other half.
        weakest = [each for _, each in sorted(ranked, key=lambda pair: (pair[0], pair[1].name))[:SHOWN]]
        return [asdict(gain) for gain in slices.slice_gains(weakest, before, after)]

    def _shift(self, ctx: Context, state: State) -> dict[str, Any]:
        """How the synthetic rows differ from the gold that may be looked at, and a map of both."""
        gold = pl.concat([ctx.read_gold("steer", "distribution shift"), ctx.read_gold("select", "distribution shift")])
        made = accepted(state.rows).filter(pl.col("made_by") != "gold")
        if gold.height < 20 or made.height < 20:
            return {}
        texts = {
            "gold": gold[ctx.task.written].to_list(),
            "seed rows": made.filter(pl.col("round") == 0)[ctx.task.written].to_list(),
            "additions": made.filter(pl.col("round") > 0)[ctx.task.written].to_list(),
        }
        rng = ctx.rng("map")
        few = {
            name: [found[index] for index in sorted(rng.permutation(len(found))[:ON_MAP].tolist())]
            for name, found in texts.items()
        }
        places = shift.map_2d(few, rng=rng)
        return {
            "shift": shift.summary(texts["gold"], made[ctx.task.written].to_list(), rng=ctx.rng("shift")),
            "map": {name: points.round(4).tolist() for name, points in places.items()},
        }


def one_half(answers: pl.DataFrame, rng: np.random.Generator) -> set[str]:
    """Ids of a random half of the rows; rows that share a context are in it together or not at all."""
    shared = answers["cluster"].fill_null(answers["id"])
    groups = shared.unique(maintain_order=True)
    chosen = set(groups.filter(pl.Series(rng.permutation(len(groups)) % 2 == 0)))
    return {row for row, group in zip(answers["id"], shared, strict=True) if group in chosen}
