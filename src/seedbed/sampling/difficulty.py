"""How hard each problem is for each of several models, learned from how often they solved it so far.

A problem is of one of a few hidden classes; within a class each model has its own Beta distribution of success rates.
The classes carry what one model's failures say about another: a problem the weak model never solves may be routine for
the strong one, or hopeless for both. One class is unsolvable by construction, so that giving up can be learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError
from seedbed.randomness import stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHAPE_RANGE = (0.02, 200.0)
"""Beta shapes stay inside it: beyond, a pilot of a few draws cannot tell one shape from the next."""
PULL_DRAWS = 4
"""A class is pulled towards its model's pooled Beta by one made-up problem with this many draws."""


class Difficulty(Protocol):
    """What an allocator must know about problems; `LatentClasses` learns it, `KnownRates` is told."""

    def success(self, n: ArrayLike, c: ArrayLike) -> Floats:
        """(P, M) expected success of one further draw, given n draws with c correct."""

    def unsolved(self, n: ArrayLike, c: ArrayLike, ahead: ArrayLike) -> Floats:
        """(P, M, B) chance that the next `ahead` (B,) draws of one model on a problem all fail."""


@dataclass(frozen=True)
class KnownRates:
    """The success rate of every model on every problem, for an oracle in replays and for simulated problems."""

    rates: Floats
    """(P, M), each in [0, 1]."""

    def success(self, n: ArrayLike, c: ArrayLike) -> Floats:  # noqa: ARG002
        """(P, M) the rates: nothing is left to learn from counts."""
        return self.rates

    def unsolved(self, n: ArrayLike, c: ArrayLike, ahead: ArrayLike) -> Floats:  # noqa: ARG002
        """(P, M, B) chance that the next `ahead` (B,) draws of one model on a problem all fail."""
        found: Floats = (1 - self.rates)[:, :, None] ** np.asarray(ahead, dtype=float)
        return found


class LatentClasses:
    """Joint success of M models on problems as a mixture of a few classes, fitted by penalised EM.

    Within a class, rates are Beta distributed and independent across models; what models share is the class. A Beta
    inside a class keeps the slow tail that coverage against samples shows: with point rates, a problem unsolved after
    20 draws would too soon be called hopeless. Adaptive stopping does not bias the fit, because which problem is drawn
    next depends on counts that the likelihood already holds. Counts that repeat are fitted once, so that a refit on
    10,000 problems takes well under a second.

    Args:
        n_classes: Solvable classes, at least 1. `choose_classes` picks it by held-out likelihood.
        rng_seed: Decides the random one of the starting points.
        rounds: EM rounds at most.
        tolerance: Stop once a round gains less than this in log likelihood per problem.

    Source:
        Beta shapes within the M step: Minka 2000, Estimating a Dirichlet distribution, fixed-point iteration for the
        Polya likelihood. A density of rates near zero as the reason for slow coverage: Schaeffer et al. 2025,
        arXiv:2502.17578. Differs: several models jointly, several classes, a mass of unsolvable problems.
    """

    weights_: Floats
    """(K,) share of each class, the unsolvable one first."""
    a_: Floats
    """(K, M) Beta shapes for success; 0 in the unsolvable class."""
    b_: Floats
    """(K, M) Beta shapes for failure."""

    def __init__(self, n_classes: int = 3, *, rng_seed: int = 0, rounds: int = 300, tolerance: float = 2e-5) -> None:
        self.n_classes = n_classes
        self.rng_seed = rng_seed
        self.rounds = rounds
        self.tolerance = tolerance

    def fit(self, n: ArrayLike, c: ArrayLike, *, start: LatentClasses | None = None) -> LatentClasses:
        """Learn classes from counts.

        Args:
            n: (P, M) draws of each model on each problem; 0 where a model was not asked.
            c: (P, M) correct ones among them.
            start: A fit of the same size to go on from, which makes a refit during a run cheap.

        Raises:
            DataError: Counts of other shapes, below zero, or more correct than drawn.
        """
        draws, right = checked_counts(n, c)
        counts, times = _repeats(draws, right)
        M = draws.shape[1]
        pooled_a, pooled_b = _pooled(counts, times, M)
        pull = _pull(pooled_a, pooled_b)
        best = -np.inf
        for weights, a, b in self._starts(counts, times, start, (pooled_a, pooled_b)):
            found = self._climb(counts, times, pull, (weights, a, b))
            if found[0] > best:
                best, self.weights_, self.a_, self.b_ = found
        return self

    def posterior(self, n: ArrayLike, c: ArrayLike) -> Floats:
        """(P, K) chance of each class, the unsolvable one first; without draws the shares of the classes."""
        draws, right = checked_counts(n, c)
        joint = np.log(self.weights_)[:, None] + _log_likelihood(self.a_, self.b_, draws, right)
        return _normalised(joint)[0].T

    def success(self, n: ArrayLike, c: ArrayLike) -> Floats:
        """(P, M) expected success of one further draw of each model on each problem, also where none was drawn yet."""
        draws, right = checked_counts(n, c)
        chance = self.posterior(draws, right)
        rate = (self.a_[:, None] + right) / (self.a_[:, None] + self.b_[:, None] + draws)
        rate[0] = 0.0
        found: Floats = np.einsum("pk,kpm->pm", chance, rate)
        return found

    def unsolved(self, n: ArrayLike, c: ArrayLike, ahead: ArrayLike) -> Floats:
        """(P, M, B) chance that the next `ahead` (B,) draws of one model on a problem all fail.

        The draws are of one model; for a mix of models see `chance_of_solving`.
        """
        draws, right = checked_counts(n, c)
        steps = np.asarray(ahead, dtype=np.int64)
        chance = self.posterior(draws, right)
        found = np.repeat(chance[:, :1, None], draws.shape[1], axis=1) * np.ones(len(steps))
        top = int(draws.max(initial=0) + steps.max(initial=0))
        for k in range(1, len(self.weights_)):
            lost, all_ = _rising(self.b_[k], top)[0], _rising(self.a_[k] + self.b_[k], top)[0]
            for m in range(draws.shape[1]):
                wrong, total = (draws - right)[:, m, None], draws[:, m, None]
                log_fail = lost[m][wrong + steps] - lost[m][wrong] - all_[m][total + steps] + all_[m][total]
                found[:, m] += chance[:, k, None] * np.exp(log_fail)
        return found

    def chance_of_solving(self, n: ArrayLike, c: ArrayLike, draws: ArrayLike) -> Floats:
        """(P,) chance that `draws` (P, M) further draws bring at least one correct solution."""
        seen, right = checked_counts(n, c)
        more = np.broadcast_to(np.asarray(draws, dtype=np.int64), seen.shape)
        top = int(seen.max(initial=0) + more.max(initial=0))
        chance = self.posterior(seen, right)
        fail = chance[:, 0].copy()
        columns = np.arange(seen.shape[1])
        for k in range(1, len(self.weights_)):
            lost, all_ = _rising(self.b_[k], top)[0], _rising(self.a_[k] + self.b_[k], top)[0]
            wrong = seen - right
            log_fail = lost[columns, wrong + more] - lost[columns, wrong]
            log_fail -= all_[columns, seen + more] - all_[columns, seen]
            fail += chance[:, k] * np.exp(log_fail.sum(axis=1))
        return 1 - fail

    def log_likelihood(self, n: ArrayLike, c: ArrayLike) -> Floats:
        """(P,) log probability of each problem's counts, up to a constant of the counts alone."""
        draws, right = checked_counts(n, c)
        return _normalised(np.log(self.weights_)[:, None] + _log_likelihood(self.a_, self.b_, draws, right))[1]

    def draw_rates(self, n: ArrayLike, c: ArrayLike, rng: np.random.Generator) -> Floats:
        """(P, M) success rates drawn from what is believed about each problem after its counts."""
        draws, right = checked_counts(n, c)
        chance = np.cumsum(self.posterior(draws, right), axis=1)
        k = np.minimum((rng.random(len(draws))[:, None] > chance).sum(axis=1), chance.shape[1] - 1)
        a, b = np.maximum(self.a_[k], SHAPE_RANGE[0]) + right, self.b_[k] + draws - right
        return np.where(k[:, None] == 0, 0.0, rng.beta(a, b))

    def _starts(
        self, counts: tuple[Ints, Ints], times: Floats, start: LatentClasses | None, pooled: tuple[Floats, Floats]
    ) -> list[tuple[Floats, Floats, Floats]]:
        if start is not None:
            return [(start.weights_, start.a_, start.b_)]
        K, M = self.n_classes, counts[0].shape[1]
        if K == 1:
            return [_shapes(np.ones((1, len(times))), counts, times, pooled)]
        smooth = (counts[1] + pooled[0]) / (counts[0] + pooled[0] + pooled[1])
        scores = [smooth.mean(axis=1)]
        if M > 1:
            scores.append(smooth[:, 0] - smooth[:, -1])
        rng = stream(self.rng_seed, "latent classes", K)
        found = [_grouped(score, times, K) for score in scores] + [rng.dirichlet(np.ones(K), len(times)).T]
        return [_shapes(shares, counts, times, pooled) for shares in found]

    def _climb(
        self, counts: tuple[Ints, Ints], times: Floats, pull: Floats, at: tuple[Floats, Floats, Floats]
    ) -> tuple[float, Floats, Floats, Floats]:
        weights, a, b = at
        before = -np.inf
        for _ in range(self.rounds):
            joint = np.log(weights)[:, None] + _log_likelihood(a, b, *counts)
            chance, log_p = _normalised(joint)
            now = float((log_p * times).sum() + np.log(weights).sum() + _pull_likelihood(a, b, pull))
            if now - before < self.tolerance * times.sum():
                break
            before = now
            shares = chance * times
            # One made-up problem per class keeps all of them possible: no hopeless problem in a pilot proves little.
            weights = (shares.sum(axis=1) + 1) / (times.sum() + len(weights))
            a, b = _better_shapes(a, b, shares[1:], counts, pull)
        return now, weights, a, b


def choose_classes(
    n: ArrayLike, c: ArrayLike, *, candidates: tuple[int, ...] = (1, 2, 3, 5), folds: int = 5, rng_seed: int = 0
) -> LatentClasses:
    """Latent classes, as few as predict held-out problems about as well as any; see `plausible_classes`."""
    return plausible_classes(n, c, candidates=candidates, folds=folds, rng_seed=rng_seed)[0]


def plausible_classes(
    n: ArrayLike, c: ArrayLike, *, candidates: tuple[int, ...] = (1, 2, 3, 5), folds: int = 5, rng_seed: int = 0
) -> list[LatentClasses]:
    """Models whose number of classes predicts held-out problems within one standard error of the best.

    A pilot often cannot tell them apart, although they extrapolate differently; a forecast should mix over them. Each
    fold starts from the fit to all problems, which costs a tenth of starting anew and favours many classes a little;
    taking the fewest within one standard error leans the other way.

    Args:
        n: (P, M) draws.
        c: (P, M) correct ones among them.
        candidates: Numbers of solvable classes to try, from small to large.
        folds: Parts that problems are held out in.
        rng_seed: Decides the parts.

    Returns:
        Models fitted on all problems, the one with the fewest classes first.
    """
    draws, right = checked_counts(n, c)
    part = stream(rng_seed, "difficulty folds").permutation(len(draws)) % folds
    scores = np.zeros((len(candidates), len(draws)))
    fits = [LatentClasses(K, rng_seed=rng_seed, rounds=150).fit(draws, right) for K in candidates]
    for i, whole in enumerate(fits):
        for fold in range(folds if len(draws) >= 2 * folds else 0):
            out = part == fold
            model = LatentClasses(whole.n_classes, rounds=25, tolerance=1e-4).fit(draws[~out], right[~out], start=whole)
            scores[i, out] = model.log_likelihood(draws[out], right[out])
    gap = scores[scores.sum(axis=1).argmax()] - scores
    error = gap.std(axis=1) / np.sqrt(max(len(draws), 1))
    # A hundredth of a nat per problem is no difference, even where all problems agree on it.
    return [fits[i] for i in np.flatnonzero(gap.mean(axis=1) <= error + 0.01)]


def checked_counts(n: ArrayLike, c: ArrayLike) -> tuple[Ints, Ints]:
    """Counts as (P, M) integers; one model may be given as (P,).

    Raises:
        DataError: Shapes differ, a count is below zero, or there are more correct than drawn.
    """
    draws, right = (np.asarray(part, dtype=np.int64) for part in (n, c))
    if draws.ndim == 1:
        draws, right = draws[:, None], right[:, None] if right.ndim == 1 else right
    if draws.shape != right.shape or draws.ndim != 2:
        raise DataError("draws and correct ones must be (problems, models)", f"{draws.shape} and {right.shape}")
    if draws.size and (right.min() < 0 or (right > draws).any()):
        raise DataError("a problem has fewer draws than correct ones", "", "check that n comes first, then c")
    return draws, right


def _repeats(draws: Ints, right: Ints) -> tuple[tuple[Ints, Ints], Floats]:
    both, times = np.unique(np.hstack([draws, right]), axis=0, return_counts=True)
    return (both[:, : draws.shape[1]], both[:, draws.shape[1] :]), times.astype(float)


def _rising(a: Floats, top: int) -> tuple[Floats, Floats]:
    """Sums over i < j of log(a + i) and of 1 / (a + i), for j = 0..top along a new last axis."""
    steps = np.maximum(a, SHAPE_RANGE[0])[..., None] + np.arange(top)
    zero = np.zeros((*a.shape, 1))
    return (
        np.concatenate([zero, np.cumsum(np.log(steps), axis=-1)], axis=-1),
        np.concatenate([zero, np.cumsum(1 / steps, axis=-1)], axis=-1),
    )


def _log_likelihood(a: Floats, b: Floats, n: Ints, c: Ints) -> Floats:
    """(K, P) log probability of counts in each class; the first class solves nothing."""
    top, columns = int(n.max(initial=0)), np.arange(n.shape[1])
    won, lost, all_ = (_rising(part, top)[0] for part in (a, b, a + b))
    found: Floats = (won[:, columns, c] + lost[:, columns, n - c] - all_[:, columns, n]).sum(axis=-1)
    found[0] = np.where(c.any(axis=1), -np.inf, 0.0)
    return found


def _normalised(joint: Floats) -> tuple[Floats, Floats]:
    top = joint.max(axis=0)
    weight = np.exp(joint - top)
    total = weight.sum(axis=0)
    return weight / total, top + np.log(total)


def _better_shapes(
    a: Floats, b: Floats, shares: Floats, counts: tuple[Ints, Ints], pull: Floats
) -> tuple[Floats, Floats]:
    """One fixed-point step of the Beta shapes of the solvable classes; each raises the likelihood."""
    n, c = counts
    top, columns = int(max(n.max(initial=0), PULL_DRAWS)), np.arange(n.shape[1])
    won, lost, all_ = (_rising(part[1:], top)[1] for part in (a, b, a + b))
    up, down, both = (
        np.einsum("kp,kpm->km", shares, table[:, columns, index])
        for table, index in ((won, c), (lost, n - c), (all_, n))
    )
    up += (won[:, :, : PULL_DRAWS + 1] * pull).sum(axis=-1)
    down += (lost[:, :, : PULL_DRAWS + 1] * pull[:, ::-1]).sum(axis=-1)
    both += all_[:, :, PULL_DRAWS]
    found_a = np.concatenate([a[:1], np.clip(a[1:] * up / both, *SHAPE_RANGE)])
    found_b = np.concatenate([b[:1], np.clip(b[1:] * down / both, *SHAPE_RANGE)])
    return found_a, found_b


def _pull(a: Floats, b: Floats) -> Floats:
    """(M, PULL_DRAWS + 1) chance of each number of correct ones under the pooled Beta of each model."""
    won, lost, all_ = (_rising(part, PULL_DRAWS)[0] for part in (a, b, a + b))
    choose = np.array([1.0, 4.0, 6.0, 4.0, 1.0])
    found: Floats = choose * np.exp(won + lost[:, ::-1] - all_[:, -1:])
    return found


def _pull_likelihood(a: Floats, b: Floats, pull: Floats) -> float:
    won, lost, all_ = (_rising(part[1:], PULL_DRAWS)[0] for part in (a, b, a + b))
    return float(((won + lost[:, :, ::-1] - all_[:, :, -1:]) * pull).sum())


def _pooled(counts: tuple[Ints, Ints], times: Floats, M: int) -> tuple[Floats, Floats]:
    """(M,) Beta shapes of each model over all problems, shrunk by one flat made-up problem."""
    flat = np.full((M, PULL_DRAWS + 1), 1 / (PULL_DRAWS + 1))
    a = b = np.ones((2, M))
    for _ in range(50):
        a, b = _better_shapes(a, b, times[None, :], counts, flat)
    return a[1], b[1]


def _grouped(score: Floats, times: Floats, K: int) -> Floats:
    """(K, U) hard shares of K groups of about equal weight, by rank of the score."""
    order = np.argsort(score, kind="stable")
    rank = np.empty_like(times)
    rank[order] = (np.cumsum(times[order]) - times[order] / 2) / times.sum()
    group = np.minimum((rank * K).astype(int), K - 1)
    return np.asarray(group == np.arange(K)[:, None], dtype=float)


def _shapes(
    shares: Floats, counts: tuple[Ints, Ints], times: Floats, pooled: tuple[Floats, Floats]
) -> tuple[Floats, Floats, Floats]:
    """A starting point from shares: the classes' means, concentrations of 4, a twentieth unsolvable."""
    heavy = shares * times
    centre = pooled[0] / (pooled[0] + pooled[1])
    mean = (heavy @ counts[1] + centre) / (heavy @ counts[0] + 1)
    zero = np.zeros((1, mean.shape[1]))
    weights = np.concatenate([[0.05], 0.95 * (heavy.sum(axis=1) + 1) / (heavy.sum() + len(heavy))])
    a = np.clip(4 * mean, 0.1, 3.9)
    return weights, np.concatenate([zero, a]), np.concatenate([zero + 1, 4 - a])
