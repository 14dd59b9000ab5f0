from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.students.tiny_encoder import write_tiny_encoder

from seedbed.students.batching import READ_ROWS, reading_batches, training_batches
from seedbed.students.checkpoint import open_checkpoint
from seedbed.students.encoder import EncoderStudent, with_head
from seedbed.students.settings import EncoderSettings
from seedbed.students.tuning import fine_tune

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=200).map(np.array)
ROWS = ([("the soup was good .",), ("the soup was bad .",)] * 12, ["good", "bad"] * 12)


@cache
def checkpoint() -> str:
    return write_tiny_encoder(Path(mkdtemp(prefix="tiny-encoder-")))


def settings(**changes: Any) -> EncoderSettings:
    return EncoderSettings(**{"checkpoint": checkpoint(), "epochs": 4, "batch": 8, "lr": 5e-3, **changes})


@given(LENGTHS, st.integers(1, 20))
def test_an_epoch_has_every_row_once(lengths: np.ndarray, batch: int) -> None:
    batches = training_batches(lengths, batch, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch


@given(LENGTHS)
def test_reading_has_every_row_once_in_batches_of_one_shape_per_width(lengths: np.ndarray) -> None:
    batches = reading_batches(lengths)
    assert sorted(np.concatenate([part for part, _, _ in batches]).tolist()) == list(range(len(lengths)))
    assert {len(filled) for _, filled, _ in batches} == {READ_ROWS}
    assert all(
        (lengths[part] <= width).all() and (filled[: len(part)] == part).all() for part, filled, width in batches
    )


def test_the_epoch_with_the_best_score_is_the_one_that_stays() -> None:
    import torch

    told, seen = iter([0.2, 0.9, 0.5, 0.6]), []
    parts = with_head(open_checkpoint(checkpoint())[1], 2)

    def loss_of(rows: np.ndarray) -> Any:
        return parts["head"](torch.ones(1, 32)).square().sum()

    def score() -> float:
        seen.append(parts["head"].weight.detach().clone())
        return next(told)

    scores = fine_tune(parts, np.ones(24, dtype=np.int64), loss_of, score, settings=settings(), rng_seed=0)
    assert scores == [0.2, 0.9, 0.5, 0.6]  # patience 2 ends after the fourth
    assert torch.equal(parts["head"].weight, seen[1]) and not torch.equal(seen[1], seen[3])


def test_training_stops_when_patience_is_over() -> None:
    student = EncoderStudent(settings(epochs=9, patience=1)).fit(*ROWS, select=(ROWS[0], ["neither"] * 24))
    assert student.select_scores_ == [0.0, 0.0]


def test_frozen_layers_do_not_move_and_the_others_do() -> None:
    before = open_checkpoint(checkpoint())[1].state_dict()
    after = EncoderStudent(settings(frozen_layers=1, epochs=1)).fit(*ROWS).parts_["encoder"].state_dict()
    moved = {name for name in before if not np.array_equal(before[name].numpy(), after[name].numpy())}
    assert not [name for name in moved if "layer.0." in name or name.startswith("embeddings.")]
    assert [name for name in moved if "layer.1." in name]


def test_training_leaves_torch_as_it_was() -> None:
    import torch

    torch.manual_seed(5)
    before = (torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    EncoderStudent(settings(epochs=1)).fit(*ROWS)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[1:]


def test_another_rng_seed_gives_another_student() -> None:
    first, second = (EncoderStudent(settings(epochs=1)).fit(*ROWS, rng_seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.predict_proba(ROWS[0]), second.predict_proba(ROWS[0]))


@pytest.mark.slow
def test_minilm_learns_from_real_weights_what_a_random_encoder_cannot_know() -> None:
    """No word of the test rows stands in training: only pretrained weights know that they mean the same."""
    good, bad = ["delicious", "wonderful", "superb", "lovely"], ["disgusting", "awful", "horrible", "dreadful"]
    X = [(f"The {noun} was {word}.",) for noun in ("meal", "soup") for word in good + bad]
    y = (["good"] * 4 + ["bad"] * 4) * 2
    student = EncoderStudent(EncoderSettings(epochs=8, batch=8, max_length=32, frozen_layers=3)).fit(X, y)
    assert student.predict([("An excellent pie, I enjoyed it.",), ("This pie is terrible, I hated it.",)]) == [
        "good",
        "bad",
    ]
