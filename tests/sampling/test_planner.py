"""From a pilot to a plan."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.sampling.allocate import Charges, State
from seedbed.sampling.costs import SampleCost
from seedbed.sampling.novelty import Novelty
from seedbed.sampling.planner import Planner, plan, simulated_pool
from seedbed.sampling.replay import Tape

CHARGES = Charges.of({"weak": SampleCost(0.0, 1.0, shared=True), "strong": SampleCost(0.0, 10.0, shared=True)}, most=20)
NOVELTY = Novelty(np.array([8.0, 2.0]), np.zeros(2))


def pilot(rates: np.ndarray, draws: int = 5) -> State:
    pool = simulated_pool(rates, draws, NOVELTY, np.random.default_rng(1))
    return Tape(pool).after(State.empty(*rates.shape), pool.size)


def fair(problems: int, weak: tuple[float, float], strong: tuple[float, float]) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.stack([rng.beta(*weak, problems), rng.beta(*strong, problems)], axis=1)


@pytest.fixture(scope="module")
def planner() -> Planner:
    """Ten draws of the weak, which solves half, or one of the strong, which solves two thirds."""
    return Planner(pilot(fair(60, (2, 2), (4, 2))), CHARGES, 100)


def test_the_better_teacher_is_named_with_its_probability(planner: Planner) -> None:
    made = planner.plan(1000.0, "coverage", play=False)
    assert made.better == "weak"
    assert 0.9 < made.better_probability < 1
    assert made.option("fixed weak").draws == {"weak": 10.0}
    assert made.option("fixed strong").draws == {"strong": 1.0}


def test_forecasts_hold_what_is_true(planner: Planner) -> None:
    made = planner.plan(1000.0, "coverage", play=False)
    truth = fair(4000, (2, 2), (4, 2))
    for name, real in (
        ("fixed weak", (1 - (1 - truth[:, 0]) ** 10).mean()),
        ("fixed strong", truth[:, 1].mean()),
    ):
        forecast = made.option(name).forecast
        assert forecast.low < real < forecast.high
        assert forecast.high - forecast.low < 0.3


def test_the_adaptive_plan_is_played_and_all_options_are_told_as_plain_data(planner: Planner) -> None:
    made = planner.plan(400.0, "coverage")
    told = json.loads(json.dumps(made.to_dict()))
    assert {option["kind"] for option in told["options"]} == {"fixed", "mixture", "cascade", "adaptive"}
    assert made.recommended in {option["name"] for option in told["options"]}
    adaptive = made.option("adaptive").forecast.value
    assert adaptive > made.option("fixed strong").forecast.value
    assert adaptive > made.option("fixed weak").forecast.value - 0.02
    assert all(option["spent"] <= 400.0 * 1.01 for option in told["options"])


def test_unique_solutions_favour_the_more_varied_teacher(planner: Planner) -> None:
    made = planner.plan(1000.0, "unique", play=False)
    assert made.better == "weak"
    assert made.option("fixed weak").forecast.value > 2 * made.option("fixed strong").forecast.value


def test_the_value_for_a_student_lies_below_the_number_of_unique_solutions(planner: Planner) -> None:
    unique, student = (planner.plan(1000.0, goal, play=False).option("fixed weak") for goal in ("unique", "student"))
    assert student.forecast.value < unique.forecast.value


def test_two_teachers_that_are_alike_are_not_told_apart() -> None:
    same = {"one": SampleCost(0.0, 1.0, shared=True), "other": SampleCost(0.0, 1.0, shared=True)}
    rates = np.repeat(np.random.default_rng(3).beta(2, 2, (50, 1)), 2, axis=1)
    counts = pilot(rates)
    alike = State.of_counts(counts.n, np.repeat(counts.c[:, :1], 2, axis=1))
    made = Planner(alike, Charges.of(same), 80).plan(240.0, "coverage", play=False)
    assert 0.5 <= made.better_probability < 0.75


def test_a_pilot_that_says_too_little_is_refused() -> None:
    with pytest.raises(DataError, match="ten problems"):
        plan(State.of_counts([[5, 5]] * 9, [[1, 1]] * 9), CHARGES, 10, "coverage", problems=10)
    with pytest.raises(DataError, match="every model"):
        plan(State.of_counts([[5, 0]] * 20, [[1, 0]] * 20), CHARGES, 10, "coverage", problems=10)


def test_a_budget_below_one_draw_is_refused(planner: Planner) -> None:
    with pytest.raises(ConfigError, match="does not pay"):
        planner.plan(0.5, "coverage")


@pytest.mark.parametrize("overlap", [0.6, 0.8, 1.0])
def test_models_that_find_the_same_solutions_do_so_in_a_simulated_pool_too(overlap: float) -> None:
    rng = np.random.default_rng(0)
    every = Novelty(np.full(2, 1e6), np.zeros(2))
    keys = simulated_pool(np.full((200, 2), 0.9), 20, every, rng, overlap=overlap).keys
    each = sum(len(set(row[row >= 0].tolist())) for pair in keys for row in pair)
    together = sum(len(set(pair[pair >= 0].tolist())) for pair in keys)
    assert together / each == pytest.approx(overlap, abs=0.05)
