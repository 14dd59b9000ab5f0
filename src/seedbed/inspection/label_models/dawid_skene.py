"""Each voter has a confusion matrix."""

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


class DawidSkene:
    """Confusion matrix of each voter and class of each row, by EM from the majority.

    The textbook method. It needs three votes a row or more, and it collapses on voters that abstain or only ever say
    one class: what they never say is then taken for evidence. `Tempered` is built for those.

    Args:
        spread: Prior votes in every cell of a confusion matrix.
        diagonal: Prior votes on its diagonal on top; more of them than `spread` keeps the classes from trading names.
        rounds: Most rounds of EM.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Dawid and Skene 1979, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied
        Statistics 28:20. Differs: MAP under Dirichlet priors; abstentions are left out.
    """

    def __init__(self, spread: float = 0.5, diagonal: float = 1.0, rounds: int = 100, tol: float = 1e-5) -> None:
        self.spread = spread
        self.diagonal = diagonal
        self.rounds = rounds
        self.tol = tol

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Learn `confusion_` (W, K, K+1), whose last column is 1 for it is not modelled, and `prior_` (K,).

        Raises:
            DataError: A known label points outside the votes.
        """
        tally, trusted, K = Tally(votes), known_evidence(known, votes), votes.n_classes
        log_posterior = settle(np.log(majority_share(votes)), trusted)
        for _ in range(self.rounds):
            posterior = np.exp(log_posterior)
            counts = tally.by_voter(posterior)[:, :, :K] + self.spread + self.diagonal * np.eye(K)
            self.prior_ = (posterior.sum(axis=0) + 1) / (votes.n_rows + K)
            self.confusion_ = np.ones((len(votes.voters), K, K + 1))
            self.confusion_[:, :, :K] = counts / counts.sum(axis=2, keepdims=True)
            self.evidence_ = np.log(self.confusion_)
            last, log_posterior = log_posterior, settle(tally.by_row(self.evidence_) + np.log(self.prior_), trusted)
            if converged(log_posterior, last, self.tol):
                break
        self.log_posterior_ = log_posterior
        return self

    def nats(self, votes: Votes) -> Floats:
        """(V,) log odds that each vote adds to its row's most probable class, over the runner-up."""
        return evidence_nats(votes, self.evidence_, self.log_posterior_)
