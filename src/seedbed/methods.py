"""The baselines a recipe must be held against, as recipes of their own at the same teacher budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from seedbed.errors import ConfigError
from seedbed.recipe import Recipe, walk
from seedbed.steps import AnyStep, Evaluate, Extrapolate, Feedback, Repeat, Sample, Step, Synthesise, Train, UseGold
from seedbed.steps.sample import PLANNED

S = TypeVar("S", bound=Step)

METHODS: dict[str, str] = {
    "s3": "the recipe itself",
    "gold": "the steering gold alone, no teacher",
    "zerogen": "rows by label alone, no rationales, no rounds (arXiv:2202.07922)",
    "plain": "the recipe's seed step with the whole budget: S3 without extrapolation, the same-size control",
    "goldgen": "every steering gold row extrapolated, right or wrong (the paper's GoldGen)",
    "progen": "in-context feedback from synthetic rows, no gold (arXiv:2210.12329)",
    "plain+gold": "the same-size control, trained on the steering gold too",
    "s3+gold": "S3 whose student also trains on the steering gold; mistakes by cross-validation",
}


BASELINES = ("plain", "gold", "plain+gold")
"""What S3 must beat before it is said to help: the same number of plain rows, the gold alone, and both."""


@dataclass(frozen=True)
class Family:
    """What a recipe can be held against."""

    methods: Mapping[str, str]
    """Name to what it is. The first is the recipe itself."""
    baselines: tuple[str, ...]
    """What a method must beat, each of them, before it is said to help."""

    @property
    def itself(self) -> str:
        """The name of the recipe itself."""
        return next(iter(self.methods))


def family(recipe: Recipe) -> Family:
    """The methods a recipe is compared with: S3's baselines, or for one that samples, each teacher alone.

    All of the budget on one teacher, as many draws of each problem, is what Bansal et al. 2024 (arXiv:2408.16737)
    compare: the student trained on either pool takes the same steps.
    """
    if not any(isinstance(step, Sample) for step in walk(recipe.steps)):
        return Family(METHODS, BASELINES)
    alone = {name: f"the whole budget on {name}, all problems alike" for name in recipe.by_name}
    return Family({PLANNED: "the recipe itself", **alone}, tuple(alone))


def method_recipe(recipe: Recipe, method: str, requests: int) -> Recipe:
    """The recipe of one method at a given teacher budget.

    Args:
        recipe: The recipe that is compared: one that samples, or an S3 recipe, which has a `synthesise` step and, in a
            `repeat`, an `extrapolate` step.
        method: One of the recipe's `family`.
        requests: Requests that the method may send, the same for all of them.

    Returns:
        A recipe with the same task, gold, teacher, student and seed, named after the method.

    Raises:
        ConfigError: The method is unknown, or the recipe lacks the steps to derive it from.
    """
    known = family(recipe)
    if method not in known.methods:
        raise ConfigError("there is no such method", method, f"use some of {list(known.methods)}")
    _the(recipe, Evaluate)
    update: dict[str, Any] = {"name": f"{recipe.name}-{method.replace('+', '-and-')}", "steps": recipe.steps}
    if known.baselines is not BASELINES:
        if method != known.itself:
            update["steps"] = tuple(_alone(step, method) for step in recipe.steps)
        return recipe.model_copy(update=update)
    if method != known.itself:
        update["steps"] = tuple(_steps(recipe, method, requests))
    if not method.startswith("s3"):
        # Their requests are those that S3 sent under its caps; a cap on one of S3's steps says nothing about theirs.
        update["budget"] = recipe.budget.model_copy(update={"steps": {}})
    return recipe.model_copy(update=update)


def is_applicable(recipe: Recipe, method: str, *, has_context: bool) -> bool:
    """False where a method is not defined for the task: ProGen writes single texts only."""
    return not (method == "progen" and has_context) and not (method == "s3+gold" and _uses_gold(recipe))


def _alone(step: AnyStep, teacher: str) -> AnyStep:
    return step.model_copy(update={"strategy": teacher}) if isinstance(step, Sample) else step


def _uses_gold(recipe: Recipe) -> bool:
    return any(isinstance(step, UseGold) for step in walk(recipe.steps))


def _steps(recipe: Recipe, method: str, requests: int) -> Sequence[AnyStep]:
    seed = _the(recipe, Synthesise)
    ending: list[AnyStep] = [Train(), _the(recipe, Evaluate)]
    match method:
        case "gold":
            return [UseGold(), *ending]
        case "zerogen":
            return [Synthesise(requests=requests), *ending]
        case "plain":
            return [seed.model_copy(update={"requests": requests, "rows": None}), *ending]
        case "plain+gold":
            return [seed.model_copy(update={"requests": requests, "rows": None}), UseGold(), *ending]
        case "s3+gold":
            return _with_gold(recipe.steps)
        case "goldgen":
            return [seed, Train(), Extrapolate(of="all", requests=_left(recipe, seed, requests)), *ending]
        case _:
            rounds = _the(recipe, Repeat).rounds
            each = max(_left(recipe, seed, requests) // rounds, 1)
            loop = Repeat(rounds=rounds, steps=(Feedback(requests=each), Train()))
            return [seed, Train(), loop, ending[-1]]


def _left(recipe: Recipe, seed: Synthesise, requests: int) -> int:
    """What the seed step leaves of the budget."""
    spent = seed.requests if seed.requests is not None else seed.rows or 0
    if requests <= spent:
        raise ConfigError(
            "the budget is spent by the seed step alone",
            f"{requests} requests, {spent} for seed rows",
            f"lower the seed step of {recipe.name}, or leave goldgen and progen out with --methods",
        )
    return requests - spent


def _the(recipe: Recipe, kind: type[S]) -> S:
    found = next((step for step in walk(recipe.steps) if isinstance(step, kind)), None)
    if found is None:
        verb = kind.model_fields["verb"].default
        raise ConfigError(
            "baselines are derived from an S3 recipe",
            f"{recipe.name} has no `{verb}` step",
            "compare a recipe with `synthesise`, then `repeat` with `extrapolate` and `train`, then `evaluate`",
        )
    return found


def _with_gold(steps: Sequence[AnyStep]) -> list[AnyStep]:
    """The same steps with gold among the training rows from the start, and mistakes found by cross-validation."""
    made: list[AnyStep] = [UseGold()]
    for step in steps:
        if isinstance(step, Repeat):
            made.append(step.model_copy(update={"steps": tuple(_folded(inner) for inner in step.steps)}))
        else:
            made.append(_folded(step))
    return made


def _folded(step: AnyStep) -> AnyStep:
    if isinstance(step, Extrapolate) and step.of == "mistakes" and not step.folds:
        return step.model_copy(update={"folds": 5})
    return step
