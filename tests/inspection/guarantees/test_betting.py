import numpy as np
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.betting import DefectBet, betting_bound
from seedbed.randomness import stream


def test_looking_after_every_label_is_safe_with_replacement() -> None:
    rng = stream(0, "betting")
    false = sum(DefectBet(0.05).extend(rng.random(300) < 0.05).is_certified for _ in range(200))
    assert false <= 0.05 * 200 + 2 * (200 * 0.05 * 0.95) ** 0.5


def test_looking_after_every_label_is_safe_without_replacement() -> None:
    rng = stream(1, "betting")
    bad = np.arange(200) < 11  # one more than 5 % of 200
    false = sum(DefectBet(0.05, n_rows=200).extend(rng.permutation(bad)).is_certified for _ in range(200))
    assert false <= 0.05 * 200 + 2 * (200 * 0.05 * 0.95) ** 0.5


def test_wealth_is_expected_to_stay_where_the_rate_is_at_its_limit() -> None:
    alpha, wealth = 0.3, {(): 1.0}
    mean = 0.0
    for path in np.ndindex(*(2,) * 8):
        bet = DefectBet(alpha).extend(bool(step) for step in path)
        mean += bet.e_value * alpha ** sum(path) * (1 - alpha) ** (8 - sum(path))
    assert mean == pytest.approx(wealth[()])


def test_good_rows_are_certified_before_the_labels_run_out() -> None:
    bet = DefectBet(0.05)
    while not bet.is_certified:
        bet.update(is_bad=False)
    assert 59 <= bet.n <= 90


def test_a_finite_set_needs_fewer_labels_and_its_last_label_decides() -> None:
    def needed(n_rows: int | None) -> int:
        bet = DefectBet(0.1, n_rows=n_rows)
        while not bet.is_certified:
            bet.update(is_bad=False)
        return bet.n

    assert needed(40) < needed(None)
    whole = DefectBet(0.1, n_rows=10, delta=1e-9).extend([True] + [False] * 9)
    assert whole.is_certified
    assert not DefectBet(0.1, n_rows=10).extend([True] * 2 + [False] * 8).is_certified


def test_the_bound_lies_above_the_rate_in_nearly_all_draws() -> None:
    rng = stream(2, "betting")
    low = sum(betting_bound(rng.random(120) < 0.1) < 0.1 for _ in range(12))
    assert low <= 2
    assert 0.03 < betting_bound([False] * 100) < 0.06


def test_hoping_for_more_defects_than_allowed_is_refused() -> None:
    with pytest.raises(ConfigError, match="below alpha"):
        DefectBet(0.02, expected=0.03)
    with pytest.raises(DataError, match="labelled already"):
        DefectBet(0.02, n_rows=1).extend([False, False])
