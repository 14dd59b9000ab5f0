"""Voters differ in skill, and rows in difficulty."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy.special import expit, log_expit

from seedbed.inspection.label_models.contract import (
    converged,
    known_evidence,
    majority_share,
    settle,
    top_two,
)
from seedbed.inspection.votes import Floats, Ints, Known, Votes


class Glad:
    """A voter of skill a is right on a row of ease b with probability 1 / (1 + exp(-a b)).

    For crowds where some rows are hard for everyone. It has a number for each row, so it wants five votes a row.

    Args:
        rounds: Most rounds of EM.
        steps: Newton steps in each.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Whitehill et al. 2009, Whose vote should count more, NIPS. Differs: diagonal Newton steps instead of conjugate
        gradients; priors a ~ N(1, 1) and log b ~ N(0, 1) as theirs; a uniform class prior; abstentions left out.
    """

    def __init__(self, rounds: int = 40, steps: int = 4, tol: float = 1e-5) -> None:
        self.rounds = rounds
        self.steps = steps
        self.tol = tol

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Learn skill, `skill_` (W,), `ease_` (N,) and each row's class.

        Raises:
            DataError: A known label points outside the votes.
        """
        trusted = known_evidence(known, votes)
        cast = np.flatnonzero(votes.said < votes.n_classes)
        log_posterior = settle(np.log(majority_share(votes)), trusted)
        self.skill_, log_ease = np.ones(len(votes.voters)), np.zeros(votes.n_rows)
        for _ in range(self.rounds):
            right = np.exp(log_posterior[votes.row[cast], votes.said[cast]])
            for _ in range(self.steps):
                self._newton(votes, cast, right, log_ease)
            self.ease_ = np.exp(log_ease)
            gap = self._gap(votes, cast)
            flat = votes.row[cast] * votes.n_classes + votes.said[cast]
            scores = np.bincount(flat, weights=gap, minlength=log_posterior.size).astype(float)
            last, log_posterior = log_posterior, settle(scores.reshape(log_posterior.shape), trusted)
            if converged(log_posterior, last, self.tol):
                break
        self.log_posterior_ = log_posterior
        return self

    def _newton(self, votes: Votes, cast: Ints, right: Floats, log_ease: Floats) -> None:
        """Move skill, then ease, once towards the mode; the curvature is bounded above, so no step overshoots far."""
        voter, row = votes.voter[cast], votes.row[cast]
        ease = np.exp(log_ease)[row]
        self.skill_ = self.skill_ + _step(self.skill_ - 1, voter, right, self.skill_[voter] * ease, ease)
        product = self.skill_[voter] * ease
        log_ease += _step(log_ease, row, right, product, product)
        np.clip(log_ease, -4, 4, out=log_ease)

    def _gap(self, votes: Votes, cast: Ints) -> Floats:
        """Log likelihood of the class that was said less that of any other."""
        product = self.skill_[votes.voter[cast]] * self.ease_[votes.row[cast]]
        gap: Floats = log_expit(product) - log_expit(-product) + np.log(max(votes.n_classes - 1, 1))
        return gap

    def nats(self, votes: Votes) -> Floats:
        """(V,) log odds that each vote adds to its row's most probable class, over the runner-up."""
        first, second = top_two(self.log_posterior_)
        cast = np.flatnonzero(votes.said < votes.n_classes)
        sign = (votes.said == first[votes.row]).astype(float) - (votes.said == second[votes.row])
        found = np.zeros(len(votes.row))
        found[cast] = sign[cast] * self._gap(votes, cast)
        return found


def _step(from_prior: Floats, index: Ints, right: Floats, product: Floats, slope: Floats) -> Floats:
    """One damped Newton step for the numbers that `index` says each vote depends on, under a unit Gaussian prior."""
    missed, bend = right - expit(product), expit(product) * expit(-product)
    pull = np.bincount(index, weights=missed * slope, minlength=len(from_prior)) - from_prior
    step: Floats = np.clip(pull / (np.bincount(index, weights=bend * slope**2, minlength=len(from_prior)) + 1), -1, 1)
    return step
