"""From a pilot to a plan: what each way of spending a budget will yield, with what certainty, and which to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate
from seedbed.randomness import stream
from seedbed.sampling.allocate import Allocator, Charges, Objective, State
from seedbed.sampling.difficulty import LatentClasses, plausible_classes
from seedbed.sampling.novelty import Novelty
from seedbed.sampling.policies import Fixed, even_draws
from seedbed.sampling.replay import Outcome, Pool, replay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WORLDS = 120
"""Bootstrapped pilots, each with a population of problems drawn from what it says."""
PLAYED = 12
"""Of them, how many the adaptive plan is played through in: it has no closed form."""
POPULATION = 1000
"""Problems drawn per world at most; forecasts for more are scaled."""
STAGE = (1, 2, 4, 8, 16)
"""Draws of the weaker model that cascades are tried with."""


@dataclass(frozen=True)
class Option:
    """One way to spend the budget, and what it will yield."""

    name: str
    kind: str
    """`fixed`, `mixture`, `cascade` or `adaptive`."""
    draws: dict[str, float]
    """Draws per problem of each model; of the last model of a cascade and of the adaptive plan, their expected mean."""
    forecast: Estimate
    """Coverage: share of problems solved. Unique, student: the sum over problems. The interval is that of a run."""
    spent: float
    """Expected cost; below the budget where nothing worth buying is left."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        told = {"name": self.name, "kind": self.kind, "draws": self.draws, "spent": self.spent}
        return {**told, "forecast": self.forecast.to_dict()}


@dataclass(frozen=True)
class Plan:
    """What a pilot says about a budget."""

    objective: Objective
    budget: float
    problems: int
    options: tuple[Option, ...]
    """The best forecast first."""
    better: str
    """The model that yields more when the whole budget goes to one model."""
    better_probability: float
    """That it does so in a run, over what the pilot leaves open and the luck of the run."""
    recommended: str
    """Name of the option to take."""

    def option(self, name: str) -> Option:
        """The option of this name."""
        return next(option for option in self.options if option.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "objective": self.objective,
            "budget": self.budget,
            "problems": self.problems,
            "better": self.better,
            "better_probability": self.better_probability,
            "recommended": self.recommended,
            "options": [option.to_dict() for option in self.options],
        }


def plan(
    pilot: State, charges: Charges, budget: float, objective: Objective, *, problems: int, rng_seed: int = 0
) -> Plan:
    """Forecast what a budget yields on further problems: all with one model, mixed, as a cascade, or adaptively.

    For several budgets or objectives keep a `Planner`, which learns from the pilot once. See there for the arguments.
    """
    return Planner(pilot, charges, problems, rng_seed=rng_seed).plan(budget, objective)


class Planner:
    """What a pilot says about further problems, ready to be asked about any budget.

    Pilot problems are resampled, classes fitted anew to each resample, and a population of problems drawn from them, so
    that an interval holds the doubt about the pilot, about the number of classes, and the luck of the run. What the
    pilot's draws are too few to show, such as the coverage at ten times as many, rests on Beta tails.

    Args:
        pilot: Counts of M models on some problems, as many draws each as can be had; the same problems for all models.
        charges: Costs of the models, with their names.
        problems: Further problems, of the kind that the pilot's were drawn from.
        rng_seed: Decides resamples and populations.

    Raises:
        DataError: Fewer than ten pilot problems, or a model without draws.
    """

    def __init__(self, pilot: State, charges: Charges, problems: int, *, rng_seed: int = 0) -> None:
        if pilot.n.shape[1] != len(charges.names) or len(pilot.n) < 10 or not pilot.n.any(axis=0).all():
            raise DataError(
                "a plan needs draws of every model on at least ten problems",
                f"{len(pilot.n)} problems, draws {pilot.n.sum(axis=0).tolist()} for {', '.join(charges.names)}",
                "run a larger pilot",
            )
        self.pilot, self.charges, self.problems, self.rng_seed = pilot, charges, problems, rng_seed
        self._worlds = _worlds(pilot, problems, rng_seed)

    def plan(
        self, budget: float, objective: Objective, *, play: bool = True, sunk: Mapping[str, float] | None = None
    ) -> Plan:
        """Forecast every option for one budget.

        Args:
            budget: For the further problems, in the unit of the costs.
            objective: `coverage`, `unique` or `student`, as in `Allocator`.
            sunk: Of the budget, what was paid to each model already, for draws that count. A plan for one model alone
                has to do without what went to the others.
            play: Play the adaptive plan through as well, which takes seconds; the others take none.

        Raises:
            ConfigError: The budget does not pay for one draw.
        """
        if budget < (self.charges.prompt + self.charges.draw).min():
            raise ConfigError("the budget does not pay for one draw", f"{budget:g}", "raise the budget")
        names = self.charges.names
        setting = _Setting(list(names), self.charges, budget, objective, self.problems, self.rng_seed)
        paid = sunk or {}
        alone = [replace(setting, budget=budget - sum(paid.values()) + paid.get(name, 0.0)) for name in names]
        fixed = [_fixed(own, self._worlds, m) for m, own in enumerate(alone)]
        found = [option for option, _ in fixed]
        if len(names) > 1:
            found += [_fixed(setting, self._worlds, None)[0], *_cascades(setting, self._worlds)]
        if play:
            found.append(_adaptive(setting, self._worlds, self.pilot))
        found.sort(key=lambda option: -option.forecast.value)
        chance = _best_shares(np.array([values for _, values in fixed]))
        best = int(chance.argmax())
        return Plan(
            objective, budget, self.problems, tuple(found), names[best], float(chance[best]), _recommended(found)
        )


def _recommended(found: list[Option]) -> str:
    """The best forecast, unless one that cannot be told from it costs clearly less: what is not spent is won too."""
    best = found[0]
    close = best.forecast.value - 0.1 * (best.forecast.high - best.forecast.low)
    cheaper = [one for one in found if one.forecast.value >= close and one.spent < 0.95 * best.spent]
    return min(cheaper, key=lambda option: option.spent, default=best).name


@dataclass(frozen=True)
class _World:
    """One thing that the pilot may mean: the rates of a population of problems, and how solutions repeat."""

    rates: Floats
    novelty: Novelty
    overlap: float
    """Share of a model's unique solutions that another model did not find as well."""
    rng: np.random.Generator


@dataclass(frozen=True)
class _Setting:
    names: list[str]
    charges: Charges
    budget: float
    objective: Objective
    problems: int
    rng_seed: int

    def share(self, world: _World) -> float:
        """The part of the budget that falls to the problems of a world."""
        return self.budget * len(world.rates) / self.problems

    def value(self, world: _World, right: Ints) -> float:
        """The objective for (P, M) correct draws of a world, for all problems."""
        if self.objective == "coverage":
            return float(right.any(axis=1).mean())
        unique = world.novelty.expected(right)
        many = (right > 0).sum(axis=1) > 1
        found = unique.sum(axis=1) * np.where(many, world.overlap, 1.0)
        total = np.log1p(found).sum() if self.objective == "student" else found.sum()
        return float(total) * self.problems / len(right)

    def of_outcome(self, outcome: Outcome) -> float:
        """The same from a run that was played."""
        if self.objective == "coverage":
            return outcome.coverage
        total = outcome.worth if self.objective == "student" else outcome.unique
        return total * self.problems / outcome.problems

    def estimate(self, values: Floats, method: str) -> Estimate:
        """Mean over worlds with a 95 % interval of runs."""
        middle = float(values.mean())
        if len(values) >= 100:
            low, high = np.quantile(values, [0.025, 0.975])
        else:
            reach = 2.2 * float(values.std(ddof=1))
            low, high = middle - reach, middle + reach
        top = 1.0 if self.objective == "coverage" else np.inf
        return Estimate(middle, max(0.0, float(low)), min(top, float(high)), self.problems, method)


def _worlds(pilot: State, problems: int, rng_seed: int) -> list[_World]:
    fits = plausible_classes(pilot.n, pilot.c, rng_seed=rng_seed)
    P, M = min(problems, POPULATION), pilot.n.shape[1]
    found = []
    for i in range(WORLDS):
        rng = stream(rng_seed, "plan world", i)
        seen = pilot.rows(rng.integers(len(pilot.n), size=len(pilot.n)))
        start = fits[i % len(fits)]
        model = LatentClasses(start.n_classes, rounds=20, tolerance=1e-4).fit(seen.n, seen.c, start=start)
        nothing = np.zeros((P, M), dtype=np.int64)
        both = (seen.unique > 0).sum(axis=1) > 1
        overlap = seen.found[both].sum() / seen.unique[both].sum() if both.any() else 1.0
        novelty = Novelty.fit(seen.c, seen.unique, seen.once)
        found.append(_World(model.draw_rates(nothing, nothing, rng), novelty, float(overlap), rng))
    return found


def _fixed(setting: _Setting, worlds: list[_World], model: int | None) -> tuple[Option, Floats]:
    """All with one model, or a mixture that spends the same on each."""
    M = len(setting.names)
    shares = [1 / M] * M if model is None else [float(m == model) for m in range(M)]
    values = []
    for world in worlds:
        draws = Fixed.spend(setting.charges, shares, setting.share(world), len(world.rates), setting.rng_seed).target
        values.append(setting.value(world, world.rng.binomial(draws, world.rates)))
    mean = {name: float(draws[:, m].mean()) for m, name in enumerate(setting.names) if shares[m]}
    spent = setting.charges.of_batch(np.zeros_like(draws), draws) * setting.problems / len(draws)
    kind = "mixture" if model is None else "fixed"
    name = "uniform mixture" if model is None else f"fixed {setting.names[model]}"
    return Option(name, kind, mean, setting.estimate(np.array(values), "bootstrap"), spent), np.array(values)


def _cascades(setting: _Setting, worlds: list[_World]) -> list[Option]:
    """For each dearer model the best cascade from the cheapest one to it."""
    price = setting.charges.prompt + setting.charges.draw
    weak = int(price.argmin())
    found = []
    for strong in np.argsort(price)[1:]:
        options = [_cascade(setting, worlds, weak, int(strong), first) for first in STAGE]
        paid = [option for option in options if option is not None]
        if paid:
            found.append(max(paid, key=lambda option: option.forecast.value))
    return found


def _cascade(setting: _Setting, worlds: list[_World], weak: int, strong: int, first: int) -> Option | None:
    prompt, draw, most = setting.charges.prompt, setting.charges.draw, setting.charges.most
    if most is not None and first > most:
        return None
    values, second, spent = [], [], []
    for world in worlds:
        P = len(world.rates)
        left = setting.share(world) - P * (prompt[weak] + first * draw[weak])
        if left < 0:
            return None
        right = np.zeros(world.rates.shape, dtype=np.int64)
        right[:, weak] = world.rng.binomial(first, world.rates[:, weak])
        unsolved = world.rng.permutation(np.flatnonzero(right[:, weak] == 0))
        more = even_draws(prompt[strong], draw[strong], left, len(unsolved))
        more = more if most is None else np.minimum(more, most)
        right[unsolved, strong] = world.rng.binomial(more, world.rates[unsolved, strong])
        values.append(setting.value(world, right))
        second.append(more.sum() / P)
        spent.append((setting.share(world) - left + (prompt[strong] * (more > 0) + draw[strong] * more).sum()) / P)
    names = setting.names
    draws = {names[weak]: float(first), names[strong]: float(np.mean(second))}
    name = f"cascade {first} x {names[weak]}, then {names[strong]}"
    forecast = setting.estimate(np.array(values), "bootstrap")
    return Option(name, "cascade", draws, forecast, float(np.mean(spent)) * setting.problems)


def _adaptive(setting: _Setting, worlds: list[_World], pilot: State) -> Option:
    """The allocator played through on simulated draws of some worlds."""
    outcomes, values = [], []
    for i, world in enumerate(worlds[:PLAYED]):
        some = _World(world.rates[:150], world.novelty, world.overlap, world.rng)
        budget = setting.share(some)
        pool = simulated_pool(some.rates, setting.charges.most or 60, some.novelty, some.rng, overlap=some.overlap)
        batch = max(16, len(some.rates) // 2)
        allocator = Allocator(setting.charges, setting.objective, batch=batch, rng_seed=i, pilot=pilot)
        outcomes.append(replay(pool, allocator, setting.charges, budget, i))
        values.append(setting.of_outcome(outcomes[-1]))
    played = outcomes[0].problems
    mean = np.mean([outcome.draws for outcome in outcomes], axis=0) / played
    spent = float(np.mean([outcome.spent for outcome in outcomes])) * setting.problems / played
    forecast = setting.estimate(np.array(values), f"{PLAYED} runs played")
    return Option("adaptive", "adaptive", dict(zip(setting.names, mean.tolist(), strict=True)), forecast, spent)


def simulated_pool(
    rates: Floats, draws: int, novelty: Novelty, rng: np.random.Generator, *, overlap: float = 1.0
) -> Pool:
    """A pool with known rates, to play plans on: (P, M) rates, as many draws of each, solutions that repeat.

    A solution that is not new is a copy of an earlier one of the same model and problem. Of the new ones so many are
    the first model's too that `overlap` of all models' finds are different, where each finds as many.
    """
    P, M = rates.shape
    common = rng.random((P, M, draws)) < (1 - overlap) * M / max(M - 1, 1)
    keys = np.full((P, M, draws), -1, dtype=np.int64)
    right = rng.random((P, M, draws)) < rates[:, :, None]
    unique = np.zeros((P, M))
    for d in range(draws):
        count = (keys[:, :, :d] >= 0).sum(axis=2)
        new = rng.random((P, M)) < novelty.chance(count.astype(float), unique)
        # The nth correct one among those before, n at random.
        nth = (rng.random((P, M)) * np.maximum(count, 1)).astype(int)
        order = np.cumsum(keys[:, :, :d] >= 0, axis=2)
        where = (order <= nth[:, :, None]).sum(axis=2)
        old = np.take_along_axis(keys, np.minimum(where, draws - 1)[:, :, None], axis=2)[:, :, 0]
        number = unique.astype(np.int64)[:, :, None]
        fresh = number[:, :, 0] * M + np.where(np.take_along_axis(common, number, axis=2)[:, :, 0], 0, np.arange(M))
        keys[:, :, d] = np.where(right[:, :, d], np.where(new | (count == 0), fresh, old), -1)
        unique += right[:, :, d] & (new | (count == 0))
    return Pool(keys, np.full((P, M), draws, dtype=np.int64))


def _best_shares(values: Floats) -> Floats:
    """(M,) how often each model yields most, ties shared; never quite 0 or 1, as worlds are finite."""
    best = values == values.max(axis=0)
    wins = (best / best.sum(axis=0)).sum(axis=1)
    found: Floats = (wins + 0.5) / (wins.sum() + 0.5 * len(values))
    return found
