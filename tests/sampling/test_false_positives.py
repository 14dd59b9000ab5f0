import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.sampling.false_positives import audited_rate, false_positives


def test_only_correct_and_checked_solutions_count() -> None:
    sound = np.array([True, False, None, False, True, None], dtype=object)
    correct = [True, True, True, False, True, False]
    found = false_positives(sound, correct, [0, 0, 1, 1, 2, 2])
    assert (found.rate.value, found.rate.n, found.correct, found.unchecked) == (pytest.approx(1 / 3), 3, 4, 1)
    assert found.bounds == (pytest.approx(0.25), pytest.approx(0.5))


def test_solutions_of_one_problem_fail_together_and_widen_the_interval() -> None:
    sound = np.repeat([True] * 16 + [False] * 4, 10)
    together = false_positives(sound, np.ones(200, bool), np.repeat(np.arange(20), 10)).rate
    apart = false_positives(sound, np.ones(200, bool), np.arange(200)).rate
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_the_rate_covers_when_problems_differ() -> None:
    rng = np.random.default_rng(0)
    hits, problem = 0, np.repeat(np.arange(80), 6)
    for _ in range(400):
        wrong = rng.random(480) < np.repeat(rng.beta(0.4, 2, 80), 6)
        rate = false_positives(~wrong, np.ones(480, bool), problem).rate
        hits += rate.low <= 0.4 / 2.4 <= rate.high
    assert 0.92 <= hits / 400 <= 0.98


def test_nothing_to_check_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="audited_rate"):
        false_positives([float("nan")] * 2, [True, True], [0, 1])


def test_an_audit_of_a_part_covers_the_rate_of_the_pool() -> None:
    rng = np.random.default_rng(1)
    pool = rng.permutation(np.arange(300) < 24)
    wrong = [int(rng.permutation(pool)[:80].sum()) for _ in range(400)]
    found = {seen: audited_rate(seen, 80, 300) for seen in set(wrong)}
    hits = sum(found[seen].low <= 0.08 <= found[seen].high for seen in wrong)
    assert 0.92 <= hits / 400 <= 0.98


def test_an_audit_of_everything_leaves_no_doubt() -> None:
    found = audited_rate(3, 40, 40)
    assert found.low == found.value == found.high == 3 / 40


def test_a_clean_audit_still_leaves_room_for_the_unread() -> None:
    found = audited_rate(0, 50, 1000)
    assert found.low == 0 and 0.04 < found.high < 0.07
