"""How many of the rows are bad: estimates with intervals, and the choice between them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate
from seedbed.inspection.guarantees.binomial import Floats, Ints, check_rates, exact_interval
from seedbed.inspection.guarantees.planning import Pilot, calibration
from seedbed.randomness import stream

FEW_DEFECTS = 10
"""With fewer defects than this, normal intervals are too narrow: measured .905 for .95 at n = 100."""
WORTH_IT = 1.5
"""Factor by which strata must promise to save labels; less than this is within what calibration errs by."""


def estimate_rate(
    log_odds: ArrayLike, n: int, read: Callable[[Ints], ArrayLike], *, rng_seed: int, level: float = 0.95
) -> Estimate:
    """The defect rate of these rows from n labels, put where they say most if the scores turn out to say anything.

    The first quarter of the labels is drawn at random and calibrates the scores. Where calibrated scores promise that
    strata save labels, the rest goes to strata; otherwise it is drawn at random too and the interval is exact. Before
    the labels are read nobody has to know which it will be.

    Args:
        log_odds: (N,) log-odds that each row is bad.
        n: Labels in all, at least 40 and at most N.
        read: Row numbers to whether each is bad; called twice, never twice for a row.
        rng_seed: Decides which rows.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The share of bad rows among these N, with the method that was chosen.

    Raises:
        ConfigError: n is not in [40, N], or `level` not in (0, 1).
        DataError: A score is not finite.
    """
    check_rates(level=level)
    said = np.asarray(log_odds, dtype=float)
    if not 40 <= n <= len(said):
        raise ConfigError("a rate takes 40 labels or more, of as many rows", f"{n} of {len(said)}", "change n")
    if not np.isfinite(said).all():
        raise DataError("one finite log-odds for each row", f"{(~np.isfinite(said)).sum()} are not", "score every row")
    shuffled = stream(rng_seed, "rate").permutation(len(said)).astype(np.int64)
    first, rest = shuffled[: n // 4], shuffled[n // 4 :]
    bad = np.asarray(read(first), dtype=bool)
    predicted = calibration(said, Pilot(tuple(first.tolist()), tuple(bad.tolist())))
    strata = cut_strata(predicted)
    count = np.bincount(strata)
    quota = neyman(strata, predicted, n, already=strata[first])
    if _promise(strata, predicted, quota, bad) < WORTH_IT:
        second = rest[: n - len(first)]
        found = int(bad.sum()) + int(np.asarray(read(second), dtype=bool).sum())
        return exact_interval(found, n, level, len(said))
    want = quota - np.bincount(strata[first], minlength=len(count))
    second = np.concatenate([rest[strata[rest] == s][: want[s]] for s in range(len(count))])
    rows = np.concatenate([first, second])
    both = np.concatenate([bad, np.asarray(read(second), dtype=bool)])
    return stratified_rate(both, strata[rows], count, level=level)


def _promise(strata: Ints, predicted: Floats, quota: Ints, bad: NDArray[np.bool_]) -> float:
    """Labels that strata are expected to save, as a factor; 0 where the calibrated scores do not fit the pilot."""
    p, share = _means(strata, predicted), np.bincount(strata) / len(strata)
    rate = float(predicted.mean())
    spread = math.sqrt(rate * (1 - rate) / len(bad))
    if abs(float(bad.mean()) - rate) > 2 * spread or rate * quota.sum() < FEW_DEFECTS:
        return 0.0
    spread_left = float((share**2 * p * (1 - p) / np.maximum(quota, 1)).sum())
    return rate * (1 - rate) / float(quota.sum()) / spread_left


def _means(strata: Ints, predicted: Floats) -> Floats:
    means: Floats = np.bincount(strata, weights=predicted) / np.bincount(strata)
    return means


def cut_strata(predicted: ArrayLike, most: int = 6) -> Ints:
    """(N,) stratum of each row, from the surely good to the surely bad.

    Args:
        predicted: (N,) probability that each row is bad.
        most: Strata at most; ties are never cut, so there may be fewer.

    Source:
        Dalenius and Hodges 1959, Minimum Variance Stratification. Differs: cut along the predicted spread of the
        labels, not along the square root of the density.
    """
    p = np.asarray(predicted, dtype=float)
    order = np.argsort(p, kind="stable")
    spread = np.cumsum(np.sqrt(p[order] * (1 - p[order])) + 1e-6)
    edges = p[order][np.searchsorted(spread, spread[-1] * np.arange(1, most) / most)]
    codes: Ints = np.unique(np.searchsorted(np.unique(edges), p, side="left"), return_inverse=True)[1].astype(np.int64)
    return codes


def neyman(strata: Ints, predicted: Floats, n: int, *, proportional: float = 0.3, already: Ints | None = None) -> Ints:
    """(S,) labels for each stratum: where labels are expected to spread most, and a part in proportion to size.

    Args:
        strata: (N,) stratum of each row.
        predicted: (N,) probability that each row is bad.
        n: Labels in all.
        proportional: Share of the labels that does not trust the predictions.
        already: Strata of rows that were labelled before; no stratum gets fewer than it has.

    Source:
        Neyman 1934, On the Two Different Aspects of the Representative Method.
    """
    size = np.bincount(strata).astype(float)
    p = _means(strata, predicted)
    mass = size * np.sqrt(p * (1 - p)) + 1e-9
    wish = n * (proportional * size / size.sum() + (1 - proportional) * mass / mass.sum())
    have = np.bincount(already, minlength=len(size)) if already is not None else np.zeros(len(size), dtype=np.int64)
    quota = np.clip(np.floor(wish).astype(np.int64), np.maximum(have, np.minimum(2, size)).astype(np.int64), None)
    quota = np.minimum(quota, size.astype(np.int64))
    while (gap := n - int(quota.sum())) != 0:
        free = quota < size if gap > 0 else quota > np.maximum(have, 1)
        if not free.any():
            break
        short = np.where(free, (wish - quota) * np.sign(gap), -np.inf)
        quota[int(np.argmax(short))] += int(np.sign(gap))
    found: Ints = quota
    return found


def stratified_rate(bad: ArrayLike, strata: ArrayLike, sizes: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The defect rate from labels drawn at random within each stratum.

    Args:
        bad: (n,) whether each labelled row is bad.
        strata: (n,) stratum of each labelled row.
        sizes: (S,) rows in each stratum, the labelled included.
        level: Coverage of the interval.

    Returns:
        The share of bad rows among all.

    Raises:
        DataError: A stratum has rows but no label.

    Source:
        Korn and Graubard 1998: an exact interval for as many labels as the strata are worth.
        Differs: each stratum's spread is guessed with half a defect and half a good row added, and the upper limit
        starts from that guess: a large stratum without a seen defect is not free of them.
    """
    is_bad, code, size = np.asarray(bad, dtype=float), np.asarray(strata), np.asarray(sizes, dtype=float)
    n = np.bincount(code, minlength=len(size)).astype(float)
    if ((n == 0) & (size > 0)).any() or (n > size).any():
        raise DataError("each stratum needs labels, one a row at most", f"{n.tolist()}", "label a row in each stratum")
    defects, share = np.bincount(code, weights=is_bad, minlength=len(size)), size / size.sum()
    rate = float((share * defects / n).sum())
    smooth = (defects + 0.5) / (n + 1)
    variance = float((share**2 * (1 - n / size) * smooth * (1 - smooth) / n).sum())
    middle = float((share * smooth).sum())
    worth = max(1.0, middle * (1 - middle) / variance) if variance > 0 else math.inf
    if math.isinf(worth):
        return Estimate(rate, rate, rate, int(n.sum()), "every row read")
    side = (1 - level) / 2
    low = float(special.betaincinv(rate * worth, (1 - rate) * worth + 1, side)) if rate > 0 else 0.0
    upper = max(rate, middle)
    high = float(special.betaincinv(upper * worth + 1, (1 - upper) * worth, 1 - side)) if rate < 1 else 1.0
    return Estimate(rate, min(low, rate), max(high, rate), int(n.sum()), "stratified")


def ppi_rate(bad: ArrayLike, predicted: ArrayLike, predicted_all: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The defect rate from labels drawn at random and predictions for every row: PPI++, or exact where it would err.

    With fewer than ten defects or fewer than ten good rows among the labels, and where the predictions save nothing,
    the interval is the exact one of the labels alone.

    Args:
        bad: (n,) whether each labelled row is bad.
        predicted: (n,) predicted probability that it is; made without these labels.
        predicted_all: (N,) the same for every row.
        level: Coverage of the interval.

    Raises:
        DataError: Lengths differ.

    Source:
        Angelopoulos, Duchi and Zrnic 2023, PPI++, arXiv:2311.01453. Differs: falls back to the exact interval.
    """
    y, f, everything = (np.asarray(part, dtype=float) for part in (bad, predicted, predicted_all))
    if len(y) != len(f) or len(everything) < len(y):
        raise DataError("one prediction for each label", f"{len(y)} labels, {len(f)} predictions", "predict every row")
    n, size = len(y), len(everything)
    exact = exact_interval(int(y.sum()), n, level, size)
    if not FEW_DEFECTS <= y.sum() <= n - FEW_DEFECTS or f.std() == 0:
        return exact
    tuned = float(np.cov(y, f)[0, 1] / ((1 + n / size) * everything.var()))
    power = min(1.0, max(0.0, tuned))
    value = power * float(everything.mean()) + float((y - power * f).mean())
    variance = power**2 * float(everything.var()) / size + float((y - power * f).var(ddof=1)) / n
    reach = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    if 2 * reach >= exact.high - exact.low:
        return exact
    value = min(1.0, max(0.0, value))
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), n, "PPI++")


def weighted_rate(
    bad: ArrayLike, inclusion: ArrayLike, predicted: ArrayLike, predicted_all: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """The defect rate from labels that were chosen row by row with logged probabilities, such as an audit's.

    Unbiased whatever rule chose the rows, as long as every row could be chosen. The interval rests on the normal law
    and is wide where a chosen row had a small probability; never use it with fewer than ten defects.

    Args:
        bad: (n,) whether each labelled row is bad.
        inclusion: (n,) probability with which each was chosen, in (0, 1], independently of the others.
        predicted: (n,) predicted probability that each is bad, made without its label.
        predicted_all: (N,) the same for every row; zeros use no predictions.
        level: Coverage of the interval.

    Raises:
        DataError: A probability outside (0, 1], fewer than ten defects, or lengths differ.

    Source:
        Horvitz and Thompson 1952; Zrnic and Candès 2024, Active Statistical Inference, arXiv:2403.03208.
    """
    y, pi, f, everything = (np.asarray(part, dtype=float) for part in (bad, inclusion, predicted, predicted_all))
    if not len(y) == len(pi) == len(f) or (pi <= 0).any() or (pi > 1).any():
        raise DataError("each label needs the probability it was chosen with", f"{len(pi)} of {len(y)}", "log them")
    if y.sum() < FEW_DEFECTS:
        raise DataError("too few defects for a weighted estimate", f"{int(y.sum())}", "draw at random, count exactly")
    size = len(everything)
    change = (y - f) / pi
    value = float(everything.mean() + change.sum() / size)
    variance = float(((1 - pi) * change**2).sum()) / size**2
    reach = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    value = min(1.0, max(0.0, value))
    return Estimate(value, max(0.0, value - reach), min(1.0, value + reach), len(y), "inverse probability")
