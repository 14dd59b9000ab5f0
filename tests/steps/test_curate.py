"""Which solutions are worth training on."""

from dataclasses import replace

import polars as pl
from tests.worlds import context

from seedbed.rows import account, frame
from seedbed.steps import Curate
from seedbed.steps.context import State
from seedbed.task import Task

TASK = Task(name="sums", kind="reasoning", answer="number", instruction="Solve it.", fields=("problem",))
PROBLEM = "Ann has 3 pens and 4 pencils. She gets 5 more pens. How many things does she have?"
WAYS = ("3 + 4 = 7\n7 + 5 = 12\nThe answer is 12.", "3 + 5 = 8\n8 + 4 = 12\nThe answer is 12.")
SAME_STEPS = "First 3 + 4 = 7, then\n7 + 5 = 12\nThe answer is 12."
WRONG_STEPS = "3 + 4 = 8\n8 + 4 = 12\nThe answer is 12."


def curated(step: Curate, *solutions: str, status: str = "accepted", task: Task = TASK) -> pl.DataFrame:
    rows = [
        {
            "id": f"r{number}",
            "made_by": "sample-1",
            "parents": ["p1"],
            "round": 0,
            "status": status,
            "problem": PROBLEM,
            "answer": "12",
            "solution": text,
        }
        for number, text in enumerate(solutions)
    ]
    ctx = replace(context(), task=task).at("curate-1", 0)
    return step.run(ctx, State(frame(task, rows))).rows


def test_the_same_steps_in_other_words_are_one_solution_and_the_copy_says_so() -> None:
    rows = curated(Curate(), WAYS[0], SAME_STEPS, WAYS[1])
    assert account(rows)["accepted"] == 2
    assert account(rows)["rejected"] == {"curate, same solution as another row": 1}


def test_other_words_count_where_words_are_asked_for() -> None:
    assert account(curated(Curate(distinct="text"), WAYS[0], SAME_STEPS, WAYS[1]))["accepted"] == 3


def test_a_right_answer_by_wrong_steps_is_left_out_unless_it_is_asked_for() -> None:
    assert account(curated(Curate(), WAYS[0], WRONG_STEPS))["rejected"] == {"curate, unsound steps": 1}
    assert account(curated(Curate(sound="any"), WAYS[0], WRONG_STEPS))["accepted"] == 2


def test_programs_are_told_apart_by_their_text_and_not_by_sums_in_a_comment() -> None:
    programs = TASK.model_copy(update={"answer": "program"})
    texts = "def f(n):  # 2 + 2 = 5\n    return n", "def f(n):  # 2 + 2 = 5\n    return int(n)"
    assert account(curated(Curate(), *texts, task=programs))["accepted"] == 2


def test_no_more_of_one_problem_than_the_cap() -> None:
    found = account(curated(Curate(per_problem=1), *WAYS))
    assert found["accepted"] == 1 and found["rejected"] == {"curate, beyond 1 a problem": 1}


def test_rows_that_were_rejected_before_keep_their_first_reason() -> None:
    rows = curated(Curate(), "3 + 4 = 7\nThe answer is 7.", status="rejected")
    assert account(rows)["rejected"] == {"no reason": 1}
