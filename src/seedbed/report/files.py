"""What a report is made of, read from a directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from seedbed.evaluation import metrics
from seedbed.rows import account


@dataclass(frozen=True)
class RunFiles:
    """A finished run."""

    result: dict[str, Any]
    examples: list[tuple[str, int, list[dict[str, Any]]]] = field(default_factory=list)
    """Step, round, and mistakes beside what the teacher wrote after them."""
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What became, in the end, of the rows each step asked for; by the step's name."""
    first_confusion: list[list[int]] | None = None
    """Confusion of the first student on test, where more than one was scored."""
    recipe: str = ""
    """The resolved recipe, without how its endpoint is reached."""


@dataclass(frozen=True)
class ComparisonFiles:
    """A finished comparison."""

    found: dict[str, Any]
    manifest: dict[str, Any] = field(default_factory=dict)
    """Of the first run: versions, date."""


def read_run(path: Path) -> RunFiles:
    """Read a run's directory; only result.json must be there."""
    result = _json(path / "result.json")
    return RunFiles(
        result,
        list(_examples(path, result)),
        _accounts(path, result),
        _first_confusion(path, result),
        _recipe(path),
    )


def read_comparison(path: Path) -> ComparisonFiles:
    """Read a comparison's directory; only comparison.json must be there."""
    found = _json(path / "comparison.json")
    first = path / next(iter(found["methods"]), "s3") / f"seed-{found['rng_seeds'][0]}" / "manifest.json"
    return ComparisonFiles(found, _json(first) if first.exists() else {})


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _examples(path: Path, result: dict[str, Any]) -> Iterator[tuple[str, int, list[dict[str, Any]]]]:
    for step in result["steps"]:
        file = path / "steps" / f"{step['name']}.json"
        if step["verb"] == "extrapolate" and file.exists():
            shown = _json(file)["metrics"].get("examples") or []
            if shown:
                yield step["name"], step["round"], shown


def _accounts(path: Path, result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """From the rows themselves: a later step may reject rows that any step before it made."""
    file = path / "data" / f"{result['steps'][-1]['name']}.parquet"
    if not file.exists():
        return {}
    made = pl.read_parquet(file, columns=["made_by", "status", "why"]).filter(pl.col("made_by") != "gold")
    parts = made.partition_by("made_by", as_dict=True, maintain_order=True)
    return {str(name): account(rows) for (name,), rows in parts.items()}


def _first_confusion(path: Path, result: dict[str, Any]) -> list[list[int]] | None:
    evaluation = result["evaluation"]
    name = next((step["name"] for step in result["steps"] if step["verb"] == "evaluate"), "")
    file = path / "predictions" / f"{name}.parquet"
    students = list(evaluation.get("test", {}))
    if "confusion" not in evaluation or len(students) < 2 or not file.exists():
        return None
    answers = pl.read_parquet(file).filter((pl.col("student") == students[0]) & (pl.col("split") == "test"))
    expected, predicted = answers["expected"].to_list(), answers["predicted"].to_list()
    counts: list[list[int]] = metrics.confusion(expected, predicted, evaluation["labels"]).tolist()
    return counts


def _recipe(path: Path) -> str:
    """The recipe as YAML; addresses and headers of an endpoint are nobody's business but the runner's."""
    file = path / "recipe.yaml"
    if not file.exists():
        return ""
    recipe = yaml.safe_load(file.read_text(encoding="utf-8"))
    for teacher in (recipe.get("teacher"), *(recipe.get("teachers") or {}).values()):
        if isinstance(teacher, dict):
            teacher.pop("endpoint", None)
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)
