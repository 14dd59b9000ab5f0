"""Diversity: how many different correct solutions k draws of a problem bring."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from seedbed.errors import DataError
from seedbed.estimate import Estimate, mean_t, wilson
from seedbed.sampling.coverage import Floats, Ints, chance_of_missing


def count_unique(problem: ArrayLike, key: ArrayLike, correct: ArrayLike) -> tuple[Ints, Ints]:
    """How often each different correct solution came, from one line per draw.

    Args:
        problem: (draws,) index of the problem.
        key: (draws,) what makes two solutions the same: integers (a hash of 64 bits) or strings. Keys of incorrect
            draws are never looked at.
        correct: (draws,) whether the answer is right.

    Returns:
        counts (U,) and problem (U,): one entry per different correct solution, in the order of problems.
    """
    right = np.asarray(correct, dtype=bool)
    codes, keys = np.asarray(problem)[right], np.asarray(key)[right]
    if not np.issubdtype(keys.dtype, np.integer):
        keys = np.unique(keys, return_inverse=True)[1]
    if (codes[1:] < codes[:-1]).any():
        order = np.argsort(codes, kind="stable")
        codes, keys = codes[order], keys[order]
    if not len(codes):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    # Sorting each problem's own keys beats one sort over all by ten times, and needs no second copy of them.
    for start, stop in zip(starts, [*starts[1:], len(codes)], strict=True):
        keys[start:stop].sort()
    new = np.ones(len(codes), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]) | (codes[1:] != codes[:-1])
    first = np.flatnonzero(new)
    return np.diff(first, append=len(codes)).astype(np.int64), codes[first].astype(np.int64)


def unique_at_k(n: ArrayLike, counts: ArrayLike, problem: ArrayLike, k: int) -> Floats:
    """Expected number of different correct solutions among k of a problem's n draws.

    Exact: the mean over all choices of k draws, sum over solutions u of 1 - C(n - m_u, k) / C(n, k). Counting the
    unique ones among the first k draws would depend on their order.

    Args:
        n: (P,) draws of each problem, correct or not.
        counts: (U,) how often each different correct solution came.
        problem: (U,) index of its problem.
        k: Draws that may be spent, at least 1.

    Returns:
        (P,) numbers between 0 and k; nan where a problem has fewer than k draws.

    Raises:
        DataError: A solution came more often than its problem was drawn, or k < 1.

    Source:
        Hurlbert 1971, The nonconcept of species diversity (rarefaction); the use for solutions is Bansal et al. 2024,
        arXiv:2408.16737. Differs: theirs is the count in one set of k draws.

    >>> unique_at_k([4, 4], [2, 1, 4], [0, 0, 1], 2)
    array([1.33333333, 1.        ])
    """
    return _Rarefaction(n, counts, problem).at(k)


def diversity(n: ArrayLike, counts: ArrayLike, problem: ArrayLike, k: int, *, level: float = 0.95) -> Estimate:
    """Mean number of different correct solutions that k draws of a problem bring, with an interval over problems.

    Problems with fewer than k draws are left out and counted in `method`. Student's t over problems; where every
    problem has none (or each draw of each problem is new and correct) t would have no width, and the limit comes from
    Wilson's interval for the share of problems instead.

    Args:
        n: (P,) draws of each problem.
        counts: (U,) how often each different correct solution came.
        problem: (U,) index of its problem.
        k: Draws that may be spent on each problem.
        level: Coverage of the interval, in (0, 1).

    Returns:
        Solutions per problem, 0 to k.

    Raises:
        DataError: Fewer than two problems have k draws.
    """
    return _mean(_Rarefaction(n, counts, problem).at(k), k, level)


def diversity_curve(
    n: ArrayLike, counts: ArrayLike, problem: ArrayLike, ks: Iterable[int], *, level: float = 0.95
) -> list[Estimate]:
    """`diversity` at each k of `ks`, in their order, with the counting done once."""
    ready = _Rarefaction(n, counts, problem)
    return [_mean(ready.at(k), k, level) for k in ks]


class _Rarefaction:
    """Solutions folded to (problem, how often): 10,000,000 draws become some 100,000 terms."""

    def __init__(self, n: ArrayLike, counts: ArrayLike, problem: ArrayLike) -> None:
        self.n = np.asarray(n, dtype=np.int64)
        came, where = np.asarray(counts, dtype=np.int64), np.asarray(problem, dtype=np.int64)
        drawn = np.bincount(where, weights=came, minlength=len(self.n))
        if len(drawn) > len(self.n) or (drawn > self.n).any() or (came < 1).any():
            raise DataError(
                "a solution cannot come more often than its problem was drawn",
                f"{len(came)} solutions of {len(self.n)} problems",
                "count both over the same draws; `problem` is the index into `n`",
            )
        most = int(came.max(initial=0)) + 1
        folded, times = np.unique(where * most + came, return_counts=True)
        self.problem, came = folded // most, folded % most
        span = int(self.n.max(initial=0)) + 1
        kinds, self.kind = np.unique(self.n[self.problem] * span + came, return_inverse=True)
        self.kind_n, self.kind_m = kinds // span, kinds % span
        self.times = times.astype(np.float64)

    def at(self, k: int) -> Floats:
        if k < 1:
            raise DataError("diversity needs one draw or more", f"k = {k}", "start at k = 1")
        chance = np.nan_to_num(1.0 - chance_of_missing(self.kind_n, self.kind_m, k))
        found = np.bincount(self.problem, weights=chance[self.kind] * self.times, minlength=len(self.n))
        return np.where(self.n < k, np.nan, found)


def _mean(values: Floats, k: int, level: float) -> Estimate:
    known = values[np.isfinite(values)]
    left_out = len(values) - len(known)
    said = f"; {left_out} problems with too few draws left out" if left_out else ""
    if len(known) < 2:
        raise DataError(f"too few problems have {k} draws", f"{len(known)} of {len(values)}", "draw more, or lower k")
    if (known == 0).all() or (known == k).all():
        edge = wilson(int((known > 0).sum()), len(known), level)
        return Estimate(edge.value * k, edge.low * k, edge.high * k, edge.n, "wilson" + said)
    found = mean_t(known, level=level)
    return Estimate(found.value, max(0.0, found.low), min(float(k), found.high), found.n, found.method + said)
