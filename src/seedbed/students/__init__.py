"""Small models that learn one task. One contract (`Student`), opened by settings, saved without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seedbed.students.contract import Examples, Student, TextRow, read_card
from seedbed.students.settings import (
    EmbeddingSettings,
    EncoderSettings,
    LinearSettings,
    LmSettings,
    ReaderSettings,
    StudentSettings,
    student_settings,
)

__all__ = [
    "EmbeddingSettings",
    "EncoderSettings",
    "Examples",
    "LinearSettings",
    "LmSettings",
    "ReaderSettings",
    "Student",
    "StudentSettings",
    "TextRow",
    "load_student",
    "open_student",
    "student_settings",
]


def open_student(settings: Any = "linear", *, labels: Sequence[str] = ()) -> Student:
    """An untrained student.

    Args:
        settings: A name such as "linear", a mapping such as {"kind": "encoder", "epochs": 3}, or settings.
        labels: All label names of the task: the columns of `predict_proba`, also of labels that no training row
            has. Empty takes the labels seen in training, and is right for a reader and a language model.

    Raises:
        ConfigError: Settings that do not fit, or a student whose extra is not installed.
    """
    chosen = student_settings(settings)
    if chosen.kind == "linear":
        from seedbed.students.linear import LinearStudent

        return LinearStudent(chosen, labels)
    from seedbed.students.checkpoint import need_torch

    need_torch()
    if chosen.kind == "embedding":
        from seedbed.students.embedding import EmbeddingStudent

        return EmbeddingStudent(chosen, labels)
    if chosen.kind == "encoder":
        from seedbed.students.encoder import EncoderStudent

        return EncoderStudent(chosen, labels)
    if chosen.kind == "lm":
        from seedbed.students.lm import LmStudent

        return LmStudent(chosen, labels)
    from seedbed.students.reader import ReaderStudent

    return ReaderStudent(chosen, labels)


def load_student(folder: Path) -> Student:
    """The student that `save` wrote into a folder. Runs no code from it.

    Raises:
        DataError: The folder holds no readable student.
        ConfigError: The student's extra is not installed.
    """
    kind = student_settings(read_card(folder)["settings"]).kind
    if kind == "linear":
        from seedbed.students.linear import LinearStudent

        return LinearStudent.load(folder)
    if kind == "embedding":
        from seedbed.students.embedding import EmbeddingStudent

        return EmbeddingStudent.load(folder)
    if kind == "encoder":
        from seedbed.students.encoder import EncoderStudent

        return EncoderStudent.load(folder)
    if kind == "lm":
        from seedbed.students.lm import LmStudent

        return LmStudent.load(folder)
    from seedbed.students.reader import ReaderStudent

    return ReaderStudent.load(folder)
