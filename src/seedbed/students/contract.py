"""What every student promises, and the checks that all of them share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from seedbed.errors import DataError

TextRow = tuple[str, ...]
"""The task's fields of one row, in the task's order: (text,), (premise, hypothesis), (context, question)."""

Examples = tuple[Sequence[TextRow], Sequence[str]]
"""Rows and their right answers."""

SAVED_AS = "student.json"


class Student(Protocol):
    """A model that learns one task from rows. The constructor stores; `fit` learns; what was learned ends in `_`.

    Predictions of a row depend on that row alone, and everything is the same, bit for bit, for one `rng_seed`
    on one machine.
    """

    @property
    def settings(self) -> BaseModel:
        """What the constructor was given, unchanged."""
        ...

    @property
    def classes_(self) -> list[str]:
        """Label names in the order of the columns of `predict_proba`; empty for a reader or a language model."""
        ...

    def fit(
        self,
        X: Sequence[TextRow],
        y: Sequence[str],
        *,
        sample_weight: ArrayLike | None = None,
        select: Examples | None = None,
        rng_seed: int = 0,
    ) -> Self:
        """Learn from scratch: nothing is left of an earlier `fit`.

        Args:
            X: (n,) rows, all with the same number of fields.
            y: (n,) label names, or answers for a reader, or solutions for a language model.
            sample_weight: (n,) finite and >= 0; None is 1 for every row.
            select: Rows that choose the checkpoint and stop training, and teach nothing.
            rng_seed: Decides initial weights, order of rows and dropout.

        Raises:
            DataError: No rows, unequal lengths, a label that is not one of `labels`, or bad weights.
        """
        ...

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) best label, answer or solution of each row."""
        ...

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n, n_labels) probabilities, columns as in `classes_`; a label never seen in training has 0."""
        ...

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) probability in [0, 1] that the student gives to its own prediction."""
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder, without pickle, so that loading runs no code."""
        ...


def checked_rows(X: Sequence[TextRow]) -> list[TextRow]:
    """The rows as tuples.

    Raises:
        DataError: Rows differ in their number of fields, or hold something else than text.
    """
    for i, row in enumerate(X):
        if isinstance(row, str) or not all(isinstance(value, str) for value in row):
            raise DataError("a row is not a tuple of texts", f"row {i}: {row!r:.80}", "pass (text,) for one field")
    rows = [tuple(row) for row in X]
    if len(widths := {len(row) for row in rows}) > 1:
        raise DataError("rows differ in their number of fields", f"{sorted(widths)}", "give every row all fields")
    return rows


def checked_training(
    X: Sequence[TextRow], y: Sequence[str], sample_weight: ArrayLike | None
) -> tuple[list[TextRow], NDArray[np.float64]]:
    """Rows to learn from and their weights, scaled to a mean of 1 so that only their ratios matter.

    Raises:
        DataError: No rows, unequal lengths, or bad weights.
    """
    rows = checked_rows(X)
    if not rows or len(rows) != len(y):
        raise DataError("a student needs rows with one answer each", f"{len(rows)} rows, {len(y)} answers", "check y")
    weight = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    if weight.shape != (len(rows),) or not np.isfinite(weight).all() or (weight < 0).any() or weight.sum() == 0:
        raise DataError(
            "the weights do not fit the rows",
            f"shape {weight.shape} for {len(rows)} rows",
            "give one finite weight >= 0 per row, not all 0",
        )
    return rows, weight * (len(rows) / weight.sum())


def label_indices(y: Sequence[str], labels: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The columns of the student and (n,) the column of each row's label.

    Without `labels` the columns are the sorted labels that occur.

    Raises:
        DataError: A label that is not one of `labels`.
    """
    classes = list(labels) or sorted(set(y))
    place = {name: i for i, name in enumerate(classes)}
    if unknown := sorted({str(label) for label in y if label not in place}):
        raise DataError("a row has a label that the task does not", f"{unknown[:5]}", f"use one of {classes}")
    return classes, np.array([place[label] for label in y], dtype=np.int64)


def best_labels(classes: Sequence[str], proba: NDArray[np.float64]) -> list[str]:
    """(n,) the most probable label of each row; the first in `classes` where two tie."""
    return [classes[i] for i in proba.argmax(axis=1)]


def best_shares(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) probability of the most probable label of each row."""
    return np.asarray(proba.max(axis=1, initial=0.0), dtype=np.float64)


def write_card(folder: Path, settings: BaseModel, **facts: Any) -> None:
    """Write `student.json`: the settings and the plain facts that a load needs."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {"format": 1, "settings": settings.model_dump(), **facts}
    (folder / SAVED_AS).write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """Read `student.json`.

    Raises:
        DataError: The folder holds no student that this version can read.
    """
    try:
        card = json.loads((folder / SAVED_AS).read_text(encoding="utf-8"))
        if card["format"] != 1:
            raise KeyError("format")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("the folder holds no readable student", f"{folder}: {error!r}", "save it again") from error
    return dict(card)
