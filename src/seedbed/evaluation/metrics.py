"""Scores of a student's answers, row by row and in sum."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.estimate import Estimate, share
from seedbed.task import Task

Answers = str | Sequence[str]
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def score_rows(task: Task, gold: pl.DataFrame, predictions: Sequence[str]) -> pl.DataFrame:
    """What a student answered beside what was right, one line per row.

    Args:
        task: Says which column holds the right answer and how answers are compared.
        gold: (n,) rows with `id` and the task's target.
        predictions: (n,) answers in the same order.

    Returns:
        (n,) id, expected, predicted, correct (bool: equal label, or exact match), score (fraction: token F1 for
        extractive QA, else 1.0 or 0.0).

    Raises:
        DataError: The two differ in length, or a prediction is missing.
    """
    expected = gold[task.target].to_list()
    _check_pairs(expected, predictions)
    if task.kind == "extractive_qa":
        correct = [exact_match(found, right) == 1.0 for found, right in zip(predictions, expected, strict=True)]
        score = [token_f1(found, right) for found, right in zip(predictions, expected, strict=True)]
    else:
        correct = [found == right for found, right in zip(predictions, expected, strict=True)]
        score = [float(hit) for hit in correct]
    return pl.DataFrame(
        {"id": gold["id"], "expected": expected, "predicted": list(predictions), "correct": correct, "score": score},
        schema_overrides={"predicted": pl.String, "correct": pl.Boolean, "score": pl.Float64},
    )


def headline(correct: Sequence[bool], *, clusters: Sequence[Hashable] | None = None) -> Estimate:
    """Accuracy or exact match with its interval; see `seedbed.estimate.share`.

    Args:
        correct: (n,) right or wrong.
        clusters: (n,) the context of each row, where rows share one.
    """
    return share(correct, clusters=clusters)


def confusion(expected: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """How often each label was taken for each other.

    Args:
        expected: (n,) right labels.
        predicted: (n,) the student's labels, in the same order.
        labels: (k,) names in the order of the result.

    Returns:
        (k, k) counts; line = right label, column = the student's.

    Raises:
        DataError: The two differ in length, or hold a label that is not in `labels`.
    """
    _check_pairs(expected, predicted)
    position = {label: index for index, label in enumerate(labels)}
    if strange := sorted({*expected, *predicted} - set(position)):
        raise DataError("a label is not among the task's", f"{strange[:5]}", f"use {list(labels)}")
    table = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(table, ([position[label] for label in expected], [position[label] for label in predicted]), 1)
    return table


def recalls(expected: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, float | None]:
    """Share of each label's rows that the student has right; None for a label without rows.

    Args and errors as in `confusion`.
    """
    table = confusion(expected, predicted, labels)
    return {
        label: float(table[index, index] / total) if (total := table[index].sum()) else None
        for index, label in enumerate(labels)
    }


def macro_f1(expected: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> float:
    """Mean of the labels' F1, each label weighing the same however rare it is.

    Args and errors as in `confusion`.

    Returns:
        Fraction in [0, 1]. A label that is neither expected nor predicted is left out: it has no F1, not one of 0.
    """
    table = confusion(expected, predicted, labels)
    hits, both = table.diagonal(), table.sum(axis=0) + table.sum(axis=1)
    present = both > 0
    return float((2 * hits[present] / both[present]).mean()) if present.any() else 0.0


def squad_normalise(answer: str) -> str:
    """An answer as SQuAD compares it: lower case, without ASCII punctuation, articles and extra spaces.

    Source:
        Rajpurkar, Zhang, Lopyrev and Liang 2016, SQuAD, arXiv:1606.05250, the evaluation script of v1.1.

    >>> squad_normalise("The  U.S. Navy's")
    'us navys'
    """
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, answers: Answers) -> float:
    """1.0 if the answer equals one of the right ones after `squad_normalise`, else 0.0.

    Args:
        predicted: The student's answer.
        answers: The right answer, or several of which the best counts.

    Source:
        Rajpurkar and others 2016, arXiv:1606.05250.
    """
    return float(any(squad_normalise(predicted) == squad_normalise(answer) for answer in _several(answers)))


def token_f1(predicted: str, answers: Answers) -> float:
    """Harmonic mean of precision and recall over shared words, each counted as often as both have it.

    Args:
        predicted: The student's answer.
        answers: The right answer, or several of which the best counts.

    Returns:
        Fraction in [0, 1]; 0.0 where nothing is left of either after `squad_normalise`, as in v1.1.

    Source:
        Rajpurkar and others 2016, arXiv:1606.05250.
    """
    return max(
        _one_f1(squad_normalise(predicted).split(), squad_normalise(answer).split()) for answer in _several(answers)
    )


def _one_f1(predicted: list[str], answer: list[str]) -> float:
    shared = (Counter(predicted) & Counter(answer)).total()
    return 2 * shared / (len(predicted) + len(answer)) if shared else 0.0


def _several(answers: Answers) -> Sequence[str]:
    several = [answers] if isinstance(answers, str) else answers
    if not several:
        raise DataError("a question has no right answer", "an empty list of answers", "drop the row, or give an answer")
    return several


def _check_pairs(expected: Sequence[str], predicted: Sequence[str]) -> None:
    if len(expected) != len(predicted):
        raise DataError(
            "answers and rows differ in number",
            f"{len(expected)} rows, {len(predicted)} answers",
            "give one answer per row, in the rows' order",
        )
    if missing := sum(not isinstance(answer, str) for answer in (*expected, *predicted)):
        raise DataError("an answer is missing", f"{missing} are not text", "a student must answer every row")
