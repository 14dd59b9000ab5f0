"""Plans that a run can follow: so many draws for every problem, a cascade, a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import ConfigError
from seedbed.randomness import stream
from seedbed.sampling.allocate import Charges, State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Policy(Protocol):
    """Says what to draw next; it sees counts, never the answers to come. `allocate.Allocator` is one too."""

    def next_draws(self, state: State, budget: float, limits: Ints | None = None) -> Ints:
        """(P, M) draws for the budget left; all zero when it is done."""


@dataclass(frozen=True)
class Fixed:
    """The same number of draws for every problem, decided before the run.

    Where the budget ends between two numbers, a random part of the problems gets one draw more, so that two fixed plans
    spend the same.
    """

    target: Ints
    """(P, M) draws of each model on each problem."""

    @classmethod
    def spend(cls, charges: Charges, shares: Sequence[float], budget: float, problems: int, rng_seed: int = 0) -> Fixed:
        """Spend `budget` on all problems alike, `shares` (M,) of it with each model: one, or a uniform mixture."""
        order = stream(rng_seed, "fixed plan").permutation(problems)
        target = np.zeros((problems, len(shares)), dtype=np.int64)
        for m, share in enumerate(shares):
            target[order, m] = even_draws(charges.prompt[m], charges.draw[m], share * budget, problems)
        return cls(target if charges.most is None else np.minimum(target, charges.most))

    def next_draws(self, state: State, budget: float, limits: Ints | None = None) -> Ints:  # noqa: ARG002
        """All at once; what was drawn before counts."""
        return np.asarray(np.maximum(self.target - state.n, 0))


@dataclass(frozen=True)
class Cascade:
    """Every problem to the first model so many times, the unsolved to the next one, and so on.

    The last model spends what is left, evenly over the problems that are still unsolved.
    """

    charges: Charges
    order: tuple[int, ...]
    """Models, usually from weak to strong."""
    draws: tuple[int, ...]
    """Draws per problem of all but the last model."""
    rng_seed: int = 0

    def __post_init__(self) -> None:
        if len(self.draws) != len(self.order) - 1:
            raise ConfigError("a cascade needs a number of draws for every model but the last", f"{self.draws}")

    def next_draws(self, state: State, budget: float, limits: Ints | None = None) -> Ints:  # noqa: ARG002
        """One stage at a time: a stage is due while an unsolved problem has fewer draws than it gives."""
        found = np.zeros_like(state.n)
        unsolved = np.flatnonzero(~state.solved)
        for model, draws in zip(self.order, self.draws, strict=False):
            found[unsolved, model] = np.maximum(draws - state.n[unsolved, model], 0)
            if found.any():
                order = stream(self.rng_seed, "cascade stage").permutation(len(found))
                return affordable(self.charges, state.n, found, budget, order)
        last = self.order[-1]
        due = unsolved[state.n[unsolved, last] == 0]
        if len(due):
            draws_each = even_draws(self.charges.prompt[last], self.charges.draw[last], budget, len(due))
            if self.charges.most is not None:
                draws_each = np.minimum(draws_each, self.charges.most)
            found[stream(self.rng_seed, "cascade").permutation(due), last] = draws_each
        return found


def affordable(charges: Charges, n: Ints, draws: Ints, budget: float, order: Ints) -> Ints:
    """The draws (P, M) of as many problems as the budget reaches for in `order`, after n (P, M); none of the others."""
    price = (draws * charges.draw + charges.first(n) * (draws > 0)).sum(axis=1)
    found = draws.copy()
    found[order[np.cumsum(price[order]) > budget]] = 0
    return found


def even_draws(prompt: float, draw: float, budget: float, problems: int) -> Ints:
    """(problems,) draws that spend the budget, as even as whole draws allow, the larger ones first."""
    found = np.zeros(problems, dtype=np.int64)
    if problems == 0 or budget < prompt + draw:
        return found
    reached = min(problems, int(budget / (prompt + draw) + 1e-9))
    rest = budget - reached * prompt
    # With fewer prompts paid than problems, every reached problem gets one draw.
    each = int(rest / draw / reached + 1e-9) if reached == problems else 1
    found[:reached] = each
    more = int(rest / draw + 1e-9) - each * reached
    found[: min(more, reached)] += 1
    return found
