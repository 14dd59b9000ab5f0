"""`seedbed init`: a task and a recipe to start from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import polars as pl
import yaml

from seedbed.errors import ConfigError, DataError
from seedbed.rows import read_table, write_whole

Ask = Callable[[str, str, str | None], str]
"""(option, question, default) to the answer."""

_GUESSES = {
    "text": ("text", "sentence", "content", "review", "utterance"),
    "label": ("label", "labels", "intent", "class", "category", "sentiment", "target"),
}
_OPTIONS = {"text_column": "--text", "label_column": "--label"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--name", help="Name of the task and the recipe [default: the folder's].")
@click.option("--gold", help="Gold rows: .jsonl, .csv, .parquet, hf:NAME, or sim:WORLD to try things out.")
@click.option("--labels", help="Label names, comma-separated [default: those of the gold rows].")
@click.option("--text", "text_column", help="Column of the text [default: guessed].")
@click.option("--label", "label_column", help="Column of the label [default: guessed].")
@click.option("--instruction", help="What a person would be told to do.")
@click.option("--teacher", help="sim:WORLD, openai:NAME, anthropic:NAME, http://HOST:PORT/v1#NAME or hf:NAME.")
@click.option("--student", default="linear", show_default=True, type=click.Choice(["linear", "embedding", "encoder"]))
@click.option("--yes", is_flag=True, help="Ask nothing; take the guesses.")
def command(folder: Path, yes: bool, **given: Any) -> None:
    """Write FOLDER/task.yaml and FOLDER/recipe.yaml for a text classification task.

    Asks for whatever was not given and cannot be guessed from the gold rows.
    """
    if existing := [name for name in ("task.yaml", "recipe.yaml") if (folder / name).exists()]:
        raise ConfigError(
            "the folder has these files already", f"{folder}: {', '.join(existing)}", "choose another folder"
        )
    ask = _asker(given, silent=yes)
    gold = ask("gold", "Gold rows (file, hf:NAME or sim:WORLD)", None)
    task: dict[str, Any] | str
    columns: dict[str, str] = {}
    if gold.startswith("sim:"):
        task, size = gold, 1600
    else:
        task, columns, size = _from_gold(folder, gold, ask)
    teacher = ask("teacher", "Teacher", gold if gold.startswith("sim:") else "openai:gpt-4.1-mini")
    name = given["name"] or folder.resolve().name
    source = _from_recipe(folder, gold)
    recipe = _recipe(
        name, task if isinstance(task, str) else "task.yaml", (source, columns, size), teacher, given["student"]
    )
    if isinstance(task, dict):
        _write(
            folder / "task.yaml",
            {"name": name, **task},
            '# What the student must do. Meanings complete "a row of this label is one where ...".\n',
        )
    _write(folder / "recipe.yaml", recipe, _HEAD)
    click.echo(f"wrote {folder / 'recipe.yaml'}; next: seedbed plan, preview, run {folder / 'recipe.yaml'}")


_HEAD = """# Synthesis step by step (arXiv:2310.13671): seed rows with rationales, then rounds of look-alikes of the
# student's mistakes on `steer`. See every setting with its meaning in docs/reference/recipe.md.
"""


def _asker(given: dict[str, Any], *, silent: bool) -> Ask:
    def ask(key: str, question: str, default: str | None) -> str:
        if given.get(key):
            return str(given[key])
        if silent or not sys.stdin.isatty():
            if default is None:
                option = _OPTIONS.get(key, f"--{key}")
                raise ConfigError(f"`{option}` is needed", question, f"add {option}")
            return default
        return str(click.prompt(question, default=default))

    return ask


def _from_gold(folder: Path, gold: str, ask: Ask) -> tuple[dict[str, Any], dict[str, str], int]:
    table = read_table(str(folder / gold) if (folder / gold).exists() else gold)
    columns = {}
    for role in ("text", "label"):
        lower = {name.lower(): name for name in table.columns}
        guess = next((lower[name] for name in _GUESSES[role] if name in lower), None)
        column = ask(f"{role}_column", f"Column of the {role} (one of {table.columns})", guess)
        if column not in table.columns:
            raise DataError("there is no such column", f"{column}; found {table.columns}", f"give --{role}")
        if column != role:
            columns[role] = column
    found = sorted(set(table[columns.get("label", "label")].cast(pl.String).drop_nulls().to_list()))
    if len(found) > 60:
        raise DataError("that is no label column", f"{len(found)} different values", "give the right one with --label")
    labels = ask("labels", "Labels, comma-separated", ",".join(found)).split(",")
    task = {
        "kind": "classification",
        "instruction": ask("instruction", "Instruction", f"Decide which label fits the text: {', '.join(labels)}."),
        "row": "a text",
        "fields": ["text"],
        "labels": {label.strip(): f"the label is {label.strip()}" for label in labels},
    }
    return task, columns, table.height


def _from_recipe(folder: Path, gold: str) -> str:
    """The gold's path as the recipe must say it: sources in a recipe are relative to the recipe's folder."""
    if gold.startswith(("hf:", "sim:")) or Path(gold).is_absolute() or (folder / gold).exists():
        return gold
    return os.path.relpath(gold, folder)


def _recipe(name: str, task: str, gold: tuple[str, dict[str, str], int], teacher: str, student: str) -> dict[str, Any]:
    source, columns, size = gold
    steer = max(min(size // 4, 500), 1)
    settings: dict[str, Any] = {"source": source}
    if source.startswith("sim:"):
        settings["rows"] = size
    if columns:
        settings["columns"] = columns
    settings |= {"steer": steer, "select": max(min(size // 8, 250), 1), "test": "rest"}
    return {
        "name": name,
        "task": task,
        "gold": settings,
        "teacher": teacher,
        "student": student,
        "budget": {"requests": 2500},
        "rng_seed": 0,
        "steps": [
            {"verb": "synthesise", "requests": 1200, "reasons": 10, "per_row": 2},
            {"verb": "train"},
            {"verb": "repeat", "rounds": 2, "steps": [{"verb": "extrapolate", "requests": 400}, {"verb": "train"}]},
            {"verb": "evaluate"},
        ],
    }


def _write(path: Path, value: dict[str, Any], head: str) -> None:
    write_whole(path, (head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)).encode())
