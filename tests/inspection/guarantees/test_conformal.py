import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.guarantees.conformal import conformal_p_values, conformal_selection
from seedbed.randomness import stream


def test_p_values_count_bad_rows_that_look_as_good() -> None:
    found = conformal_p_values([0.0, 2.0, 9.0], [1.0, 2.0, 3.0, 0.5], [True, True, True, False])
    assert found.tolist() == [1 / 5, 3 / 5, 4 / 5]


def test_few_of_the_kept_are_bad_on_average() -> None:
    rng, false, kept = stream(0, "conformal"), [], []
    for _ in range(200):
        bad = rng.random(900) < 0.3
        scores = rng.normal(size=900) + 3 * bad
        chosen = conformal_selection(scores[300:], scores[:300], bad[:300], 0.1)
        kept.append(chosen.mean())
        false.append((chosen & bad[300:]).sum() / max(1, chosen.sum()))
    assert np.mean(false) <= 0.105
    assert np.mean(kept) > 0.5


def test_without_signal_almost_nothing_is_kept() -> None:
    rng = stream(1, "conformal")
    bad = rng.random(600) < 0.5
    scores = rng.normal(size=600)
    assert conformal_selection(scores[300:], scores[:300], bad[:300], 0.05).mean() < 0.02


def test_a_score_that_is_missing_is_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        conformal_p_values([np.nan], [1.0], [True])
