"""The share of bad rows, from labels that were not drawn evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate import Estimate
from seedbed.inspection.audit.rules import Pick

Floats = NDArray[np.float64]
TRUSTED_UNIFORM = 0.25
"""With fewer uniform draws than this share, the few defects they find carry nearly all of the spread, and where they
happen to find few the spread looks small too: intervals from it held in 11 of 20 audits at a share of 0.05."""
Expected = Sequence[tuple[int, Floats]]
"""(first pick, (N,) belief from labels before that pick), in order; the first entry starts at pick 0."""


def defect_rate(
    picks: Sequence[Pick],
    bad: ArrayLike,
    n_rows: int,
    *,
    readable: ArrayLike | None = None,
    expected: Expected | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of bad rows among all rows a reader could decide, unbiased under any rule that logs its chances.

    Each pick alone gives an unbiased rate: what was found before it, plus its own finding over its probability. These
    are uncorrelated however the rule learned from one to the next, so their spread is the spread of the mean.
    Where less than a quarter of the draws was uniform, as in `find`, the interval trusts the uniform draws only, so it
    is wide; at its lower end the rate is at least what was found.

    Args:
        picks: (n,) every draw in its order, none left out: leaving out rows that were drawn but not read biases it.
        bad: (n,) whether each was called bad.
        n_rows: N, all rows from which was drawn.
        readable: (n,) whether the reader could decide; a row that was skipped counts neither as good nor as bad.
        expected: Beliefs whose mean is known for all rows, so that only their mistakes must be estimated. Each must
            come from labels before the picks it is used for. None uses no belief.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The rate, a fraction in [0, 1]; Wilson's interval at the rows that this many uneven ones are worth.

    Raises:
        DataError: No picks, lengths that differ, or no row that could be decided.

    Source:
        Des Raj 1956, Some Estimators in Sampling with Varying Probabilities without Replacement; Farquhar, Gal and
        Rainforth 2021, On Statistical Bias in Active Learning, arXiv:2101.11665 (the weights of the picks).
        Differs: the variance is unbiased for these weights; beliefs may change between picks.
    """
    decided = np.ones(len(picks)) if readable is None else np.asarray(readable, dtype=np.float64)
    found = np.asarray(bad, dtype=np.float64)
    if not len(picks) or found.shape != (len(picks),) or decided.shape != (len(picks),):
        raise DataError("one label for each pick", f"{len(picks)} picks, {found.shape} labels", "read at least one row")
    if not decided.any():
        raise DataError("no row could be decided", f"{len(picks)} were skipped", "ask a reader who knows the subject")
    found = found * decided
    weight = _weights(len(picks), n_rows)
    base = _each(picks, found, n_rows, expected)
    # Where nobody skipped anything, every row counts as one that can be decided: that share is not estimated.
    share = 1.0 if decided.all() else float(weight @ _each(picks, decided, n_rows, None))
    rate = float(weight @ base) / share
    errors = base if decided.all() else (base - rate * _each(picks, decided, n_rows, None)) / share
    variance = _variance(errors, weight)
    if len(picks) == n_rows:
        rate, variance = float(found.sum() / decided.sum()), 0.0
        return Estimate(rate, rate, rate, len(picks), "every row was read")
    rate = min(max(rate, 0.0), 1.0)
    low, high = _wilson(rate, _worth(rate, variance, picks, bool(found.any())), level)
    low = max(low, min(rate, float(found.sum()) / n_rows))  # these are bad for certain, among at most N
    return Estimate(rate, low, high, len(picks), "sequential inverse probability, wilson")


def _each(picks: Sequence[Pick], value: Floats, n_rows: int, expected: Expected | None) -> Floats:
    """(n,) the rate as each single pick estimates it."""
    rows = np.array([pick.row for pick in picks])
    inverse = 1 / np.array([pick.probability for pick in picks])
    blocks = [(0, np.zeros(n_rows)), *(expected or ())]
    made = np.empty(len(picks))
    for number, (start, belief) in enumerate(blocks):
        end = blocks[number + 1][0] if number + 1 < len(blocks) else len(picks)
        off = value - belief[rows]
        before = np.concatenate([[0.0], np.cumsum(off)[:-1]])
        made[start:end] = (belief.mean() + (before + off * inverse) / n_rows)[start:end]
    return made


def _weights(n: int, n_rows: int) -> Floats:
    """Weights that make the estimate the plain mean where draws were uniform; later picks know more."""
    if n >= n_rows - 1:  # the last pick would weigh more than half, and its spread could not be told
        return np.full(n, 1 / n)
    left = n_rows - np.arange(1, n + 1)
    made: Floats = n_rows * (n_rows - n) / (n * left * (left + 1.0))
    return made if made.max() < 0.5 else np.full(n, 1 / n)


def _variance(each: Floats, weight: Floats) -> float:
    """Unbiased for a weighted mean of uncorrelated values with one mean and any variances."""
    if weight.max() >= 0.5:  # one or two picks: nothing can be said
        return math.inf
    part = weight**2 / (1 - 2 * weight)
    return float(part @ (each - weight @ each) ** 2) / (1 + float(part.sum()))


def _worth(rate: float, variance: float, picks: Sequence[Pick], any_bad: bool) -> float:
    """Evenly drawn rows that would say as much as these."""
    blind = len(picks) * min(pick.least for pick in picks)
    if not any_bad or rate in (0.0, 1.0):
        # Without a finding there is no spread to measure; the uniform part alone would have found one.
        return blind
    worth = blind if variance == 0 else max(rate * (1 - rate) / variance, 1e-9)
    return worth if blind >= TRUSTED_UNIFORM * len(picks) else min(worth, blind)


def _wilson(rate: float, n: float, level: float) -> tuple[float, float]:
    reach = float(stats.norm.ppf((1 + level) / 2))
    middle = (rate + reach**2 / (2 * n)) / (1 + reach**2 / n)
    half = reach * math.sqrt(rate * (1 - rate) / n + reach**2 / (4 * n**2)) / (1 + reach**2 / n)
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))
