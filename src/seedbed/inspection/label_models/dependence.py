"""How much votes on one row err together, and what their number is then worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seedbed.inspection.label_models.contract import Tally
from seedbed.inspection.votes import Floats, Ints

OPTIMISM = 2.0
"""Correlation measured against a model's own labels is about half of that measured against the truth, for what voters
get wrong together the model takes for right. Measured on eight crowd sets; see experiments/inspection_label_models."""
DECLARED = 0.25
"""Least correlation believed of a declared family until known labels say otherwise."""
ENOUGH = 500_000
"""Votes that correlations are measured on."""
DOUBT = 5.0
"""Pairs' worth of variance that the estimate without labels weighs against known rows."""


class Dependence:
    """Correlation of mistakes, in each family beyond the crowd's and in the crowd; and the exponents that follow.

    With n votes of correlation rho, each counts as the power 1 / (1 + (n - 1) rho): two that always err together count
    as one. The crowd's own correlation is that of hard rows, which mislead everyone.
    """

    def __init__(self, tally: Tally) -> None:
        """Start from declared families and an independent crowd."""
        self._tally = tally
        names = sorted({one.family for one in tally.votes.voters if one.family is not None})
        numbers = {name: number for number, name in enumerate(names)}
        of_voter = np.array([numbers.get(one.family or "", -1) for one in tally.votes.voters], dtype=np.int64)
        self._family: Ints = of_voter[tally.voter]
        self.families = dict.fromkeys(names, DECLARED)
        self.crowd = 0.0

    def learn(self, labels: Ints, known_rows: Ints) -> None:
        """Measure both correlations from what the votes on each row have in common beyond the voters' accuracy.

        Args:
            labels: (N,) most probable class of each row.
            known_rows: Rows whose class a trusted reader gave; these count without correction for optimism.
        """
        tally = self._tally
        trusted = np.zeros(tally.votes.n_rows, dtype=bool)
        trusted[known_rows] = True
        # Half a million votes tell a correlation to a hundredth; every so many-th row keeps all parts of the data in.
        stride = 1 + len(tally.row) // ENOUGH
        measured = (tally.row % stride == 0) | trusted[tally.row]
        cast = np.flatnonzero((tally.said < tally.votes.n_classes) & measured)
        residual, spread = _residuals(tally, cast, labels)
        rows, family = tally.row[cast], self._family[cast]
        within = {}
        for number, name in enumerate(self.families):
            mine = family == number
            within[name] = _pairs(rows[mine], residual[mine], spread[mine], len(trusted))
        everyone = _pairs(rows, residual, spread, len(trusted))
        between = everyone - sum(within.values(), start=np.zeros_like(everyone))
        self.crowd = _correlation(between, trusted, least=0.0)
        for name, pairs in within.items():
            found = _correlation(pairs, trusted, least=DECLARED)
            self.families[name] = max(found - self.crowd, 0.0) / max(1 - self.crowd, 1e-9)

    def exponents(self) -> Floats:
        """(V,) power of each vote, in the tally's order."""
        tally = self._tally
        N, cast = tally.votes.n_rows, tally.said < tally.votes.n_classes
        power = np.ones(len(tally.row))
        for number, correlation in enumerate(self.families.values()):
            mine = self._family == number
            size = np.bincount(tally.row[mine & cast], minlength=N)
            power[mine] = 1 / (1 + np.maximum(size[tally.row[mine]] - 1, 0) * correlation)
        worth = np.bincount(tally.row, weights=power * cast, minlength=N)
        found: Floats = power / (1 + np.maximum(worth - 1, 0) * self.crowd)[tally.row]
        return found


def _residuals(tally: Tally, cast: Ints, labels: Ints) -> tuple[Floats, Floats]:
    """Was the vote right, less how often this voter is on rows of that class; and the standard deviation of it."""
    K, W = tally.votes.n_classes, len(tally.votes.voters)
    voter, label = tally.voter[cast], labels[tally.row[cast]]
    right = (tally.said[cast] == label).astype(float)
    usual = np.bincount(label, weights=right, minlength=K) / np.maximum(np.bincount(label, minlength=K), 1)
    cell = voter * K + label
    hits = np.bincount(cell, weights=right, minlength=W * K).reshape(W, K)
    asked = np.bincount(cell, minlength=W * K).reshape(W, K)
    rate = ((hits + 4 * usual) / (asked + 4)).reshape(-1)[cell]
    return right - rate, np.sqrt(rate * (1 - rate))


def _pairs(rows: Ints, residual: Floats, spread: Floats, n_rows: int) -> Floats:
    """(2, N) sum over pairs of votes on a row of residual products, and of the products of their deviations."""
    found = []
    for part in (residual, spread):
        total = np.bincount(rows, weights=part, minlength=n_rows)
        found.append(total**2 - np.bincount(rows, weights=part**2, minlength=n_rows))
    return np.array(found)


def _correlation(pairs: Floats, trusted: NDArray[np.bool_], least: float) -> float:
    together, scale = pairs[:, ~trusted].sum(axis=1)
    guess = min(max(OPTIMISM * float(together) / float(scale + 1), least), 1.0)
    together, scale = pairs[:, trusted].sum(axis=1)
    return min(max((float(together) + DOUBT * guess) / (float(scale) + DOUBT), 0.0), 1.0)
