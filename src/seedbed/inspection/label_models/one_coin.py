"""Each voter is right with a probability of its own."""

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


class OneCoin:
    """Every voter throws one coin: right with probability r, else any other class alike.

    One number a voter is all that few votes can tell. Not for voters who see some classes better than others.

    Args:
        right: Prior of each voter, in votes that were right and wrong.
        rounds: Most rounds of EM.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Zhang, Chen, Zhou and Jordan 2014, arXiv:1406.3824 (their one-coin model). Differs: a Beta prior, MAP by EM; the
        class prior is learned; abstentions are left out.
    """

    def __init__(self, right: tuple[float, float] = (4.0, 2.0), rounds: int = 100, tol: float = 1e-5) -> None:
        self.right = right
        self.rounds = rounds
        self.tol = tol

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Learn each voter's accuracy, `accuracy_` (W,), and each row's class.

        Raises:
            DataError: A known label points outside the votes.
        """
        tally, trusted, K = Tally(votes), known_evidence(known, votes), votes.n_classes
        log_posterior = settle(np.log(majority_share(votes)), trusted)
        same = np.eye(K, K + 1)
        for _ in range(self.rounds):
            posterior = np.exp(log_posterior)
            counts = tally.by_voter(posterior)
            hit, said = (counts * same).sum(axis=(1, 2)), counts[:, :, :K].sum(axis=(1, 2))
            self.accuracy_ = (hit + self.right[0] - 1) / (said + sum(self.right) - 2)
            prior = (posterior.sum(axis=0) + 1) / (votes.n_rows + K)
            self.confusion_ = self._confusion(same)
            self.evidence_ = np.log(self.confusion_)
            last, log_posterior = log_posterior, settle(tally.by_row(self.evidence_) + np.log(prior), trusted)
            if converged(log_posterior, last, self.tol):
                break
        self.log_posterior_ = log_posterior
        return self

    def _confusion(self, same: Floats) -> Floats:
        K = len(same)
        wrong = (1 - self.accuracy_) / max(K - 1, 1)
        found: Floats = np.where(same > 0, self.accuracy_[:, None, None], wrong[:, None, None])
        found[:, :, K] = 1.0
        return found

    def nats(self, votes: Votes) -> Floats:
        """(V,) log odds that each vote adds to its row's most probable class, over the runner-up."""
        return evidence_nats(votes, self.evidence_, self.log_posterior_)
