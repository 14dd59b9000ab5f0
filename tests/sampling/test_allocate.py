"""Which draw is worth most next."""

from __future__ import annotations

import numpy as np
import pytest

from seedbed.errors import ConfigError
from seedbed.sampling.allocate import Allocator, Charges, State, next_draws
from seedbed.sampling.costs import SampleCost
from seedbed.sampling.difficulty import KnownRates

PLAIN = {"weak": SampleCost(0.0, 1.0, shared=True), "strong": SampleCost(0.0, 10.0, shared=True)}
PROMPTED = {"only": SampleCost(5.0, 1.0, shared=True)}


def known(*rates: tuple[float, ...]) -> KnownRates:
    return KnownRates(np.array(rates))


def test_a_solved_problem_gets_no_further_draw() -> None:
    state = State.of_counts([[1, 0], [1, 0]], [[1, 0], [0, 0]])
    draws = next_draws(state, PLAIN, 100, "coverage", difficulty=known((0.5, 0.9), (0.5, 0.9)))
    assert draws[0].sum() == 0
    assert draws[1].sum() > 0


def test_a_hopeless_problem_is_left_alone_and_a_hard_one_is_not() -> None:
    draws = next_draws(State.empty(2, 2), PLAIN, 100, "coverage", difficulty=known((0.0, 0.0), (0.02, 0.0)))
    assert draws[0].sum() == 0
    assert draws[1, 0] > 0


def test_the_model_with_more_gain_per_cost_is_asked() -> None:
    draws = next_draws(State.empty(2, 2), PLAIN, 100, "coverage", difficulty=known((0.5, 1.0), (0.05, 0.9)))
    assert (draws > 0).tolist() == [[True, False], [False, True]]


def test_a_small_budget_goes_to_the_easy_problems() -> None:
    rates = known((0.1, 0.0), (0.9, 0.0), (0.5, 0.0))
    assert next_draws(State.empty(3, 2), PLAIN, 1, "coverage", difficulty=rates)[:, 0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("objective", ["coverage", "unique", "student"])
@pytest.mark.parametrize("budget", [0.5, 7.0, 33.0, 1000.0])
def test_a_batch_keeps_to_budget_limits_and_size(objective: str, budget: float) -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(0, 6, (40, 2))
    state = State.of_counts(n, rng.binomial(n, 0.3))
    charges = Charges.of({"a": SampleCost(2.0, 1.0, shared=True), "b": SampleCost(3.0, 4.0, shared=False)})
    limits = rng.integers(0, 3, (40, 2))
    draws = Allocator(charges, objective, batch=16).next_draws(state, budget, limits)  # type: ignore[arg-type]
    assert (draws <= limits).all()
    assert draws.sum() <= 16
    assert charges.of_batch(n, draws) <= budget


def test_the_same_rng_seed_gives_the_same_batch_and_another_one_breaks_ties_otherwise() -> None:
    batches = [next_draws(State.empty(500, 2), PLAIN, 40, "coverage", rng_seed=seed) for seed in (1, 1, 2)]
    assert (batches[0] == batches[1]).all()
    assert (batches[0] != batches[2]).any()


def test_an_unknown_model_gets_a_few_draws_before_it_gets_many() -> None:
    charges = Charges.of({"only": SampleCost(0.0, 1.0, shared=True)})
    assert Allocator(charges, batch=64).next_draws(State.empty(500, 1), 1e6).sum() == 16


def test_a_dear_unknown_model_is_not_tried_where_it_cannot_matter() -> None:
    n = np.tile([[4, 0]], (200, 1))
    c = np.random.default_rng(0).binomial(n, 0.3)
    c[:100] = 0
    n[:100] = 0
    draws = next_draws(State.of_counts(n, c), PLAIN, 50, "coverage")
    assert draws[:, 1].sum() == 0
    assert draws[:, 0].sum() > 0


def test_where_each_request_pays_its_prompt_one_request_takes_several_draws() -> None:
    charges = Charges.of(PROMPTED, per_request=True)
    rates = KnownRates(np.full((10, 1), 0.3))
    draws = Allocator(charges, "coverage", rates, batch=200).next_draws(State.empty(10, 1), 90.0)
    assert 3 <= draws.max() <= 4
    assert (draws > 0).all()


def test_a_request_that_pays_its_prompt_is_not_cut_by_the_end_of_a_batch() -> None:
    charges = Charges.of(PROMPTED, per_request=True)
    rates = KnownRates(np.full((10, 1), 0.3))
    whole = Allocator(charges, "coverage", rates, batch=200).next_draws(State.empty(10, 1), 90.0).max()
    for batch in range(1, 30):
        draws = Allocator(charges, "coverage", rates, batch=batch).next_draws(State.empty(10, 1), 90.0)
        assert set(draws[draws > 0].tolist()) == {min(whole, batch)}
        assert 0 < draws.sum() <= batch


def test_unique_solutions_are_sought_where_they_still_differ() -> None:
    full = np.full((2, 1), 10)
    state = State(full, full, np.array([[1], [10]]), np.array([[0], [10]]), np.array([1, 10]))
    draws = next_draws(state, {"a": SampleCost(0.0, 1.0, shared=True)}, 1, "unique", difficulty=known((1.0,), (1.0,)))
    assert draws[:, 0].tolist() == [0, 1]


def test_for_a_student_the_first_solution_of_a_problem_is_worth_most() -> None:
    state = State.of_counts([[6], [0]], [[6], [0]])
    costs = {"a": SampleCost(0.0, 1.0, shared=True)}
    draws = next_draws(state, costs, 1, "student", difficulty=known((1.0,), (0.6,)))
    assert draws[:, 0].tolist() == [0, 1]


def test_a_pilot_on_other_problems_is_learned_from() -> None:
    n = np.full((60, 2), 6)
    c = np.random.default_rng(1).binomial(n, [0.02, 0.95])
    charges = Charges.of(PLAIN)
    draws = Allocator(charges, pilot=State.of_counts(n, c)).next_draws(State.empty(30, 2), 300)
    assert draws[:, 0].sum() == 0
    assert draws[:, 1].sum() > 0


def test_a_prompt_that_is_not_shared_is_part_of_every_draw() -> None:
    charges = Charges.of({"a": SampleCost(5.0, 1.0, shared=False), "b": SampleCost(5.0, 1.0, shared=True)})
    draws = np.array([[3, 0], [0, 3]])
    assert charges.of_batch(np.zeros_like(draws), draws) == 18 + 8
    assert charges.of_batch(draws, draws) == 18 + 3


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose coverage, unique or student"):
        next_draws(State.empty(1, 2), PLAIN, 1, "glory")  # type: ignore[arg-type]
