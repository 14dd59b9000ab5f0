"""One door to all ways of checking a solution."""

import json

import pytest

from seedbed.errors import DataError
from seedbed.task import Task
from seedbed.verification.solutions import check_solutions, unit_tests


def task(answer: str) -> Task:
    return Task(name="t", kind="reasoning", answer=answer, instruction="Solve it.", fields=("problem",))


def test_a_right_answer_is_said_in_golds_letters_and_a_wrong_one_says_what_was_read() -> None:
    found = check_solutions(task("number"), ["So the answer is 1,200.", "The answer is 41.", None], ["1200", "42", "7"])
    assert [(one.answer, one.correct) for one in found] == [("1200", True), ("41", False), (None, False)]
    assert [one.why for one in found] == [None, "wrong answer: said 41", "no answer"]


def test_what_a_vote_counts_owes_nothing_to_gold() -> None:
    found = check_solutions(task("expression"), ["The answer is x + 1.", "The answer is 1 + x."], ["1 + x"] * 2)
    assert [one.correct for one in found] == [True, True]
    assert [one.answer for one in found] == ["1 + x"] * 2 and [one.said for one in found] == ["x+1", "1+x"]


def test_a_program_passes_or_says_which_way_it_failed() -> None:
    tests = json.dumps([{"function": "double", "arguments": [4], "value": 8}])
    good, bad = "Here it is:\n```python\ndef double(x):\n    return 2 * x\n```", "def double(x):\n    return x"
    found = check_solutions(task("program"), [good, bad, None], [tests] * 3)
    assert [one.correct for one in found] == [True, False, False]
    assert found[0].answer == tests and (found[1].why or "").startswith("failed")


def test_asserts_and_printed_output_are_unit_tests_too() -> None:
    printed = json.dumps([{"stdin": "2 3", "stdout": "5"}])
    adds = "a, b = map(int, input().split())\nprint(a + b)"
    found = check_solutions(task("program"), [adds, "def f(): return 1"], [printed, "assert f() == 1"])
    assert [one.correct for one in found] == [True, True]


def test_unit_tests_that_cannot_be_read_say_how_to_write_them() -> None:
    with pytest.raises(DataError, match="stdout"):
        unit_tests('[{"input": 3}]')
