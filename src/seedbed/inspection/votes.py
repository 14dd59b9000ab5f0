"""Who said what about which row: the input of every label model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kind = Literal["execution", "symbolic", "consensus", "judge", "classifier", "function", "critic", "human"]
"""What a voter is. Executed programs and symbolic checks err least, humans err too."""


@dataclass(frozen=True)
class Voter:
    """One source of evidence."""

    name: str
    kind: Kind = "human"
    family: str | None = None
    """Voters of one family share their mistakes, such as judges built on one model; None stands alone."""


@dataclass(frozen=True)
class Votes:
    """Votes as triplets, so that a thousand workers with five votes a row take no more room than five columns.

    A voter that was not asked about a row has no triplet. One that was asked and would not say has one, with `said`
    equal to the number of classes: abstaining is a symbol of its own, for who abstains where says something of the row.
    """

    row: Ints
    """(V,) row of each vote, in [0, n_rows)."""
    voter: Ints
    """(V,) voter of each vote, in [0, len(voters))."""
    said: Ints
    """(V,) class of each vote, in [0, n_classes]; n_classes is an abstention."""
    n_rows: int
    n_classes: int
    voters: tuple[Voter, ...]

    @classmethod
    def of_columns(cls, columns: ArrayLike, n_classes: int, voters: Sequence[Voter] | None = None) -> Votes:
        """Read a dense table: every voter was asked about every row, except where it says nothing at all.

        Args:
            columns: (N, W) classes; -1 is an abstention, -2 means that the voter was not asked.
            n_classes: K.
            voters: (W,) who they are; None names them by number.

        Raises:
            DataError: A value outside [-2, K), or another number of voters than columns.
        """
        said = np.asarray(columns, dtype=np.int64)
        if said.ndim != 2 or (said < -2).any() or (said >= n_classes).any():
            seen = f"shape {said.shape}, values {said.min(initial=0)} to {said.max(initial=0)} for {n_classes} classes"
            raise DataError("votes are an (N, W) table of classes, -1 to abstain, -2 if not asked", seen)
        who = tuple(voters) if voters is not None else tuple(Voter(str(w)) for w in range(said.shape[1]))
        if len(who) != said.shape[1]:
            raise DataError("one voter for each column", f"{len(who)} voters, {said.shape[1]} columns")
        row, voter = np.nonzero(said > -2)
        symbol = said[row, voter]
        return cls(row, voter, np.where(symbol < 0, n_classes, symbol), len(said), n_classes, who)

    @classmethod
    def of_triplets(
        cls, rows: Sequence[str], voters: Sequence[str], said: Sequence[str]
    ) -> tuple[Votes, list[str], list[str]]:
        """Read a long table as crowd platforms export it: (V,) names of rows, voters and classes.

        Returns:
            The votes, the names of the rows and the names of the classes, both in sorted order.
        """
        tables = [np.unique(np.asarray(part, dtype=str), return_inverse=True) for part in (rows, voters, said)]
        (row_names, row), (voter_names, voter), (class_names, what) = tables
        who = tuple(Voter(name) for name in voter_names.tolist())
        votes = cls(row, voter, what, len(row_names), len(class_names), who)
        return votes, row_names.tolist(), class_names.tolist()

    @property
    def counts(self) -> Floats:
        """(N, K) votes for each class, abstentions left out."""
        said = self.said < self.n_classes
        flat = self.row[said] * self.n_classes + self.said[said]
        found = np.bincount(flat, minlength=self.n_rows * self.n_classes).astype(float)
        return found.reshape(self.n_rows, self.n_classes)

    def without(self, voter: int) -> Votes:
        """The same without one voter's votes; the voter keeps its number."""
        kept = self.voter != voter
        return Votes(self.row[kept], self.voter[kept], self.said[kept], self.n_rows, self.n_classes, self.voters)


Known = Mapping[int, int]
"""Row to the class that a trusted reader gave it."""
