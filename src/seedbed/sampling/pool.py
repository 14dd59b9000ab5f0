"""A pool: every solution sampled, one row each, with its verdicts and what it cost; and what a pool amounts to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.estimate import Estimate, mean_t, share
from seedbed.sampling.allocate import State
from seedbed.sampling.costs import cost_per_solved, cost_per_unique
from seedbed.sampling.coverage import count_draws, mean_over_problems
from seedbed.sampling.diversity import count_unique
from seedbed.sampling.false_positives import false_positives

SCHEMA: dict[str, pl.DataType] = {
    "problem_id": pl.String(),
    "model": pl.String(),
    "draw": pl.Int64(),
    "text": pl.String(),
    "answer": pl.String(),
    "correct": pl.Boolean(),
    "key": pl.String(),
    "sound": pl.Boolean(),
    "tokens_in": pl.Int64(),
    "tokens_out": pl.Int64(),
    "usd": pl.Float64(),
    "flops": pl.Float64(),
    "seconds": pl.Float64(),
}
"""problem_id: of a gold row. model: the teacher's name. draw: from 0, per problem and model. text: null where the
request failed, which counts as a draw that did not solve. answer: what was read off the end. key: equal for solutions
that count as the same. sound: whether the steps hold; null where none could be checked. usd, flops: null is unknown."""


def tally(pool: pl.DataFrame, problems: Sequence[str], models: Sequence[str]) -> State:
    """Count a pool per problem and model, in the given order; a problem without draws counts 0."""
    codes, right = _codes(pool, problems), pool["correct"].to_numpy()
    keys = pool["key"].fill_null("").to_numpy()
    n, c, unique, once = (np.zeros((len(problems), len(models)), dtype=np.int64) for _ in range(4))
    for column, model in enumerate(models):
        mine = (pool["model"] == model).to_numpy()
        n[:, column], c[:, column] = count_draws(codes[mine], right[mine], len(problems))
        times, owner = count_unique(codes[mine], keys[mine], right[mine])
        unique[:, column] = np.bincount(owner, minlength=len(problems))
        once[:, column] = np.bincount(owner[times == 1], minlength=len(problems))
    _, owner = count_unique(codes, keys, right)
    return State(n, c, unique, once, np.bincount(owner, minlength=len(problems)).astype(np.int64))


def _codes(pool: pl.DataFrame, problems: Sequence[str]) -> NDArray[np.int64]:
    place = {identity: index for index, identity in enumerate(problems)}
    return np.asarray(pool["problem_id"].replace_strict(place, return_dtype=pl.Int64).to_numpy())


def describe_model(pool: pl.DataFrame, unit: str) -> dict[str, Any]:
    """What one model's draws amount to, whoever decided how many each problem got.

    Args:
        pool: The draws of one model.
        unit: Column that costs are counted in: `usd`, `flops` or `seconds`.

    Returns:
        draws, problems asked about, correct; right (share of draws, clustered by problem, as an Estimate) and
        false_positives, None where they cannot be said; cost in all and per draw; tokens_in and tokens_out per draw.
    """
    codes = pool["problem_id"].to_list()
    right = pool["correct"].to_list()
    return {
        "draws": pool.height,
        "problems": len(set(codes)),
        "correct": sum(right),
        "right": share(right, clusters=codes).to_dict() if right else None,
        "false_positives": _false_positives(pool),
        "cost": float(pool[unit].sum()),
        "cost_per_draw": pool[unit].mean(),
        "tokens_in": pool["tokens_in"].mean(),
        "tokens_out": pool["tokens_out"].mean(),
    }


def outcome(pool: pl.DataFrame, problems: Sequence[str], unit: str) -> dict[str, Any]:
    """What the whole pool holds: solved problems, different correct solutions, false positives, and their price.

    Returns:
        coverage, unique, false_positives, cost_per_solved, cost_per_unique as Estimates (None where nothing was
        found); cost in all; draws, solved, found as counts.
    """
    models = pool["model"].unique(maintain_order=True).to_list()
    counts = tally(pool, problems, models)
    solved = counts.solved
    spent = dict(pool.group_by("problem_id").agg(pl.col(unit).sum()).iter_rows())
    costs = np.array([spent.get(identity) or 0.0 for identity in problems])
    return {
        "draws": pool.height,
        "solved": int(solved.sum()),
        "found": int(counts.found.sum()),
        "cost": float(costs.sum()),
        "coverage": mean_over_problems(solved.astype(float)).to_dict(),
        "unique": _plain(mean_t, counts.found),
        "false_positives": _false_positives(pool),
        "cost_per_solved": _plain(cost_per_solved, costs, solved.astype(float)),
        "cost_per_unique": _plain(cost_per_unique, costs, counts.found),
    }


def _plain(measure: Any, *values: Any) -> dict[str, Any] | None:
    """An estimate as plain data; None where there is nothing to estimate it from, or nothing that bounds it."""
    try:
        found: Estimate = measure(*values)
    except DataError:
        return None
    return found.to_dict() if math.isfinite(found.high) else None


def _false_positives(pool: pl.DataFrame) -> Mapping[str, Any] | None:
    right = pool.filter("correct")
    if right["sound"].count() == 0:
        return None
    found = false_positives(
        right["sound"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        right["correct"].to_numpy(),
        right["problem_id"].to_numpy(),
    )
    return {**found.rate.to_dict(), "unchecked": found.unchecked}
