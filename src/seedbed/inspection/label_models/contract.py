"""What every label model is, and the sums over votes that they share."""

from __future__ import annotations

from typing import Protocol, Self

import numpy as np
from scipy.sparse import csr_array

from seedbed.errors import DataError
from seedbed.inspection.votes import Floats, Ints, Known, Votes


class LabelModel(Protocol):
    """Votes in, log probabilities of the classes of each row out."""

    log_posterior_: Floats
    """(N, K) natural log of the probability of each class; never clipped, so -inf where a trusted reader says no."""

    def fit(self, votes: Votes, *, known: Known | None = None) -> Self:
        """Learn who can be believed, and with it what each row is."""
        ...

    def nats(self, votes: Votes) -> Floats:
        """(V,) how much each vote moves its row's log odds of the most probable class over the runner-up."""
        ...


class Tally:
    """Sums over votes: by voter for what the rows are thought to be, and by row for what the voters are worth."""

    def __init__(self, votes: Votes) -> None:
        """Sort the votes by row once."""
        self.votes = votes
        sorted_already = bool((np.diff(votes.row) >= 0).all())
        # A view where the rows are in order: five million votes would take 160 MB again.
        self.order: Ints | slice = slice(None) if sorted_already else np.argsort(votes.row, kind="stable")
        self.row: Ints = votes.row[self.order]
        self.voter: Ints = votes.voter[self.order]
        self.said: Ints = votes.said[self.order]
        self.symbols = votes.n_classes + 1
        self._cell = (self.voter * self.symbols + self.said).astype(np.int32)
        self._ends = np.concatenate([[0], np.cumsum(np.bincount(self.row, minlength=votes.n_rows))]).astype(np.int32)
        self._ones = self._table(np.ones(len(self.row)))
        # A transpose that is built once: multiplying by a view of it is twice as slow.
        self._turned = self._ones.T.tocsr()

    def _table(self, weight: Floats) -> csr_array:
        shape = (self.votes.n_rows, len(self.votes.voters) * self.symbols)
        return csr_array((weight, self._cell, self._ends), shape=shape)

    def by_voter(self, posterior: Floats) -> Floats:
        """(W, K, K+1) expected times that each voter said each symbol on rows of each class."""
        found: Floats = np.asarray(self._turned @ posterior)
        return found.reshape(len(self.votes.voters), self.symbols, -1).transpose(0, 2, 1)

    def by_row(self, evidence: Floats, weight: Floats | None = None) -> Floats:
        """(N, K) sum of the evidence of each row's votes.

        Args:
            evidence: (W, K, K+1) log likelihood of each symbol.
            weight: (V,) exponent of each vote, in this tally's order; None is 1.
        """
        table = self._ones if weight is None else self._table(weight)
        found: Floats = np.asarray(table @ evidence.transpose(0, 2, 1).reshape(-1, evidence.shape[1]))
        return found

    def said_by(self) -> Floats:
        """(W, K+1) times that each voter said each symbol."""
        size = len(self.votes.voters) * self.symbols
        return np.bincount(self._cell, minlength=size).astype(float).reshape(-1, self.symbols)


def log_normalised(scores: Floats) -> Floats:
    """(N, K) unnormalised log probabilities, made to sum to one in each row."""
    centred = scores - scores.max(axis=1, keepdims=True)
    normal: Floats = centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))
    return normal


def majority_share(votes: Votes, spare: float = 0.5) -> Floats:
    """(N, K) share of the votes for each class, with `spare` votes spread over all classes; where every EM begins."""
    counts = votes.counts
    share: Floats = (counts + spare / votes.n_classes) / (counts.sum(axis=1, keepdims=True) + spare)
    return share


def known_evidence(known: Known | None, votes: Votes, misread: float = 0.0) -> tuple[Ints, Floats]:
    """What trusted readers say, as rows and log likelihoods to add.

    Args:
        known: Row to class.
        votes: The votes it belongs to.
        misread: Share of rows that a reader gets wrong, in [0, 1); 0 settles the row.

    Returns:
        (n,) rows and (n, K) log likelihoods.

    Raises:
        DataError: A row or a class that is not there.
    """
    rows = np.fromiter((known or {}).keys(), dtype=np.int64)
    classes = np.fromiter((known or {}).values(), dtype=np.int64)
    wrong = (rows < 0) | (rows >= votes.n_rows) | (classes < 0) | (classes >= votes.n_classes)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        seen = f"row {rows[first]}: class {classes[first]}, for {votes.n_rows} rows and {votes.n_classes} classes"
        raise DataError("a known label points outside the votes", seen, "number rows and classes as the votes do")
    with np.errstate(divide="ignore"):
        says = np.full((len(rows), votes.n_classes), np.log(misread / max(votes.n_classes - 1, 1)))
    says[np.arange(len(rows)), classes] = np.log1p(-misread)
    return rows, says


def settle(scores: Floats, trusted: tuple[Ints, Floats]) -> Floats:
    """(N, K) log posterior of scores once trusted readers have spoken."""
    rows, says = trusted
    scores[rows] += says
    return log_normalised(scores)


def top_two(log_posterior: Floats) -> tuple[Ints, Ints]:
    """(N,) the most probable class of each row, and its runner-up."""
    if log_posterior.shape[1] == 1:
        same = np.zeros(len(log_posterior), dtype=np.int64)
        return same, same
    order = np.argsort(-log_posterior, axis=1, kind="stable")
    return order[:, 0], order[:, 1]


def evidence_nats(votes: Votes, evidence: Floats, log_posterior: Floats) -> Floats:
    """(V,) difference in a vote's log likelihood between its row's most probable class and the runner-up."""
    first, second = top_two(log_posterior)
    of = evidence[votes.voter, first[votes.row], votes.said]
    gap: Floats = of - evidence[votes.voter, second[votes.row], votes.said]
    return gap


def converged(new: Floats, old: Floats, tol: float) -> bool:
    """Whether the probabilities moved by less than `tol` on average."""
    return bool(np.abs(np.exp(new) - np.exp(old)).mean() < tol)
