from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.students.tiny_lm import tiny_lm, tiny_pocket

from seedbed.errors import ConfigError, DataError
from seedbed.pocket.net import Net, sample
from seedbed.pocket.tokenizer import Tokenizer
from seedbed.students import load_student, open_student
from seedbed.students.lm import LmStudent
from seedbed.students.lm_checkpoint import open_lm
from seedbed.students.lm_training import Dialogues, row_losses, step_batches
from seedbed.students.settings import LmSettings

X = [(f"Ann has {a} pens. Ann buys {b} pens. How many pens does Ann have?",) for a in range(2, 5) for b in range(2, 6)]
Y = [f"{a} + {b} = {a + b}.\nThe answer is {a + b}." for a in range(2, 5) for b in range(2, 6)]
LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=120).map(np.array)
TEMPLATE = "{% for m in messages %}the {{ m['content'] }} {% endfor %}it"


def settings(**changes: Any) -> LmSettings:
    return LmSettings(**{"checkpoint": tiny_pocket(), "steps": 120, "batch": 12, "lr": 1e-2, "max_new": 40, **changes})


@cache
def fitted() -> LmStudent:
    return LmStudent(settings()).fit(X, Y, rng_seed=1)


def test_a_pocket_student_learns_to_write_whole_solutions() -> None:
    assert np.mean([a == b for a, b in zip(fitted().predict(X), Y, strict=True)]) > 0.8


@given(LENGTHS, st.integers(1, 20), st.integers(1, 12))
def test_training_takes_exactly_the_steps_it_was_given_and_full_batches(
    lengths: np.ndarray, batch: int, steps: int
) -> None:
    batches = step_batches(lengths, LmSettings(batch=batch, steps=steps), np.random.default_rng(0))
    assert [len(rows) for rows in batches] == [batch] * steps
    times = np.bincount(np.concatenate(batches), minlength=len(lengths))
    assert times.max() - times.min() <= 1  # no row comes again before every other came


@given(LENGTHS, st.integers(1, 20), st.integers(1, 4))
def test_epochs_read_every_row_as_often(lengths: np.ndarray, batch: int, epochs: int) -> None:
    batches = step_batches(lengths, LmSettings(batch=batch, epochs=epochs), np.random.default_rng(0))
    assert set(np.bincount(np.concatenate(batches), minlength=len(lengths))) == {epochs}


def test_the_loss_counts_the_tokens_of_the_solution_and_its_end_alone() -> None:
    import torch

    model, texts = open_lm(tiny_pocket())
    prompts, answers = [texts.prompt(row[0]) for row in X[:5]], [texts.answer(text) for text in Y[:5]]
    expected = []
    for prompt, answer in zip(prompts, answers, strict=True):
        with torch.inference_mode():
            scores = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        expected.append(-sum(float(scores[len(prompt) + i - 1, token]) for i, token in enumerate(answer)))
    np.testing.assert_allclose(row_losses(model, Dialogues(prompts, answers, texts.pad)), expected, rtol=1e-5)
    assert answers[0][-1] == Tokenizer().eos


def test_a_saved_pocket_student_is_a_pocket_model(tmp_path: Path) -> None:
    fitted().save(tmp_path)
    tokenizer, net = Tokenizer(), Net.load(tmp_path)
    told = [
        tokenizer.decode(tokens) for tokens in sample(net, [tokenizer.prompt(X[0][0])], temperature=0, max_tokens=64)
    ]
    assert told == fitted().predict(X[:1])
    again = LmStudent(settings(checkpoint=f"pocket:{tmp_path}", steps=1, lr=1e-9)).fit(X, Y)
    assert again.predict(X) == fitted().predict(X)


def test_numpy_and_transformers_see_the_same_scores() -> None:
    import torch

    model, texts = open_lm(tiny_pocket())
    tokens = texts.prompt(X[0][0])
    with torch.inference_mode():
        expected = model(torch.tensor([tokens])).logits[0].numpy()
    np.testing.assert_allclose(Net.load(tiny_pocket().removeprefix("pocket:")).logits(tokens), expected, atol=1e-4)


def test_draws_differ_between_seeds_and_a_cold_student_says_what_it_predicts() -> None:
    hot = [fitted().sample(X[:4], 8, temperature=2.0, rng_seed=seed) for seed in (0, 0, 1)]
    assert hot[0] == hot[1] != hot[2]
    assert [len(texts) for texts in hot[0]] == [8] * 4 and len(set(hot[0][0])) > 1
    assert fitted().sample(X[:4], 3, temperature=0) == [[text] * 3 for text in fitted().predict(X[:4])]


def test_a_pocket_student_reads_only_what_stands_after_the_last_blank_line() -> None:
    told = LmStudent(settings(instruction="Solve it.", steps=1)).fit(X, Y, rng_seed=1)
    plain = LmStudent(settings(steps=1)).fit(X, Y, rng_seed=1)
    np.testing.assert_array_equal(told.confidence(X), plain.confidence(X))


def test_rows_of_weight_zero_change_nothing() -> None:
    wrong = ["The answer is 0." for _ in Y]
    weight = [1.0] * len(X) + [0.0] * len(X)
    few = settings(steps=5)
    with_wrong = LmStudent(few).fit(X + X, Y + wrong, sample_weight=weight, rng_seed=1)
    np.testing.assert_array_equal(with_wrong.confidence(X), LmStudent(few).fit(X, Y, rng_seed=1).confidence(X))


def test_a_heavier_row_is_learned_rather_than_one_that_contradicts_it() -> None:
    no, yes = ["The answer is 0."] * 12, ["The answer is 9."] * 12
    student = LmStudent(settings(steps=60)).fit(X + X, no + yes, sample_weight=[1.0] * 12 + [6.0] * 12)
    assert student.predict(X) == yes


def test_the_weights_with_the_lowest_loss_on_select_stay() -> None:
    """Learning Y makes the other answers ever less likely, so the first check is the best."""
    other = (X, ["Zed 7 Zed."] * 12)
    student = LmStudent(settings(steps=40, checks=4)).fit(X, Y, select=other)
    assert len(student.select_losses_) == 4
    kept = (
        row_losses(student.model_, student._dialogues(*other)).sum() / student._dialogues(*other).answer_lengths().sum()
    )
    assert kept == pytest.approx(min(student.select_losses_))


def test_a_checkpoint_with_a_chat_template_is_asked_through_it() -> None:
    _, texts = open_lm(tiny_lm(TEMPLATE))
    _, plain = open_lm(tiny_lm())
    assert texts.prompt("soup") == plain.prompt("the soup it") != plain.prompt("soup")
    assert texts.decode(texts.answer("good soup")) == "good soup"


def test_a_language_model_has_no_labels_and_no_probabilities_of_labels() -> None:
    with pytest.raises(ConfigError):
        open_student({"kind": "lm"}, labels=("good", "bad"))
    with pytest.raises(ConfigError, match="confidence"):
        fitted().predict_proba(X)


def test_problems_without_room_for_a_solution_are_refused() -> None:
    with pytest.raises(DataError, match="no room"):
        LmStudent(settings(max_length=16)).fit(X, Y)
    with pytest.raises(DataError, match="longer than the student can read"):
        fitted().predict([("pens " * 200,)])


def test_a_pocket_model_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="weak"):
        LmStudent(settings(checkpoint="pocket:huge")).fit(X, Y)


def test_a_loaded_student_goes_on_alike(tmp_path: Path) -> None:
    fitted().save(tmp_path)
    loaded = load_student(tmp_path)
    assert loaded.predict(X) == fitted().predict(X) and loaded.settings == fitted().settings
