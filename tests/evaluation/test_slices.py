from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from seedbed.errors import DataError
from seedbed.evaluation.slices import find_slices, slice_gains
from seedbed.task import Task

MOOD = Task(name="mood", kind="classification", instruction="say", labels={"good": "it is", "bad": "it is not"})
TOPICS = {"food": "pasta sauce waiter dessert kitchen", "film": "actor plot camera scene director"}


def reviews(n: int, rng: np.random.Generator) -> pl.DataFrame:
    lines = []
    for row in range(n):
        words = list(rng.choice(TOPICS[["food", "film"][row % 2]].split(), int(rng.integers(3, 9))))
        if rng.random() < 0.25:
            words.insert(1, "not")
        lines.append((str(row), " ".join(words), ["good", "bad"][int(rng.integers(2))]))
    return pl.DataFrame(lines, orient="row", schema=["id", "text", "label"])


def answered(rows: pl.DataFrame, correct: np.ndarray) -> pl.DataFrame:
    return rows.select("id").with_columns(correct=pl.Series(correct.astype(bool)))


def test_a_weakness_for_negations_is_found_first() -> None:
    rng = np.random.default_rng(0)
    rows = reviews(600, rng)
    negated = rows["text"].str.contains(r"\bnot\b").to_numpy()
    worst = find_slices(MOOD, rows, rng.random(600) < np.where(negated, 0.55, 0.9))[0]
    assert worst.name == "text has a negation" and worst.p_value < 0.001
    assert set(worst.row_ids) == set(rows["id"].to_numpy()[negated]) and worst.n == negated.sum()
    assert worst.accuracy.low < 0.55 < worst.accuracy.high


def test_a_weakness_for_a_topic_is_found_and_named_by_its_words() -> None:
    rng = np.random.default_rng(1)
    rows = reviews(600, rng)
    food = np.arange(600) % 2 == 0
    worst = find_slices(MOOD, rows, rng.random(600) < np.where(food, 0.7, 0.95), groups=2)[0]
    named = set(worst.name.removeprefix("text about ").split(", "))
    assert named <= set(TOPICS["food"].split()) and worst.p_value < 0.001


@pytest.mark.slow
def test_a_student_without_a_weakness_rarely_gets_one_named() -> None:
    alarms = 0
    for rng_seed in range(100):
        rng = np.random.default_rng([2, rng_seed])
        rows = reviews(240, rng)
        found = find_slices(MOOD, rows, rng.random(240) < 0.8, rng_seed=rng_seed)
        assert len(found) > 5
        alarms += found[0].p_value < 0.05
    assert alarms <= 10  # 5 % of 100, and twice that for the luck of the draw


def test_slices_have_enough_rows_inside_and_outside_and_none_is_tried_twice() -> None:
    rng = np.random.default_rng(3)
    rows = reviews(100, rng)
    found = find_slices(MOOD, rows, rng.random(100) < 0.8, min_support=30)
    assert found and all(30 <= each.n <= 70 and each.n == len(each.row_ids) for each in found)
    assert len({each.row_ids for each in found}) == len(found)


def test_the_same_rows_give_the_same_slices() -> None:
    rng = np.random.default_rng(4)
    rows, correct = reviews(200, rng), rng.random(200) < 0.7
    assert find_slices(MOOD, rows, correct) == find_slices(MOOD, rows, correct)


def test_a_mended_slice_shows_its_gain_and_the_others_show_none() -> None:
    rng = np.random.default_rng(5)
    rows = reviews(800, rng)
    negated = rows["text"].str.contains(r"\bnot\b").to_numpy()
    before, after = ~negated | (rng.random(800) < 0.3), ~negated | (rng.random(800) < 0.9)
    found = find_slices(MOOD, rows, before)
    shuffled = answered(rows, after)[list(rng.permutation(800))]
    gains = {gain.name: gain for gain in slice_gains(found, answered(rows, before), shuffled)}
    mended = gains["text has a negation"]
    assert mended.gain.is_clear and mended.gain.value == pytest.approx(mended.after.value - mended.before.value)
    assert mended.n == negated.sum()


def test_texts_without_words_and_rows_without_support_give_no_slices() -> None:
    empty = pl.DataFrame({"id": ["1", "2"], "text": ["", "?"], "label": ["good", "bad"]})
    assert find_slices(MOOD, empty, [True, False]) == []
    marks = pl.DataFrame({"id": list("abcdefgh"), "text": ["?!"] * 8, "label": ["good", "bad"] * 4})
    assert [each.name for each in find_slices(MOOD, marks, [True] * 8, min_support=2)] == [
        "label is bad",
        "label is good",
    ]


def test_scores_that_do_not_fit_the_rows_are_refused() -> None:
    rows = reviews(100, np.random.default_rng(6))
    with pytest.raises(DataError):
        find_slices(MOOD, rows, [True])
    found = find_slices(MOOD, rows, [True] * 99 + [False])
    with pytest.raises(DataError, match="without answers"):
        slice_gains(found, answered(rows, np.ones(100)), answered(rows[:50], np.ones(50)))
