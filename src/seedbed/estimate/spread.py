"""What every interval starts from: scores that were checked, and the variance of their mean."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate.number import Estimate

Floats = NDArray[np.float64]
Clusters = Sequence[Hashable] | None


def variance_of_mean(scores: Floats, codes: NDArray[np.intp]) -> tuple[float, float]:
    """Variance of the mean and its degrees of freedom, from sums of residuals per cluster."""
    sums = np.bincount(codes, weights=scores - scores.mean())
    groups = len(sums)
    if groups < 2:
        raise DataError("an interval needs two clusters or more", "1 cluster", "leave `clusters` out, or add passages")
    return float((sums**2).sum()) * groups / (groups - 1) / len(scores) ** 2, float(groups - 1)


def independent_share(scores: Floats, codes: NDArray[np.intp], level: float) -> tuple[float, float]:
    """Share of the rows that count as independent (1 / design effect), and the t quantile for that many clusters."""
    related, freedom = variance_of_mean(scores, codes)
    alone, _ = variance_of_mean(scores, np.arange(len(scores)))
    # Without any spread there is no design effect to see: then a cluster counts as one row, the worst case.
    effect = related / alone if alone > 0 else len(scores) / (freedom + 1)
    return 1 / max(1.0, effect), float(stats.t.ppf((1 + level) / 2, freedom))


def around(
    value: float,
    variance: float,
    freedom: float,
    n: int,
    method: str,
    level: float,
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """Put Student's t around a value of known variance, cut at what the score can be."""
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return Estimate(value, max(bounds[0], value - reach), min(bounds[1], value + reach), n, method)


def normal_quantile(level: float) -> float:
    """Standard deviations that a two-sided normal interval reaches."""
    return float(stats.norm.ppf((1 + level) / 2))


def check_level(level: float) -> None:
    """Refuse 95 where 0.95 was meant."""
    if not 0 < level < 1:
        raise DataError("the level of an interval lies between 0 and 1", f"level {level}", "0.95 is usual")


def read_scores(values: ArrayLike, *, unit: bool = False, dimensions: tuple[int, ...] = (1,), least: int = 2) -> Floats:
    """Read scores as floats and refuse what would silently become a wrong interval."""
    try:
        scores = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("scores must be numbers", str(error), "score every row; drop rows without a score") from error
    if scores.ndim not in dimensions or scores.shape[-1 if dimensions == (2,) else 0] < least:
        raise DataError(
            f"an interval needs {least} rows or more",
            f"scores of shape {scores.shape}",
            "score more rows, in one array",
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise DataError(
            "a score is missing", f"{bad} of {scores.size} are not finite", "unscored rows are not zero: drop them"
        )
    if unit and (scores.min() < 0 or scores.max() > 1):
        raise DataError(
            "scores must be fractions", f"between {scores.min():g} and {scores.max():g}", "divide per cent by 100"
        )
    return scores


def cluster_codes(clusters: Clusters, n: int) -> NDArray[np.intp]:
    """Number the clusters from 0; without clusters each row is its own."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise DataError("each row needs its cluster", f"{n} rows, {len(clusters)} clusters", "name one cluster per row")
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in clusters], dtype=np.intp)
