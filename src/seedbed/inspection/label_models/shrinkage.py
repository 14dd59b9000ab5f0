"""What is believed of a voter before its own votes are counted: its habits, and how well voters follow the truth."""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from seedbed.inspection.votes import Floats

ABILITIES: Floats = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
"""Exponents on the shared association: 0 ignores the truth, 1 is the usual voter, 2 is far better than it."""
STRENGTHS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Votes that the prior of a voter is worth; the data choose one for all voters."""


def habits(said: Floats, shrink: float) -> Floats:
    """(W, K+1) how often each voter says each symbol, `shrink` votes of the usual voter added.

    A voter that never says a class keeps a habit of nearly zero there, so silence about it is no evidence against it.
    """
    seen = said.sum(axis=0)
    usual = np.where(seen > 0, seen + 0.5, 1e-9)
    usual /= usual.sum()
    shrunk: Floats = (said + shrink * usual) / (said.sum(axis=1, keepdims=True) + shrink)
    return shrunk


def association(counts: Floats, of_habit: Floats, crowd: float, pool: float, lead: float) -> Floats:
    """How much likelier a symbol is on rows of a class than habit alone makes it, over all voters together.

    Shrunk twice: each cell to one number for all right votes and one for all wrong ones, and those to a weak prior.
    Without the second a class that nobody really sees becomes a bin for rows that look like none.

    Args:
        counts: (W, K, K+1) expected votes by voter, class and symbol.
        of_habit: (W, K+1) habits.
        crowd: Votes a row. As many of them are worth one only, for votes on one row share what makes it odd.
        pool: Rows that the shrinking of cells is worth.
        lead: Prior of the association of a class with itself; five rows' worth.

    Returns:
        (K, K+1) ratios; 1 is independence, and an abstention starts from it.
    """
    seen = counts.sum(axis=0) / crowd
    expected = np.einsum("wk,wl->kl", counts.sum(axis=2), of_habit) / crowd
    K = len(seen)
    # Where no row counts, there are the habits of all voters.
    usual = expected.sum(axis=0) + 1e-9 * of_habit.mean(axis=0)
    usual /= usual.sum() * K
    right, wrong = np.eye(K, K + 1), 1 - np.eye(K, K + 1)
    wrong[:, K] = 0
    ratios = np.ones((K, K + 1))
    for which, prior in ((right, lead), (wrong, 1.0)):
        few = 5 * usual * which
        ratio = float(((seen * which) + few * prior).sum() / max(((expected * which) + few).sum(), 1e-12))
        ratios = np.where(which > 0, ratio, ratios)
    shrunk: Floats = (seen + pool * usual * ratios) / (expected + pool * usual + 1e-12)
    return shrunk


class Abilities:
    """Voters differ mostly in one thing, how closely they follow the truth: each is a mixture over a grid of it."""

    def __init__(self, of_habit: Floats, active: Floats) -> None:
        """Start from the usual voter.

        Args:
            of_habit: (W, K+1) habits.
            active: (W,) whether the voter cast any vote.
        """
        self.habits = of_habit
        self.active = active
        start = np.exp(-2 * (ABILITIES - 1) ** 2)
        self._start: Floats = start / start.sum()
        self.shares = self._start
        self.strength = 16.0
        self.weights: Floats = np.tile(self.shares, (len(of_habit), 1))

    @property
    def ability(self) -> Floats:
        """(W,) mean exponent of each voter."""
        found: Floats = self.weights @ ABILITIES
        return found

    def means(self, ratios: Floats) -> list[Floats]:
        """(W, K, K+1) expected confusion of every voter at each ability."""
        found = []
        for ability in ABILITIES:
            raw = self.habits[:, None, :] * (ratios**ability)[None]
            found.append(raw / raw.sum(axis=2, keepdims=True))
        return found

    def learn(self, counts: Floats, means: list[Floats], *, strength_too: bool) -> None:
        """Weigh the abilities of each voter by how well they foretell its votes, and count how common each is."""
        scores = {}
        for strength in STRENGTHS if strength_too else (self.strength,):
            by_ability = [_evidence(counts, strength * mean + 1e-12) for mean in means]
            scores[strength] = np.stack(by_ability, axis=1) + np.log(self.shares)
        self.strength = max(scores, key=lambda one: float(np.logaddexp.reduce(scores[one], axis=1).sum()))
        of = scores[self.strength]
        self.weights = np.exp(of - np.logaddexp.reduce(of, axis=1, keepdims=True))
        self.shares = (self.weights[self.active].sum(axis=0) + 5 * self._start) / (self.active.sum() + 5)

    def posterior(self, counts: Floats, means: list[Floats]) -> Floats:
        """(W, K, K+1) Dirichlet counts of each voter's confusion."""
        mean = sum((self.weights[:, j, None, None] * one for j, one in enumerate(means)), start=np.zeros_like(counts))
        found: Floats = self.strength * mean + counts + 1e-12
        return found


def expected_log(dirichlet: Floats) -> Floats:
    """Mean of the logarithm under a Dirichlet: what is not known about a voter takes weight from its votes."""
    found: Floats = digamma(dirichlet) - digamma(dirichlet.sum(axis=-1, keepdims=True))
    return found


def _evidence(counts: Floats, prior: Floats) -> Floats:
    """(W,) log probability of each voter's votes under Dirichlet-multinomials."""
    total, cast = prior.sum(axis=-1), counts.sum(axis=-1)
    rows = gammaln(total) - gammaln(total + cast) + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)
    found: Floats = rows.sum(axis=-1)
    return found
