import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.sampling.costs import (
    SampleCost,
    TokenPrices,
    cost_per_solved,
    cost_per_unique,
    equal_budget,
    flops_cost,
    measured_cost,
    price_cost,
    transformer_flops,
)


@given(st.floats(0, 1e12), st.floats(1e-6, 1e12), st.booleans(), st.integers(0, 10_000))
def test_what_k_draws_cost_buys_k_draws_and_not_one_more(prompt: float, draw: float, shared: bool, k: int) -> None:
    cost = SampleCost(prompt if not shared else min(prompt, 1e3 * draw), draw, shared)
    assert cost.affordable(cost.of(k)) == k
    assert cost.affordable(cost.of(k) + 0.5 * cost.next_draw) == k


def test_a_budget_below_one_draw_buys_none() -> None:
    assert SampleCost(5.0, 1.0, shared=True).affordable(4.0) == 0


def test_attention_and_the_prompt_count_once_when_prefill_is_shared() -> None:
    one = transformer_flops(1e6, 4, 128, 100, 50, draws=1)
    by_hand = 2e6 * 150 + sum(4 * 4 * 128 * position for position in range(1, 151))
    assert one == pytest.approx(by_hand)
    prompt = 2e6 * 100 + sum(4 * 4 * 128 * position for position in range(1, 101))
    assert transformer_flops(1e6, 4, 128, 100, 50, draws=3) == pytest.approx(3 * one - 2 * prompt)
    assert transformer_flops(1e6, 4, 128, 100, 50, draws=3, shared_prefill=False) == pytest.approx(3 * one)


def test_the_papers_ratio_of_parameters_comes_out_and_the_prompt_changes_it() -> None:
    bare = {name: flops_cost(size, 0, 0, 0, 300) for name, size in {"weak": 9e9, "strong": 27e9}.items()}
    assert equal_budget(bare, bare["strong"].of(10) * 50, 50) == {"weak": 30, "strong": 10}
    long = {name: flops_cost(size, 0, 0, 900, 300) for name, size in {"weak": 9e9, "strong": 27e9}.items()}
    assert equal_budget(long, long["strong"].of(10) * 50, 50) == {"weak": 36, "strong": 10}


def test_a_budget_without_problems_is_refused() -> None:
    with pytest.raises(DataError, match="one problem or more"):
        equal_budget({"one": SampleCost(0, 1, shared=False)}, 5.0, 0)


def test_prices_bill_the_prompt_per_request_and_cached_where_it_was_read() -> None:
    prices = TokenPrices(input=2.0, output=8.0, cached=0.5)
    per_draw = (2.0 * 1000 + 8.0 * 100) / 1e6
    assert price_cost(TokenPrices(2.0, 8.0), 1000, 100).of(3) == pytest.approx(3 * per_draw)
    assert price_cost(prices, 1000, 100).of(3) == pytest.approx(3 * per_draw - 2 * 1.5e-3)
    assert price_cost(prices, 1000, 100, draws_per_request=True).of(3) == pytest.approx(2e-3 + 3 * 8e-4)


def test_measured_draws_cost_their_mean() -> None:
    assert measured_cost([1.0, 3.0]).of(5) == 10.0
    with pytest.raises(DataError, match="must cost something"):
        measured_cost([0.0, 0.0])


def test_cost_per_solved_with_one_price_is_the_price_over_coverage() -> None:
    found = cost_per_solved(np.full(50, 2.0), np.repeat([1.0, 0.0], 25))
    assert found.value == 4.0 and found.low == pytest.approx(2 / 0.634, abs=0.01)


def test_the_interval_of_a_cost_per_unique_solution_covers() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        hard = rng.random(60)
        spent, found = 1 + rng.exponential(2 * hard + 0.5), rng.poisson(3 * (1 - hard))
        rate = cost_per_unique(spent, found)
        hits += rate.low <= (1 + 1.5) / 1.5 <= rate.high
    assert 0.92 <= hits / 400 <= 0.98


def test_a_single_solved_problem_leaves_the_cost_without_upper_limit() -> None:
    found = cost_per_solved([1.0, 1.5, 1.0, 1.0, 1.2], [0, 0, 0, 1, 0])
    assert found.value == pytest.approx(5.7) and found.high == math.inf and 0 < found.low < 5.7


def test_nothing_solved_is_refused_not_infinite() -> None:
    with pytest.raises(DataError, match="needs results"):
        cost_per_solved([1.0, 2.0], [0, 0])
