"""A recipe: task, gold, teacher, student, budget and a list of steps, checked whole before anything runs."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from seedbed.budget import Budget, Caps
from seedbed.errors import ConfigError
from seedbed.fingerprint import fingerprint
from seedbed.ledger import Ledger
from seedbed.models import Endpoint
from seedbed.steps import (
    AnyStep,
    Curate,
    Evaluate,
    Extrapolate,
    Repeat,
    Sample,
    Step,
    Train,
    UseGold,
    UseRows,
)
from seedbed.steps.sample import CHOOSING
from seedbed.students import LinearSettings, StudentSettings
from seedbed.task import Task


class Settings(BaseModel):
    """Frozen settings; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldSettings(Settings):
    """Where trusted rows come from, and what each of them may be used for."""

    source: str
    """A file (.jsonl, .csv, .parquet), `hf:NAME[:CONFIG][@SPLIT]`, or `sim:WORLD` for rows of a known world."""
    rows: int | None = Field(None, ge=1)
    """Rows to draw from a known world; with a file, take only so many."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Task column to the source's column, where they differ."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The source's label value to the task's label name, where they differ."""
    steer: int = Field(ge=0)
    """Rows whose mistakes tell the teacher what to write."""
    select: int = Field(0, ge=0)
    """Rows that choose checkpoints and stop rounds."""
    test: int | Literal["rest"] = "rest"
    """Sealed rows, opened once at the end."""
    test_source: str | None = None
    """Test rows from a source of their own; `source` then feeds `steer` and `select` only."""
    rng_seed: int = 0
    """Decides the test split. It is not the run's rng seed: the test rows stay the same over all seeds of a run."""
    label_noise: float = Field(0.0, ge=0, lt=1)
    """Share of `steer` and `select` rows whose label is replaced by a wrong one: a stress test, never for real work."""


_ADDRESS = re.compile(r"(sim|recorded|openai|anthropic|hf|pocket|vllm):.+|https?://[^#]+#.+", re.S)


class TeacherSettings(Settings):
    """Which model writes, how it samples, and how it is reached."""

    model: str
    """`sim:WORLD`, `openai:NAME`, `anthropic:NAME`, `http://HOST:PORT/v1#NAME`, `hf:NAME` or `hf:FOLDER` (in this
    process), `pocket:weak|strong|base`, `vllm:NAME` or `recorded:FILE`."""
    temperature: float = Field(0.9, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(512, ge=1)
    endpoint: Endpoint = Endpoint()
    """Where and how fast; never part of the identity of a reply."""

    @field_validator("model")
    @classmethod
    def _is_address(cls, model: str) -> str:
        if not _ADDRESS.fullmatch(model):
            raise ValueError(
                "no model can be at such an address: "
                "use sim:WORLD, pocket:NAME, openai:NAME, http://HOST:PORT/v1#NAME, hf:NAME, ..."
            )
        return model


class BudgetSettings(Caps):
    """Caps on what a run may use. The worst case is reserved before sending, so a cap holds under any concurrency."""

    steps: dict[str, Caps] = Field(default_factory=dict)
    """Step name such as `extrapolate-2`, or a verb for all its executions together, to caps of its own. A step that
    reaches its own cap ends early, and the run goes on."""
    models: dict[str, Caps] = Field(default_factory=dict)
    """Model address, as `teacher.model` has it, to caps of its own."""

    def open(self, ledger: Ledger, scope: str, addresses: Mapping[str, str]) -> Budget:
        """The budget with these caps, less what the scope spent before.

        Args:
            ledger: Where that is read from.
            scope: Usually a run.
            addresses: A model's address in the recipe to the one its answers are kept under.
        """
        return Budget(ledger, scope, self, steps=self.steps, models=self.models, addresses=addresses)


def _named(value: Any, key: str) -> Any:
    return {key: value} if isinstance(value, str) else value


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]


class Recipe(Settings):
    """A named list of steps and everything they need."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    task: Task | str
    """A task written out, a YAML file, or `sim:WORLD` for the task of a known world."""
    gold: GoldSettings
    teacher: Annotated[TeacherSettings, BeforeValidator(lambda value: _named(value, _SHORT["teacher"]))]
    """Who writes the rows. With `teachers`, the first of them."""
    teachers: dict[Word, Annotated[TeacherSettings, BeforeValidator(lambda value: _named(value, "model"))]] = Field(
        default_factory=dict
    )
    """Several models by name, for verbs that choose between them."""
    student: Annotated[StudentSettings, BeforeValidator(lambda value: _named(value, _SHORT["student"]))] = (
        LinearSettings()
    )
    budget: BudgetSettings = BudgetSettings()
    rng_seed: int = Field(0, ge=0)
    contexts: str | None = None
    """Real contexts from a source of their own, in a column named like the task's context. Without it the contexts of
    the steering gold serve."""
    steps: tuple[AnyStep, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _first_teacher_writes(cls, found: Any) -> Any:
        if isinstance(found, dict) and "teacher" not in found and isinstance(found.get("teachers"), dict):
            return {**found, "teacher": next(iter(found["teachers"].values()), None)}
        return found

    @property
    def by_name(self) -> dict[str, TeacherSettings]:
        """Every teacher by its name; `teacher` where there is one."""
        return self.teachers or {"teacher": self.teacher}

    @model_validator(mode="after")
    def _order_makes_sense(self) -> Recipe:
        problems = [*_order_problems(self.steps), *_sampling_problems(self)]
        if self.teachers and self.teacher != next(iter(self.teachers.values())):
            problems.append("`teacher` and `teachers` name different models: give one of the two")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _caps_are_on_something(self) -> Recipe:
        found = list(_idle_caps(self))
        if found:
            place, message = found[0]
            message = "; ".join([message, *(f"{'.'.join(where)}: {said}" for where, said in found[1:])])
            raise PydanticCustomError("idle_cap", "{said}", {"said": message, "place": place})
        return self

    def identity(self, task: Task, read: Sequence[str], addresses: Mapping[str, str]) -> str:
        """What decides which rows come out. Names, paths, budgets and endpoints do not.

        Args:
            task: What a row is.
            read: Fingerprints of the content of every file that rows come from.
            addresses: A model's address here to the one its answers are kept under, which names the content of a file.
        """
        kept = self.model_dump(mode="json", include={"student", "rng_seed"})
        steps = [step.settings() for step in self.steps]
        asked = [
            [name, addresses[one.model], one.model_dump(mode="json", exclude={"endpoint", "model"})]
            for name, one in self.by_name.items()
        ]
        return fingerprint([task.model_dump(mode="json"), list(read), asked, kept, steps])


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


def _idle_caps(recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where a cap stands on a step or a model that nothing is asked under, and what may have been meant."""
    if recipe.budget.steps:
        names = list(dict.fromkeys(name for name, _ in executions(recipe.steps)))
        verbs = list(dict.fromkeys(name.rpartition("-")[0] for name in names))
        for name in recipe.budget.steps:
            if name not in verbs and name not in names:
                close = difflib.get_close_matches(name, verbs + names, n=1)
                meant = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(verbs) or 'none'}"
                yield ("budget", "steps", name), f"no step `{name}` asks the teacher; {meant}"
    asked = [one.model for one in recipe.by_name.values()]
    for address in recipe.budget.models:
        if address not in asked:
            said = f"no model `{address}` is asked; did you mean `{'` or `'.join(asked)}`?"
            yield ("budget", "models", address), said


def _order_problems(steps: Sequence[Step]) -> Iterator[str]:
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


def _sampling_problems(recipe: Recipe) -> Iterator[str]:
    """Teachers that `sample` names and the recipe does not, and a `curate` with nothing to choose from."""
    sampled = False
    for step in walk(recipe.steps):
        if isinstance(step, Sample):
            sampled = True
            named = [*step.teachers, *([] if step.strategy in CHOOSING else [step.strategy])]
            if unknown := [name for name in named if name not in recipe.by_name]:
                yield f"`sample` names teachers that are not there: {unknown}; there are {list(recipe.by_name)}"
        if isinstance(step, Curate) and not sampled:
            yield "`curate` chooses among sampled solutions: put `sample` before it"
    if clash := sorted(set(CHOOSING) & set(recipe.teachers)):
        yield f"a teacher cannot be called {clash}: `sample` has strategies of that name"


def _is_gold(step: Step) -> bool:
    return isinstance(step, UseGold)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe from YAML and check its form completely.

    Args:
        path: The YAML file; sources in it are relative to its folder.
        overrides: `key.sub=value` settings that replace the file's, values read as YAML.

    Raises:
        ConfigError: All problems at once, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError("the recipe cannot be read", f"{path}: {error.strerror}", "check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("the recipe is not YAML", f"{path}: {error}", "see recipes/ for examples") from error
    if not isinstance(found, dict):
        raise ConfigError("the recipe is not a mapping", f"{path}: {type(found).__name__}", "see recipes/ for examples")
    for override in overrides:
        _override(found, override)
    try:
        recipe = Recipe.model_validate(found)
    except ValidationError as error:
        problems = [_problem(path, tree, found, dict(detail)) for detail in error.errors()]
        raise ConfigError(
            f"the recipe has {len(problems)} problem{'s' * (len(problems) > 1)}",
            "\n        ".join(problems),
            "mend these and run the same command again",
        ) from error
    return _from_folder(recipe, path.parent)


def _override(found: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError("an override is `key=value`", override, "e.g. --set gold.steer=200")
    *parents, last = key.split(".")
    place: Any = found
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else _inside(place, parent)
        place[int(last) if isinstance(place, list) else last] = yaml.safe_load(value)
    except (IndexError, ValueError, TypeError) as error:
        raise ConfigError(
            "an override names a place that is not there",
            override,
            "count list items from 0, e.g. --set steps.0.rows=50",
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError("an override's value is not YAML", override, "e.g. --set gold.steer=200") from error


_SHORT = {"teacher": "model", "student": "kind"}
"""Settings that may be one word, and the key that the word stands for."""


def _inside(place: dict[str, Any], key: str) -> Any:
    """The mapping under a key, made where it is missing or stands there as one word."""
    inner = place.setdefault(key, {})
    if isinstance(inner, str) and key in _SHORT:
        inner = place[key] = {_SHORT[key]: inner}
    return inner


def _problem(path: Path, tree: yaml.Node | None, found: Any, detail: dict[str, Any]) -> str:
    loc = detail.get("ctx", {}).get("place", detail["loc"])
    line, keys, known = _find(tree, found, loc)
    is_setting = detail["type"] == "extra_forbidden" or (loc and loc[-1] in _setting_names())
    if is_setting and loc[-1] not in keys and detail["type"] != "missing":
        # From an override: the file has no such place.
        keys, known = [str(part) for part in loc], detail.get("input")
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = f"there is no setting `{keys[-1]}`"
        close = difflib.get_close_matches(keys[-1], _setting_names(), n=1)
        message += f"; did you mean `{close[0]}`?" if close else ""
    elif detail["type"] == "missing" and detail["loc"]:
        message = f"`{detail['loc'][-1]}` is missing"
    where = ".".join(keys) or "recipe"
    seen = f" (found {known!r})" if isinstance(known, (str, int, float, bool)) else ""
    return f"{path}:{line}: {where}: {message}{seen}"


def _find(tree: yaml.Node | None, found: Any, loc: tuple[Any, ...]) -> tuple[int, list[str], Any]:
    """Follow an error's location through the YAML tree; union tags that are not in the file are skipped."""
    node, value, keys = tree, found, []
    line = 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            match = next(((key, item) for key, item in node.value if key.value == part), None)
            if match is None:
                continue
            line, node = match[0].start_mark.line + 1, match[1]
            value = value.get(part) if isinstance(value, dict) else None
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            value = value[part] if isinstance(value, list) else None
        else:
            continue
        keys.append(str(part))
    return line, keys, value


def _setting_names() -> list[str]:
    import seedbed.steps as vocabulary

    verbs = [getattr(vocabulary, name) for name in vocabulary.__all__ if name not in ("AnyStep", "Forecast", "Step")]
    parts = [Recipe, GoldSettings, TeacherSettings, BudgetSettings, Endpoint, Task, *verbs]
    return sorted({name for part in parts for name in part.model_fields})


def _from_folder(recipe: Recipe, folder: Path) -> Recipe:
    """Make the sources relative to the working directory instead of the recipe's folder."""

    def place(source: str | None) -> str | None:
        return source if source is None or ":" in source.split("/")[0] else str(folder / source)

    gold = recipe.gold.model_copy(
        update={"source": place(recipe.gold.source), "test_source": place(recipe.gold.test_source)}
    )

    def placed(step: Step) -> Step:
        if isinstance(step, Repeat):
            return step.model_copy(update={"steps": tuple(map(placed, step.steps))})
        return step.model_copy(update={"source": place(step.source)}) if isinstance(step, UseRows) else step

    steps = tuple(map(placed, recipe.steps))
    model = recipe.teacher.model
    if model.startswith("recorded:"):
        model = "recorded:" + str(place(model.removeprefix("recorded:")))
    models = {
        model if address == recipe.teacher.model else address: own for address, own in recipe.budget.models.items()
    }
    budget = recipe.budget.model_copy(update={"models": models})
    task = place(recipe.task) if isinstance(recipe.task, str) else recipe.task
    teacher = recipe.teacher.model_copy(update={"model": model})
    update = {"gold": gold, "steps": steps, "task": task, "teacher": teacher, "budget": budget}
    return recipe.model_copy(update={**update, "contexts": place(recipe.contexts)})
