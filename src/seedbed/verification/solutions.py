"""Whether solutions end right: the one door to all ways of checking that a task can name."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.errors import DataError
from seedbed.task import Task
from seedbed.verification.answers import Kind, canonical, final_answer, same_answer
from seedbed.verification.programs import Asserts, Prints, Program, Returns, Test, run_tests

_FENCED = re.compile(r"```[a-zA-Z0-9]*\n(.*?)```", re.S)


@dataclass(frozen=True, slots=True)
class Checked:
    """One solution held against the right answer."""

    answer: str | None
    """Its final answer: the right one, letter by letter, where it says the same; None where it gives none."""
    correct: bool
    why: str | None = None
    """What is wrong: "wrong answer: said 41", "no answer", or what a program's tests showed."""
    said: str | None = None
    """The final answer in a spelling that owes nothing to the right one, so that a vote may count it; None for a
    program, which says nothing before it is tested."""


def check_solutions(task: Task, solutions: Sequence[str | None], right: Sequence[str]) -> list[Checked]:
    """Hold each solution against the right answer of its problem.

    Args:
        task: A reasoning task; its `answer` says how answers are compared.
        solutions: (n,) what was written; None where nothing was. A program may stand in a fenced block of a text.
        right: (n,) the right answers. For programs the unit tests: assert statements as they are, or a JSON list of
            {"stdin": ..., "stdout": ...} or {"function": ..., "arguments": [...], "value": ...}.

    Returns:
        (n,) in the same order.

    Raises:
        ConfigError: The answers are programs, and no sandbox can be had on this machine.
        DataError: Unit tests cannot be read.
    """
    if task.answer == "program":
        return _check_programs(solutions, right)
    kind = task.answer or "text"
    return [_check(kind, solution, answer) for solution, answer in zip(solutions, right, strict=True)]


def _check(kind: Kind, solution: str | None, right: str) -> Checked:
    found = None if solution is None else final_answer(solution, kind)
    if found is None:
        return Checked(None, correct=False, why="no answer")
    said = canonical(found, kind) or found
    if same_answer(found, right, kind):
        return Checked(right, correct=True, said=said)
    return Checked(said, correct=False, why=f"wrong answer: said {found[:80]}", said=said)


def _check_programs(solutions: Sequence[str | None], right: Sequence[str]) -> list[Checked]:
    """Run them, all in one sandbox; one that wrote nothing is not run."""
    written = [index for index, solution in enumerate(solutions) if solution]
    tests = {text: unit_tests(text) for text in dict.fromkeys(right)}
    found = [Checked(None, correct=False, why="no answer")] * len(solutions)
    results = run_tests([Program(_source(solutions[index] or ""), tests[right[index]]) for index in written])
    for index, result in zip(written, results, strict=True):
        passed = result.status == "passed"
        why = None if passed else f"{result.status}: {result.why[:200]}"
        found[index] = Checked(right[index] if passed else None, correct=passed, why=why)
    return found


def unreadable_answers(task: Task, right: Sequence[str]) -> list[tuple[int, str]]:
    """The right answers that no solution can be held against, each with its place: "about five" is no number."""

    def is_readable(answer: str) -> bool:
        if task.answer != "program":
            return canonical(answer, task.answer or "text") is not None
        try:
            return all(bool(ast.parse(one.statements)) for one in unit_tests(answer) if isinstance(one, Asserts))
        except (DataError, SyntaxError):
            return False

    return [(index, answer) for index, answer in enumerate(right) if not is_readable(answer)]


def unit_tests(text: str) -> tuple[Test, ...]:
    """The unit tests of a gold row, from the text of its answer.

    Raises:
        DataError: It is neither assert statements nor a JSON list of tests.
    """
    if not text.lstrip().startswith("["):
        return (Asserts(text),)
    try:
        return tuple(
            Prints(one["stdin"], one["stdout"])
            if "stdout" in one
            else Returns(one["function"], tuple(one["arguments"]), one["value"])
            for one in json.loads(text)
        )
    except (ValueError, KeyError, TypeError) as error:
        fix = 'write [{"stdin": "1 2", "stdout": "3"}] or [{"function": "add", "arguments": [1, 2], "value": 3}]'
        raise DataError("unit tests cannot be read", f"{text[:120]!r}: {error!r}", fix) from error


def _source(text: str) -> str:
    """The program in a reply: its last fenced block, or all of it."""
    return str((_FENCED.findall(text) or [text])[-1])
