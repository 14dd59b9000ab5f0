"""Laws of how coverage grows with draws, each fitted to the counts of a pilot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from seedbed.sampling.coverage import Floats, Ints
from seedbed.sampling.fitting import Table, fold, mean_curves, minimise

Indices = NDArray[np.intp]
EXACT, CLOSE = 1e-10, 1e-4
"""Relative change of the loss at which a fit has settled: on all problems, and on one of hundreds of weightings."""
SMALLEST = 1e-9
"""Probability below which a law is not punished further: one surprise must not decide between laws alone."""


class Law(ABC):
    """Coverage as a function of draws per problem, with few parameters.

    `fit` learns them from counts and leaves them in `parameters_`; `fit_many` does so for many weightings of the same
    problems, which is what a bootstrap needs.
    """

    name: ClassVar[str]
    parameters_: Floats

    def fit(self, n: ArrayLike, c: ArrayLike) -> Self:
        """Learn the parameters from n (P,) draws and c (P,) correct ones per problem."""
        table = fold(n, c)
        self.parameters_ = self.fit_many(table, table.times[None, :])[0]
        return self

    def coverage(self, k: ArrayLike) -> Floats:
        """Share of problems that k draws would solve, a fraction, for any k > 0, whole or not, beyond the pilot too."""
        ks = np.asarray(k, dtype=np.float64)
        curve = self.curves(self.parameters_[None, :], np.atleast_1d(ks).ravel())[0]
        return np.asarray(curve.reshape(ks.shape), dtype=np.float64)

    def log_likelihood(self, n: ArrayLike, c: ArrayLike) -> Floats:
        """How well the law says, for problems it has not seen, which draw is the first correct one.

        A law of coverage is a distribution of that draw: coverage(k) is the chance that it is among the first k. So
        every law can be scored on it, also one that implies no distribution of counts. The score is the mean log
        probability over all orders in which the n draws could have come; the draws 1, 2, ... are pooled to 40
        log-spaced groups where there are more. It is a proper score: no law gains by claiming what it does not hold.

        Args:
            n: (P,) draws.
            c: (P,) correct ones.

        Returns:
            (P,) natural logarithms, higher is better.
        """
        table = fold(n, c)
        return np.asarray(self.scores(self.parameters_[None, :], table)[0][table.line], dtype=np.float64)

    def scores(self, parameters: Floats, table: Table) -> Floats:
        """`log_likelihood` of each line of a table (R, U) under each of many parameters (R, d)."""
        reached = np.clip(self.curves(parameters, table.ks.astype(np.float64)), 0.0, 1.0)
        first = np.diff(reached, axis=1, prepend=0.0)
        known = np.isfinite(table.missing)
        missing = np.where(known, table.missing, 0.0)
        before = np.concatenate([np.ones((len(missing), 1)), missing[:, :-1]], axis=1)
        here = np.where(known, before - missing, 0.0)
        last = known.sum(axis=1) - 1
        log_first = np.log(np.maximum(first, SMALLEST))
        log_rest = np.log(np.maximum(1.0 - reached, SMALLEST))
        drawn = last >= 0
        never = missing[np.arange(len(last)), last] * drawn
        return np.asarray(log_first @ here.T + log_rest[:, last] * never, dtype=np.float64)

    @abstractmethod
    def fit_many(self, table: Table, weights: Floats, start: Floats | None = None) -> Floats:
        """Parameters (R, d) under each weighting (R, U) of a table's lines.

        With a start (d,), the fit to all problems, each weighting is a small change of it and is fitted less finely.
        """

    @abstractmethod
    def curves(self, parameters: Floats, ks: Floats) -> Floats:
        """Coverage (R, K) at ks (K,) under each of many parameters (R, d)."""


class PowerLaw(Law):
    """coverage = exp(a k^b): two parameters, and certainty that every problem falls in the end.

    Too high by 1 to 4 points at twice the pilot's draws where some problems are out of reach (0.92 for 0.91 on
    date understanding with GPT-3.5, 0.83 for 0.79 with Llama-2-13B). `parameters_` holds log(-a) and log(-b).

    Source:
        Brown et al. 2024, Large Language Monkeys, arXiv:2407.21787: least squares on the curve at 40 log-spaced k.
    """

    name = "power law"

    @property
    def a(self) -> float:
        """Logarithm of coverage at one draw, below 0."""
        return -float(np.exp(self.parameters_[0]))

    @property
    def b(self) -> float:
        """Exponent, below 0: how fast that logarithm goes to 0."""
        return -float(np.exp(self.parameters_[1]))

    def fit_many(self, table: Table, weights: Floats, start: Floats | None = None) -> Floats:
        seen = mean_curves(table, weights)
        starts = _flat_start(seen, 1.0) if start is None else np.tile(start, (len(seen), 1))
        return _least_squares(_power, seen, table.ks, starts, EXACT if start is None else CLOSE)[0]

    def curves(self, parameters: Floats, ks: Floats) -> Floats:
        return _power(parameters, ks)[0]


class PowerLawWithAsymptote(Law):
    """coverage = L exp(a k^b): a share 1 - L of the problems is never solved.

    Fits observed curves to 0.001 where the plain law misses by 0.01, but needs a pilot long enough to see the bend:
    from 5 draws L is little more than a guess. `parameters_` holds log(-a), log(-b) and the logit of L.

    Source:
        Own; it mends the misfit of the plain law that arXiv:2407.21787 shows on MiniF2F-MATH.
    """

    name = "power law with asymptote"

    @property
    def a(self) -> float:
        """Logarithm of the share that one draw solves of what can be solved, below 0."""
        return -float(np.exp(self.parameters_[0]))

    @property
    def b(self) -> float:
        """Exponent, below 0."""
        return -float(np.exp(self.parameters_[1]))

    @property
    def asymptote(self) -> float:
        """Coverage that no number of draws passes."""
        return float(special.expit(self.parameters_[2]))

    def fit_many(self, table: Table, weights: Floats, start: Floats | None = None) -> Floats:
        seen = mean_curves(table, weights)
        if start is not None:
            return _least_squares(_bent_power, seen, table.ks, np.tile(start, (len(seen), 1)), CLOSE)[0]
        # The loss has flat valleys: without several starts one fit in twenty ends beside the lowest point.
        reached = np.nanmax(seen, axis=1, initial=0.02).clip(0.02, 0.998)
        ceilings = [reached + (1 - reached) * share for share in (0.05, 0.3, 0.9)]
        starts = [np.column_stack([_flat_start(seen, each), special.logit(each)]) for each in ceilings]
        tried = [_least_squares(_bent_power, seen, table.ks, each, EXACT) for each in starts]
        best = np.argmin([loss for _, loss in tried], axis=0)
        return np.asarray(np.stack([parameters for parameters, _ in tried])[best, np.arange(len(best))])

    def curves(self, parameters: Floats, ks: Floats) -> Floats:
        return _bent_power(parameters, ks)[0]


class BetaBinomial(Law):
    """A share z of problems that no draw solves; on the others one draw succeeds with a chance from Beta(a, b).

    Maximum likelihood on the counts themselves, so it uses all that the draws say, not only their curve. Near k = 0
    its curve bends like a power law with exponent -a. `parameters_` holds the logit of z, log a and log b.

    Source:
        Griffiths 1973 (beta-binomial); the use for coverage is Kazdan et al. / Levi 2025, arXiv:2502.17578.
        Differs: a mass at 0 in place of a scale below 1.
    """

    name = "beta-binomial with unsolvable problems"

    @property
    def unsolvable(self) -> float:
        """Share of problems that no number of draws solves."""
        return float(special.expit(self.parameters_[0]))

    @property
    def shape(self) -> tuple[float, float]:
        """a and b of the Beta distribution of the other problems."""
        return float(np.exp(self.parameters_[1])), float(np.exp(self.parameters_[2]))

    def fit_many(self, table: Table, weights: Floats, start: Floats | None = None) -> Floats:
        def evaluate(parameters: Floats, which: Indices) -> tuple[Floats, Floats, Floats]:
            log_chance, slopes = _count_scores(parameters, table)
            mass = weights[which]
            total = mass.sum(axis=1)
            loss = -(mass * log_chance).sum(axis=1) / total
            slope = -np.einsum("ru,rud->rd", mass, slopes) / total[:, None]
            return loss, slope, np.einsum("ru,rud,rue->rde", mass, slopes, slopes) / total[:, None, None]

        first = np.array([-2.5, 0.0, 0.0]) if start is None else start
        fine = EXACT if start is None else 1e-6
        return minimise(evaluate, np.tile(first, (len(weights), 1)), *_BETA_BOX, tolerance=fine)[0]

    def curves(self, parameters: Floats, ks: Floats) -> Floats:
        z, a, b = special.expit(parameters[:, :1]), np.exp(parameters[:, 1:2]), np.exp(parameters[:, 2:3])
        return np.asarray((1 - z) * -np.expm1(special.betaln(a, b + ks) - special.betaln(a, b)))


class LogitNormal(Law):
    """The chance that a draw succeeds has a normal distribution on the logit scale: hard problems, none hopeless.

    Maximum likelihood on the counts. It says what the others cannot: that coverage goes on growing for long and yet
    bends. `parameters_` holds the mean and the log of the standard deviation.

    Source:
        Usual in item response theory (Rasch 1960 with random effects). Integrated on a grid of logits, finer the more
        draws there are.
    """

    name = "logit-normal"

    def fit_many(self, table: Table, weights: Floats, start: Floats | None = None) -> Floats:
        grid = _logits(int(table.n.max()))
        n, c = table.n.astype(np.float64)[:, None], table.c.astype(np.float64)[:, None]
        log_chance = -c * np.logaddexp(0.0, -grid) - (n - c) * np.logaddexp(0.0, grid)
        chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True)).T

        def evaluate(parameters: Floats, which: Indices) -> tuple[Floats, Floats, Floats]:
            density, away = _normal(parameters, grid)
            seen = density @ chance
            scores = [((density * away) @ chance) / seen, ((density * (away**2 - 1)) @ chance) / seen]
            slopes = np.stack([scores[0] / np.exp(parameters[:, 1:2]), scores[1]], axis=2)
            mass = weights[which] / weights[which].sum(axis=1, keepdims=True)
            loss = -(mass * np.log(seen)).sum(axis=1)
            slope = -np.einsum("ru,rud->rd", mass, slopes)
            return loss, slope, np.einsum("ru,rud,rue->rde", mass, slopes, slopes)

        first = np.array([0.0, 0.7]) if start is None else start
        fine = EXACT if start is None else 1e-6
        return minimise(evaluate, np.tile(first, (len(weights), 1)), *_LOGIT_BOX, tolerance=fine)[0]

    def curves(self, parameters: Floats, ks: Floats) -> Floats:
        grid = _logits(1)
        density, _ = _normal(parameters, grid)
        return np.asarray(density @ -np.expm1(-np.logaddexp(0.0, grid)[:, None] * ks))


LAWS: tuple[type[Law], ...] = (PowerLaw, PowerLawWithAsymptote, BetaBinomial, LogitNormal)

_POWER_BOX = np.array([-14.0, -7.0, -6.0]), np.array([5.0, 2.5, 12.0])
_BETA_BOX = np.array([-9.0, -6.0, -6.0]), np.array([6.0, 7.0, 7.0])
_LOGIT_BOX = np.array([-14.0, -1.5]), np.array([14.0, 2.5])


def _power(parameters: Floats, ks: Floats) -> tuple[Floats, Floats]:
    """exp(a k^b) at (R, K), and its derivative by log(-a) and log(-b), (R, K, 2)."""
    a, b = np.exp(parameters[:, :1]), np.exp(parameters[:, 1:2])
    exponent = a * ks**-b
    curve = np.exp(-exponent)
    by_a = -curve * exponent
    return curve, np.stack([by_a, -by_a * b * np.log(ks)], axis=2)


def _bent_power(parameters: Floats, ks: Floats) -> tuple[Floats, Floats]:
    """L exp(a k^b), and its derivative by log(-a), log(-b) and logit(L)."""
    plain, slopes = _power(parameters, ks)
    ceiling = special.expit(parameters[:, 2:3])
    return ceiling * plain, np.concatenate(
        [ceiling[:, :, None] * slopes, (ceiling * (1 - ceiling) * plain)[:, :, None]], axis=2
    )


def _flat_start(seen: Floats, ceiling: Floats | float) -> Floats:
    """Start of (log(-a), log(-b)) that passes through coverage at one draw, with a usual bend."""
    first = np.clip(np.nan_to_num(seen[:, 0]) / ceiling, 1e-4, 1 - 1e-4)
    return np.column_stack([np.log(-np.log(first)), np.full(len(seen), np.log(0.4))])


def _least_squares(
    law: Callable[[Floats, Floats], tuple[Floats, Floats]], seen: Floats, ks: Ints, start: Floats, tolerance: float
) -> tuple[Floats, Floats]:
    known = np.isfinite(seen)
    target, at = np.nan_to_num(seen), ks.astype(np.float64)

    def evaluate(parameters: Floats, which: Indices) -> tuple[Floats, Floats, Floats]:
        curve, slopes = law(parameters, at)
        missed = (curve - target[which]) * known[which]
        slopes = slopes * known[which][:, :, None]
        slope = np.einsum("rk,rkd->rd", missed, slopes)
        return 0.5 * (missed**2).sum(axis=1), slope, np.einsum("rkd,rke->rde", slopes, slopes)

    low, high = (edge[: start.shape[1]] for edge in _POWER_BOX)
    return minimise(evaluate, start, low, high, tolerance=tolerance)


def _count_scores(parameters: Floats, table: Table) -> tuple[Floats, Floats]:
    """Log chance of each line's counts (R, U), up to a constant, and its derivative (R, U, 3)."""
    n, c = table.n.astype(np.float64), table.c.astype(np.float64)
    z, a, b = special.expit(parameters[:, :1]), np.exp(parameters[:, 1:2]), np.exp(parameters[:, 2:3])
    log_solvable = np.log1p(-z) + special.betaln(a + c, b + n - c) - special.betaln(a, b)
    log_chance = np.where(c == 0, np.logaddexp(np.log(z), log_solvable), log_solvable)
    solvable = np.exp(log_solvable - log_chance)
    both = special.digamma(a + b) - special.digamma(a + b + n)
    by_a = a * (special.digamma(a + c) - special.digamma(a) + both)
    by_b = b * (special.digamma(b + n - c) - special.digamma(b) + both)
    return log_chance, np.stack([1 - solvable - z, solvable * by_a, solvable * by_b], axis=2)


def _logits(most: int) -> Floats:
    """Grid of logits with steps no wider than the likelihood of `most` draws, so that none falls between two."""
    step = min(0.1, 2 / np.sqrt(most))
    return np.arange(-20.0, 20.0 + step, step)


def _normal(parameters: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Normal weights (R, G) on a grid, summing to 1, and how many standard deviations each point is away."""
    away = (grid - parameters[:, :1]) / np.exp(parameters[:, 1:2])
    density = np.exp(-0.5 * away**2)
    return density / density.sum(axis=1, keepdims=True), away
