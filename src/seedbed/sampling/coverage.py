"""Coverage: the share of problems that at least one of k draws solves, and what its interval is over: problems."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from seedbed.errors import DataError
from seedbed.estimate import Estimate, paired_gain, wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def read_counts(n: ArrayLike, c: ArrayLike) -> tuple[Ints, Ints]:
    """Draws and correct draws per problem as integers of one shape.

    Raises:
        DataError: They differ in shape, are not whole, or hold more correct draws than draws.
    """
    drawn, correct = np.asarray(n), np.asarray(c)
    if drawn.shape != correct.shape:
        raise DataError(
            "draws and correct draws must count the same problems",
            f"shapes {drawn.shape} and {correct.shape}",
            "give both per problem, in the same order",
        )
    whole_n, whole_c = drawn.astype(np.int64), correct.astype(np.int64)
    if (whole_n != drawn).any() or (whole_c != correct).any() or (whole_c < 0).any() or (whole_c > whole_n).any():
        wrong = int(((whole_n != drawn) | (whole_c != correct) | (whole_c < 0) | (whole_c > whole_n)).sum())
        raise DataError(
            "counts must be whole, with 0 <= correct <= draws",
            f"{wrong} of {drawn.size} problems are not",
            "count draws that gave a reply, and the correct ones among them",
        )
    return whole_n, whole_c


def count_draws(problem: ArrayLike, correct: ArrayLike, problems: int) -> tuple[Ints, Ints]:
    """Draws and correct draws of each problem, from one line per draw.

    Args:
        problem: (draws,) index of the problem each draw belongs to, 0 to `problems` - 1.
        correct: (draws,) whether its answer is right.
        problems: How many problems there are; one without draws counts 0.

    Returns:
        n (P,) and c (P,).
    """
    codes, right = np.asarray(problem), np.asarray(correct, dtype=bool)
    n = np.bincount(codes, minlength=problems).astype(np.int64)
    return n, np.bincount(codes[right], minlength=problems).astype(np.int64)


def chance_of_missing(n: ArrayLike, m: ArrayLike, k: int) -> Floats:
    """Chance that k of n draws, taken without replacement, hold none of m marked ones: C(n - m, k) / C(n, k).

    Exact at the edges (1 where nothing is marked, 0 where k cannot avoid them, 1 - m/n at k = 1); elsewhere from
    log-gamma, good to 1e-10 for n up to 10,000. Factorials themselves overflow at n = 171.

    Args:
        n: Draws, any shape.
        m: Marked ones among them, broadcast against n.
        k: How many are taken, at least 0.

    Returns:
        Probabilities, nan where n < k.
    """
    n, m = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(m, dtype=np.float64))
    rest = n - m
    possible = rest >= k
    here, left = np.where(possible, n, k), np.where(possible, rest, k)
    log_miss = special.gammaln(left + 1) - special.gammaln(left - k + 1)
    log_miss -= special.gammaln(here + 1) - special.gammaln(here - k + 1)
    missing = np.where(possible, np.exp(np.minimum(log_miss, 0.0)), 0.0)
    if k == 1:
        missing = np.divide(rest, n, out=missing, where=n > 0)
    missing = np.where(m == 0, 1.0, missing)
    return np.where(n < k, np.nan, missing)


def pass_at_k(n: ArrayLike, c: ArrayLike, k: int) -> Floats:
    """Chance per problem that k draws hold a correct one, without bias, from n draws of which c were correct.

    Averaged over every choice of k among the n draws, so more draws than k make it steadier; 1 - (1 - c/n)^k would be
    biased downwards.

    Args:
        n: (P,) draws; they may differ between problems.
        c: (P,) correct ones among them.
        k: Draws that may be spent, at least 1.

    Returns:
        (P,) fractions in [0, 1]; nan where a problem has fewer than k draws: nothing without bias can be said there.

    Raises:
        DataError: The counts do not fit each other, or k < 1.

    Source:
        Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv:2107.03374, eq. 1. Differs: log-gamma
        in place of a running product, so that all problems are one vector.

    >>> pass_at_k([10, 10, 4], [0, 3, 1], 5).round(4)
    array([0.    , 0.9167,    nan])
    """
    drawn, correct = read_counts(n, c)
    if k < 1:
        raise DataError("coverage needs one draw or more", f"k = {k}", "start at k = 1")
    # Problems share few distinct counts: 10,000 problems of 1,000 draws have at most 1,001.
    most = int(drawn.max(initial=0)) + 1
    pairs, where = np.unique(drawn * most + correct, return_inverse=True)
    chance = 1.0 - chance_of_missing(pairs // most, pairs % most, k)
    return np.asarray(chance[where.reshape(drawn.shape)], dtype=np.float64)


def mean_over_problems(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of fractions, one per problem, with an interval that also holds where most of them are 0 or 1.

    Student's t gives no width where all values are 1, and too little where nearly all are. Here Wilson's interval is
    taken with the *effective* number of problems: how many right-or-wrong problems would have the spread that was
    seen. That spread is measured with two wrong and two right problems added, so few problems never look more certain
    than their number allows. For values that are only 0 or 1 it is Wilson's interval itself.

    Args:
        values: (P,) fractions in [0, 1], such as pass@k.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The mean, a fraction in [0, 1].

    Raises:
        DataError: No problems, or a value that is not a fraction.

    Source:
        Wilson 1927; Agresti and Coull 1998 (two successes and two failures added). Differs: the additions decide the
        effective number only.

    >>> print(mean_over_problems([1.0, 1.0, 1.0, 0.9]))
    0.975 [0.409, 1.000] (n=4, wilson, effective problems)
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not scores.size or not ((scores >= 0) & (scores <= 1)).all():
        raise DataError(
            "a mean over problems needs fractions", f"{scores.size} values", "give one in [0, 1] per problem"
        )
    n, mean = len(scores), float(scores.mean())
    if np.isin(scores, (0.0, 1.0)).all():
        return wilson(int(scores.sum()), n, level)
    added = float(stats.norm.ppf((1 + level) / 2)) ** 2
    centre = (float(scores.sum()) + added / 2) / (n + added)
    spread = float(((scores - centre) ** 2).sum() + added / 2 * (centre**2 + (1 - centre) ** 2)) / (n + added)
    effective = float(n * centre * (1 - centre) / spread)
    square = float(stats.t.ppf((1 + level) / 2, n - 1 + added)) ** 2
    middle = (mean + square / (2 * effective)) / (1 + square / effective)
    half = math.sqrt(square * (mean * (1 - mean) + square / (4 * effective)) / effective) / (1 + square / effective)
    low, high = min(mean, max(0.0, middle - half)), max(mean, min(1.0, middle + half))
    return Estimate(mean, low, high, n, "wilson, effective problems")


def coverage(n: ArrayLike, c: ArrayLike, k: int, *, level: float = 0.95) -> Estimate:
    """Share of problems that k draws would solve: the mean of `pass_at_k`, with an interval over problems.

    The interval says how far the share would move with other problems of the same kind. A problem with fewer than k
    draws is left out: `Estimate.n` counts those that stayed and `method` says how many did not. Where draws were given
    to hard problems on purpose, compare at a k that every problem reached, or what stays is not a fair choice.

    Args:
        n: (P,) draws.
        c: (P,) correct ones among them.
        k: Draws that may be spent on each problem.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Fraction in [0, 1].

    Raises:
        DataError: No problem has k draws, or the counts do not fit each other.

    Source:
        Brown et al. 2024, Large Language Monkeys, arXiv:2407.21787 (coverage); Bansal et al. 2024, arXiv:2408.16737.

    >>> print(coverage([20] * 6, [0, 1, 5, 20, 20, 20], 10))
    0.747 [0.337, 0.945] (n=6, wilson, effective problems)
    """
    return _mean_of_known(pass_at_k(n, c, k), k, level)


def coverage_curve(n: ArrayLike, c: ArrayLike, ks: Iterable[int], *, level: float = 0.95) -> list[Estimate]:
    """`coverage` at each k of `ks`, in their order; the intervals are for one k each, not for the curve as a whole."""
    return [coverage(n, c, k, level=level) for k in ks]


def coverage_gain(n: ArrayLike, c: ArrayLike, k: tuple[int, int], *, level: float = 0.95) -> Estimate:
    """How much more one model covers than another on the same problems, each at its own k.

    With k of equal cost this is the comparison of weak and strong teachers. Problems are paired, so easy problems that
    both solve add no doubt. A problem with too few draws of either model is left out and counted in `method`.

    Args:
        n: (P, 2) draws of the first and of the second model.
        c: (P, 2) correct ones among them.
        k: Draws per problem of the first and of the second.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Coverage of the second minus that of the first, in [-1, 1]: 0.02 is two points.

    Raises:
        DataError: Fewer than two problems have enough draws of both.
    """
    drawn, correct = read_counts(n, c)
    if drawn.ndim != 2 or drawn.shape[1] != 2:
        raise DataError("a gain compares two models", f"counts of shape {drawn.shape}", "give (problems, 2)")
    first, second = (pass_at_k(drawn[:, model], correct[:, model], k[model]) for model in (0, 1))
    known = np.isfinite(first) & np.isfinite(second)
    found = paired_gain(first[known], second[known], level=level)
    return _say_left_out(found, int((~known).sum()))


def _mean_of_known(values: Floats, k: int, level: float) -> Estimate:
    known = np.isfinite(values)
    if not known.any():
        raise DataError(f"no problem has {k} draws", f"{len(values)} problems", "draw more, or ask for a smaller k")
    return _say_left_out(mean_over_problems(values[known].clip(0, 1), level=level), int((~known).sum()))


def _say_left_out(found: Estimate, left_out: int) -> Estimate:
    if not left_out:
        return found
    said = f"{found.method}; {left_out} problems with too few draws left out"
    return Estimate(found.value, found.low, found.high, found.n, said)
