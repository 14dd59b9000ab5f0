from __future__ import annotations

import warnings

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from seedbed.errors import DataError
from seedbed.evaluation.metrics import (
    confusion,
    exact_match,
    headline,
    macro_f1,
    recalls,
    score_rows,
    squad_normalise,
    token_f1,
)
from seedbed.task import Task

LABELS = ["yes", "no", "maybe"]
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)
QA = Task(name="qa", kind="extractive_qa", instruction="answer", fields=("context", "question"), context="context")
MOOD = Task(name="mood", kind="classification", instruction="say", labels={"yes": "good", "no": "bad"})


@settings(deadline=None)
@given(PAIRS)
def test_the_confusion_matrix_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    expected, predicted = zip(*pairs, strict=True)
    assert (confusion(expected, predicted, LABELS) == theirs.confusion_matrix(expected, predicted, labels=LABELS)).all()


@settings(deadline=None, max_examples=30)
@given(PAIRS)
def test_macro_f1_agrees_with_scikit_learn_on_the_labels_present(pairs: list[tuple[str, str]]) -> None:
    expected, predicted = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = theirs.f1_score(expected, predicted, average="macro")
    assert macro_f1(expected, predicted, LABELS) == pytest.approx(reference)


def test_a_label_without_rows_has_no_recall_rather_than_zero() -> None:
    assert recalls(["yes", "yes", "no"], ["yes", "no", "no"], LABELS) == {"yes": 0.5, "no": 1.0, "maybe": None}


@pytest.mark.parametrize(
    ("predicted", "answer", "match", "f1"),
    [
        ("The Town Moor.", "town moor", 1.0, 1.0),
        ("Town Moor in Newcastle", "Town Moor", 0.0, 2 * 0.5 * 1 / 1.5),
        ("a cat and a cat", "cat", 0.0, 2 * (1 / 3) * 1 / (4 / 3)),
        ("well-known", "well known", 0.0, 0.0),  # SQuAD deletes the hyphen and leaves one word
        ("", "the", 1.0, 0.0),  # nothing is left of either: v1.1 says a match, and no F1
        ("Beyoncé’s", "Beyoncés", 0.0, 0.0),  # only ASCII punctuation is removed
        ("1,000", "1000", 1.0, 1.0),
    ],
)
def test_answers_are_compared_as_squad_compares_them(predicted: str, answer: str, match: float, f1: float) -> None:
    assert exact_match(predicted, answer) == match
    assert token_f1(predicted, answer) == pytest.approx(f1)


def test_the_best_of_several_answers_counts() -> None:
    answers = ["Denver Broncos", "the Broncos", "Denver"]
    assert exact_match("Broncos", answers) == 1.0
    assert token_f1("the Denver team", answers) == pytest.approx(2 / 3)


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = squad_normalise(text)
    assert squad_normalise(once) == once or "İ" in text


def test_a_scored_question_keeps_match_and_f1_apart() -> None:
    gold = pl.DataFrame({"id": ["1", "2"], "answer": ["Town Moor", "Hyde Park"]})
    found = score_rows(QA, gold, ["the Town Moor", "Park"])
    assert found.columns == ["id", "expected", "predicted", "correct", "score"]
    assert found["correct"].to_list() == [True, False] and found["score"].to_list() == pytest.approx([1.0, 2 / 3])


def test_a_scored_label_is_right_or_wrong() -> None:
    found = score_rows(MOOD, pl.DataFrame({"id": ["1", "2"], "label": ["yes", "no"]}), ["yes", "yes"])
    assert found["correct"].to_list() == [True, False] and found["score"].to_list() == [1.0, 0.0]


def test_the_headline_knows_that_questions_share_a_passage() -> None:
    correct = [True, True, True, True, False, False, False, False] * 5
    passages = [str(row // 4) for row in range(40)]
    alone, shared = headline(correct), headline(correct, clusters=passages)
    assert alone.value == shared.value == 0.5 and shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_answers_that_do_not_fit_the_rows_are_refused() -> None:
    gold = pl.DataFrame({"id": ["1", "2"], "label": ["yes", "no"]})
    with pytest.raises(DataError, match="differ in number"):
        score_rows(MOOD, gold, ["yes"])
    with pytest.raises(DataError, match="missing"):
        score_rows(MOOD, gold, ["yes", None])  # type: ignore[list-item]
    with pytest.raises(DataError, match="not among"):
        confusion(["yes"], ["perhaps"], LABELS)
    with pytest.raises(DataError, match="no right answer"):
        exact_match("a", [])
