"""Which row is read next, and with which chance."""

import numpy as np
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.risk import Evidence
from seedbed.inspection.audit.rules import GOALS, chances, draw

P = np.array([0.02, 0.5, 0.9, 0.3, 0.9])
NONE_READ = np.zeros(5, dtype=bool)


@pytest.mark.parametrize("goal", GOALS)
def test_chances_sum_to_one_leave_out_what_was_read_and_nothing_else(goal):
    read = np.array([False, True, False, False, True])
    found = chances(goal, P, read, Evidence.of(5))
    assert found.sum() == pytest.approx(1)
    assert (found[read] == 0).all() and (found[~read] > 0).all()


def test_to_estimate_the_chance_follows_the_spread_above_a_uniform_floor():
    found = chances("estimate", P, NONE_READ, Evidence.of(5))
    spread = np.sqrt(P * (1 - P))
    np.testing.assert_allclose(found, 0.3 / 5 + 0.7 * spread / spread.sum())


def test_to_find_the_likeliest_per_minute_comes_first_and_equals_share():
    found = chances("find", P, NONE_READ, Evidence.of(5))
    np.testing.assert_allclose(found, 0.05 / 5 + 0.15 * P**4 / (P**4).sum() + 0.8 * np.array([0, 0, 0.5, 0, 0.5]))
    cheap = chances("find", P, NONE_READ, Evidence.of(5, worth=[1, 3, 1, 1, 1]))
    assert cheap.argmax() == 1


def test_to_improve_doubtful_rows_of_unread_slices_come_first():
    p = np.array([0.5, 0.5, 0.5, 0.99])
    read = np.array([True, False, False, False])
    found = chances("improve", p, read, Evidence.of(4, slices=["a", "a", "b", "b"]))
    assert found[2] > found[1] > found[3] > 0


def test_rows_are_drawn_as_often_as_their_chances_say():
    odds = chances("estimate", P, NONE_READ, Evidence.of(5))
    rng = np.random.default_rng(0)
    picks = [draw(odds, rng) for _ in range(20_000)]
    share = np.bincount([pick.row for pick in picks], minlength=5) / 20_000
    np.testing.assert_allclose(share, odds, atol=0.012)
    assert all(pick.probability == odds[pick.row] and pick.left == 5 for pick in picks)
    assert picks[0].least == pytest.approx(odds.min() * 5)


def test_when_all_is_read_or_the_goal_is_none_it_says_so():
    with pytest.raises(DataError, match="every row"):
        chances("find", P, np.ones(5, dtype=bool), Evidence.of(5))
    with pytest.raises(ConfigError, match="three goals"):
        chances("explore", P, NONE_READ, Evidence.of(5))
    with pytest.raises(ConfigError, match="uniform share"):
        chances("find", P, NONE_READ, Evidence.of(5), uniform=0.0)
