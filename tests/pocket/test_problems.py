"""Problems are right, distinct, the same everywhere, and never shared between the two splits."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import ConfigError
from seedbed.pocket import problems
from seedbed.pocket.tokenizer import Tokenizer

REAL = problems.write(250, 7)
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
RECKON = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}


def test_every_step_of_every_solution_is_true_and_exact() -> None:
    for problem in REAL:
        for left, sign, right, result in EQUATION.findall(problem.solution):
            assert RECKON[sign](int(left), int(right)) == int(result)
            assert sign != "/" or int(left) % int(right) == 0
            assert 0 < int(result) <= problems.LARGEST


def test_a_solution_has_a_line_per_step_and_ends_in_the_answer() -> None:
    for problem in REAL:
        *lines, last = problem.solution.split("\n")
        assert len(lines) == problem.steps
        assert all(len(EQUATION.findall(line)) == 1 for line in lines)
        assert last == f"The answer is {problem.answer}."
        assert EQUATION.findall(lines[-1])[0][3] == problem.answer


def test_every_solution_that_is_drawn_is_sound() -> None:
    assert all(problem.is_sound(problem.another_solution(draw)) for problem in REAL for draw in range(5))


def test_a_problem_has_many_right_solutions() -> None:
    orders = [len({" ".join(EQUATION_TEXT.findall(p.another_solution(d))) for d in range(30)}) for p in REAL[:60]]
    assert sum(orders) / len(orders) > 2


EQUATION_TEXT = re.compile(r"\d+ [-+*/] \d+ = \d+")


def test_numbers_of_a_solution_come_from_the_problem_or_an_earlier_step() -> None:
    in_words = {"twice": 2, "double": 2, "half": 2}
    for problem in REAL:
        known = {int(n) for n in re.findall(r"\d+", problem.text)}
        known |= {value for word, value in in_words.items() if word in problem.text}
        for left, _, right, result in EQUATION.findall(problem.solution):
            assert {int(left), int(right)} <= known
            known.add(int(result))


def test_a_right_answer_by_a_wrong_step_is_not_sound() -> None:
    problem = next(p for p in REAL if p.steps == 3)
    *lines, last = problem.solution.split("\n")
    assert not problem.is_sound("\n".join([lines[-1], last]))
    assert not problem.is_sound("\n".join(["1 + 1 = 3.", *lines, last]))
    assert not problem.is_sound("\n".join(lines))
    assert not problem.is_sound(last)


def test_the_same_seed_gives_the_same_problems_on_every_machine() -> None:
    for crowd, digest in ((False, "b6f4354934fa8fd8"), (True, "55ee76f41c7f79ea")):
        text = "\n".join(problem.text + problem.solution for problem in problems.write(50, 11, crowd=crowd))
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest
    assert problems.write(20, 1) != problems.write(20, 2)


def test_no_problem_comes_twice_and_steps_are_spread_evenly() -> None:
    assert len({problem.text for problem in REAL}) == len(REAL)
    counts = [sum(problem.steps == steps for problem in REAL) for steps in range(2, 7)]
    assert min(counts) > 30


def test_no_calculation_is_in_both_splits() -> None:
    trained = problems.write(300, 7, split="trained")
    fresh = {problem.asked.calculation() for problem in REAL}
    assert not fresh & {problem.asked.calculation() for problem in trained}
    assert all(problems.split_of(problem.asked) == "trained" for problem in trained)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_the_number_of_steps_is_what_was_asked_for(rng_seed: int, steps: int) -> None:
    assert [problem.steps for problem in problems.write(3, rng_seed, (steps, steps))] == [steps] * 3


def test_every_word_of_every_problem_has_a_token() -> None:
    tokenizer = Tokenizer()
    for problem in REAL:
        words = re.findall(r"[A-Za-z]+", problem.text + problem.solution)
        assert all(len(tokenizer.encode(word)) == 1 for word in words)


def test_steps_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(ConfigError, match="fewest <= most"):
        problems.write(1, 0, (3, 2))
