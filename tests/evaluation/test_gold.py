from __future__ import annotations

import copy
import pickle
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.evaluation.gold import Gold, SealedRows, seal, split_gold
from seedbed.similarity import normalise
from seedbed.task import Task

MOOD = Task(name="mood", kind="classification", instruction="say", labels={"good": "it is", "bad": "it is not"})
QA = Task(name="qa", kind="extractive_qa", instruction="answer", fields=("context", "question"), context="context")


def reviews(n: int, bad: float = 0.3) -> pl.DataFrame:
    labels = ["bad" if row < n * bad else "good" for row in range(n)]
    return pl.DataFrame(
        {"id": [str(row) for row in range(n)], "text": [f"review {row}" for row in range(n)], "label": labels}
    )


def questions(per_context: list[int]) -> pl.DataFrame:
    lines = [
        (f"{c}.{q}", f"passage {c}", f"question {c} {q}") for c, many in enumerate(per_context) for q in range(many)
    ]
    return pl.DataFrame(lines, schema=["id", "context", "question"], orient="row").with_columns(answer=pl.lit("yes"))


def parts(gold: Gold) -> dict[str, pl.DataFrame]:
    return {"steer": gold.steer, "select": gold.select, "test": gold.test.open("in a test of the split")}


def test_sizes_are_met_and_labels_keep_their_shares() -> None:
    found = parts(split_gold(MOOD, reviews(1000), steer=500, select=100, test="rest", rng_seed=0))
    assert {part: rows.height for part, rows in found.items()} == {"steer": 500, "select": 100, "test": 400}
    for rows in found.values():
        assert abs((rows["label"] == "bad").mean() - 0.3) < 0.011


def test_each_row_is_dealt_once_and_the_same_rng_seed_deals_alike() -> None:
    found, again = (parts(split_gold(MOOD, reviews(90), steer=30, select=30, test=30, rng_seed=4)) for _ in range(2))
    assert sorted(pl.concat(found.values())["id"].to_list()) == sorted(reviews(90)["id"].to_list())
    assert all(found[part].equals(again[part]) for part in found)
    other = split_gold(MOOD, reviews(90), steer=30, select=30, test=30, rng_seed=5)
    assert not other.steer.equals(found["steer"])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=6, max_size=40), st.integers(0, 5))
def test_no_context_is_in_two_parts_and_no_part_is_short_by_a_whole_context(
    per_context: list[int], rng_seed: int
) -> None:
    frame = questions(per_context)
    third = frame.height // 3
    found = parts(
        split_gold(QA, frame, steer=third, select=third // 2, test=frame.height - third - third // 2, rng_seed=rng_seed)
    )
    contexts = [set(rows["context"]) for rows in found.values()]
    assert not (contexts[0] & contexts[1] or contexts[0] & contexts[2] or contexts[1] & contexts[2])
    assert (found["steer"].height, found["select"].height) == (third, third // 2)
    assert sum(rows.height for rows in found.values()) > frame.height - 2 * max(per_context)


def test_contexts_that_add_up_are_dealt_exactly() -> None:
    found = parts(split_gold(QA, questions([3, 5, 4] * 20), steer=140, select=40, test=60, rng_seed=0))
    assert [rows.height for rows in found.values()] == [140, 40, 60]


def test_the_same_text_written_twice_is_never_in_two_parts() -> None:
    texts = [f"Review {row // 2}!" if row % 2 else f"REVIEW  {row // 2}" for row in range(60)]
    shout = reviews(60).with_columns(text=pl.Series(texts))
    found = parts(split_gold(MOOD, shout, steer=20, select=20, test=20, rng_seed=1))
    kinds = [{normalise(text) for text in rows["text"]} for rows in found.values()]
    assert sum(map(len, kinds)) == len(set.union(*kinds)) == 30


def test_asking_for_more_rows_than_there_are_says_by_how_many() -> None:
    with pytest.raises(DataError) as caught:
        split_gold(MOOD, reviews(100), steer=80, select=20, test=20, rng_seed=0)
    assert "there are 100" in caught.value.seen and "by 20" in caught.value.fix


@pytest.mark.parametrize("sizes", [("rest", "rest", 1), (-1, 0, "rest"), (50, 50, "rest")])
def test_a_split_that_cannot_be_is_refused(sizes: tuple[Any, Any, Any]) -> None:
    with pytest.raises(DataError):
        split_gold(MOOD, reviews(100), steer=sizes[0], select=sizes[1], test=sizes[2], rng_seed=0)


def test_a_part_may_be_empty() -> None:
    gold = split_gold(MOOD, reviews(10), steer=10, select=0, test=0, rng_seed=0)
    assert (gold.steer.height, gold.select.height, gold.test.n) == (10, 0, 0)
    assert gold.select.columns == gold.steer.columns


def test_every_opening_is_logged_and_a_second_purpose_is_refused() -> None:
    events: list[dict[str, Any]] = []
    sealed = seal(reviews(5), events.append)
    assert sealed.open("final evaluation").equals(sealed.open("final evaluation"))
    with pytest.raises(DataError, match="one purpose"):
        sealed.open("try another threshold")
    assert [event["why"] for event in events] == ["final evaluation"] * 2
    assert events[0] == {
        "event": "test opened",
        "why": "final evaluation",
        "rows": 5,
        "fingerprint": sealed.fingerprint,
    }


def test_a_leak_check_sees_texts_but_no_answers_and_does_not_use_up_the_opening() -> None:
    sealed = seal(reviews(5), lambda _event: None)
    assert sealed.open("leak check").columns == ["id", "text"]
    assert sealed.open("final evaluation").columns == ["id", "text", "label"]
    assert sealed.open("leak check").height == 5


def test_a_purpose_from_before_a_restart_still_binds() -> None:
    sealed = seal(reviews(5), lambda _event: None, opened_for="final evaluation")
    with pytest.raises(DataError):
        sealed.open("another look")


def test_sealed_rows_show_no_row_when_printed_copied_or_pickled() -> None:
    sealed = SealedRows(reviews(5), lambda _event: None)
    gold = Gold(reviews(1), reviews(1), sealed)
    assert "review" not in repr(sealed) and "review" not in str(gold.test) and "5" in repr(sealed)
    for travel in (pickle.dumps, copy.deepcopy):
        with pytest.raises(DataError, match="do not travel"):
            travel(sealed)


def test_the_fingerprint_is_of_the_contents() -> None:
    one, same, other = (seal(rows, lambda _event: None) for rows in (reviews(5), reviews(5), reviews(6)))
    assert one.fingerprint == same.fingerprint != other.fingerprint
