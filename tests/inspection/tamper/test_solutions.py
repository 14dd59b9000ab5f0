import numpy as np
import pytest

from seedbed.inspection.symbolic.arithmetic import first_error
from seedbed.inspection.tamper.solutions import (
    PAIR,
    SOLUTIONS,
    change_number,
    change_operator,
    drop_step,
    steps_of,
    still_adds_up,
    swap_operands,
)

TEXT = """He buys 3 boxes of 4, so 3 * 4 = 12 pens.
He had 5, so now 12 + 5 = 17.
He loses 2.50 of 17: 17 - 2.50 = 14.50 left."""


def rng(number: int = 0) -> np.random.Generator:
    return np.random.default_rng(number)


@pytest.mark.parametrize("operator", SOLUTIONS, ids=lambda one: one.defect)
def test_an_edit_changes_one_place_and_says_which(operator) -> None:
    edits = list(operator.candidates(TEXT, rng()))
    assert edits
    for edit in edits:
        assert TEXT[edit.at :].startswith(edit.was)
        assert edit.text == TEXT[: edit.at] + edit.now + TEXT[edit.at + len(edit.was) :] != TEXT


def test_recomputing_proves_a_defect_and_clears_what_is_none() -> None:
    assert first_error("", steps_of(TEXT)).step is None
    broken = [edit for edit in change_operator(TEXT, rng()) if not still_adds_up(TEXT, edit.text)]
    assert len(broken) == 3
    assert still_adds_up(TEXT, TEXT.replace("boxes of 4", "boxes of 5"))
    assert not still_adds_up(TEXT, TEXT.replace("= 17", "= 18"))


def test_a_number_keeps_its_decimals_and_never_falls_below_zero() -> None:
    for seed in range(30):
        for edit in change_number("Pay $1,204.50 or 0 = 0.", rng(seed)):
            assert edit.now != edit.was and "-" not in edit.now
            assert len(edit.now.partition(".")[2]) == len(edit.was.partition(".")[2])


def test_numbers_of_a_list_are_left_alone() -> None:
    assert {edit.was for edit in change_number("1. We add.\n2. So 7 + 8 = 15.", rng())} == {"7", "8", "15"}


def test_a_sign_that_gives_the_same_is_not_planted() -> None:
    for seed in range(20):
        assert [edit.now for edit in change_operator("2 + 2 = 4", rng(seed))] == ["-"]
        assert next(change_operator("6 * 0 = 0", rng(seed))).now != "/"


def test_operands_are_swapped_where_order_counts_only() -> None:
    assert list(swap_operands("3 + 4 = 7 and 5 - 5 = 0", rng())) == []
    (edit,) = swap_operands("so 9 - 4 = 5", rng())
    assert edit.text == "so 4 - 9 = 5"
    assert PAIR.search("2 * 9 - 4") is None


def test_a_step_is_dropped_only_where_a_later_one_builds_on_it() -> None:
    dropped = {edit.was for edit in drop_step(TEXT, rng())}
    assert dropped == set(TEXT.splitlines(keepends=True)[:2])
    assert all(not still_adds_up(TEXT, edit.text) for edit in drop_step(TEXT, rng()))
    assert list(drop_step("A says 1 + 1 = 2.\nB says 3 + 3 = 6.", rng())) == []


def test_one_line_is_cut_into_sentences_and_nothing_is_lost() -> None:
    text = "He has 3.5 left. So 2 * 3.5 = 7! Good"
    assert len(steps_of(text)) == 3 and "".join(steps_of(text)) == text
