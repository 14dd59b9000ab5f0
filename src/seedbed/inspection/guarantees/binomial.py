"""Exact bounds on a defect rate from counted defects, and how many labels a target takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPLITS = 250
"""How finely the splits of the bad rows over two strata are looked at; the bound between two splits is kept safe."""


def check_rates(**rates: float) -> None:
    """Refuse 2 where 0.02 was meant.

    Raises:
        ConfigError: One of them lies outside (0, 1).
    """
    for name, value in rates.items():
        if not 0 < value < 1:
            raise ConfigError(f"{name} lies between 0 and 1", f"{name} = {value}", "two per cent is 0.02")


def _check_counts(defects: int, n: int, n_rows: int | None = None) -> None:
    if not 0 <= defects <= n or (n_rows is not None and n > n_rows):
        raise DataError(
            "defects are counted among labels, labels among rows",
            f"{defects} defects, {n} labels, {n_rows} rows",
            "label each row once",
        )


def hypergeometric_tail(most: int, n: int, bad: int | Ints, n_rows: int) -> Floats:
    """(...) probability of at most `most` bad rows among n labelled of n_rows, for each count of bad rows there are."""
    bad = np.asarray(bad, dtype=np.int64)
    if most < 0:
        return np.zeros(bad.shape)
    chance: Floats = np.minimum(1.0, _pmf(min(most, n), n, bad, n_rows).sum(axis=-1))
    return chance


def _pmf(most: int, n: int, bad: Ints, n_rows: int) -> Floats:
    """(..., most + 1) chance of 0, 1, ..., most bad rows among n."""
    found = np.arange(most + 1)
    bad = np.asarray(bad)[..., None]
    possible = (found <= bad) & (n - found <= n_rows - bad)
    with np.errstate(invalid="ignore"):
        log = (
            _log_choose(bad, found)
            + _log_choose(n_rows - bad, np.minimum(n - found, n_rows - bad))
            - float(_log_choose(np.asarray(n_rows), np.asarray(n)))
        )
    return np.where(possible, np.exp(np.where(possible, log, -math.inf)), 0.0)


def _log_choose(n: Ints | NDArray[np.int64], k: NDArray[np.int64]) -> Floats:
    k = np.minimum(k, n)
    chosen: Floats = special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    return chosen


def upper_bound(defects: int, n: int, delta: float = 0.05, n_rows: int | None = None) -> float:
    """Defect rate that is exceeded with probability at most `delta`, whatever the rate is.

    Exact: never too low, and a little too high because counts are whole. The labels must be a random draw that was not
    used to choose the rows; for nested sets of rows use `selection`.

    Args:
        defects: Bad rows among the labelled.
        n: Labels.
        delta: Risk that the bound is too low, in (0, 1).
        n_rows: Size of the finite set that the labels were drawn from without replacement; None when it is endless.

    Returns:
        A fraction in [0, 1]; of a finite set the share of bad rows among all of it, the labelled included.

    Raises:
        ConfigError: `delta` is outside (0, 1).
        DataError: More defects than labels, or more labels than rows.

    Source:
        Clopper and Pearson 1934, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial.

    >>> round(upper_bound(0, 149), 4)
    0.0199
    """
    check_rates(delta=delta)
    _check_counts(defects, n, n_rows)
    if n_rows is None:
        return 1.0 if defects == n else float(stats.beta.ppf(1 - delta, defects + 1, n - defects))
    low, high = defects, n_rows - (n - defects)
    while low < high:  # the largest number of bad rows that this few defects would not be a surprise for
        middle = (low + high + 1) // 2
        if float(hypergeometric_tail(defects, n, middle, n_rows)) > delta:
            low = middle
        else:
            high = middle - 1
    return low / n_rows if n_rows else 1.0


def exact_interval(defects: int, n: int, level: float = 0.95, n_rows: int | None = None) -> Estimate:
    """The defect rate with an exact two-sided interval, for labels drawn at random.

    Args:
        defects: Bad rows among the labelled.
        n: Labels, at least 1.
        level: Coverage of the interval, in (0, 1).
        n_rows: Size of the finite set that the labels were drawn from; None when it is endless.

    Returns:
        The rate, a fraction.

    Raises:
        ConfigError: `level` is outside (0, 1).
        DataError: No labels, more defects than labels, or more labels than rows.
    """
    check_rates(level=level)
    if n < 1:
        raise DataError("a rate needs labels", "0 labels", "label at least one row")
    side = (1 - level) / 2
    high = upper_bound(defects, n, side, n_rows)
    low = 1 - upper_bound(n - defects, n, side, n_rows)
    seen = defects / n
    return Estimate(seen, max(0.0, min(low, seen)), max(high, seen), n, "exact" if n_rows is None else "exact, finite")


def labels_for(alpha: float, delta: float = 0.05, defects: int = 0) -> int:
    """Fewest labels with which this many defects still show a rate of at most `alpha`.

    Raises:
        ConfigError: A rate is outside (0, 1).

    >>> [labels_for(0.02, defects=found) for found in (0, 1, 3)]
    [149, 236, 386]
    """
    check_rates(alpha=alpha, delta=delta)
    return first_integer(lambda n: bool(special.bdtr(defects, n, alpha) <= delta), defects + 1)


def labels_expected(rate: float, alpha: float, delta: float = 0.05, power: float = 0.8) -> int | None:
    """Labels with which a set of this defect rate is certified with probability `power`.

    Args:
        rate: Defect rate that the set is thought to have, a fraction.
        alpha: Rate to be certified.
        delta: Risk of a false certificate.
        power: Wanted probability of a certificate.

    Returns:
        A number of labels drawn at random; None where the rate is not below `alpha`, and no number would do, or so
        near that more than a million would be needed.

    Raises:
        ConfigError: `alpha`, `delta` or `power` is outside (0, 1).
    """
    check_rates(alpha=alpha, delta=delta, power=power)
    if rate >= alpha:
        return None

    def holds(n: int) -> bool:
        allowed = int(stats.binom.ppf(delta, n, alpha))
        allowed -= bool(special.bdtr(allowed, n, alpha) > delta)
        return allowed >= 0 and bool(special.bdtr(allowed, n, rate) >= power)

    most = 1_000_000
    return first_integer(holds, 1) if holds(most) else None


def first_integer(holds: Callable[[int], bool], start: int) -> int:
    """The smallest integer from `start` on for which something holds that goes on holding."""
    low, high = start - 1, max(start, 1)
    while not holds(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@lru_cache(maxsize=65_536)
def pair_p_value(score: float, weight: float, labels: tuple[int, int], rows: tuple[int, int], bad: int) -> float:
    """How likely so few defects are in two strata that hold `bad` bad rows between them, at the least favourable split.

    The strata were sampled at different densities, so their defects are counted with different weights. Where the bad
    rows lie is unknown: the largest probability over all their splits is taken, which makes the test valid whatever
    the scores were worth. Between two looked-at splits a bound is used, never an interpolation.

    Args:
        score: Defects in the second stratum plus `weight` times those in the first.
        weight: Weight of a defect in the first stratum.
        labels: Labels in each.
        rows: Rows in each.
        bad: Bad rows in both together under the hypothesis to be rejected; more of them make the value smaller.

    Returns:
        A valid p-value in [0, 1].
    """
    least, most = max(0, bad - rows[1]), min(rows[0], bad)
    if least > most:
        return 0.0  # so many bad rows do not fit: nothing to reject
    whole = most - least < SPLITS
    edges = np.arange(least, most + 1) if whole else np.linspace(least, most, SPLITS).astype(np.int64)
    # Fewer bad rows make few defects likelier: a cell takes its lower end in both strata.
    first, second = (edges, bad - edges) if whole else (edges[:-1], bad - edges[1:])
    largest = min(labels[0], math.floor(score / weight + 1e-9))
    chance = _pmf(largest, labels[0], first, rows[0])
    total = np.zeros(len(first))
    few = min(labels[1], math.floor(score + 1e-9))
    below = np.cumsum(_pmf(few, labels[1], second, rows[1]), axis=-1)
    for found in range(largest + 1):
        left = min(few, math.floor(score - weight * found + 1e-9))
        total += chance[:, found] * below[:, left]
    return min(1.0, float(total.max()))
