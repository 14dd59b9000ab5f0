"""Train a fresh student on everything accepted so far."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from seedbed.errors import DataError
from seedbed.estimate import Estimate, paired_gain
from seedbed.evaluation import metrics
from seedbed.fingerprint import fingerprint
from seedbed.models.worlds import World
from seedbed.rows import accepted, inputs, lessons, teaching
from seedbed.steps.context import Context, State, TrainedStudent
from seedbed.steps.step import Step
from seedbed.students import Student, open_student
from seedbed.task import Task
from seedbed.verification.solutions import check_solutions


class Train(Step):
    """Train a student from its starting point on all accepted rows, and measure it on `select`.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, algorithm 2 (the student is re-initialised every round). Differs:
        early stopping looks at `select`, never at the rows mistakes come from, and never at `test`.
    """

    kinds: ClassVar[Collection[str]] = (*Step.kinds, "reasoning")
    verb: Literal["train"] = "train"
    additions_share: float | None = Field(None, gt=0, lt=1)
    """p of the paper's section 2.6: total weight of rows made in rounds 1 and later, as a share of all synthetic rows.
    Left out, every row weighs the same, as in the paper."""

    def run(self, ctx: Context, state: State) -> State:
        """Fit and measure; the student is named after this step."""
        rows = teaching(ctx.task, accepted(state.rows))
        student = fit(ctx, rows, weights=self._weights(rows))
        measured, answers = measure(ctx, ctx.step, student)
        if ctx.world is not None:
            measured["truth"] = truth(ctx.world, ctx.task, rows.filter(pl.col("made_by") != "gold"))
        students = (*state.students, TrainedStudent(ctx.step, student))
        return State(state.rows, students, {"trained_on": rows.height, **measured}, answers)

    def _weights(self, rows: pl.DataFrame) -> np.ndarray | None:
        if self.additions_share is None:
            return None
        is_addition = (rows["round"] > 0).to_numpy()
        is_gold = (rows["made_by"] == "gold").to_numpy()
        is_seed = ~is_addition & ~is_gold
        if not is_addition.any() or not is_seed.any():
            return None
        weights = np.ones(rows.height)
        total = float(is_addition.sum() + is_seed.sum())
        weights[is_addition] = total * self.additions_share / is_addition.sum()
        weights[is_seed] = total * (1 - self.additions_share) / is_seed.sum()
        return weights


def fit(ctx: Context, rows: pl.DataFrame, *, weights: np.ndarray | None = None) -> Student:
    """A fresh student trained on `rows`, with early stopping on `select` where the student has it.

    Raises:
        DataError: There is nothing to train on.
    """
    if rows.is_empty():
        raise DataError(
            "there is nothing to train on",
            "0 accepted rows",
            "see the rejected and failed rows with `seedbed show`; mend the prompt, the teacher or the budget",
        )
    select = teaching(ctx.task, ctx.gold.select)
    if select.height:
        ctx.read_gold("select", "early stopping")
    return open_student(ctx.student, labels=list(ctx.task.labels)).fit(
        *lessons(ctx.task, rows),
        sample_weight=weights,
        select=lessons(ctx.task, select) if select.height else None,
        rng_seed=ctx.rng_seed,
    )


def answer(ctx: Context, student: Student, rows: pl.DataFrame) -> pl.DataFrame:
    """What a student answers to rows with known answers.

    Returns:
        id, expected, predicted, correct, score, and cluster: what the row shares with others, or null.
    """
    said = student.predict(inputs(ctx.task, rows))
    if ctx.task.kind == "reasoning":
        said = [one.answer or "" for one in check_solutions(ctx.task, said, rows[ctx.task.target].to_list())]
    answers = metrics.score_rows(ctx.task, rows, said)
    context = rows[ctx.task.context].to_list() if ctx.task.context else [None] * rows.height
    shared = [None if text is None else fingerprint(text) for text in context]
    return answers.with_columns(pl.Series("cluster", shared, dtype=pl.String))


def measure(ctx: Context, name: str, student: Student) -> tuple[dict[str, Any], pl.DataFrame | None]:
    """A student's score on `select`, as an Estimate, and its answers there."""
    if not ctx.gold.select.height:
        return {}, None
    select = ctx.read_gold("select", "measured after training")
    answers = answer(ctx, student, select)
    return {"select": headline(answers).to_dict()}, tagged(answers, name, "select")


def headline(answers: pl.DataFrame) -> Estimate:
    """The task's metric with its interval; rows that share a context are one cluster."""
    return metrics.headline(answers["correct"].to_list(), clusters=_clusters(answers))


def gain(before: pl.DataFrame, after: pl.DataFrame) -> Estimate | None:
    """Paired gain of one student over another from their answers to the same rows, in the same order.

    Returns:
        None where all rows share one context: one passage alone says nothing about others.
    """
    clusters = _clusters(before)
    if clusters and len(set(clusters)) < 2:
        return None
    return paired_gain(before["correct"].cast(float), after["correct"].cast(float), clusters=clusters)


def _clusters(answers: pl.DataFrame) -> list[str] | None:
    """What each row shares with others; None where rows share nothing."""
    return answers["cluster"].to_list() if answers["cluster"].null_count() < answers.height else None


def tagged(answers: pl.DataFrame, student: str, split: str) -> pl.DataFrame:
    """Answers that say whose they are and to which part of gold."""
    return answers.select(pl.lit(student).alias("student"), pl.lit(split).alias("split"), pl.all())


def truth(world: World, task: Task, rows: pl.DataFrame) -> dict[str, float]:
    """What only a known world can tell about synthetic rows.

    Returns:
        total_variation to the gold distribution in [0, 1] and what as many gold rows would show by chance alone;
        wrong_labels as a share of the rows; missing_tails as gold probability of the cells no row lies in.
    """
    if rows.is_empty():
        return {}
    right = [world.truth(row) for row in rows.select(task.fields).iter_rows(named=True)]
    wrong = sum(a != b for a, b in zip(right, rows[task.target], strict=True))
    return {
        "total_variation": world.total_variation(rows),
        "total_variation_of_gold": world.expected_total_variation(rows.height),
        "wrong_labels": wrong / rows.height,
        "missing_tails": sum(probability for _, probability in world.missing_tails(rows)),
    }
