"""Small real things that many tests stand on: a task, gold rows, a teacher, a context for steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seedbed.evaluation.gold import split_gold
from seedbed.models import open_model
from seedbed.models.worlds import open_world
from seedbed.recipe import Recipe
from seedbed.rows import gold_rows
from seedbed.steps.context import Context, Teacher
from seedbed.students import student_settings
from seedbed.synthesis.drafts import Sampling
from seedbed.task import Task

SENTIMENT = Task(
    name="sentiment",
    kind="classification",
    instruction="Decide whether a review is positive or negative.",
    row="a review",
    labels={"positive": "the writer liked it", "negative": "the writer disliked it"},
)
PAIRS = Task(
    name="pairs",
    kind="classification",
    instruction="Decide whether the hypothesis follows from the premise.",
    row="a hypothesis",
    fields=("premise", "hypothesis"),
    context="premise",
    labels={"entailment": "it follows", "not_entailment": "it does not follow"},
)
READING = Task(
    name="reading",
    kind="extractive_qa",
    instruction="Answer the question with words of the context.",
    row="a question",
    fields=("context", "question"),
    context="context",
)


def context(
    world: str = "reviews", teacher: str | None = None, *, events: list[dict[str, Any]] | None = None
) -> Context:
    """A context in a known world, with a fresh in-memory teacher."""
    known = open_world(world)
    gold = gold_rows(known.task, known.gold(200, 0))
    log: list[dict[str, Any]] = [] if events is None else events
    split = split_gold(known.task, gold, steer=60, select=40, test=100, rng_seed=0, log=log.append)
    return Context(
        task=known.task,
        gold=split,
        teachers={"teacher": Teacher("teacher", open_model(teacher or f"sim:{world}"), Sampling())},
        student=student_settings("linear" if known.task.kind == "classification" else "reader"),
        rng_seed=0,
        contexts=known.contexts(50, 1),
        world=known,
        log=log.append,
    )


def small_recipe(**changes: Any) -> Recipe:
    """An S3 recipe of a few hundred requests in the world of reviews."""
    plain: dict[str, Any] = {
        "name": "small",
        "task": "sim:reviews",
        "gold": {"source": "sim:reviews", "rows": 360, "steer": 100, "select": 60},
        "teacher": "sim:reviews",
        "student": "linear",
        "steps": [
            {"verb": "synthesise", "requests": 120, "reasons": 4},
            {"verb": "train"},
            {"verb": "repeat", "rounds": 2, "steps": [{"verb": "extrapolate", "requests": 40}, {"verb": "train"}]},
            {"verb": "evaluate", "shift": False},
        ],
    }
    return Recipe.model_validate({**plain, **changes})


def data_files(folder: Path) -> dict[str, bytes]:
    """Name to content of everything a run promises to reproduce byte for byte."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for part in ("data", "predictions")
        for file in sorted((folder / part).glob("*.parquet"))
    }
