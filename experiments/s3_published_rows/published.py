"""The published rows as tasks, with everything that repeats a test row taken out and counted."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from seedbed.evaluation.leakage import find_leaks
from seedbed.randomness import stream
from seedbed.task import Task

ROOT = Path(__file__).resolve().parents[2]
Pair = tuple[tuple[str, ...], str]
"""The fields of a row, and its label."""


@dataclass(frozen=True)
class Published:
    """One task's rows by source, clean of the test split."""

    task: Task
    pools: dict[str, list[Pair]]
    test: list[Pair]
    removed: dict[str, dict[str, int]]
    """Per source, how many rows there were and how many repeated a test row, by kind."""

    def clusters(self) -> list[str] | None:
        """What test rows share with others: premise or passage; None for single texts."""
        where = self.task.context
        return None if where is None else [row[0][self.task.fields.index(where)] for row in self.test]


def data_folder() -> Path:
    """Where the rows lie. Leaves the program with a message when they are absent."""
    folder = Path(os.environ.get("SEEDBED_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "rte").is_dir():
        sys.exit(f"no published rows in {folder}: set SEEDBED_DATA to the folder that holds rte/, sst2/, qnli/, adqa/")
    return folder


def read(name: str) -> list[dict[str, Any]]:
    """Rows of one JSONL file."""
    with (data_folder() / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


_TWO = {"entailment": "the second text follows from the first", "not_entailment": "it does not"}
_RTE = Task(
    name="rte",
    kind="classification",
    instruction="Say whether the hypothesis follows from the premise.",
    row="a hypothesis",
    fields=("premise", "hypothesis"),
    context="premise",
    labels=_TWO,
)
_QNLI = Task(
    name="qnli",
    kind="classification",
    instruction="Say whether the sentence answers the question.",
    row="a question",
    fields=("question", "sentence"),
    context="sentence",
    labels={"entailment": "the sentence answers it", "not_entailment": "it does not"},
)
_SST2 = Task(
    name="sst2",
    kind="classification",
    instruction="Say whether the film is liked.",
    row="a piece of a film review",
    labels={"0": "not liked", "1": "liked"},
)


@cache
def rte() -> Published:
    """RTE: gold, SuperGen's seed, and S3's two rounds."""
    names = ["entailment", "not_entailment"]

    def gold_like(name: str) -> list[Pair]:
        return [((row["premise"], row["hypothesis"]), names[row["label"]]) for row in read(f"rte/{name}")]

    pools = {
        "gold": gold_like("gold_train"),
        "seed": _supergen("rte", ("text1", "text2")),
        "round 1": gold_like("extrapolated_round1"),
        "round 2": gold_like("extrapolated_round2"),
    }
    return _clean(_RTE, pools, gold_like("gold_test"))


@cache
def sst2() -> Published:
    """SST-2: gold phrases of the training split, and SuperGen's seed."""

    def gold(name: str) -> list[Pair]:
        return [((row["sentence"],), row["label"]) for row in read(f"sst2/{name}")]

    pools = {"gold": gold("gold_train"), "seed": _supergen("sst2", ("text",))}
    return _clean(_SST2, pools, gold("gold_test"))


@cache
def qnli() -> Published:
    """QNLI: GLUE's dev split cut in two by sentence, and SuperGen's seed."""
    rows = [((row["question"], row["sentence"]), row["label"]) for row in read("qnli/gold_dev")]
    sentences = sorted({fields[1] for fields, _ in rows})
    order = stream(0, "qnli halves").permutation(len(sentences))
    testing = {sentences[i] for i in order[: len(order) // 2]}
    pools = {
        "gold": [row for row in rows if row[0][1] not in testing],
        "seed": _supergen("qnli", ("text1", "text2")),
    }
    return _clean(_QNLI, pools, [row for row in rows if row[0][1] in testing])


def _supergen(task: str, columns: tuple[str, ...]) -> list[Pair]:
    return [(tuple(row[c] for c in columns), row["label"]) for row in read(f"{task}/seed_supergen")]


def _clean(task: Task, pools: dict[str, list[Pair]], test: list[Pair]) -> Published:
    clean, removed = {}, {}
    test_frame = _frame(task, test)
    for name, rows in pools.items():
        leaks = {leak.id: leak.kind for leak in find_leaks(task, _frame(task, rows), test_frame)}
        clean[name] = [row for i, row in enumerate(rows) if str(i) not in leaks]
        removed[name] = {"rows": len(rows), **Counter(leaks.values())}
    return Published(task, clean, test, removed)


def _frame(task: Task, rows: list[Pair]) -> pl.DataFrame:
    columns = {name: [row[0][i] for row in rows] for i, name in enumerate(task.fields)}
    return pl.DataFrame({"id": [str(i) for i in range(len(rows))], **columns, "label": [row[1] for row in rows]})
