"""One vote each."""

from __future__ import annotations

from typing import Self

import numpy as np

from seedbed.inspection.label_models.contract import known_evidence, majority_share, settle, top_two
from seedbed.inspection.votes import Floats, Known, Votes


class Majority:
    """Share of the votes for each class; the measure that every other model must not fall under.

    With one or two votes a row there is little else to know. Five votes of five are no more to it than the share they
    are, whoever cast them.

    Source:
        none. Differs: `spare` votes are spread over all classes, so that no class has probability zero.
    """

    def __init__(self, spare: float = 0.5) -> None:
        self.spare = spare

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Count. Abstentions are left out.

        Raises:
            DataError: A known label points outside the votes.
        """
        self.log_posterior_ = settle(np.log(majority_share(votes, self.spare)), known_evidence(known, votes))
        return self

    def nats(self, votes: Votes) -> Floats:
        """(V,) what the log odds of the top class over the runner-up would lose without the vote.

        Counts are not evidence that adds up, so these do not sum to the log odds, as those of the other models do.
        """
        first, second = top_two(self.log_posterior_)
        smoothed = votes.counts + self.spare / votes.n_classes
        rows = np.arange(votes.n_rows)
        found = np.zeros(len(votes.row))
        for sign, which in ((1.0, first), (-1.0, second)):
            of = smoothed[rows, which][votes.row]
            hit = (votes.said == which[votes.row]) & (votes.n_classes > 1)
            found[hit] += sign * np.log(of[hit] / (of[hit] - 1))
        return found
