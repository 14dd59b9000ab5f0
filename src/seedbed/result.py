"""What a run found, as one JSON value: all that a table or a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from seedbed.prepare import Prepared
from seedbed.rows import account
from seedbed.steps.train import gain

_OF_A_STEP = ("name", "verb", "round", "complete", "capped", "spend")


class Files(Protocol):
    """The part of a run's folder that is read here."""

    path: Path

    def events(self) -> list[dict[str, Any]]:
        """All events of the run."""
        ...

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the run."""
        ...


def summarise(
    folder: Files, prepared: Prepared, steps: Sequence[dict[str, Any]], stopped: Sequence[str]
) -> dict[str, Any]:
    """Collect what the steps measured.

    Args:
        folder: Where the run's rows, predictions and events are.
        prepared: The recipe, the task and the split.
        steps: The record of every step, in order of execution.
        stopped: Why each `repeat` ended.

    Returns:
        name, identity, task, teacher, student, rng_seed, steps, sampling (of the last `sample` step, or None),
        stages (one per trained student), gain (paired, last
        student against the first, on test), evaluation, accounting, spend, gold with every read, stopped, complete.
    """
    recipe = prepared.recipe
    rows = pl.read_parquet(folder.path / "data" / f"{steps[-1]['name']}.parquet")
    sampled = [step["metrics"]["sampling"] for step in steps if "sampling" in step["metrics"]]
    evaluation: dict[str, Any] = next((step["metrics"] for step in steps if step["verb"] == "evaluate"), {})
    return {
        "name": recipe.name,
        "identity": prepared.identity,
        "task": prepared.task.model_dump(mode="json"),
        "metric": prepared.task.metric,
        "teacher": recipe.teacher.model_dump(mode="json", exclude={"endpoint"}),
        "is_simulated": recipe.teacher.model.startswith("sim:"),
        "student": recipe.student.model_dump(mode="json"),
        "rng_seed": recipe.rng_seed,
        "steps": [{key: step[key] for key in _OF_A_STEP} | _asked(step) for step in steps],
        "sampling": sampled[-1] if sampled else None,
        "stages": _stages(steps, evaluation),
        "gain": _gain(folder, evaluation),
        "evaluation": evaluation,
        "account": account(rows.filter(pl.col("made_by") != "gold")),
        "gold_rows_trained_on": rows.filter(pl.col("made_by") == "gold").height,
        "spend": steps[-1]["spend"],
        "gold": {
            "source": recipe.gold.source,
            "steer": prepared.gold.steer.height,
            "select": prepared.gold.select.height,
            "test": prepared.gold.test.n,
            "left_out": next((e["rows"] for e in folder.events() if e.get("event") == "gold left out"), 0),
            "reads": _reads(folder.events()),
        },
        "stopped": list(stopped),
        "complete": all(step["complete"] for step in steps),
        "manifest": folder.read("manifest.json"),
    }


def _reads(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every time gold was looked at, in order: at, split, why, rows, step."""
    reads = []
    step = None
    for event in events:
        step = event.get("step", step)
        if event.get("event") in ("gold read", "test opened"):
            reads.append(
                {
                    "at": event["at"],
                    "split": event.get("split", "test"),
                    "why": event["why"],
                    "rows": event["rows"],
                    "step": step,
                }
            )
    return reads


def _asked(step: dict[str, Any]) -> dict[str, Any]:
    counts = ("asked", "steer", "mistakes", "all", "checked", "disagreed", "near_copies")
    return {key: step["metrics"][key] for key in counts if key in step["metrics"]}


def _stages(steps: Sequence[dict[str, Any]], evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry per trained student: what it was trained on, what that had cost, how good it was."""
    stages = []
    for step in steps:
        if step["verb"] != "train":
            continue
        metrics = step["metrics"]
        stages.append(
            {
                "student": step["name"],
                "round": step["round"],
                "trained_on": metrics["trained_on"],
                "spend": step["spend"],
                "select": metrics.get("select"),
                "test": evaluation.get("test", {}).get(step["name"]),
                "truth": metrics.get("truth"),
            }
        )
    return stages


def _gain(folder: Files, evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Paired gain of the last student over the first on the test rows."""
    names = list(evaluation.get("test", {}))
    if len(names) < 2:
        return None
    answers = pl.concat([pl.read_parquet(file) for file in (folder.path / "predictions").glob("evaluate-*.parquet")])
    first, last = (
        answers.filter((pl.col("student") == name) & (pl.col("split") == "test")) for name in (names[0], names[-1])
    )
    found = gain(first, last)
    return None if found is None else {"before": names[0], "after": names[-1], **found.to_dict()}
