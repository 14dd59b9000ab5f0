from __future__ import annotations

import polars as pl
import pytest

from seedbed.errors import DataError
from seedbed.evaluation.leakage import find_leaks
from seedbed.task import Task

MOOD = Task(name="mood", kind="classification", instruction="say", labels={"good": "it is", "bad": "it is not"})
PAIR = Task(
    name="pair",
    kind="classification",
    instruction="does it follow?",
    fields=("premise", "hypothesis"),
    context="premise",
    labels={"yes": "it follows", "no": "it does not"},
)
PREMISE = "The U.S. handed power on June 30 to Iraq's interim government chosen by the United Nations."


def texts(*lines: str) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"row{number}" for number in range(len(lines))], "text": lines})


def pairs(*lines: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame([(f"row{n}", *line) for n, line in enumerate(lines)], orient="row", schema=["id", *PAIR.fields])


def test_a_shared_premise_is_a_leak_whatever_the_hypothesis() -> None:
    test = pairs(("Dogs bark at night.", "Dogs are loud."), (PREMISE, "Iraq has a government."))
    rows = pairs(("Cats sleep all day.", "Cats are lazy."), (PREMISE.upper(), "Something else happened there."))
    (leak,) = find_leaks(PAIR, rows, test)
    assert (leak.id, leak.test_id, leak.kind, leak.field, leak.similarity) == (
        "row1",
        "row1",
        "shared_context",
        "premise",
        1.0,
    )
    assert leak.reason == "shared context, premise equal to test row row1"


def test_a_lightly_changed_premise_is_found_and_says_how_alike_it_is() -> None:
    (leak,) = find_leaks(PAIR, pairs((PREMISE.replace("June 30", "30 June"), "A.")), pairs((PREMISE, "B.")))
    assert (
        leak.kind == "copied_context" and 0.8 <= leak.similarity < 1 and f"{leak.similarity:.2f} alike" in leak.reason
    )


def test_a_copied_hypothesis_under_another_premise_is_named_as_such() -> None:
    rows = pairs(("Dogs bark at night.", "Drug legalization has many benefits."))
    (leak,) = find_leaks(PAIR, rows, pairs((PREMISE, "Drug legalization has many benefits")))
    assert (leak.kind, leak.field) == ("copied_text", "hypothesis")


def test_of_two_reasons_the_shared_context_is_given() -> None:
    same = pairs((PREMISE, "Iraq has a government."))
    assert [leak.kind for leak in find_leaks(PAIR, same, same)] == ["shared_context"]


def test_short_texts_leak_only_when_equal() -> None:
    rows = texts("a fun film", "A fun film!", "a fun film too", "a very long and winding story about love and loss")
    assert [leak.id for leak in find_leaks(MOOD, rows, texts("a fun film"), threshold=0.3)] == ["row0", "row1", "row2"]
    assert find_leaks(MOOD, texts("a fun time"), texts("a fun film"), threshold=0.3) == []


def test_rows_on_the_same_subject_are_no_leak() -> None:
    rows = texts("the acting is superb and the plot never drags", "a dull plot and wooden acting throughout")
    assert find_leaks(MOOD, rows, texts("superb acting lifts an otherwise ordinary plot")) == []


def test_rows_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="lack"):
        find_leaks(PAIR, texts("a"), pairs((PREMISE, "B")))
    with pytest.raises(DataError, match="threshold"):
        find_leaks(MOOD, texts("a"), texts("b"), threshold=70)
