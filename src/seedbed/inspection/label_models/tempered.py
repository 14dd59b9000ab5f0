"""One posterior from voters of any kind: abstaining, one-sided, correlated, few or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.inspection.label_models.contract import (
    Tally,
    converged,
    evidence_nats,
    known_evidence,
    majority_share,
    settle,
)
from seedbed.inspection.label_models.dependence import Dependence
from seedbed.inspection.label_models.shrinkage import Abilities, association, expected_log, habits
from seedbed.inspection.votes import Floats, Ints, Known, Votes


@dataclass(frozen=True)
class Beliefs:
    """What the model believes before any vote is seen. Set on eight crowd sets, not on those it is reported on."""

    pool: float = 500.0
    """Rows that the common shape of confusion is worth against each cell."""
    lead: float = 3.0
    """How much likelier the true class is said than habit has it; worth five rows."""
    shrink: float = 2.0
    """Votes of the usual voter added to each voter's habits."""
    spread: float = 10.0
    """Rows in each class."""
    anchor: float = 0.5
    """Weight of the shares of the votes among the classes, in all rows, at two votes a row."""
    slice_rows: float = 20.0
    """Rows of the overall class prior added to each slice."""


class Tempered:
    """Dawid and Skene's model where every guess about a voter starts from something safe.

    An abstention is a symbol that a voter emits. A voter is first its own habits, which say nothing of the truth; then
    an ability on a scale that all share; then a confusion matrix of its own, as far as its votes carry it. Votes that
    err together are tempered, so that the log odds stay near what they are worth. With one vote a row this is the
    majority; rows that one voter alone was asked about teach nothing.

    Without known labels no model can tell voters who agree from voters who are right: give it 50 where it matters.

    Args:
        beliefs: What is believed before any vote is seen.
        known_weight: How many rows a known row counts for when voters are judged.
        known_prior: The same when classes are counted: voters go wrong with counts before they go wrong with rows.
        misread: Share of rows that the readers behind `known` get wrong; 0 settles a known row.
        rounds: Most rounds of EM.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Dawid and Skene 1979, Applied Statistics 28:20; Kim and Ghahramani 2012, Bayesian classifier combination,
        AISTATS. Differs: all that is described above; variational for voters, point estimates for the rest.
    """

    def __init__(
        self,
        *,
        beliefs: Beliefs | None = None,
        known_weight: float = 3.0,
        known_prior: float = 10.0,
        misread: float = 0.0,
        rounds: int = 60,
        tol: float = 1e-4,
    ) -> None:
        self.beliefs = beliefs or Beliefs()
        self.known_weight = known_weight
        self.known_prior = known_prior
        self.misread = misread
        self.rounds = rounds
        self.tol = tol

    def fit(self, votes: Votes, *, known: Known | None = None, slices: NDArray[np.int64] | None = None) -> Self:
        """Learn voters, slices and rows together.

        Sets `log_posterior_` (N, K), `confusion_` (W, K, K+1), `ability_` (W,) where 0 ignores the truth and 1 is the
        usual voter, `prior_` (S, K), `dependence_` with its correlations, and `vote_weight_` (V,), the power that each
        vote was tempered by.

        Args:
            votes: Who said what.
            known: Row to class, from trusted readers.
            slices: (N,) number of each row's slice, such as generator by task; None is one slice.

        Raises:
            DataError: A known label points outside the votes, or there is not one slice for each row.
        """
        tally, trusted, of_slice = Tally(votes), known_evidence(known, votes, self.misread), _checked(slices, votes)
        cast = np.bincount(tally.row, minlength=votes.n_rows).astype(float)
        weight, counting = self._worth(votes, cast, trusted[0])
        said = tally.said_by()
        abilities = Abilities(habits(said, self.beliefs.shrink), said.sum(axis=1) > 0)
        dependence = Dependence(tally)
        crowd = float((cast**2).sum() / max(cast.sum(), 1.0))
        log_posterior = settle(np.log(majority_share(votes)), trusted)
        anchor = self._anchor(votes, len(trusted[0]))
        power = dependence.exponents()
        for round_ in range(self.rounds):
            posterior = np.exp(log_posterior)
            counts = tally.by_voter(posterior * weight[:, None])
            self.prior_ = self._class_prior(posterior * counting[:, None], of_slice, anchor)
            self._learn_voters(abilities, counts, crowd, round_)
            scores = tally.by_row(self.evidence_, power) + np.log(self.prior_)[of_slice]
            last, log_posterior = log_posterior, settle(scores, trusted)
            if round_ % 10 == 9:
                dependence.learn(log_posterior.argmax(axis=1), trusted[0])
                power = dependence.exponents()
            elif round_ > 10 and converged(log_posterior, last, self.tol):
                break
        self.log_posterior_, self.dependence_ = log_posterior, dependence
        self.vote_weight_ = np.empty(len(votes.row))
        self.vote_weight_[tally.order] = power
        return self

    def _learn_voters(self, abilities: Abilities, counts: Floats, crowd: float, round_: int) -> None:
        ratios = association(counts, abilities.habits, crowd, self.beliefs.pool, self.beliefs.lead)
        means = abilities.means(ratios)
        # Abilities move slowly: weighing them every fifth round costs a fifth and ends in the same place.
        if round_ < 3 or round_ % 5 == 0:
            abilities.learn(counts, means, strength_too=round_ > 0 and round_ % 5 == 0)
        dirichlet = abilities.posterior(counts, means)
        self.evidence_ = expected_log(dirichlet)
        self.confusion_ = dirichlet / dirichlet.sum(axis=2, keepdims=True)
        self.ability_ = abilities.ability

    def _worth(self, votes: Votes, cast: Floats, known: Ints) -> tuple[Floats, Floats]:
        """(N,) how much each row counts when voters are judged, and when classes are counted.

        A row that one voter alone was asked about says nothing of the voter: it would confirm whatever is believed,
        and over many rounds carry that away. A row that nobody classed says nothing of how common the classes are.
        """
        weight = (cast > 1).astype(float)
        weight[known] = self.known_weight
        counting = ((cast > 1) & (votes.counts.sum(axis=1) > 0)).astype(float)
        counting[known] = self.known_prior
        return weight, counting

    def _anchor(self, votes: Votes, known: int) -> Floats:
        """(K,) prior rows of each class, in the shares of the votes.

        With two votes a row little tells a rare class from voters who shun it, and EM drifts, most often to equal
        shares. The shares of the votes are held to instead, the less the more votes a row has and the more rows are
        known. With one vote a row they are not: the vote itself is all there is, and holding would overrule it.
        """
        counts = votes.counts
        cast = counts.sum(axis=1)
        voted = cast > 0
        shares = (counts[voted] / cast[voted, None]).sum(axis=0) + 1
        spare = float(cast[voted].mean()) - 1 if voted.any() else 0.0
        rows = self.beliefs.anchor * voted.sum() * min(spare, 1 / max(spare, 1e-9)) / (1 + known / 10)
        held: Floats = self.beliefs.spread + rows * shares / shares.sum()
        return held

    def _class_prior(self, posterior: Floats, of_slice: Ints, anchor: Floats) -> Floats:
        """(S, K) class shares of each slice, shrunk to those of all rows."""
        K = posterior.shape[1]
        overall: Floats = (posterior.sum(axis=0) + anchor) / (posterior.sum() + anchor.sum())
        slices = int(of_slice.max(initial=0)) + 1
        if slices == 1:
            return overall[None, :]
        seen = np.stack([np.bincount(of_slice, weights=posterior[:, k], minlength=slices) for k in range(K)], axis=1)
        shares: Floats = (seen + self.beliefs.slice_rows * overall) / (
            seen.sum(axis=1, keepdims=True) + self.beliefs.slice_rows
        )
        return shares

    def nats(self, votes: Votes) -> Floats:
        """(V,) log odds that each vote adds to its row's most probable class over the runner-up, after tempering.

        With the log odds of the row's class prior they sum to the log odds of the posterior, known rows apart.
        """
        return self.vote_weight_ * evidence_nats(votes, self.evidence_, self.log_posterior_)


def _checked(slices: NDArray[np.int64] | None, votes: Votes) -> Ints:
    if slices is None:
        return np.zeros(votes.n_rows, dtype=np.int64)
    found = np.asarray(slices, dtype=np.int64)
    if found.shape != (votes.n_rows,) or (found < 0).any():
        seen = f"shape {found.shape}, least {found.min(initial=0)}, for {votes.n_rows} rows"
        raise DataError("one slice number, 0 or more, for each row", seen, "number the slices from 0")
    return found
