"""False positives: solutions whose answer is right and whose reasoning is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate import Estimate, share
from seedbed.estimate.spread import check_level


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """The rate among what could be checked, and how much that leaves open."""

    rate: Estimate
    """Share of wrong reasoning among the checked solutions with a right answer; lower is better."""
    correct: int
    """Solutions with a right answer, checked or not."""

    @property
    def unchecked(self) -> int:
        return self.correct - self.rate.n

    @property
    def bounds(self) -> tuple[float, float]:
        """The rate among all of them if no unchecked one were wrong, and if all were: what the check leaves open."""
        wrong = self.rate.value * self.rate.n
        return wrong / self.correct, (wrong + self.unchecked) / self.correct


def false_positives(sound: ArrayLike, correct: ArrayLike, problem: ArrayLike, *, level: float = 0.95) -> FalsePositives:
    """Share of answer-correct solutions whose steps are wrong, among those that could be checked.

    Each solution counts the same, whatever its problem: what is kept of a pool is solutions, so this is the share of
    bad rows that a student would be trained on. Solutions of one problem fail together, so the interval takes a
    problem for a cluster. Where the pool is capped per problem, cap first and measure what is left.

    Args:
        sound: (draws,) whether the steps hold: True, False, and None or nan where nothing could be checked.
        correct: (draws,) whether the answer is right; the others do not count.
        problem: (draws,) index of the problem.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The rate with its interval, and how many correct solutions could not be checked.

    Raises:
        DataError: No correct solution could be checked, or lengths differ.

    Source:
        Bansal et al. 2024, arXiv:2408.16737 (false-positive rate). Differs: clustered by problem, unchecked ones apart.
    """
    right, codes = np.asarray(correct, dtype=bool), np.asarray(problem)
    verdicts = np.asarray(sound, dtype=np.float64)
    if not len(right) == len(codes) == len(verdicts):
        raise DataError(
            "each solution needs its verdict and its problem",
            f"{len(verdicts)} verdicts, {len(right)} answers, {len(codes)} problems",
            "give one of each per solution",
        )
    checked = right & np.isfinite(verdicts)
    if not checked.any():
        raise DataError(
            "no correct solution could be checked",
            f"{int(right.sum())} correct of {len(right)}",
            "check their steps, or have a judge or a person read some: audited_rate",
        )
    rate = share(verdicts[checked] == 0, clusters=codes[checked].tolist(), level=level)
    return FalsePositives(rate, int(right.sum()))


def audited_rate(wrong: int, read: int, correct: int, *, level: float = 0.95) -> Estimate:
    """False-positive rate of a pool from a simple random part of it that a judge or a person read.

    Solutions must have been drawn without regard to their problem: then the interval needs no clusters. It is about
    this pool, so it closes when everything has been read; for the model at large use `false_positives`.

    Args:
        wrong: Solutions with wrong reasoning among those read.
        read: Solutions read, at least 1.
        correct: Solutions with a right answer in the pool.
        level: Coverage of the interval, in (0, 1).

    Returns:
        A fraction in [0, 1]; `n` counts what was read.

    Raises:
        DataError: The counts do not fit into each other.

    Source:
        Hypergeometric tails inverted, with mid-p: exact limits for a finite pool are too wide.

    >>> print(audited_rate(3, 50, 200))
    0.060 [0.020, 0.140] (n=50, hypergeometric mid-p)
    """
    check_level(level)
    if not 0 <= wrong <= read <= correct or read < 1:
        raise DataError(
            "an audit reads a part of the correct solutions",
            f"{wrong} wrong of {read} read of {correct}",
            "give wrong <= read <= correct, at least one read",
        )
    tail = (1 - level) / 2
    least, most = wrong, correct - (read - wrong)

    def at_most(bad: int) -> float:
        tail_below = stats.hypergeom.cdf(wrong, correct, bad, read)
        return float(tail_below - 0.5 * stats.hypergeom.pmf(wrong, correct, bad, read))

    # at_most falls as more of the pool is bad: both limits are found by halving.
    low = _first(least, most, lambda bad: at_most(bad) <= 1 - tail)
    high = _first(least, most, lambda bad: at_most(bad) <= tail)
    if high > least and at_most(high) < tail:
        high -= 1
    value = wrong / read
    return Estimate(value, min(value, low / correct), max(value, high / correct), read, "hypergeometric mid-p")


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest number from low to high for which a claim that stays true once true holds; `high` if none."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
