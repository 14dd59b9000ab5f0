import ast

import numpy as np
import pytest

from seedbed.inspection.tamper.programs import PROGRAMS, change_operator, off_by_one, swap_return

SOURCE = '''def total(items, most):  # größer: ü
    """Sum of the first items."""
    found = 0
    for place in range(1, len(items)):  # a + b in a comment
        if place <= most and items[place] > 0:
            found = (found) + (items[place])
    return found, most
'''


@pytest.mark.parametrize("operator", PROGRAMS, ids=lambda one: one.defect)
def test_an_edit_parses_and_changes_one_place_only(operator) -> None:
    edits = list(operator.candidates(SOURCE, np.random.default_rng(0)))
    assert edits and operator.needs_check
    for edit in edits:
        assert edit.text == SOURCE[: edit.at] + edit.now + SOURCE[edit.at + len(edit.was) :]
        assert ast.dump(ast.parse(edit.text)) != ast.dump(ast.parse(SOURCE))


def now(operator, source: str) -> set[str]:
    return {f"{edit.was} -> {edit.now}" for edit in operator(source, np.random.default_rng(0))}


def test_each_operator_finds_its_places() -> None:
    assert {"<= -> <", "> -> >="} <= now(off_by_one, SOURCE)
    assert any("len(items) " in one for one in now(off_by_one, SOURCE))
    assert now(change_operator, SOURCE) == {"<= -> >=", "> -> <", "+ -> -", "and -> or"}
    assert {"found, most -> (most, found)", "found, most -> items"} <= now(swap_return, SOURCE)


def test_signs_behind_letters_of_two_bytes_are_found_where_they_are() -> None:
    assert {edit.text for edit in change_operator("größe = 'ü' + 'ö'", np.random.default_rng(0))} == {
        "größe = 'ü' - 'ö'"
    }


@pytest.mark.parametrize("source", ["def broken(:", "not a program at all", "", "x = 1\x00"])
def test_what_is_no_program_has_no_candidates(source: str) -> None:
    assert [list(one.candidates(source, np.random.default_rng(0))) for one in PROGRAMS] == [[], [], []]
