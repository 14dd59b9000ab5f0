"""Each voter either knows, or answers without looking."""

from __future__ import annotations

from typing import Self

import numpy as np

from seedbed.inspection.label_models.contract import (
    Tally,
    converged,
    evidence_nats,
    known_evidence,
    majority_share,
    settle,
)
from seedbed.inspection.votes import Floats, Known, Votes


class Mace:
    """A voter says the truth when it looks, and else draws from habits of its own.

    For crowds with people who click the same button throughout. It has no notion of an honest mistake.

    Args:
        looks: Beta prior of looking, as votes cast with and without it.
        habit: Prior votes in each class of a voter's habits.
        rounds: Most rounds of EM.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Hovy, Berg-Kirkpatrick, Vaswani and Hovy 2013, Learning whom to trust with MACE, NAACL. Differs: one start from
        the majority, not many random ones; MAP instead of variational; a learned class prior; abstentions left out.
    """

    def __init__(
        self, looks: tuple[float, float] = (2.0, 2.0), habit: float = 0.5, rounds: int = 100, tol: float = 1e-5
    ) -> None:
        self.looks = looks
        self.habit = habit
        self.rounds = rounds
        self.tol = tol

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Learn how often each voter looks, `looks_` (W,), its `habits_` (W, K), and each row's class.

        Raises:
            DataError: A known label points outside the votes.
        """
        tally, trusted, K, W = Tally(votes), known_evidence(known, votes), votes.n_classes, len(votes.voters)
        log_posterior = settle(np.log(majority_share(votes)), trusted)
        said = tally.said_by()[:, :K]
        habits = (said + self.habit) / (said + self.habit).sum(axis=1, keepdims=True)
        looks = np.full(W, 0.7)
        for _ in range(self.rounds):
            posterior = np.exp(log_posterior)
            right = np.einsum("wkk->wk", tally.by_voter(posterior)[:, :, :K])
            # A right answer may be luck: what habit alone would have said of it is no sign of having looked.
            looked = right * looks[:, None] / (looks[:, None] + (1 - looks[:, None]) * habits)
            blind = said - looked + self.habit
            habits = blind / blind.sum(axis=1, keepdims=True)
            total = said.sum(axis=1) + sum(self.looks)
            looks = (looked.sum(axis=1) + self.looks[0]) / total
            prior = (posterior.sum(axis=0) + 1) / (votes.n_rows + K)
            self.confusion_ = np.ones((W, K, K + 1))
            self.confusion_[:, :, :K] = looks[:, None, None] * np.eye(K) + ((1 - looks)[:, None] * habits)[:, None]
            self.evidence_ = np.log(self.confusion_)
            last, log_posterior = log_posterior, settle(tally.by_row(self.evidence_) + np.log(prior), trusted)
            if converged(log_posterior, last, self.tol):
                break
        self.looks_, self.habits_, self.log_posterior_ = looks, habits, log_posterior
        return self

    def nats(self, votes: Votes) -> Floats:
        """(V,) log odds that each vote adds to its row's most probable class, over the runner-up."""
        return evidence_nats(votes, self.evidence_, self.log_posterior_)
