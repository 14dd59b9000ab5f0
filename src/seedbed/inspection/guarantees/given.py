"""Which sets to test when the labels are already there: a uniform random sample that somebody drew beforehand."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from seedbed.errors import ConfigError
from seedbed.inspection.guarantees.binomial import Floats, check_rates, labels_for
from seedbed.inspection.guarantees.planning import FLOOR, Plan, Rung

STEPS = 25
"""Sizes that are looked at; many near ones only add tests that the first failure ends."""


def plan_given(bad: ArrayLike, n: int, alpha: float, delta: float = 0.05) -> Plan:
    """Nested sets for `selection.decide`, where n labels lie evenly over all rows.

    Where the rows to label can still be chosen, `planning.plan_selection` puts the same number where it says more. A
    wrong guess of the defect rates costs yield, never validity: the labels that certify are not looked at here.

    Args:
        bad: (C, N) probability that each row is bad, best row first, as C guesses that are equally likely.
        n: Labels of rows drawn uniformly without replacement from these N.
        alpha: Defect rate to certify, in (0, 1).
        delta: Risk of a false certificate, in (0, 1).

    Returns:
        A plan with one density of labels throughout.

    Raises:
        ConfigError: Too few labels to certify anything, or a rate outside (0, 1).
    """
    check_rates(alpha=alpha, delta=delta)
    guesses = alpha * FLOOR + (1 - alpha * FLOOR) * np.asarray(bad, dtype=float)
    total = guesses.shape[1]
    least = labels_for(alpha, delta)
    if not min(least, total) <= n <= total:
        raise ConfigError("too few labels to certify anything", f"{n} labels", f"label {least} rows or more")
    rates = np.cumsum(guesses, axis=1) / np.arange(1, total + 1)
    # A set with fewer labels in it than a faultless sample takes cannot pass.
    sizes = np.unique(np.linspace(min(total, least * total / n), total, STEPS).astype(int))
    kept: list[tuple[Rung, float]] = []
    for size in sizes[::-1].tolist():
        power = float(_power(rates[:, size - 1], round(n * size / total), alpha, delta).mean())
        if not kept or power > kept[-1][1]:  # a smaller set that is not likelier to pass would only be in the way
            kept.append((Rung(size, 1.0), power))
    return Plan(total, alpha, delta, total, total, n, 0, tuple(rung for rung, _ in reversed(kept)))


def _power(rate: Floats, labels: int, alpha: float, delta: float) -> Floats:
    """(C,) chance that a set of each rate passes with so many labels in it."""
    allowed = int(stats.binom.ppf(delta, labels, alpha))
    allowed -= bool(special.bdtr(allowed, labels, alpha) > delta)
    return np.asarray(special.bdtr(allowed, labels, rate)) if allowed >= 0 else np.zeros(len(rate))
