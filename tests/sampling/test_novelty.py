"""How soon correct solutions repeat."""

from __future__ import annotations

import numpy as np
import pytest

from seedbed.sampling.allocate import State
from seedbed.sampling.novelty import Novelty
from seedbed.sampling.planner import simulated_pool
from seedbed.sampling.replay import Tape


@pytest.mark.parametrize("theta", [0.5, 4.0, 60.0])
def test_the_number_of_unique_solutions_is_forecast_beyond_the_pilot(theta: float) -> None:
    truth = Novelty(np.array([theta]), np.array([0.0]))
    pool = simulated_pool(np.full((300, 1), 0.8), 40, truth, np.random.default_rng(0))
    tape, nothing = Tape(pool), State.empty(300, 1)
    pilot = tape.after(nothing, np.full((300, 1), 6))
    found = Novelty.fit(pilot.c, pilot.unique, pilot.once)
    run = tape.after(nothing, np.full((300, 1), 40))
    assert found.expected(run.c).mean() == pytest.approx(run.unique.mean(), rel=0.25)


def test_the_next_solution_is_less_likely_new_the_more_were_found() -> None:
    novelty = Novelty(np.array([3.0]), np.array([0.2]))
    chance = [float(novelty.chance(np.array([c]), novelty.expected([c]))[0]) for c in (0.0, 1.0, 5.0, 50.0)]
    assert chance[0] == 1
    assert chance == sorted(chance, reverse=True)


def test_of_two_problems_the_more_varied_promises_more() -> None:
    novelty = Novelty.fit([[6], [6], [6], [6]], [[1], [1], [6], [6]], [[0], [0], [6], [6]])
    same, varied = novelty.chance(np.array([[6.0], [6.0]]), np.array([[1.0], [6.0]]))[:, 0]
    assert varied > same + 0.3


def test_without_a_problem_solved_twice_most_solutions_are_taken_for_new() -> None:
    assert Novelty.fit([[1], [0]], [[1], [0]], [[1], [0]]).chance(np.array([[1.0]]), np.array([[1.0]]))[0, 0] > 0.85


def test_a_few_repeats_at_the_start_are_not_taken_for_the_end_of_what_is_new() -> None:
    early = Novelty.fit([[2], [2], [2]], [[1], [1], [1]], [[0], [0], [0]])
    assert early.chance(np.array([[1.0]]), np.array([[1.0]]))[0, 0] > 0.15
    settled = Novelty.fit([[2]] * 300, [[1]] * 300, [[0]] * 300)
    assert settled.chance(np.array([[1.0]]), np.array([[1.0]]))[0, 0] < 0.02


@pytest.mark.parametrize("ways", [3, 8])
def test_where_there_are_few_ways_to_solve_a_problem_no_more_are_expected_than_there_are(ways: int) -> None:
    rng = np.random.default_rng(ways)
    correct = rng.binomial(5, 0.5, 200)
    times = [np.unique(rng.integers(ways, size=k), return_counts=True)[1] for k in correct]
    counts = correct[:, None], np.array([[len(t)] for t in times]), np.array([[(t == 1).sum()] for t in times])
    assert 0.75 * ways < Novelty.fit(*counts).expected([30.0])[0] < 1.15 * ways
