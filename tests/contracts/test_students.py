"""Every student goes through one battery; a new student is one more name in `KINDS`."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from tests.students.tiny_encoder import write_tiny_encoder
from tests.students.tiny_lm import tiny_lm

from seedbed.errors import ConfigError, DataError
from seedbed.students import Student, TextRow, load_student, open_student, student_settings

KINDS = ("linear", "embedding", "encoder", "reader", "lm")
CLASSIFIERS = ("linear", "embedding", "encoder")
LABELS = ("bad", "good", "neither")


@dataclass(frozen=True)
class Rows:
    X: list[TextRow]
    y: list[str]


@cache
def checkpoint() -> str:
    return write_tiny_encoder(Path(mkdtemp(prefix="tiny-encoder-")))


def settings(kind: str, **changes: Any) -> dict[str, Any]:
    tuned = {"epochs": 6, "batch": 8, "lr": 5e-3, "max_length": 32}
    by_kind: dict[str, dict[str, Any]] = {
        "linear": {},
        "embedding": {"checkpoint": checkpoint(), "max_length": 32, "c": 100.0},
        "encoder": {"checkpoint": checkpoint(), **tuned},
        "reader": {"checkpoint": checkpoint(), **tuned, "stride": 4},
        "lm": {"checkpoint": tiny_lm(), **tuned, "epochs": 36, "lr": 1e-2, "max_new": 6},
    }
    return {"kind": kind, **by_kind[kind], **changes}


@cache
def toy(kind: str, n: int = 48, offset: int = 0) -> Rows:
    """Rows that anybody can learn: a telling word, or the one city of a sentence."""
    rng = np.random.default_rng(offset)
    if kind == "reader":
        cities, people = ["paris", "rome", "oslo"], ["ann", "bob", "eve"]
        y = [str(rng.choice(cities)) for _ in range(n)]
        did = [f"{rng.choice(people)} {rng.choice(['lives', 'works', 'sleeps'])}" for _ in range(n)]
        X = [(f"{who} in {city} .", f"where is {who[:3]} ?") for who, city in zip(did, y, strict=True)]
        return Rows(X, y)
    words = {"good": ["good", "fine", "tasty"], "bad": ["bad", "poor", "stale"]}
    y = [("good", "bad")[i % 2] for i in range(n)]
    nouns = ["soup", "bread", "tea", "room", "staff"]
    return Rows([(f"the {rng.choice(nouns)} was {rng.choice(words[label])} .",) for label in y], y)


def opened(kind: str, **changes: Any) -> Student:
    return open_student(settings(kind, **changes), labels=LABELS if kind in CLASSIFIERS else ())


@cache
def fitted(kind: str) -> Student:
    rows = toy(kind)
    return opened(kind).fit(rows.X, rows.y, rng_seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_fit_returns_the_student_itself_and_leaves_its_settings_alone(kind: str) -> None:
    student, rows = opened(kind, **({"epochs": 1} if kind in ("encoder", "reader", "lm") else {})), toy(kind)
    before = student.settings.model_dump()
    assert student.fit(rows.X, rows.y) is student
    assert student.settings.model_dump() == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_constructor_learns_nothing(kind: str) -> None:
    assert not [name for name in vars(opened(kind)) if name.endswith("_")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trivial_task_is_learned_from_the_rows(kind: str) -> None:
    test = toy(kind, 40, 9)
    right = np.mean([a == b for a, b in zip(fitted(kind).predict(test.X), test.y, strict=True)])
    assert right > 0.85


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_one_prediction_with_a_confidence_for_each_row(kind: str) -> None:
    test = toy(kind, 7, 9)
    student = fitted(kind)
    assert len(student.predict(test.X)) == 7
    sure = student.confidence(test.X)
    assert sure.shape == (7,) and ((sure > 0) & (sure <= 1)).all()
    assert student.predict([]) == [] and student.confidence([]).shape == (0,)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_probabilities_have_a_column_per_label_of_the_task_and_sum_to_one(kind: str) -> None:
    student, test = fitted(kind), toy(kind, 7, 9)
    proba = student.predict_proba(test.X)
    assert student.classes_ == list(LABELS) and proba.shape == (7, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)
    assert (proba[:, LABELS.index("neither")] == 0).all()
    assert student.predict(test.X) == [LABELS[i] for i in proba.argmax(axis=1)]


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_one_label_in_training_is_predicted_always(kind: str) -> None:
    rows = toy(kind, 10)
    student = opened(kind).fit(rows.X, ["good"] * 10)
    assert student.predict(rows.X) == ["good"] * 10
    assert (student.predict_proba(rows.X)[:, 1] == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_one_rng_seed_gives_the_same_bits(kind: str) -> None:
    rows, test = toy(kind), toy(kind, 20, 9)
    again = opened(kind).fit(rows.X, rows.y, rng_seed=3)
    np.testing.assert_array_equal(again.confidence(test.X), fitted(kind).confidence(test.X))
    assert again.predict(test.X) == fitted(kind).predict(test.X)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_is_predicted_alike_in_any_company(kind: str) -> None:
    X, student = toy(kind, 37, 9).X, fitted(kind)
    together = student.confidence(X)
    np.testing.assert_array_equal(student.confidence(X[::-1])[::-1], together)
    np.testing.assert_array_equal(np.concatenate([student.confidence([row]) for row in X[:5]]), together[:5])


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_student_predicts_the_same(kind: str) -> None:
    X, student = toy(kind, 9, 9).X, fitted(kind)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(student)).confidence(X), student.confidence(X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_student_comes_back_and_no_file_of_it_is_a_pickle(kind: str, tmp_path: Path) -> None:
    X, student = toy(kind, 9, 9).X, fitted(kind)
    student.save(tmp_path / "student")
    loaded = load_student(tmp_path / "student")
    np.testing.assert_array_equal(loaded.confidence(X), student.confidence(X))
    assert loaded.predict(X) == student.predict(X)
    assert loaded.settings == student.settings and loaded.classes_ == student.classes_
    kinds = {path.suffix for path in (tmp_path / "student").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".npz", ".safetensors", ".txt"}


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_rows_of_weight_zero_teach_nothing(kind: str) -> None:
    rows, test = toy(kind), toy(kind, 20, 9)
    wrong = ["bad" if label == "good" else "good" for label in rows.y]
    weight = [1.0] * len(rows.X) + [0.0] * len(rows.X)
    student = opened(kind).fit(rows.X + rows.X, rows.y + wrong, sample_weight=weight)
    assert np.mean([a == b for a, b in zip(student.predict(test.X), test.y, strict=True)]) > 0.8


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_weights_decide_between_rows_that_contradict_each_other(kind: str) -> None:
    X = toy(kind, 24).X
    both, labels = X + X, ["good"] * 24 + ["bad"] * 24
    first = opened(kind).fit(both, labels, sample_weight=[5.0] * 24 + [1.0] * 24)
    second = opened(kind).fit(both, labels, sample_weight=[1.0] * 24 + [5.0] * 24)
    good = LABELS.index("good")
    assert (first.predict_proba(X)[:, good] > second.predict_proba(X)[:, good]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_select_chooses_a_checkpoint_but_its_labels_teach_nothing(kind: str) -> None:
    rows, test = toy(kind), toy(kind, 20, 9)
    never = (test.X, ["Rome" if kind == "reader" else "neither"] * len(test.X))
    student = opened(kind).fit(rows.X, rows.y, select=never)
    assert not set(student.predict(test.X)) & {"Rome", "neither"}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_do_not_fit_are_refused_with_a_way_out(kind: str) -> None:
    rows = toy(kind, 6)
    bad_calls: list[tuple[Any, Any, Any]] = [
        ([], [], None),
        (rows.X, rows.y[:-1], None),
        (rows.X, rows.y, [1.0]),
        (rows.X, rows.y, [-1.0] * 6),
        (rows.X, rows.y, [0.0] * 6),
        ([row[0] for row in rows.X], rows.y, None),
        ([*rows.X[:-1], ("a", "b", "c")], rows.y, None),
    ]
    for X, y, weight in bad_calls:
        with pytest.raises(DataError) as caught:
            opened(kind).fit(X, y, sample_weight=weight)
        assert caught.value.fix


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_label_that_the_task_does_not_have_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="splendid"):
        opened(kind).fit([("a",), ("b",)], ["good", "splendid"])


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_pairs_of_texts_are_learned_too(kind: str) -> None:
    rng = np.random.default_rng(0)
    words = ["soup", "bread", "tea"]
    y = ["same", "other"] * 30
    firsts = [str(rng.choice(words)) for _ in y]
    seconds = [w if label == "same" else words[(words.index(w) + 1) % 3] for w, label in zip(firsts, y, strict=True)]
    X = [(f"the {a}", f"a {b}") for a, b in zip(firsts, seconds, strict=True)]
    student = open_student(settings(kind, **({"epochs": 25} if kind == "encoder" else {}))).fit(X, y)
    assert np.mean([a == b for a, b in zip(student.predict(X), y, strict=True)]) > 0.9


def test_a_student_is_named_by_a_word_a_mapping_or_settings() -> None:
    assert student_settings("linear") == student_settings({"kind": "linear"})
    assert open_student(student_settings("linear")).settings == student_settings("linear")


def test_settings_that_do_not_exist_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        student_settings({"kind": "encoder", "epoch": 3, "lr": -1})
    assert "epoch" in caught.value.seen and "lr" in caught.value.seen
    with pytest.raises(ConfigError):
        student_settings("forest")


def test_a_folder_without_a_student_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        load_student(tmp_path)
