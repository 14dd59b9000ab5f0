import itertools
import math

import numpy as np
import pytest
from scipy import stats

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.binomial import (
    exact_interval,
    hypergeometric_tail,
    labels_expected,
    labels_for,
    pair_p_value,
    upper_bound,
)


def test_the_published_numbers_of_labels_are_found() -> None:
    assert [labels_for(alpha) for alpha in (0.01, 0.02, 0.05)] == [299, 149, 59]
    assert [labels_for(0.02, defects=found) for found in (1, 3)] == [236, 386]


def test_the_bound_is_the_rate_at_which_so_few_defects_have_probability_delta() -> None:
    for defects, n in ((0, 30), (2, 50), (7, 400)):
        assert stats.binom.cdf(defects, n, upper_bound(defects, n)) == pytest.approx(0.05)


def test_the_finite_bound_agrees_with_counting_every_set_of_labels() -> None:
    n_rows, n = 9, 4
    for bad in range(n_rows + 1):
        draws = list(itertools.combinations([True] * bad + [False] * (n_rows - bad), n))
        for most in range(n + 1):
            share = sum(sum(draw) <= most for draw in draws) / len(draws)
            assert float(hypergeometric_tail(most, n, bad, n_rows)) == pytest.approx(share, abs=1e-12)


def test_the_finite_bound_holds_for_every_number_of_bad_rows() -> None:
    n_rows, n, delta = 40, 12, 0.1
    bounds = [round(upper_bound(found, n, delta, n_rows) * n_rows) for found in range(n + 1)]
    for bad in range(n_rows + 1):
        chance = stats.hypergeom.pmf(range(n + 1), n_rows, bad, n)
        too_low = sum(p for p, bound in zip(chance, bounds, strict=True) if bound < bad)
        assert too_low <= delta + 1e-12


def test_reading_every_row_leaves_no_doubt() -> None:
    assert upper_bound(3, 20, n_rows=20) == 3 / 20
    found = exact_interval(3, 20, n_rows=20)
    assert found.low == pytest.approx(0.15) and found.high == pytest.approx(0.15)


def test_the_interval_covers_at_least_as_often_as_it_says() -> None:
    for rate in (0.01, 0.1, 0.5):
        held = [exact_interval(k, 60).low <= rate <= exact_interval(k, 60).high for k in range(61)]
        assert float(stats.binom.pmf(range(61), 60, rate) @ np.array(held)) >= 0.95


def test_two_strata_are_tested_at_their_worst_split() -> None:
    labels, rows, bad, weight, score = (5, 4), (12, 9), 8, 1.5, 2.5
    worst = 0.0
    for first in range(bad + 1):
        if bad - first > rows[1]:
            continue
        chances = [stats.hypergeom.pmf(range(n + 1), N, b, n) for N, b, n in
                   zip(rows, (first, bad - first), labels, strict=True)]  # fmt: skip
        both = np.outer(*chances)
        low = weight * np.arange(labels[0] + 1)[:, None] + np.arange(labels[1] + 1) <= score
        worst = max(worst, float(both[low].sum()))
    assert pair_p_value(score, weight, labels, rows, bad) == pytest.approx(worst, abs=1e-12)


def test_splits_that_are_not_looked_at_are_bounded_and_not_guessed() -> None:
    labels, rows, bad = (240, 160), (60_000, 40_000), 2_000
    found = pair_p_value(3.0, 1.5, labels, rows, bad)
    for first in np.linspace(0, bad, 61).astype(int):
        one, two = stats.hypergeom(rows[0], first, labels[0]), stats.hypergeom(rows[1], bad - first, labels[1])
        tail = sum(one.pmf(d) * two.cdf(math.floor(3.0 - 1.5 * d)) for d in range(3))
        assert tail <= found
    assert found < 0.05


def test_a_rate_that_is_not_below_the_target_needs_more_than_any_number_of_labels() -> None:
    assert labels_expected(0.02, 0.02) is None
    assert labels_expected(0.0, 0.02) == 149
    few, many = labels_expected(0.005, 0.02), labels_expected(0.015, 0.02)
    assert few is not None and many is not None and few < many
    allowed = max(found for found in range(many) if stats.binom.cdf(found, many, 0.02) <= 0.05)
    assert stats.binom.cdf(allowed, many, 0.015) >= 0.8


def test_per_cent_and_too_many_defects_are_refused() -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        labels_for(2)
    with pytest.raises(DataError, match="counted among labels"):
        upper_bound(5, 4)
