from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.sampling.coverage import (
    count_draws,
    coverage,
    coverage_curve,
    coverage_gain,
    mean_over_problems,
    pass_at_k,
)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_ratio_of_binomials(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    exact = float(1 - Fraction(comb(n - c, k), comb(n, k)))
    assert pass_at_k([n], [c], k)[0] == pytest.approx(exact, abs=1e-12)


def test_pass_at_k_is_the_mean_over_every_choice_of_k_draws() -> None:
    draws = [1, 0, 0, 1, 0, 0, 0]
    chosen = [any(some) for some in combinations(draws, 3)]
    assert pass_at_k([7], [2], 3)[0] == pytest.approx(np.mean(chosen), abs=1e-14)


def test_pass_at_k_stays_exact_at_the_edges_of_ten_thousand_draws() -> None:
    n = [10_000] * 4
    assert pass_at_k(n, [0, 1, 9_999, 10_000], 1).tolist() == [0.0, 1 - 9_999 / 10_000, 1 - 1 / 10_000, 1.0]
    assert pass_at_k(n, [0, 1, 9_999, 10_000], 10_000).tolist() == [0.0, 1.0, 1.0, 1.0]
    exact = float(1 - Fraction(comb(9_990, 3_000), comb(10_000, 3_000)))
    assert pass_at_k([10_000], [10], 3_000)[0] == pytest.approx(exact, abs=1e-10)


def test_a_problem_with_too_few_draws_is_nan_and_is_counted_out() -> None:
    assert np.isnan(pass_at_k([5, 2], [1, 1], 3)).tolist() == [False, True]
    found = coverage([5, 2, 5], [5, 1, 0], 3)
    assert (found.value, found.n) == (0.5, 2) and "1 problems with too few draws left out" in found.method


def test_coverage_is_refused_where_no_problem_has_enough_draws() -> None:
    with pytest.raises(DataError, match="no problem has 9 draws"):
        coverage([5, 6], [1, 2], 9)


def test_more_correct_draws_than_draws_are_refused() -> None:
    with pytest.raises(DataError, match="0 <= correct <= draws"):
        pass_at_k([5], [6], 1)
    with pytest.raises(DataError, match="same problems"):
        pass_at_k([5, 5], [1], 1)


def test_draws_are_counted_per_problem_even_where_there_are_none() -> None:
    n, c = count_draws([0, 2, 2, 2], [True, False, True, True], 4)
    assert (n.tolist(), c.tolist()) == ([1, 0, 3, 0], [1, 0, 2, 0])


def test_a_curve_never_falls() -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(40, 50, 200)
    values = [each.value for each in coverage_curve(n, rng.binomial(n, rng.beta(0.5, 1, 200)), range(1, 41))]
    assert np.diff(values).min() > 0


@pytest.mark.parametrize(("alpha", "beta", "k"), [(0.8, 0.6, 1), (0.8, 0.6, 20), (0.5, 0.05, 5), (2, 10, 5)])
def test_the_interval_of_coverage_covers(alpha: float, beta: float, k: int) -> None:
    rng = np.random.default_rng(0)
    truth = float((1 - (1 - rng.beta(alpha, beta, 200_000)) ** k).mean())
    hits = 0
    for _ in range(400):
        found = coverage(np.full(100, 20), rng.binomial(20, rng.beta(alpha, beta, 100)), k)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_an_interval_has_width_where_all_problems_but_one_are_solved() -> None:
    almost = mean_over_problems([1.0] * 99 + [0.98])
    assert almost.low < 0.97 and almost.high == pytest.approx(1, abs=1e-3)
    assert mean_over_problems([1.0] * 100).low == pytest.approx(0.963, abs=1e-3)


def test_a_paired_gain_is_narrower_than_two_separate_intervals() -> None:
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 0.5, 300)
    n = np.tile([30, 10], (300, 1))
    c = np.stack([rng.binomial(30, p * 0.8), rng.binomial(10, p)], axis=1)
    gain = coverage_gain(n, c, (12, 4))
    weak, strong = coverage(n[:, 0], c[:, 0], 12), coverage(n[:, 1], c[:, 1], 4)
    assert gain.value == pytest.approx(strong.value - weak.value, abs=1e-12)
    assert gain.high - gain.low < 0.7 * np.hypot(weak.high - weak.low, strong.high - strong.low)


def test_a_gain_needs_two_models() -> None:
    with pytest.raises(DataError, match="two models"):
        coverage_gain([5, 5], [1, 1], (1, 1))
