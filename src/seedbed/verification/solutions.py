"""Whether solutions end right: the one door to all ways of checking that a task can name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.task import Task
from seedbed.verification.answers import Kind, final_answer, same_answer


@dataclass(frozen=True, slots=True)
class Checked:
    """One solution held against the right answer."""

    answer: str | None
    """Its final answer: the right one, letter by letter, where it says the same; None where it gives none."""
    correct: bool
    why: str | None = None
    """What is wrong: "wrong answer: said 41", "no answer", or what a program's tests showed."""


def check_solutions(task: Task, solutions: Sequence[str | None], right: Sequence[str]) -> list[Checked]:
    """Hold each solution against the right answer of its problem.

    Args:
        task: A reasoning task; its `answer` says how answers are compared.
        solutions: (n,) what was written; None where nothing was.
        right: (n,) the right answers; for programs, the unit tests.

    Returns:
        (n,) in the same order.

    Raises:
        ConfigError: The answers are programs, and no sandbox can be had on this machine.
    """
    if task.answer == "program":
        raise NotImplementedError  # programs: see below
    kind = task.answer or "text"
    return [_check(kind, solution, answer) for solution, answer in zip(solutions, right, strict=True)]


def _check(kind: Kind, solution: str | None, right: str) -> Checked:
    found = None if solution is None else final_answer(solution, kind)
    if found is None:
        return Checked(None, correct=False, why="no answer")
    if same_answer(found, right, kind):
        return Checked(right, correct=True)
    return Checked(found, correct=False, why=f"wrong answer: said {found[:80]}")
