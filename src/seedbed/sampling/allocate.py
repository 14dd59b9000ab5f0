"""Which model to ask next about which problem, so that a unit of cost brings the most.

Every pair of problem and model has an index: the expected gain per unit of cost of its best streak of further draws.
The pairs with the greatest index are drawn first, so marginal values are levelled over problems as water finds its
level: a failure lowers a problem's index, a solved problem has none, and a hopeless one sinks below all others. For one
model whose chance falls with each failure, this order is the best one for every budget at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import ConfigError
from seedbed.randomness import stream
from seedbed.sampling.difficulty import Difficulty, KnownRates, LatentClasses
from seedbed.sampling.novelty import Novelty

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Objective = Literal["coverage", "unique", "student"]

AHEAD = 24
"""The longest streak that is looked ahead. A prompt ten times as dear as a draw is paid back well within it."""
HOPELESS = 1e-3
"""A problem whose next draw would succeed less often than this with every model is left alone."""
IN_FLIGHT = 0.7
"""A second draw of a problem goes out beside the first only where it is worth this share of the problem's index."""
TRIED = 16
"""Draws after which a model is judged by what it did. Before, it is taken for as good as can be, but gets no more than
these, no more of them than a twentieth of the budget pays, and four on a problem at most. So a dear model is tried only
where it could matter at all, and a cheap one is known before much is spent."""
FITTED_ON = 2000
"""Problems that classes are learned from: more of them change no decision and cost seconds per refit."""


class Cost(Protocol):
    """What `costs.SampleCost` offers: cost of the prompt and of one draw, and whether draws share the prompt."""

    @property
    def prompt(self) -> float:
        """Cost of reading the prompt once."""

    @property
    def draw(self) -> float:
        """Cost of writing one solution."""

    @property
    def shared(self) -> bool:
        """True when draws of one problem pay the prompt once."""


@dataclass(frozen=True)
class Charges:
    """What a batch costs, as arrays over models."""

    prompt: Floats
    """(M,) what the first draw of a problem pays on top."""
    draw: Floats
    """(M,) what every draw pays."""
    per_request: bool = False
    """True where coming back to a problem pays the prompt anew, as with a hosted API that takes `n` per request."""
    names: tuple[str, ...] = ()
    """(M,) of the models, for what is shown."""
    most: int | None = None
    """Draws of one model on one problem at most; None for no limit."""

    @classmethod
    def of(cls, costs: Mapping[str, Cost], *, per_request: bool = False, most: int | None = None) -> Charges:
        """Read costs by model; where the prompt is not shared, it is part of every draw.

        Raises:
            ConfigError: A cost is negative, or a draw is free.
        """
        prompt = np.array([cost.prompt if cost.shared else 0.0 for cost in costs.values()])
        draw = np.array([cost.draw + (0.0 if cost.shared else cost.prompt) for cost in costs.values()])
        if not (prompt >= 0).all() or not (draw > 0).all():
            raise ConfigError(
                "every draw must cost something, and no prompt less than nothing", f"draws {draw}, prompts {prompt}"
            )
        return cls(prompt, draw, per_request, tuple(costs), most)

    def first(self, n: Ints) -> Floats:
        """(P, M) what the next draw pays on top of its own cost."""
        return np.where((n == 0) | self.per_request, self.prompt, 0.0)

    def of_batch(self, n: Ints, more: Ints) -> float:
        """Cost of `more` (P, M) draws after n (P, M)."""
        return float((more * self.draw).sum() + (self.first(n) * (more > 0)).sum())


@dataclass(frozen=True)
class State:
    """What a run has found so far."""

    n: Ints
    """(P, M) draws."""
    c: Ints
    """(P, M) correct ones."""
    unique: Ints
    """(P, M) unique correct solutions of each model."""
    once: Ints
    """(P, M) of these, how many came exactly once."""
    found: Ints
    """(P,) unique correct solutions over all models."""

    @classmethod
    def empty(cls, problems: int, models: int) -> State:
        """Nothing drawn yet."""
        zero = np.zeros((problems, models), dtype=np.int64)
        return cls(zero, zero, zero, zero, np.zeros(problems, dtype=np.int64))

    @classmethod
    def of_counts(cls, n: ArrayLike, c: ArrayLike) -> State:
        """Only draws and correct ones are known; every correct one is taken for unique."""
        draws, right = np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64)
        return cls(draws, right, right, right, right.sum(axis=1))

    def rows(self, chosen: Ints) -> State:
        """The same for some of the problems."""
        return State(self.n[chosen], self.c[chosen], self.unique[chosen], self.once[chosen], self.found[chosen])

    def beside(self, other: State) -> State:
        """These problems and then the other ones."""
        pairs = ((self.n, other.n), (self.c, other.c), (self.unique, other.unique), (self.once, other.once))
        n, c, unique, once = (np.concatenate(pair) for pair in pairs)
        return State(n, c, unique, once, np.concatenate([self.found, other.found]))

    @property
    def solved(self) -> NDArray[np.bool_]:
        """(P,) whether any model solved it."""
        return np.asarray(self.c.any(axis=1))


@dataclass
class Allocator:
    """Chooses batch after batch of a run, and learns again as counts grow.

    Args:
        charges: Costs of the models.
        objective: `coverage`: problems solved at least once. `unique`: unique correct solutions over all problems.
            `student`: sum over problems of log(1 + unique correct solutions), a stated stand-in for what a student
            gains: the first solution of a problem counts most, and no problem may fill the training set alone.
        difficulty: What is known of the problems. With None, `n_classes` latent classes are learned from the run.
        batch: Draws in flight at most.
        rng_seed: Breaks ties between problems that look alike, so that a run cut short has drawn a random part.
        pilot: Counts on other problems of the same kind, to learn from as well.
    """

    charges: Charges
    objective: Objective = "coverage"
    difficulty: Difficulty | None = None
    batch: int = 64
    n_classes: int = 3
    rng_seed: int = 0
    pilot: State | None = None

    def __post_init__(self) -> None:
        if self.objective not in ("coverage", "unique", "student"):
            raise ConfigError("unknown objective", str(self.objective), "choose coverage, unique or student")
        self._known: _Known | None = None
        self._enough: Ints | None = None

    def next_draws(self, state: State, budget: float, limits: ArrayLike | None = None) -> Ints:
        """The draws to ask for next.

        Args:
            state: Counts so far.
            budget: What may still be spent, in the unit of the costs.
            limits: (P, M) draws that can still be had, for recorded pools; None for no limit.

        Returns:
            (P, M) draws, at most `batch` together and within the budget; all zero when nothing worth its cost is left.
        """
        room = np.full(state.n.shape, AHEAD) if limits is None else np.minimum(np.asarray(limits), AHEAD)
        if self.charges.most is not None:
            room = np.minimum(room, np.maximum(self.charges.most - state.n, 0))
        if self._enough is None:
            paid = 0.05 * budget / (self.charges.prompt + self.charges.draw)
            self._enough = np.clip(paid.astype(np.int64), 2, TRIED) if self.difficulty is None else state.n[0] * 0
        drawn = state.n.sum(axis=0) + (0 if self.pilot is None else self.pilot.n.sum(axis=0))
        new = drawn < self._enough
        room[:, new] = np.minimum(room[:, new], 4)
        known = self._learn(state, drawn, self._enough)
        changed = np.flatnonzero((known.n != state.n).any(axis=1))
        if len(changed):
            self._value(known, state, room, changed, new)
        index = np.where(self.charges.first(state.n) + self.charges.draw > budget, 0.0, known.index)
        return self._fill(known, index, room, budget, self._enough - drawn)

    def _learn(self, state: State, drawn: Ints, enough: Ints) -> _Known:
        """Learn again once some model has half as many draws more: beliefs move with the logarithm of the counts."""
        known = self._known
        if known is None or (drawn >= 1.5 * known.learned_at + np.maximum(enough, 2)).any():
            ties = stream(self.rng_seed, "allocation ties").permutation(len(state.n))
            seen = (
                state.rows(ties[:FITTED_ON]) if self.pilot is None else state.rows(ties[:FITTED_ON]).beside(self.pilot)
            )
            belief = self.difficulty
            if belief is None:
                start = known.belief if known is not None and isinstance(known.belief, LatentClasses) else None
                model = LatentClasses(self.n_classes, rng_seed=self.rng_seed, tolerance=1e-4, rounds=60)
                belief = model.fit(seen.n, seen.c, start=start)
            novelty = Novelty.fit(seen.c, seen.unique, seen.once)
            known = self._known = _Known.empty(belief, novelty, drawn, ties, state.n.shape)
        return known

    def _value(self, known: _Known, state: State, room: Ints, rows: Ints, new: NDArray[np.bool_]) -> None:
        """Work out gains and indices of the problems whose counts have changed."""
        n, c = state.n[rows], state.c[rows]
        belief = KnownRates(known.belief.rates[rows]) if isinstance(known.belief, KnownRates) else known.belief
        success = belief.success(n, c)
        success[:, new] = 1.0
        if self.objective == "coverage":
            fail = belief.unsolved(n, c, np.arange(AHEAD + 1))
            # A flat prior where a request holds several draws, so that their number is not chosen by wishful thinking.
            fail[:, new] = 1 / np.arange(1, AHEAD + 2) if self.charges.per_request else np.arange(AHEAD + 1) == 0
            gain, pay = -np.diff(fail, axis=2), fail[:, :, :-1]
        else:
            gain = _unique_gains(success, state, rows, known.novelty, concave=self.objective == "student")
            pay = np.ones_like(gain)
        # One request pays for all its draws; single draws stop at the first success.
        pay = np.ones_like(gain) if self.charges.per_request else pay
        cost = self.charges.first(n)[:, :, None] + self.charges.draw[:, None] * np.cumsum(pay, axis=2)
        cost[np.arange(AHEAD) >= room[rows][:, :, None]] = np.inf
        index = (np.cumsum(gain, axis=2) / cost).max(axis=2)
        index[success.max(axis=1) < HOPELESS] = 0.0
        if self.objective == "coverage":
            index[state.solved[rows]] = 0.0
        known.n[rows], known.gain[rows], known.cost[rows], known.index[rows] = n, gain, cost, index

    def _fill(self, known: _Known, index: Floats, room: Ints, budget: float, trial: Ints) -> Ints:
        """The batch: best model of each problem, draws in falling order of gain per cost, as far as the budget goes."""
        best = index.argmax(axis=1)
        top = index[np.arange(len(best)), best]
        order = known.ties[np.argsort(-top[known.ties], kind="stable")][: self.batch]
        order = order[top[order] > 0]
        model, steps = best[order], np.arange(AHEAD)
        gain, room_left = known.gain[order, model], room[order, model][:, None]
        # The draws of one request share its index. Any further draw in flight is worth what it adds if all before it
        # run too, and is left for later once it is likely to be wasted.
        once = known.streaks(order, model, self._level(known, index, budget)) if self.charges.per_request else 1
        worth = np.where(steps < np.reshape(once, (-1, 1)), top[order, None], gain / self.charges.draw[model][:, None])
        worth = np.minimum.accumulate(np.where(steps < room_left, worth, 0.0), axis=1)
        worth[worth < IN_FLIGHT * top[order, None]] = 0.0
        price = np.repeat(self.charges.draw[model][:, None], AHEAD, axis=1)
        price[:, 0] += self.charges.first(known.n[order])[np.arange(len(order)), model]
        if not self.charges.per_request:
            # Among equals first one draw of each problem, then second ones.
            worth, price = worth.T, price.T
        flat = np.argsort(-worth, axis=None, kind="stable")
        flat = flat[worth.ravel()[flat] > 0]
        row = flat // AHEAD if self.charges.per_request else flat % max(len(order), 1)
        if self.charges.per_request:
            flat, row = _whole(flat, row, flat % AHEAD < np.reshape(once, -1)[row], self.batch)
        flat, row = flat[: self.batch], row[: self.batch]
        for m in np.flatnonzero(trial > 0):
            on_trial = model[row] == m
            kept = ~on_trial | (np.cumsum(on_trial) <= trial[m])
            flat, row = flat[kept], row[kept]
        paid = np.cumsum(price.ravel()[flat]) <= budget
        row = row[paid]
        draws = np.zeros_like(known.n)
        np.add.at(draws, (order[row], model[row]), 1)
        return draws

    def _level(self, known: _Known, index: Floats, budget: float) -> float:
        """The water level: the gain per unit of cost at which the best streaks of all problems use up the budget."""
        if 0.95 * known.level_at < budget <= known.level_at:
            return known.level
        rows = np.flatnonzero(index.max(axis=1) > 0)
        model = index[rows].argmax(axis=1)
        low, high = 1e-6 * index.max(initial=1e-300), index.max(initial=1e-300)
        for _ in range(25):
            known.level = float(np.sqrt(low * high))
            length = known.streaks(rows, model, known.level)
            if known.cost[rows, model, length - 1].sum() > budget:
                low = known.level
            else:
                high = known.level
        # The side that the budget pays for: too short a streak is gone on with, too long a one starves others.
        known.level, known.level_at = float(high), budget
        return known.level


@dataclass
class _Known:
    """What an allocator knows between two batches; rows of `n` differ from the state where it is out of date."""

    belief: Difficulty
    novelty: Novelty
    learned_at: Ints
    ties: Ints
    n: Ints
    gain: Floats
    """(P, M, AHEAD) expected gain of the first, second, ... further draw, if all before it run."""
    cost: Floats
    """(P, M, AHEAD) expected cost of a streak of one, two, ... draws."""
    index: Floats
    """(P, M) greatest gain per cost of any streak."""
    level: float = 0.0
    level_at: float = 0.0

    @classmethod
    def empty(
        cls, belief: Difficulty, novelty: Novelty, learned_at: Ints, ties: Ints, shape: tuple[int, int]
    ) -> _Known:
        """Nothing valued yet: -1 draws are no state's."""
        long = np.zeros((*shape, AHEAD))
        return cls(belief, novelty, learned_at, ties, np.full(shape, -1), long, long.copy(), np.zeros(shape))

    def streaks(self, rows: Ints, model: Ints, level: float) -> Ints:
        """(R,) length of the streak that brings most beyond its cost at this level.

        Coming back costs another prompt, so a request takes as many draws as the budget will pay in the end, not as few
        as the best ratio has.
        """
        value = np.cumsum(self.gain[rows, model], axis=1) - level * self.cost[rows, model]
        return np.asarray(value.argmax(axis=1) + 1)


def _whole(flat: Ints, row: Ints, own: NDArray[np.bool_], batch: int) -> tuple[Ints, Ints]:
    """The first of the draws `flat`, without a request that the end of the batch would cut in two.

    The rest of it would have to come back and pay the prompt again. A single request longer than a batch is cut.
    """
    cut = np.isin(row, row[batch:][own[batch:]])
    if cut[:batch].all():
        return flat, row
    return flat[:batch][~cut[:batch]], row[:batch][~cut[:batch]]


def next_draws(
    state: State,
    costs: Mapping[str, Cost],
    budget: float,
    objective: Objective,
    *,
    difficulty: Difficulty | None = None,
    batch: int = 64,
    rng_seed: int = 0,
) -> Ints:
    """The next batch of draws (P, M) with the greatest expected gain per unit of cost, within the budget left.

    For a whole run keep an `Allocator`, which learns from all counts without starting anew each time.
    """
    charges = Charges.of(costs)
    return Allocator(charges, objective, difficulty, batch, rng_seed=rng_seed).next_draws(state, budget)


def _unique_gains(success: Floats, state: State, rows: Ints, novelty: Novelty, *, concave: bool) -> Floats:
    """(R, M, AHEAD) expected new unique solutions of the first, second, ... draw; or their logarithmic worth."""
    c, unique = state.c[rows].astype(float), state.unique[rows].astype(float)
    # Two models find some solutions twice. The share of finds that were new to the pool scales all expectations alike.
    finds = unique.sum(axis=1)
    share = np.where(finds > 0, state.found[rows] / np.maximum(finds, 1), 1.0)[:, None]
    found = np.repeat(state.found[rows][:, None].astype(float), c.shape[1], axis=1)
    gain = np.empty((*c.shape, AHEAD))
    for step in range(AHEAD):
        new = success * novelty.chance(c, unique)
        fresh = new * share
        gain[:, :, step] = np.log1p(fresh / (1 + found)) if concave else fresh
        c, unique, found = c + success, unique + new, found + fresh
    return gain
