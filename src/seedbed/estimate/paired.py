"""Two students on the same rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate.number import Estimate, PairedTest
from seedbed.estimate.spread import (
    Clusters,
    around,
    check_level,
    cluster_codes,
    independent_share,
    normal_quantile,
    read_scores,
    variance_of_mean,
)


def paired_gain(before: ArrayLike, after: ArrayLike, *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """Mean per-row gain of one student over another on the same rows.

    Both students saw the same rows, so the spread of the *differences* sets the interval. That is narrower than two
    separate intervals whenever easy rows are easy for both. Scores that are only right or wrong get a score
    interval, because t is unreliable on a handful of disagreements; other scores get t. Where about one row in all is
    expected to differ (n = 50, 2 % disagreement) it covers 99.9 %: counts that small allow nothing nearer to 95 %.

    Args:
        before: (n,) score of each row under the first student, a fraction in [0, 1].
        after: (n,) score of the same rows, in the same order, under the second.
        clusters: (n,) what each row shares with others, such as its passage; None when rows are independent.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Gain as a fraction in [-1, 1]: 0.02 is two accuracy points, not two per cent of `before`.

    Raises:
        DataError: The two differ in length, fewer than two rows were scored, or a score is outside [0, 1].

    Source:
        Miller 2024, Adding Error Bars to Evals, arXiv:2411.00640 (paired differences); Tango 1998, Equivalence Test
        and Confidence Interval for the Difference in Proportions for the Paired-sample Design (right or wrong).
        Differs: with clusters, Tango's counts are divided by the measured design effect and its normal quantile is
        replaced by Student's t on the clusters.
    """
    check_level(level)
    first, second = read_scores(before, unit=True), read_scores(after, unit=True)
    if len(first) != len(second):
        raise DataError(
            "a paired gain needs the same rows twice",
            f"{len(first)} scores before, {len(second)} after",
            "score both students on the same rows, in the same order",
        )
    gain, n = second - first, len(first)
    codes = cluster_codes(clusters, n)
    related = ", clustered" if clusters is not None else ""
    if not np.isin(gain, (-1.0, 0.0, 1.0)).all():
        variance, freedom = variance_of_mean(gain, codes)
        return around(float(gain.mean()), variance, freedom, n, f"paired t{related}", level, bounds=(-1.0, 1.0))
    shrink, reach = independent_share(gain, codes, level) if clusters is not None else (1.0, normal_quantile(level))
    gained, lost = int((gain == 1).sum()), int((gain == -1).sum())
    low, high = _tango(gained * shrink, lost * shrink, n * shrink, reach)
    return Estimate((gained - lost) / n, low, high, n, f"paired score{related}")


def mcnemar(before_correct: ArrayLike, after_correct: ArrayLike) -> PairedTest:
    """Whether two students differ on the same rows, from the rows where only one of them is right.

    Only for independent rows. How large the difference is says `paired_gain`.

    Args:
        before_correct: (n,) whether the first student has the row right.
        after_correct: (n,) the same rows under the second.

    Returns:
        The counts and a two-sided p value; 1.0 when the two never disagree.

    Raises:
        DataError: The two differ in length, are empty, or hold something other than right and wrong.

    Source:
        McNemar 1947; Fagerland, Lydersen and Laake 2013, The McNemar test for binary matched-pairs data: mid-p and
        asymptotic are better than exact conditional. Differs: mid-p at every count, since it costs nothing.
    """
    first, second = read_scores(before_correct, unit=True, least=1), read_scores(after_correct, unit=True, least=1)
    if len(first) != len(second) or not np.isin(np.concatenate([first, second]), (0.0, 1.0)).all():
        raise DataError(
            "McNemar's test needs right or wrong for the same rows twice",
            f"{len(first)} before, {len(second)} after",
            "give booleans of equal length, or use paired_gain for graded scores",
        )
    gained, lost = int((second > first).sum()), int((second < first).sum())
    fewer, total = min(gained, lost), gained + lost
    tail = float(stats.binom.cdf(fewer, total, 0.5)) - 0.5 * float(stats.binom.pmf(fewer, total, 0.5))
    return PairedTest(gained, lost, len(first), min(1.0, 2 * tail))


def _tango(gained: float, lost: float, n: float, reach: float) -> tuple[float, float]:
    """The differences that a score test with this quantile would not reject. Counts may be fractions of a row."""
    seen = (gained - lost) / n

    def surprise(gain: float) -> float:
        linear = (2 * n - gained + lost) * gain - gained - lost
        root = math.sqrt(max(0.0, linear**2 + 8 * n * lost * gain * (1 - gain)))
        lost_share = (root - linear) / (4 * n)
        spread = n * (2 * lost_share + gain * (1 - gain))
        distance = n * (seen - gain)
        return distance / math.sqrt(spread) if spread > 0 else math.copysign(math.inf, distance)

    def edge(outside: float, sign: float) -> float:
        inside = seen
        for _ in range(50):  # the interval halves each time: 50 leave 1e-15
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if sign * surprise(middle) <= reach else (inside, middle)
        return inside

    return edge(-1.0, 1.0), edge(1.0, -1.0)
