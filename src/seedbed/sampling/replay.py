"""Plans tried on recorded pools: what a plan would have found, at what cost, had it been followed then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.randomness import stream
from seedbed.sampling.allocate import Charges, State
from seedbed.sampling.difficulty import KnownRates
from seedbed.sampling.policies import Policy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WRONG = -1


@dataclass(frozen=True)
class Pool:
    """Recorded draws of several models on the same problems."""

    keys: Ints
    """(P, M, D) number of the solution within its problem, equal where two count as one; -1 where the draw is wrong."""
    size: Ints
    """(P, M) recorded draws; those beyond are not there."""

    @classmethod
    def of_frame(cls, frame: pl.DataFrame, models: Sequence[str]) -> Pool:
        """Read a pool of one row per draw.

        Args:
            frame: `problem_id`, `model`, `correct`, and `key`, equal for solutions that count as one; a correct draw
                without a key counts as one of its own. Other columns are not looked at.
            models: Models in the order of the pool's axis.

        Raises:
            DataError: A model has no rows.
        """
        rows = frame.filter(pl.col("model").is_in(list(models)))
        missing = set(models) - set(rows["model"].unique().to_list())
        if missing:
            raise DataError("the pool has no draws of a model", ", ".join(sorted(missing)), "check the models' names")
        own = pl.concat_str(pl.lit("draw "), pl.int_range(pl.len()).cast(pl.String))
        rows = rows.with_columns(
            pl.col("problem_id").rank("dense").sub(1).cast(pl.Int64).alias("p"),
            pl.col("model").replace_strict(list(models), list(range(len(models))), return_dtype=pl.Int64).alias("m"),
            pl.coalesce(pl.col("key").cast(pl.String), own).alias("solution"),
        ).with_columns(
            pl.int_range(pl.len()).over("p", "m").alias("d"),
            pl.col("solution").rank("dense").over("p").sub(1).cast(pl.Int64).alias("number"),
        )
        p, m, d, number, right = (rows[name].to_numpy() for name in ("p", "m", "d", "number", "correct"))
        keys = np.full((int(p.max()) + 1, len(models), int(d.max()) + 1), WRONG, dtype=np.int64)
        keys[p, m, d] = np.where(right, number, WRONG)
        size = np.zeros(keys.shape[:2], dtype=np.int64)
        np.add.at(size, (p, m), 1)
        return cls(keys, size)

    @property
    def n(self) -> Ints:
        """(P, M) recorded draws."""
        return self.size

    @property
    def c(self) -> Ints:
        """(P, M) correct ones among them."""
        return np.asarray((self.keys != WRONG).sum(axis=2), dtype=np.int64)

    def rates(self) -> KnownRates:
        """What an oracle knows: each problem's share of correct draws per model."""
        return KnownRates(self.c / np.maximum(self.size, 1))

    def shuffled(self, rng_seed: int) -> Pool:
        """The same draws in another order, which is how a replay draws without replacement."""
        order = stream(rng_seed, "replay").random(self.keys.shape)
        order[np.arange(self.keys.shape[2]) >= self.size[:, :, None]] = 2.0
        return Pool(np.take_along_axis(self.keys, order.argsort(axis=2), axis=2), self.size)


@dataclass(frozen=True)
class Outcome:
    """What one replay of one plan found."""

    solved: int
    """Problems with at least one correct solution."""
    unique: int
    """Unique correct solutions over all problems."""
    worth: float
    """Sum over problems of log(1 + unique correct solutions), the stand-in for a student's gain."""
    spent: float
    draws: tuple[int, ...]
    """(M,) draws of each model."""
    exhausted: int
    """Draws that the plan asked for and the pool did not have: above zero the plan is judged below its worth."""
    problems: int

    @property
    def coverage(self) -> float:
        """Share of problems solved."""
        return self.solved / self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "draws": list(self.draws), "coverage": self.coverage}


def replay(pool: Pool, policy: Policy, charges: Charges, budget: float, rng_seed: int) -> Outcome:
    """Follow a plan on a recorded pool until it is done or the budget is spent.

    Draws come without replacement, in an order that `rng_seed` decides and that is the same for every plan, so that two
    plans under one rng seed can be compared in pairs.

    Args:
        pool: Recorded draws.
        policy: The plan; a fresh one for each replay where it keeps what it has learned.
        charges: Costs per model.
        budget: What may be spent over all problems.
        rng_seed: Decides the order of draws.

    Raises:
        DataError: The plan asked for more than the budget allows.
    """
    tape = Tape(pool.shuffled(rng_seed))
    state, spent, unmet = State.empty(*pool.size.shape), 0.0, np.zeros_like(pool.size)
    while True:
        left = pool.size - state.n
        asked = policy.next_draws(state, budget - spent, left)
        served = np.minimum(asked, left)
        # A plan may ask again for what it did not get; that is still the same draw.
        unmet = np.maximum(unmet, asked - served)
        if not served.any():
            break
        cost = charges.of_batch(state.n, served)
        if spent + cost > budget * (1 + 1e-9):
            raise DataError("a plan asked for more than its budget", f"{spent + cost:g} of {budget:g}", "spend less")
        spent += cost
        state = tape.after(state, served)
    return Outcome(
        int(state.solved.sum()),
        int(state.found.sum()),
        float(np.log1p(state.found).sum()),
        spent,
        tuple(int(count) for count in state.n.sum(axis=0)),
        int(unmet.sum()),
        len(state.n),
    )


class Tape:
    """Counts after any number of draws of a shuffled pool, worked out once."""

    def __init__(self, pool: Pool) -> None:
        P, M, D = pool.keys.shape
        self._keys = pool.keys
        shape = (P, M, D + 1)
        self._c, self._unique, self._once = (np.zeros(shape, dtype=np.int64) for _ in range(3))
        for d in range(D):
            key = pool.keys[:, :, d]
            before = ((pool.keys[:, :, :d] == key[:, :, None]) & (key != WRONG)[:, :, None]).sum(axis=2)
            right = key != WRONG
            self._c[:, :, d + 1] = self._c[:, :, d] + right
            self._unique[:, :, d + 1] = self._unique[:, :, d] + (right & (before == 0))
            self._once[:, :, d + 1] = self._once[:, :, d] + (right & (before == 0)) - (right & (before == 1))

    def after(self, state: State, served: Ints) -> State:
        """The state once `served` (P, M) further draws came in."""
        n = state.n + served
        rows, columns = np.indices(n.shape)
        c, unique, once = (table[rows, columns, n] for table in (self._c, self._unique, self._once))
        found = state.found.copy()
        for p in np.flatnonzero(served.any(axis=1)):
            keys = np.concatenate([self._keys[p, m, : n[p, m]] for m in range(n.shape[1])])
            found[p] = len(set(keys[keys != WRONG].tolist()))
        return State(n, c, unique, once, found)
