"""AdversarialQA: a reader trained and scored on real rows, and one round with a recorded teacher.

The recorded teacher is not an LLM. AdversarialQA often has several questions by people for one passage and one
answer; all but one of them are held back and play the replies that somebody's teacher once gave when it was asked for
another question with this answer. Where no question was held back, the request has no recorded reply and fails.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from published import read

from seedbed.estimate import bootstrap
from seedbed.evaluation.metrics import exact_match, token_f1
from seedbed.randomness import stream
from seedbed.students.reader import ReaderStudent
from seedbed.students.settings import ReaderSettings

SETTINGS = ReaderSettings(max_length=192, stride=32, epochs=2, batch=16, lr=2e-4, frozen_layers=3)
ARMS = ["seed", "seed + recorded round"]
Question = dict[str, Any]
"""context, question, answer, start."""


@dataclass(frozen=True)
class Split:
    """The rows by the part they play. No passage is in two of `train`, `select` and `test`."""

    train: list[Question]
    select: list[Question]
    test: list[Question]
    seed: list[Question]
    """Of `train`: questions that are alone with their passage and answer."""
    steer: list[Question]
    """Of `train`: one question of each passage and answer that has several; mistakes come from here."""
    recorded: dict[tuple[str, str], list[Question]]
    """The others, by passage and answer."""


def split(n_select: int = 300, n_test: int = 700) -> Split:
    """Cut the 3,000 rows by passage, and the training rows by whether a question can be recorded for them."""
    rows = read("adqa/gold")
    passages = sorted({row["context"] for row in rows})
    by_passage: dict[str, list[Question]] = defaultdict(list)
    for row in rows:
        by_passage[row["context"]].append(row)
    parts: dict[str, list[Question]] = {"test": [], "select": [], "train": []}
    for i in stream(0, "adqa passages").permutation(len(passages)):
        part = "test" if len(parts["test"]) < n_test else "select" if len(parts["select"]) < n_select else "train"
        parts[part] += by_passage[passages[i]]
    groups: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for row in parts["train"]:
        groups[row["context"], row["answer"]].append(row)
    return Split(
        **parts,
        seed=[group[0] for group in groups.values() if len(group) == 1],
        steer=[group[0] for group in groups.values() if len(group) > 1],
        recorded={key: group[1:] for key, group in groups.items() if len(group) > 1},
    )


def train(rows: list[Question], select: list[Question], rng_seed: int) -> ReaderStudent:
    """A reader trained on these rows, stopped on `select`."""
    chosen = (fields(select), [row["answer"] for row in select])
    return ReaderStudent(SETTINGS).fit(
        fields(rows),
        [row["answer"] for row in rows],
        starts=[row["start"] for row in rows],
        select=chosen,
        rng_seed=rng_seed,
    )


def fields(rows: list[Question]) -> list[tuple[str, ...]]:
    """(context, question) of each row."""
    return [(row["context"], row["question"]) for row in rows]


def find_mistakes(student: ReaderStudent, steer: list[Question]) -> list[Question]:
    """Rows without an exact match, the paper's mistakes."""
    found = student.predict(fields(steer))
    return [row for row, answer in zip(steer, found, strict=True) if exact_match(answer, row["answer"]) == 0]


def recorded_questions(mistakes: list[Question], recorded: dict[tuple[str, str], list[Question]]) -> list[Question]:
    """One recorded question with the same passage and answer for each mistake that has one."""
    return [recorded[key][0] for row in mistakes if (key := (row["context"], row["answer"])) in recorded]


def run(cells: Any, rng_seeds: list[int]) -> None:
    """Train the missing (arm, rng seed), then write the estimates."""
    parts = split()
    for rng_seed in rng_seeds:
        first: ReaderStudent | None = None
        for arm in ARMS:
            if not cells.is_due(arm, rng_seed):
                continue
            started = time.perf_counter()
            rows, counts = parts.seed, {}
            if arm != "seed":
                first = first or train(parts.seed, parts.select, rng_seed)
                mistakes = find_mistakes(first, parts.steer)
                added = recorded_questions(mistakes, parts.recorded)
                rows = rows + added
                counts = {"asked": len(parts.steer), "mistakes": len(mistakes), "answered": len(added)}
            student = train(rows, parts.select, rng_seed)
            first = student if arm == "seed" else first
            cells.add(arm, rng_seed, {"n_train": len(rows), **counts, **answers(student, parts.test)}, started)
    write(cells, parts)


def answers(student: ReaderStudent, test: list[Question]) -> dict[str, Any]:
    """Scores of each test row as SQuAD defines them, and what the student scored on `select` per epoch."""
    found = student.predict(fields(test))
    pairs = list(zip(found, [row["answer"] for row in test], strict=True))
    return {
        "exact_match": [exact_match(a, b) for a, b in pairs],
        "f1": [round(token_f1(a, b), 4) for a, b in pairs],
        "select_f1": [round(score, 4) for score in student.select_scores_],
    }


def write(cells: Any, parts: Split) -> None:
    """Write results/adqa_reader.json."""
    from run import gain_of, mean_of, save

    seeds, passages = cells.complete_seeds(ARMS), [row["context"] for row in parts.test]
    if not seeds:
        print("adqa: no rng seed has all arms yet")
        return
    tables = {arm: {key: cells.matrix(arm, seeds, key) for key in ("exact_match", "f1")} for arm in ARMS}

    def estimates(table: dict[str, np.ndarray]) -> dict[str, Any]:
        crossed = {key: mean_of(scores, passages).to_dict() for key, scores in table.items()}
        drawn = {
            f"{key}_bootstrap": bootstrap(scores.mean(axis=0), clusters=passages, rng_seed=0).to_dict()
            for key, scores in table.items()
        }
        return {**crossed, **drawn}

    gains = [
        {
            "arm": "seed + recorded round",
            "against": "seed",
            **{
                key: gain_of(tables["seed"][key], tables["seed + recorded round"][key], passages).to_dict()
                for key in ("exact_match", "f1")
            },
        }
    ]
    lines = {arm: [line for line in cells.lines if line["arm"] == arm and line["rng_seed"] in seeds] for arm in ARMS}
    measured = [
        {"arm": arm, "n": len(passages), "n_train": [line["n_train"] for line in lines[arm]], **estimates(tables[arm])}
        for arm in ARMS
    ]
    counts = {key: [line[key] for line in lines["seed + recorded round"]] for key in ("asked", "mistakes", "answered")}
    sizes = {"train": len(parts.train), "select": len(parts.select), "test": len(parts.test), "steer": len(parts.steer)}
    found = {"student": SETTINGS.model_dump(), "rows": sizes, "passages_in_test": len(set(passages)), "round": counts}
    save(cells.name, {**found, "rng_seeds": seeds, "arms": measured, "gains": gains})
