"""Plans decided before the run."""

from __future__ import annotations

import numpy as np
import pytest

from seedbed.errors import ConfigError
from seedbed.sampling.allocate import Charges, State
from seedbed.sampling.costs import SampleCost
from seedbed.sampling.policies import Cascade, Fixed, even_draws

CHARGES = Charges.of({"weak": SampleCost(2.0, 1.0, shared=True), "strong": SampleCost(0.0, 10.0, shared=True)})


@pytest.mark.parametrize("budget", [0.5, 3.0, 10.0, 50.0, 77.0, 500.0])
@pytest.mark.parametrize("problems", [1, 7, 20])
def test_even_draws_spend_the_budget_but_for_less_than_a_draw(budget: float, problems: int) -> None:
    draws = even_draws(2.0, 1.0, budget, problems)
    spent = 2 * (draws > 0).sum() + draws.sum()
    assert spent <= budget
    assert budget - spent < 3
    assert draws.max() - draws.min() <= (1 if draws.min() > 0 else 2)


def test_a_fixed_plan_asks_for_what_is_missing_and_no_more() -> None:
    plan = Fixed.spend(CHARGES, [1.0, 0.0], 50.0, 10)
    assert plan.target[:, 0].tolist() == [3] * 10
    state = State.of_counts(np.tile([[1, 0]], (10, 1)), np.zeros((10, 2), dtype=int))
    assert plan.next_draws(state, 99.0).sum() == 20


def test_a_mixture_spends_the_same_on_each_model() -> None:
    target = Fixed.spend(CHARGES, [0.5, 0.5], 400.0, 10).target
    assert (target == [18, 2]).all()


def test_a_cap_on_draws_per_problem_holds_for_fixed_plans() -> None:
    capped = Charges.of({"weak": SampleCost(2.0, 1.0, shared=True)}, most=4)
    assert Fixed.spend(capped, [1.0], 500.0, 10).target.max() == 4


def test_a_cascade_sends_on_only_what_is_unsolved() -> None:
    plan = Cascade(CHARGES, (0, 1), (2,))
    assert plan.next_draws(State.empty(3, 2), 100.0).tolist() == [[2, 0]] * 3
    half = State.of_counts([[2, 0], [2, 0], [2, 0]], [[1, 0], [0, 0], [0, 0]])
    assert plan.next_draws(half, 40.0).tolist() == [[0, 0], [0, 2], [0, 2]]
    done = State.of_counts([[2, 0], [2, 2], [2, 2]], [[1, 0], [0, 0], [0, 1]])
    assert plan.next_draws(done, 40.0).sum() == 0


def test_a_cascade_that_cannot_pay_its_first_stage_takes_a_part_of_the_problems() -> None:
    draws = Cascade(CHARGES, (0, 1), (2,)).next_draws(State.empty(10, 2), 21.0)
    assert draws[:, 0].sum() == 10
    assert sorted(set(draws[:, 0].tolist())) == [0, 2]


def test_a_cascade_needs_a_number_for_every_model_but_the_last() -> None:
    with pytest.raises(ConfigError, match="every model but the last"):
        Cascade(CHARGES, (0, 1), (2, 2))
