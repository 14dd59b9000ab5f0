"""Recipes from YAML: every problem at once, each with its line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from seedbed.errors import ConfigError
from seedbed.models import Endpoint
from seedbed.recipe.settings import SHORT, BudgetSettings, GoldSettings, Recipe, TeacherSettings
from seedbed.steps import Repeat, Step, UseRows
from seedbed.task import Task


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


def _inside(place: dict[str, Any], key: str) -> Any:
    """The mapping under a key, made where it is missing or stands there as one word."""
    inner = place.setdefault(key, {})
    if isinstance(inner, str) and key in SHORT:
        inner = place[key] = {SHORT[key]: inner}
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

    def at(address: str) -> str:
        kept, file = address.partition(":")[0], address.partition(":")[2]
        return f"recorded:{place(file)}" if kept == "recorded" else address

    def moved(one: TeacherSettings) -> TeacherSettings:
        return one.model_copy(update={"model": at(one.model)})

    models = {at(address): own for address, own in recipe.budget.models.items()}
    update = {
        "gold": gold,
        "steps": tuple(map(placed, recipe.steps)),
        "task": place(recipe.task) if isinstance(recipe.task, str) else recipe.task,
        "teacher": moved(recipe.teacher),
        "teachers": {name: moved(one) for name, one in recipe.teachers.items()},
        "budget": recipe.budget.model_copy(update={"models": models}),
        "contexts": place(recipe.contexts),
    }
    return recipe.model_copy(update=update)
