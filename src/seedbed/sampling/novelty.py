"""How likely a further correct solution is a new one, learned from the pool so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

THETAS = np.concatenate([[0.0], np.geomspace(0.02, 2000, 41)])
SIGMAS = np.array([-8.0, -4.0, -2.0, -1.0, -0.5, -0.25, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97])
LEAST, MOST = 1e-3, 1 - 1e-3
UNKNOWN = 10.0
"""Theta before anything is known, with sigma 0: most solutions of language models differ at first."""
MADE_UP = (2, 4)
"""Correct solutions of three made-up problems that obey `UNKNOWN`: the prior."""


@dataclass(frozen=True)
class Novelty:
    """The chance that the next correct solution of a problem is new: (theta + sigma u) / (theta + c).

    After c correct solutions of which u are unique. It falls with what was found and rises with how varied that was,
    so a problem whose solutions are all alike is left sooner than one with a new form in every draw. With sigma below 0
    there are only -theta / sigma ways to solve a problem, and none is new once all were found.

    Source:
        Pitman and Yor 1997 (the predictive rule); Good 1953 (a solution seen once is a draw that was new). Differs:
        both parameters are fitted over problems by leaving one correct solution out, which needs only c, u and how many
        solutions came once.
    """

    theta: Floats
    """(M,) at least 0."""
    sigma: Floats
    """(M,) below 1; negative where problems have a limited number of solutions."""

    @classmethod
    def fit(cls, c: ArrayLike, unique: ArrayLike, once: ArrayLike) -> Novelty:
        """Fit from (P, M) counts: correct solutions, unique ones, and unique ones that came exactly once.

        Three made-up problems stand beside those of the pool. Without them a run that met two repeats early took every
        further solution for a repeat, asked for one draw of each problem, and could not learn otherwise.
        """
        correct, distinct, single = (np.asarray(part, dtype=np.int64) for part in (c, unique, once))
        found = [_fit_one(correct[:, m], distinct[:, m], single[:, m]) for m in range(correct.shape[1])]
        return cls(np.array([theta for theta, _ in found]), np.array([sigma for _, sigma in found]))

    def chance(self, c: Floats, unique: Floats) -> Floats:
        """(..., M) chance that the next correct solution is new; 1 where there is none yet."""
        chance = (self.theta + self.sigma * unique) / np.maximum(self.theta + c, 1e-9)
        return np.where(c <= 0, 1.0, np.clip(chance, 0.0, 1.0))

    def expected(self, c: ArrayLike) -> Floats:
        """(..., M) mean number of unique solutions among c (..., M) correct ones, for whole and broken c alike."""
        wanted = np.asarray(c, dtype=float)
        top = int(np.ceil(wanted.max(initial=0))) + 1
        table = np.zeros((top + 1, len(self.theta)))
        for i in range(top):
            table[i + 1] = table[i] + self.chance(np.full(len(self.theta), float(i)), table[i])
        low = wanted.astype(int)
        columns = np.arange(len(self.theta))
        found: Floats = table[low, columns] + (wanted - low) * (table[low + 1, columns] - table[low, columns])
        return found


def _fit_one(c: NDArray[np.int64], unique: NDArray[np.int64], once: NDArray[np.int64]) -> tuple[float, float]:
    rows, times = np.unique(np.stack([c, unique, once])[:, c >= 2], axis=1, return_counts=True)
    total, distinct, single = np.concatenate([_made_up(), rows], axis=1)
    theta, sigma = THETAS[:, None, None], SIGMAS[:, None]
    # Left out one by one: a solution that came once was new beside the other c - 1 (u - 1 unique), any other was not.
    new = np.clip((theta + sigma * (distinct - 1)) / (theta + total - 1), LEAST, MOST)
    old = np.clip((theta + sigma * distinct) / (theta + total - 1), LEAST, MOST)
    # Weighted by 1 / c: the left-out ones of a problem are not independent, each problem says one thing.
    weight = np.concatenate([np.ones(len(MADE_UP)), times]) / total
    score = ((single * np.log(new) + (total - single) * np.log1p(-old)) * weight).sum(axis=-1)
    i, j = np.unravel_index(int(score.argmax()), score.shape)
    return float(THETAS[i]), float(SIGMAS[j])


def _made_up() -> Floats:
    """(3, len(MADE_UP)) expected correct, unique and single solutions under `UNKNOWN`."""
    total = np.array(MADE_UP, dtype=float)
    unique = np.array([(UNKNOWN / (UNKNOWN + np.arange(c))).sum() for c in MADE_UP])
    # Under Ewens' rule a solution is single with the chance that a further one would be new.
    return np.stack([total, unique, total * UNKNOWN / (UNKNOWN + total - 1)])
