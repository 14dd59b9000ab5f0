"""The steps of a recipe in order, and what is wrong with them before anything runs."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from seedbed.steps import Curate, Evaluate, Extrapolate, Repeat, Sample, Step, Train, UseGold
from seedbed.steps.sample import CHOOSING, PLANNED


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step in order of first execution, inner steps after their `repeat`."""
    for step in steps:
        yield step
        if isinstance(step, Repeat):
            yield from walk(step.steps)


def executions(steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """Every step that asks the teacher, as often as it runs at most, with its name: in order of execution."""
    ordinals: Counter[str] = Counter()

    def unrolled(part: Sequence[Step]) -> Iterator[Step]:
        for step in part:
            yield step
            for _ in range(step.rounds if isinstance(step, Repeat) else 0):
                yield from unrolled(step.steps if isinstance(step, Repeat) else ())

    for step in unrolled(steps):
        if step.asks():
            ordinals[step.verb] += 1
            yield f"{step.verb}-{ordinals[step.verb]}", step


def idle_caps(
    steps: Sequence[Step], budget: Mapping[str, Collection[str]], models: Collection[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a cap stands on a step or a model that nothing is asked under, and what may have been meant."""
    if budget["steps"]:
        names = list(dict.fromkeys(name for name, _ in executions(steps)))
        verbs = list(dict.fromkeys(name.rpartition("-")[0] for name in names))
        for name in budget["steps"]:
            if name not in verbs and name not in names:
                close = difflib.get_close_matches(name, verbs + names, n=1)
                meant = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(verbs) or 'none'}"
                yield ("budget", "steps", name), f"no step `{name}` asks the teacher; {meant}"
    for address in budget["models"]:
        if address not in models:
            said = f"no model `{address}` is asked; did you mean `{'` or `'.join(models)}`?"
            yield ("budget", "models", address), said


def order_problems(steps: Sequence[Step]) -> Iterator[str]:
    """What is wrong with the order of steps."""
    flat = list(walk(steps))
    trained = gold = False
    for step in flat:
        trained = trained or isinstance(step, Train)
        gold = gold or isinstance(step, UseGold)
        if isinstance(step, Extrapolate) and step.of == "mistakes" and not step.folds:
            if not trained:
                yield "`extrapolate` needs a student: put `train` before it, or set `folds`"
            if gold:
                yield "`extrapolate` after `use_gold` needs `folds`: a student makes no honest mistakes on its own rows"
    loops = [step for step in flat if isinstance(step, Repeat) and step.rounds > 1]
    if any(_is_gold(inner) for loop in loops for inner in walk(loop.steps)) or sum(map(_is_gold, flat)) > 1:
        yield "`use_gold` would add the same rows twice: put one before the `repeat`"
    evaluations = [number for number, step in enumerate(flat) if isinstance(step, Evaluate)]
    if evaluations and (evaluations != [len(flat) - 1] or steps[-1] is not flat[-1]):
        yield "`evaluate` opens the test split and can only be the last step"
    if evaluations and not trained:
        yield "`evaluate` needs a student: put `train` before it"


def sampling_problems(steps: Sequence[Step], teachers: Mapping[str, str]) -> Iterator[str]:
    """Teachers that `sample` cannot choose between, and a `curate` with nothing to choose from.

    Args:
        steps: Of the recipe.
        teachers: Name to the model and how it samples, as text.
    """
    sampled = False
    for step in walk(steps):
        if isinstance(step, Sample):
            sampled = True
            named = [*step.teachers, *([] if step.strategy in CHOOSING else [step.strategy])]
            if unknown := [name for name in named if name not in teachers]:
                yield f"`sample` names teachers that are not there: {unknown}; there are {list(teachers)}"
                continue
            asked = list(dict.fromkeys(step.candidates(teachers)))
            if len({teachers[name] for name in asked}) < len(asked):
                yield f"of {asked} two are the same model, sampled alike: each reply would be counted as two draws"
            if step.strategy == "cascade" and len(asked) < 2:
                yield f"`cascade` needs two teachers; there is {asked}"
        if isinstance(step, Curate) and not sampled:
            yield "`curate` chooses among sampled solutions: put `sample` before it"
    if clash := sorted({*CHOOSING, PLANNED} & set(teachers)):
        yield f"a teacher cannot be called {clash}: `sample` has strategies of that name, or a comparison a method"


def _is_gold(step: Step) -> bool:
    return isinstance(step, UseGold)
