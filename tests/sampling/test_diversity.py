from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.sampling.coverage import count_draws, pass_at_k
from seedbed.sampling.diversity import count_unique, diversity, diversity_curve, unique_at_k


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_rarefaction_is_the_mean_over_every_choice_of_k_draws(keys: list[int], data: st.DataObject) -> None:
    correct = [key > 0 for key in keys]
    k = data.draw(st.integers(1, len(keys)))
    counts, problem = count_unique([0] * len(keys), np.array(keys), correct)
    found = unique_at_k([len(keys)], counts, problem, k)[0]
    seen = [len({key for key in some if key > 0}) for some in combinations(keys, k)]
    assert found == pytest.approx(np.mean(seen), abs=1e-12)


def test_one_solution_per_problem_makes_diversity_the_coverage() -> None:
    n, c = [9, 9, 9], [0, 4, 9]
    found = unique_at_k(n, [4, 9], [1, 2], 5)
    assert found == pytest.approx(pass_at_k(n, c, 5), abs=1e-12)


def test_equal_keys_of_two_problems_are_two_solutions() -> None:
    counts, problem = count_unique([1, 0, 1, 0], np.array([7, 7, 7, 8], dtype=np.uint64), [True] * 4)
    assert sorted(zip(problem.tolist(), counts.tolist(), strict=True)) == [(0, 1), (0, 1), (1, 2)]


def test_keys_may_be_texts_and_those_of_wrong_answers_are_not_looked_at() -> None:
    keys = np.array(["a", None, "a", "b"], dtype=object)
    counts, problem = count_unique([0, 0, 0, 1], keys, [True, False, True, True])
    assert (counts.tolist(), problem.tolist()) == ([2, 1], [0, 1])


def test_counting_leaves_the_callers_keys_in_their_order() -> None:
    keys = np.array([3, 1, 2], dtype=np.uint64)
    count_unique(np.zeros(3, dtype=np.int64), keys, np.ones(3, dtype=bool))
    assert keys.tolist() == [3, 1, 2]


def test_diversity_expected_from_twenty_draws_agrees_with_fresh_draws_of_five() -> None:
    rng = np.random.default_rng(0)
    chance = rng.dirichlet(np.full(6, 0.6), 400)

    def draws(k: int) -> tuple[np.ndarray, np.ndarray]:
        problem = np.repeat(np.arange(400), k)
        key = np.concatenate([rng.choice(6, k, p=row) for row in chance])
        return problem, key

    problem, key = draws(20)
    n, _ = count_draws(problem, key > 0, 400)
    expected = diversity(n, *count_unique(problem, key, key > 0), 5)
    fresh_problem, fresh = draws(5)
    seen = len(count_unique(fresh_problem, fresh, fresh > 0)[0]) / 400
    assert expected.low <= seen <= expected.high


def test_the_interval_of_diversity_covers() -> None:
    rng = np.random.default_rng(2)
    hits, chance = 0, np.array([0.3, 0.3, 0.2, 0.2])
    pools = rng.multinomial(10, chance, (400, 60))
    truth = float((1 - (1 - chance[1:]) ** 4).sum())
    for pool in pools[:, :, 1:]:
        problem, solution = np.nonzero(pool)
        found = diversity(np.full(60, 10), pool[problem, solution], problem, 4)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_no_solution_at_all_leaves_room_above_zero() -> None:
    found = diversity([8] * 20, [], [], 4)
    assert (found.value, found.low) == (0.0, 0.0) and 0.3 < found.high < 1


def test_a_curve_leaves_out_problems_with_too_few_draws_and_says_so() -> None:
    low, high = diversity_curve([4, 4, 2], [1, 1, 1], [0, 0, 2], [2, 4])
    assert (low.n, high.n) == (3, 2) and "1 problems" in high.method
    assert high.value == pytest.approx(1.0)


def test_a_solution_that_came_more_often_than_its_problem_was_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="more often"):
        unique_at_k([3], [4], [0], 1)
