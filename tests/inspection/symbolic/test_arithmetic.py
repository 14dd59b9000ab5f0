import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.inspection.symbolic.arithmetic import first_error

REAL = Path(os.environ.get("SEEDBED_DATA", Path(__file__).parents[4] / "shared" / "data"))
QUESTION = "((3 + 4) * (9 - 2)) ="
TRACE = [
    'This equation can be written as "A * B", where A = (3 + 4) and B = (9 - 2).',
    "Let's calculate A = (3 + 4) = 7.",
    "Let's calculate B = (9 - 2) = 7.",
    "Then, the final equation is A * B = 7 * 7 = 49. So the answer is 49",
]


def test_a_right_trace_has_no_error() -> None:
    found = first_error(QUESTION, TRACE)
    assert found.step is None and found.checked == 8 and not found.abstains


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [(0, "A * B", "A + B"), (1, "= 7", "= 8"), (2, "(9 - 2)", "(9 - 3)"), (3, "7 * 7", "7 * 8"), (3, "is 49", "is 48")],
)
def test_the_first_false_step_is_named(step: int, old: str, new: str) -> None:
    steps = [text.replace(old, new) if number == step else text for number, text in enumerate(TRACE)]
    assert first_error(QUESTION, steps).step == step


def test_a_mistake_that_is_carried_on_is_found_where_it_was_made() -> None:
    steps = [TRACE[0], "A = (3 + 4) = 8.", TRACE[2], "A * B = 8 * 7 = 56. So the answer is 56"]
    found = first_error(QUESTION, steps)
    assert found.step == 1 and "is 7, not 8" in found.reason


def test_a_wrong_plan_passes_where_only_the_calculation_is_looked_at() -> None:
    steps = [TRACE[0].replace("A * B", "A - B"), *TRACE[1:3], "A - B = 7 - 7 = 0. So the answer is 0"]
    assert first_error(QUESTION, steps).step == 0
    assert first_error(QUESTION, steps, check_plan=False).step is None


def test_prose_without_equations_is_an_abstention() -> None:
    found = first_error("How many?", ["He has some apples.", "He eats all of them."])
    assert found.abstains and found.step is None


def test_a_percent_sign_counts_in_the_reading_that_holds() -> None:
    assert first_error("", ["40 / 200 = 20%", "60% - 20% = 40%", "5 * 20% = 1"]).step is None
    assert first_error("", ["40 / 200 = 30%"]).step == 0


@given(st.integers(0, 99), st.integers(0, 99), st.integers(-5, 5))
def test_every_wrong_sum_is_found_and_no_right_one(a: int, b: int, off: int) -> None:
    found = first_error("", ["We look at both.", f"Together {a} + {b} = {a + b + off} apples."])
    assert found.step == (1 if off else None)


@pytest.mark.skipif(not (REAL / "gsm8k" / "train.jsonl").exists(), reason="needs GSM8K's solutions")
def test_solutions_that_people_wrote_are_hardly_ever_accused() -> None:
    rows = pl.read_ndjson(REAL / "gsm8k" / "train.jsonl", n_rows=200)
    found = [first_error("", text.split("\n")) for text in rows["answer"]]
    assert sum(one.step is not None for one in found) <= 4
    assert sum(one.abstains for one in found) <= 20
