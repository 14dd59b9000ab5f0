"""Methods trained under several rng seeds: rows and seeds both carry doubt."""

from __future__ import annotations

from numpy.typing import ArrayLike

from seedbed.errors import DataError
from seedbed.estimate.number import Estimate
from seedbed.estimate.spread import (
    Clusters,
    Floats,
    around,
    check_level,
    cluster_codes,
    read_scores,
    variance_of_mean,
)


def gain_over_seeds(before: ArrayLike, after: ArrayLike, *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """Mean gain of one method over another, with the doubt of the rows *and* of the rng seeds.

    A second set of test rows and a second set of rng seeds would both move the number: an interval over seeds alone
    takes the test rows for the whole world, one over rows alone forgets that training is a draw as well.

    Args:
        before: (s, n) score of each row under the first method, one line per rng seed, fractions in [0, 1].
        after: (s, n) the same seeds and rows under the second.
        clusters: (n,) what each row shares with others; None when rows are independent.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Gain as a fraction in [-1, 1]; `n` counts rows, the method's name tells the seeds.

    Raises:
        DataError: The two differ in shape, or there are fewer than two seeds or rows.

    Source:
        Two-way random effects without replication, variance of the grand mean from the mean squares; degrees of
        freedom from Satterthwaite 1946. Checked against the model in tests/test_estimate.py. Differs: a negative
        estimate of the seeds' variance counts as zero. With 3 seeds or more it covers 93 to 97 %; with 2 it falls
        to 85 % where seeds matter more than rows, so use at least 3.
    """
    first, second = read_scores(before, unit=True, dimensions=(2,)), read_scores(after, unit=True, dimensions=(2,))
    if first.shape != second.shape:
        raise DataError(
            "a gain over rng seeds needs the same seeds and rows twice",
            f"shapes {first.shape} before, {second.shape} after",
            "score both methods under the same rng seeds on the same rows",
        )
    return _crossed(second - first, clusters, level, (-1.0, 1.0))


def mean_over_seeds(scores: ArrayLike, *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """Mean score of one method, with the doubt of the rows and of the rng seeds; see `gain_over_seeds`.

    Args:
        scores: (s, n) score of each row, one line per rng seed, fractions in [0, 1].
        clusters: (n,) what each row shares with others; None when rows are independent.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The mean, a fraction in [0, 1].

    Raises:
        DataError: Fewer than two seeds or rows, or a score outside [0, 1].
    """
    return _crossed(read_scores(scores, unit=True, dimensions=(2,)), clusters, level, (0.0, 1.0))


def _crossed(table: Floats, clusters: Clusters, level: float, bounds: tuple[float, float]) -> Estimate:
    check_level(level)
    seeds, n = table.shape
    if seeds < 2:
        raise DataError(
            "doubt over rng seeds needs two or more of them", "1 rng seed", "use paired_gain or wilson for one"
        )
    by_seed, by_row, mean = table.mean(axis=1), table.mean(axis=0), float(table.mean())
    residual = table - by_seed[:, None] - by_row[None, :] + mean
    of_residual = float((residual**2).sum()) / ((seeds - 1) * (n - 1)) / (seeds * n)
    of_seeds = float(by_seed.var(ddof=1)) / seeds
    of_rows, row_freedom = variance_of_mean(by_row, cluster_codes(clusters, n))
    # Both means carry the residual once; the sum must not carry it twice.
    extra = max(0.0, of_seeds - of_residual)
    variance = of_rows + extra
    doubt = of_rows**2 / row_freedom
    if extra > 0:
        doubt += of_seeds**2 / (seeds - 1) + of_residual**2 / ((seeds - 1) * (n - 1))
    freedom = variance**2 / doubt if doubt > 0 else row_freedom
    related = ", clustered" if clusters is not None else ""
    return around(mean, variance, freedom, n, f"rows x {seeds} rng seeds{related}", level, bounds=bounds)
