"""From a recipe to everything a run needs, all of it checked, nothing written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from seedbed.errors import ConfigError, DataError, SeedbedError
from seedbed.evaluation.gold import Gold, Size, seal, split_gold
from seedbed.evaluation.leakage import find_leaks
from seedbed.fingerprint import fingerprint
from seedbed.models import flops_per_token, open_model, price_of
from seedbed.models.worlds import World, open_world
from seedbed.pocket.problems import write as write_problems
from seedbed.randomness import stream
from seedbed.recipe import GoldSettings, Recipe, walk
from seedbed.rows import gold_rows, read_table, targets
from seedbed.steps import Evaluate, Feedback, Repeat, Sample, Train, UseRows
from seedbed.steps.draws import HOW_KNOWN
from seedbed.steps.sample import CHOOSING, FEWEST
from seedbed.synthesis.prompts import check_prompts
from seedbed.task import Task, load_task
from seedbed.verification.solutions import unreadable_answers

Log = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Prepared:
    """A recipe with its task, its gold split for this run, and its real contexts."""

    recipe: Recipe
    task: Task
    gold: Gold
    contexts: Sequence[str]
    identity: str
    world: World | None
    """The known world the gold comes from, if it does: then the truth about every row is known."""
    addresses: Mapping[str, str]
    """A teacher's address in the recipe to the one its answers are kept under; the same where it was not opened."""


def prepare(recipe: Recipe, log: Log, *, with_teacher: bool = True) -> Prepared:
    """Read the task and the gold rows, split them, and check that they fit.

    Args:
        recipe: A recipe whose form is right.
        log: Called with an event whenever the test split is opened, then or later.
        with_teacher: Also check that the teacher can be opened: its address, its key. Nothing is sent.

    Raises:
        ConfigError, DataError: What is wrong with the task, the gold or the contexts; all of it at once where one
            problem does not hide the next.
    """
    task = _task(recipe)
    problems: list[SeedbedError] = []
    world = _world(recipe.gold.source)
    gold: Gold | None = None
    contexts: Sequence[str] = ()
    try:
        check_prompts(task)
    except SeedbedError as error:
        problems.append(error)
    try:
        gold = _split(task, recipe, log)
        contexts = _contexts(task, recipe, gold)
        problems.extend(_size_problems(recipe, gold))
    except SeedbedError as error:
        problems.append(error)
    problems.extend(_student_problems(task, recipe) + _step_problems(task, recipe) + _price_problems(recipe))
    addresses: dict[str, str] = {}
    for one in recipe.by_name.values():
        addresses[one.model] = one.model
        try:
            if with_teacher:
                # That of a recorded file or of a checkpoint in a folder names the content.
                addresses[one.model] = open_model(one.model, settings=one.endpoint).address
        except SeedbedError as error:
            problems.append(error)
    brought: list[str] = []
    try:
        brought = [
            fingerprint(step.read(task)["id"].to_list()) for step in walk(recipe.steps) if isinstance(step, UseRows)
        ]
    except SeedbedError as error:
        problems.append(error)
    if problems or gold is None:
        raise _together(problems)
    return Prepared(
        recipe,
        task,
        gold,
        contexts,
        recipe.identity(task, [_fingerprint(task, recipe, gold, contexts), *brought], addresses),
        world,
        addresses,
    )


def _fingerprint(task: Task, recipe: Recipe, gold: Gold, contexts: Sequence[str]) -> str:
    """Which rows went where; an id says what a row held before labels were made wrong, so those are named as well."""
    parts = (gold.steer, gold.select)
    found: list[Any] = [[part["id"].to_list() for part in parts], gold.test.fingerprint]
    if recipe.gold.label_noise:
        found.append([part[task.target].to_list() for part in parts])
    if recipe.contexts is not None:
        found.append(list(contexts))
    return fingerprint(found)


def _together(problems: list[SeedbedError]) -> SeedbedError:
    problems = list({str(problem): problem for problem in problems}.values())
    if len(problems) == 1:
        return problems[0]
    return ConfigError(
        f"{len(problems)} problems",
        "\n        ".join(f"{p.problem} ({p.seen})" for p in problems),
        "\n        ".join(p.fix for p in problems),
    )


def _task(recipe: Recipe) -> Task:
    if isinstance(recipe.task, Task):
        return recipe.task
    world = _world(recipe.task)
    return world.task if world else load_task(Path(recipe.task))


def _world(source: str) -> World | None:
    return open_world(source.removeprefix("sim:").partition("?")[0]) if source.startswith("sim:") else None


def _student_problems(task: Task, recipe: Recipe) -> list[SeedbedError]:
    kind, steps = recipe.student.kind, walk(recipe.steps)
    fitting = {"extractive_qa": ["reader"], "reasoning": ["lm"]}.get(task.kind, ["linear", "embedding", "encoder"])
    if kind in fitting or not any(isinstance(step, Train | Evaluate) for step in steps):
        return []
    return [
        ConfigError("the student cannot do the task", f"a {kind} for {task.kind}", f"student: {' or '.join(fitting)}")
    ]


def _price_problems(recipe: Recipe) -> list[SeedbedError]:
    """Teachers whose draws cannot be counted in the unit of a step's budget."""
    found: list[SeedbedError] = []
    for step in walk(recipe.steps):
        if isinstance(step, Sample) and step.budget is not None:
            for name in step.candidates(recipe.by_name):
                one = recipe.by_name[name]
                unit = step.budget.unit
                known = {"usd": price_of, "flops": flops_per_token}.get(unit)
                try:
                    if known is not None and known(one.model, one.endpoint) is None:
                        what, seen = f"the {unit} of a teacher's draws are not known", f"{name} ({one.model})"
                        found.append(ConfigError(what, seen, HOW_KNOWN[unit]))
                except SeedbedError as error:
                    found.append(error)
    return found


def _step_problems(task: Task, recipe: Recipe) -> list[SeedbedError]:
    steps = list(walk(recipe.steps))
    strange = [step.verb for step in steps if task.kind not in step.kinds]
    if strange:
        seen = f"{', '.join(dict.fromkeys(strange))}; the task is {task.kind}"
        fix = "reasoning has no verbs that write or check single rows; sample and curate are its own"
        return [ConfigError("a verb is not for this kind of task", seen, fix)]
    if task.answer == "program" and any(isinstance(one, Sample) and one.accept == "majority" for one in steps):
        seen, fix = "accept: majority for answer: program", "take accept: correct, or all"
        return [ConfigError("programs say nothing that a vote could count", seen, fix)]
    if task.context is None or not any(isinstance(step, Feedback) for step in walk(recipe.steps)):
        return []
    fix = "use `synthesise` for more rows instead"
    return [ConfigError("feedback writes single texts with labels", f"the task has the context {task.context!r}", fix)]


def _size_problems(recipe: Recipe, gold: Gold) -> list[SeedbedError]:
    """What would otherwise be found when everything has been paid for."""
    problems: list[SeedbedError] = []
    steps = list(walk(recipe.steps))
    if any(isinstance(step, Evaluate) for step in steps) and gold.test.n < 2:
        problems.append(ConfigError("`evaluate` needs test rows", f"{gold.test.n}", "raise gold.test to 2 at least"))
    stops = any(isinstance(step, Repeat) and step.stop_without_gain for step in steps)
    if stops and gold.select.height < 2:
        seen, fix = f"gold.select is {gold.select.height}", "raise it to 2 at least; a gain shows on a hundred or more"
        problems.append(ConfigError("`stop_without_gain` needs select rows", seen, fix))
    least = max((FEWEST if one.strategy in CHOOSING else 1 for one in steps if isinstance(one, Sample)), default=0)
    if gold.steer.height < least:
        seen, fix = f"gold.steer is {gold.steer.height}", f"raise it to {least} at least"
        problems.append(ConfigError("`sample` solves the steering gold, and there is too little of it", seen, fix))
    return problems


def _load(task: Task, source: str, settings: GoldSettings, *, rows: int | None) -> pl.DataFrame:
    if world := _world(source):
        if rows is None:
            raise ConfigError(
                "gold from a known world has no size of its own", source, "add gold.rows, e.g. rows: 3000"
            )
        return _world_gold(world.name, rows, settings.rng_seed)
    if source.startswith("pocket:"):
        return _pocket_gold(task, source, rows, settings)
    found = gold_rows(task, read_table(source), columns=settings.columns, labels=settings.labels, source=source)
    if task.kind == "reasoning":
        _check_answers(task, found[task.target].to_list(), source)
    if rows is not None and rows < found.height:
        found = found[sorted(stream(settings.rng_seed, "take").choice(found.height, rows, replace=False).tolist())]
    return found


def _check_answers(task: Task, right: Sequence[str], source: str) -> None:
    """Refuse right answers that no solution could be held against, before any solution is paid for."""
    if odd := unreadable_answers(task, right):
        raise DataError(
            f"{source} has right answers that cannot be read as {task.answer}",
            f"{len(odd)} of {len(right)} rows, first at row {odd[0][0] + 1}: {odd[0][1][:80]!r}",
            "correct or drop them, or set the task's `answer` to what they are",
        )


def _pocket_gold(task: Task, source: str, rows: int | None, settings: GoldSettings) -> pl.DataFrame:
    """Word problems that no pocket model was trained on, `pocket:problems` or, say, `pocket:problems?steps=3-5`."""
    matched = re.fullmatch(r"pocket:problems(?:\?steps=(\d)-(\d))?", source)
    if matched is None or rows is None or task.kind != "reasoning":
        seen = f"{source}, gold.rows {rows}, task {task.kind}"
        fix = "source: pocket:problems (or pocket:problems?steps=3-5), rows: 600, for a reasoning task"
        raise ConfigError("the pocket models' word problems need a size and a reasoning task", seen, fix)
    steps = (int(matched[1]), int(matched[2])) if matched[1] else (2, 6)
    made = write_problems(rows, settings.rng_seed, steps)
    columns = {task.written: [one.text for one in made], "solution": [one.solution for one in made]}
    return gold_rows(task, pl.DataFrame({**columns, "answer": [one.answer for one in made]}), source=source)


@lru_cache(maxsize=4)
def _world_gold(name: str, rows: int, rng_seed: int) -> pl.DataFrame:
    """Gold rows of a known world; a comparison asks for the same ones for every method and seed."""
    world = open_world(name)
    return gold_rows(world.task, world.gold(rows, rng_seed), source=f"sim:{name}")


def _split(task: Task, recipe: Recipe, log: Log) -> Gold:
    """Seal the test rows first, by the gold's own seed; then deal steer and select by the run's."""
    settings = recipe.gold
    found = _load(task, settings.source, settings, rows=settings.rows)
    wanted = settings.steer + settings.select
    if settings.test_source is not None:
        if _world(settings.test_source):
            fix = "leave gold.test_source out: gold.test takes rows of the world for the test"
            raise ConfigError("a known world is no source of test rows alone", settings.test_source, fix)
        test = _load(task, settings.test_source, settings, rows=None)
        pool, sealed = _apart_from(task, found, test, log), seal(test, log)
    else:
        # With a test size given, steer and select are drawn from all other rows: another rng seed, other gold.
        pool_size: Size = "rest" if isinstance(settings.test, int) else wanted
        outer = split_gold(
            task, found, steer=pool_size, select=0, test=settings.test, rng_seed=settings.rng_seed, log=log
        )
        pool, sealed = outer.steer, outer.test
    inner = split_gold(
        task, pool, steer=settings.steer, select=settings.select, test=0, rng_seed=recipe.rng_seed, log=log
    )
    steer, select = (_with_noise(task, part, recipe) for part in (inner.steer, inner.select))
    return Gold(steer, select, sealed)


def _apart_from(task: Task, pool: pl.DataFrame, test: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The gold rows that repeat nothing of the test rows: two sources of one task often share rows or passages."""
    shared = {leak.id for leak in find_leaks(task, pool, test)}
    if shared:
        log({"event": "gold left out", "rows": len(shared), "why": "a context or text of the test rows"})
    return pool.filter(~pl.col("id").is_in(list(shared)))


def _with_noise(task: Task, rows: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    share = recipe.gold.label_noise
    if not share or task.kind != "classification" or not rows.height:
        return rows
    rng = stream(recipe.rng_seed, "label noise", rows["id"][0])
    names, noisy = list(task.labels), []
    for label in targets(task, rows):
        others = [name for name in names if name != label]
        noisy.append(others[int(rng.integers(len(others)))] if rng.random() < share else label)
    return rows.with_columns(pl.Series(task.target, noisy))


def _contexts(task: Task, recipe: Recipe, gold: Gold) -> Sequence[str]:
    if task.context is None:
        return ()
    if recipe.contexts is None:
        return list(dict.fromkeys(gold.steer[task.context].to_list()))
    if world := _world(recipe.contexts):
        return world.contexts(1000, recipe.gold.rng_seed + 1)
    table = read_table(recipe.contexts)
    if task.context not in table.columns:
        raise DataError(
            "the contexts lack their column",
            f"missing {task.context!r}; found {table.columns}",
            f"name the column {task.context!r}",
        )
    return [text for text in table[task.context].cast(pl.String).to_list() if text and text.strip()]
