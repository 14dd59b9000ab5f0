"""Plans on recorded draws; among them that choosing draw by draw is never worse than the better fixed plan."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from seedbed.errors import DataError
from seedbed.sampling.allocate import Allocator, Charges, State
from seedbed.sampling.costs import SampleCost
from seedbed.sampling.novelty import Novelty
from seedbed.sampling.planner import simulated_pool
from seedbed.sampling.policies import Fixed
from seedbed.sampling.replay import Pool, Tape, replay

COSTS = {"weak": SampleCost(1.0, 1.0, shared=True), "strong": SampleCost(4.0, 5.0, shared=True)}
CHARGES = Charges.of(COSTS, most=30)
FRAME = pl.DataFrame(
    {
        "problem_id": ["a", "a", "a", "b", "b", "b"],
        "model": ["weak", "weak", "strong", "weak", "weak", "strong"],
        "correct": [True, True, True, False, True, False],
        "key": ["1+1", "1+1", "1+1", "x", None, "y"],
    }
)


def rates_of(kind: str, problems: int) -> np.ndarray:
    """Success rates (P, 2) of several kinds of pools."""
    rng = np.random.default_rng(5)
    if kind == "weak better":
        return rng.beta([4, 5], [3, 3], (problems, 2))
    if kind == "strong better":
        return np.stack([rng.beta(0.3, 6, problems), rng.beta(6, 1, problems)], axis=1)
    if kind == "crossing":
        first = np.arange(problems)[:, None] % 2 == 0
        return np.where(first, [0.6, 0.05], [0.005, 0.9])
    if kind == "hopeless":
        return np.zeros((problems, 2))
    return np.repeat(rng.beta(1, 2, (problems, 1)), 2, axis=1)


@pytest.mark.parametrize("kind", ["weak better", "strong better", "crossing", "hopeless", "identical"])
def test_choosing_draw_by_draw_is_never_worse_than_the_better_fixed_plan_by_more_than_noise(kind: str) -> None:
    problems = 60
    rates = rates_of(kind, problems)
    pool = simulated_pool(rates, 30, Novelty(np.array([5.0, 5.0]), np.zeros(2)), np.random.default_rng(6))
    for budget in (3.5 * problems, 11.0 * problems):
        runs = []
        for seed in range(4):
            plans = [Fixed.spend(CHARGES, share, budget, problems, seed) for share in ([1, 0], [0, 1])]
            runs.append(
                [replay(pool, plan, CHARGES, budget, seed).coverage for plan in plans]
                + [replay(pool, Allocator(CHARGES, rng_seed=seed), CHARGES, budget, seed).coverage]
            )
        weak, strong, adaptive = np.array(runs).T
        gap = adaptive - (weak if weak.mean() > strong.mean() else strong)
        assert gap.mean() > -2 * gap.std(ddof=1) / np.sqrt(4) - 0.01, (kind, budget, gap)


def test_where_two_teachers_are_good_at_different_problems_choosing_beats_both() -> None:
    rates = rates_of("crossing", 100)
    pool = simulated_pool(rates, 30, Novelty(np.array([5.0, 5.0]), np.zeros(2)), np.random.default_rng(7))
    fixed = max(
        replay(pool, Fixed.spend(CHARGES, share, 1000, 100), CHARGES, 1000, 0).coverage for share in ([1, 0], [0, 1])
    )
    assert replay(pool, Allocator(CHARGES), CHARGES, 1000, 0).coverage > fixed + 0.2


def test_more_unique_solutions_are_found_when_they_are_sought() -> None:
    rates = rates_of("weak better", 100)
    pool = simulated_pool(rates, 30, Novelty(np.array([20.0, 0.3]), np.zeros(2)), np.random.default_rng(8))
    found = {
        goal: replay(pool, Allocator(CHARGES, goal), CHARGES, 1000, 0)  # type: ignore[arg-type]
        for goal in ("coverage", "unique")
    }
    assert found["unique"].unique > 1.5 * found["coverage"].unique
    fixed = [replay(pool, Fixed.spend(CHARGES, share, 1000, 100), CHARGES, 1000, 0) for share in ([1, 0], [0, 1])]
    assert found["unique"].unique > 0.97 * max(run.unique for run in fixed)


def test_an_oracle_is_not_beaten_by_more_than_luck() -> None:
    rates = rates_of("identical", 100)
    pool = simulated_pool(rates, 30, Novelty(np.array([5.0, 5.0]), np.zeros(2)), np.random.default_rng(9))
    told, learned = (
        np.mean(
            [replay(pool, Allocator(CHARGES, "coverage", known, rng_seed=s), CHARGES, 300, s).solved for s in range(3)]
        )
        for known in (pool.rates(), None)
    )
    assert told >= learned - 2


def test_a_frame_becomes_a_pool_in_which_equal_keys_are_one_solution() -> None:
    pool = Pool.of_frame(FRAME, ["weak", "strong"])
    assert pool.n.tolist() == [[2, 1], [2, 1]]
    assert pool.c.tolist() == [[2, 1], [1, 0]]
    everything = Tape(pool).after(State.empty(2, 2), pool.size)
    assert everything.unique.tolist() == [[1, 1], [1, 0]]
    assert everything.once.tolist() == [[0, 1], [1, 0]]
    assert everything.found.tolist() == [1, 1]


def test_a_model_without_rows_is_named() -> None:
    with pytest.raises(DataError, match="strnog"):
        Pool.of_frame(FRAME, ["weak", "strnog"])


def test_an_exhausted_pool_is_reported() -> None:
    pool = Pool.of_frame(FRAME, ["weak", "strong"])
    found = replay(pool, Fixed(np.full((2, 2), 3)), CHARGES, 1000, 0)
    assert found.exhausted == 12 - 6
    assert found.draws == (4, 2)
    assert found.to_dict()["coverage"] == 1.0


def test_the_same_rng_seed_replays_the_same_run() -> None:
    pool = simulated_pool(np.full((30, 2), 0.3), 10, Novelty(np.ones(2), np.zeros(2)), np.random.default_rng(1))
    runs = [replay(pool, Allocator(CHARGES, rng_seed=3), CHARGES, 120, seed) for seed in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_replay_draws_every_recorded_draw_once() -> None:
    rng = np.random.default_rng(2)
    pool = Pool(rng.integers(-1, 5, (20, 2, 8)), np.full((20, 2), 8))
    shuffled = pool.shuffled(4)
    assert (np.sort(shuffled.keys, axis=2) == np.sort(pool.keys, axis=2)).all()
    assert (shuffled.keys != pool.keys).any()


def test_a_plan_that_overspends_is_caught() -> None:
    pool = simulated_pool(np.full((5, 2), 0.3), 10, Novelty(np.ones(2), np.zeros(2)), np.random.default_rng(1))
    with pytest.raises(DataError, match="more than its budget"):
        replay(pool, Fixed(np.full((5, 2), 3)), CHARGES, 20, 0)
