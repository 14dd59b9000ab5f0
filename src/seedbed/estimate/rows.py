"""One set of rows: a share, a mean, or any statistic."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate.number import Estimate
from seedbed.estimate.spread import (
    Clusters,
    Floats,
    around,
    check_level,
    cluster_codes,
    independent_share,
    normal_quantile,
    read_scores,
    variance_of_mean,
)
from seedbed.randomness import stream


def wilson(successes: int, n: int, level: float = 0.95) -> Estimate:
    """Share of rows that are right, with an interval that stays inside [0, 1] and works at 0 and n.

    Not for rows that share a passage: they are fewer than they look; use `mean_t` with `clusters`.

    Args:
        successes: Rows that are right, 0 to n.
        n: Rows, at least 1.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The share, a fraction in [0, 1].

    Raises:
        DataError: There are no rows, or more successes than rows.

    Source:
        Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.

    >>> print(wilson(9, 10))
    0.900 [0.596, 0.982] (n=10, wilson)
    """
    check_level(level)
    if not 0 <= successes <= n or n < 1:
        raise DataError("a share needs rows", f"{successes} right of {n}", "score at least one row")
    low, high = _wilson(successes / n, n, normal_quantile(level))
    return Estimate(successes / n, low, high, n, "wilson")


def share(correct: ArrayLike, *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """Share of rows that are right, from the rows themselves, so that shared passages can be taken into account.

    Args:
        correct: (n,) right or wrong.
        clusters: (n,) what each row shares with others, such as its passage; None when rows are independent.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The share, a fraction in [0, 1].

    Raises:
        DataError: There are no rows, a score is neither right nor wrong, or lengths differ.

    Source:
        Korn and Graubard 1998, Confidence Intervals for Proportions With Small Expected Number of Positive Counts
        Estimated From Survey Data (effective rows, quantile of t). Differs: Wilson's interval instead of the exact one.
    """
    check_level(level)
    scores = read_scores(correct, unit=True, least=1)
    if not np.isin(scores, (0.0, 1.0)).all():
        raise DataError("a share counts right and wrong", "graded scores", "use mean_t for graded scores")
    codes = cluster_codes(clusters, len(scores))
    groups = len(np.unique(codes))
    if groups == len(scores):
        return wilson(int(scores.sum()), len(scores), level)
    part, reach = 1 / len(scores), normal_quantile(level)  # one passage says as much as one row
    if groups > 1:
        part, reach = independent_share(scores, codes, level)
    low, high = _wilson(float(scores.mean()), len(scores) * part, reach)
    return Estimate(float(scores.mean()), low, high, len(scores), "wilson, clustered")


def _wilson(value: float, n: float, reach: float) -> tuple[float, float]:
    square = reach**2
    middle = (value + square / (2 * n)) / (1 + square / n)
    half = math.sqrt(square * (value * (1 - value) + square / (4 * n)) / n) / (1 + square / n)
    # Rounding may leave the limits 1e-17 beyond the value at 0 and 1.
    return min(value, max(0.0, middle - half)), max(value, min(1.0, middle + half))


def mean_t(values: ArrayLike, *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """Mean of scores with Student's t; with `clusters`, rows that share a passage count as related.

    Where all values are equal the interval has no width, because nothing in them says how far they could spread;
    for right-or-wrong scores use `wilson`.

    Args:
        values: (n,) one score per row, any unit.
        clusters: (n,) what each row shares with others, such as its passage; None when rows are independent.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The mean, in the unit of `values`.

    Raises:
        DataError: Fewer than two rows (or clusters), a score that is not finite, or lengths that differ.

    Source:
        Student 1908. With clusters: Miller 2024, Adding Error Bars to Evals, arXiv:2411.00640, eq. 4. Differs:
        the sum over clusters is scaled by g / (g - 1) and t has g - 1 degrees of freedom, for g clusters, because
        the plain form is too narrow on few passages.
    """
    check_level(level)
    scores = read_scores(values)
    variance, freedom = variance_of_mean(scores, cluster_codes(clusters, len(scores)))
    method = "t" if clusters is None else "t, clustered"
    return around(float(scores.mean()), variance, freedom, len(scores), method, level)


def bootstrap(
    values: ArrayLike,
    *,
    clusters: Clusters = None,
    rng_seed: int,
    draws: int = 2000,
    statistic: Callable[[Floats], float] = lambda rows: float(np.mean(rows)),
    level: float = 0.95,
) -> Estimate:
    """Any statistic of the rows, with the spread it has when rows (or whole clusters) are drawn again.

    The percentiles are taken a little further out than the level says, by as much as Student's t is wider than the
    normal: plain percentiles are too narrow on few rows. Needs a smooth statistic; a maximum or an extreme quantile
    has no bootstrap interval.

    Args:
        values: (n,) or (n, k): what the statistic needs of each row, such as (truth, prediction) as codes.
        clusters: (n,) what each row shares with others; whole clusters are drawn.
        rng_seed: Decides the draws; the same rows and rng_seed give the same interval.
        draws: Times the rows are drawn again.
        statistic: From an array like `values`, with its rows drawn again, to a number.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The statistic on the rows as they are, in its own unit.

    Raises:
        DataError: Fewer than two rows (or clusters), a value that is not finite, or lengths that differ.

    Source:
        Hesterberg 2014, What Teachers Should Know About the Bootstrap, arXiv:1411.5279 (expanded percentile).
    """
    check_level(level)
    rows = read_scores(values, dimensions=(1, 2))
    codes = cluster_codes(clusters, len(rows))
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    groups = len(members)
    if groups < 2:
        raise DataError("a bootstrap needs two clusters or more", "1 cluster", "leave `clusters` out, or add passages")
    rng = stream(rng_seed, "bootstrap")
    drawn = np.empty(draws)
    for draw in range(draws):
        picked = rng.integers(groups, size=groups)
        index = picked if groups == len(rows) else np.concatenate([members[group] for group in picked])
        drawn[draw] = statistic(rows[index])
    reach = float(stats.t.ppf((1 + level) / 2, groups - 1)) * math.sqrt(groups / (groups - 1))
    low, high = np.quantile(drawn, [stats.norm.cdf(-reach), stats.norm.cdf(reach)])
    method = "bootstrap" if clusters is None else "bootstrap, clustered"
    return Estimate(float(statistic(rows)), float(low), float(high), len(rows), method)
