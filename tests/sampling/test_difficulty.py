"""What counts of some draws say about the next ones."""

from __future__ import annotations

import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.sampling.difficulty import KnownRates, LatentClasses, choose_classes, plausible_classes


def problems(count: int, rng_seed: int) -> np.ndarray:
    """A fifth hopeless, a third hard for the weak and fair for the strong, the rest fair for both."""
    rng = np.random.default_rng(rng_seed)
    kind = rng.choice(3, count, p=[0.2, 0.3, 0.5])
    a, b = np.array([[1, 1], [0.5, 3], [6, 20]]), np.array([[1, 1], [5, 1], [2, 1]])
    return np.where(kind[:, None] == 0, 0.0, rng.beta(a[kind], b[kind]))


def test_a_pilot_predicts_further_draws_better_than_rates_per_problem() -> None:
    rates = problems(100, 0)
    rng = np.random.default_rng(1)
    n = np.full(rates.shape, 5)
    c = rng.binomial(n, rates)
    joint = LatentClasses(3).fit(n, c).success(n, c)
    alone = (c + 1) / (n + 2)
    assert np.abs(joint - rates).mean() < 0.8 * np.abs(alone - rates).mean()


def test_coverage_of_problems_not_drawn_yet_is_near_what_it_is() -> None:
    rates = problems(600, 2)
    n = np.full(rates.shape, 5)
    c = np.random.default_rng(3).binomial(n, rates)
    model = LatentClasses(3).fit(n, c)
    none = np.zeros((1, 2), dtype=int)
    for model_index in (0, 1):
        for k in (1, 5, 40):
            draws = np.zeros((1, 2), dtype=int)
            draws[0, model_index] = k
            real = (1 - (1 - rates[:, model_index]) ** k).mean()
            assert model.chance_of_solving(none, none, draws)[0] == pytest.approx(real, abs=0.06)


def test_failures_of_the_weak_lower_what_is_expected_of_the_strong() -> None:
    rates = problems(400, 4)
    n = np.full(rates.shape, 5)
    model = LatentClasses(3).fit(n, np.random.default_rng(5).binomial(n, rates))
    tried = np.array([[0, 0], [8, 0]])
    strong = model.success(tried, np.zeros_like(tried))[:, 1]
    assert strong[1] < strong[0] - 0.1


def test_a_problem_that_nobody_solves_is_given_up_step_by_step() -> None:
    rates = problems(400, 6)
    n = np.full(rates.shape, 5)
    model = LatentClasses(2).fit(n, np.random.default_rng(7).binomial(n, rates))
    tried = np.array([[k, k] for k in (0, 1, 2, 5, 20, 100)])
    nothing = np.zeros_like(tried)
    assert (np.diff(model.success(tried, nothing), axis=0) < 0).all()
    assert (np.diff(model.posterior(tried, nothing)[:, 0]) > 0).all()
    assert model.posterior(tried, nothing)[-1, 0] > 0.95


def test_a_solved_problem_is_never_unsolvable() -> None:
    n = np.full((50, 1), 4)
    c = np.arange(50)[:, None] % 5
    model = LatentClasses(2).fit(n, c)
    assert model.posterior([[9]], [[1]])[0, 0] == 0
    assert model.posterior([[9]], [[0]])[0, 0] > 0


def test_more_rounds_never_fit_worse() -> None:
    rates = problems(150, 8)
    n = np.full(rates.shape, 5)
    c = np.random.default_rng(9).binomial(n, rates)
    totals = [LatentClasses(3, rounds=r, tolerance=0.0).fit(n, c).log_likelihood(n, c).sum() for r in (2, 10, 60)]
    assert totals[0] < totals[1] < totals[2]


def test_chances_agree_with_rates_drawn_from_the_same_belief() -> None:
    rates = problems(150, 10)
    n = np.full(rates.shape, 5)
    c = np.random.default_rng(11).binomial(n, rates)
    model = LatentClasses(2).fit(n, c)
    state = np.tile([[3, 1]], (20_000, 1)), np.tile([[1, 0]], (20_000, 1))
    drawn = model.draw_rates(*state, np.random.default_rng(12))
    assert drawn.mean(axis=0) == pytest.approx(model.success(*state)[0], abs=0.01)
    solved = 1 - ((1 - drawn) ** [4, 2]).prod(axis=1)
    assert solved.mean() == pytest.approx(model.chance_of_solving(*state, [[4, 2]])[0], abs=0.01)


def test_draws_of_one_model_are_a_special_case_of_draws_of_several() -> None:
    rates = problems(100, 13)
    n = np.full(rates.shape, 5)
    c = np.random.default_rng(14).binomial(n, rates)
    model = LatentClasses(2).fit(n, c)
    single = model.unsolved(n, c, [0, 3])
    assert single[:, :, 0] == pytest.approx(np.ones((100, 2)))
    assert 1 - single[:, 1, 1] == pytest.approx(model.chance_of_solving(n, c, np.tile([[0, 3]], (100, 1))))


def test_a_model_asked_on_part_of_the_problems_is_learned_from_that_part() -> None:
    rates = problems(300, 15)
    n = np.full(rates.shape, 5)
    n[100:, 1] = 0
    c = np.random.default_rng(16).binomial(n, rates)
    expected = LatentClasses(2).fit(n, c).success(n, c)[100:, 1]
    assert np.corrcoef(expected, rates[100:, 1])[0, 1] > 0.5


def test_one_class_is_enough_for_problems_that_are_alike() -> None:
    n = np.full((60, 1), 5)
    c = np.random.default_rng(17).binomial(n, 0.4)
    assert plausible_classes(n, c, candidates=(1, 2), folds=3)[0].n_classes == 1


def test_the_number_of_classes_is_chosen_where_problems_differ() -> None:
    n = np.full((90, 2), 12)
    rates = np.repeat([[0.95, 0.1], [0.1, 0.95], [0.5, 0.5]], 30, axis=0)
    c = np.random.default_rng(17).binomial(n, rates)
    assert choose_classes(n, c, candidates=(1, 3), folds=3).n_classes == 3


def test_a_fit_does_not_depend_on_the_order_of_problems() -> None:
    rates = problems(80, 18)
    n = np.full(rates.shape, 5)
    c = np.random.default_rng(19).binomial(n, rates)
    order = np.random.default_rng(20).permutation(80)
    first, second = LatentClasses(3).fit(n, c), LatentClasses(3).fit(n[order], c[order])
    assert first.success(n, c) == pytest.approx(second.success(n, c))


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="fewer draws than correct"):
        LatentClasses(1).fit([[1]], [[2]])
    with pytest.raises(DataError, match="problems, models"):
        LatentClasses(1).fit([[1, 2]], [[1]])


def test_known_rates_learn_nothing() -> None:
    known = KnownRates(np.array([[0.5, 0.0]]))
    assert known.success([[9, 9]], [[0, 0]]).tolist() == [[0.5, 0.0]]
    assert known.unsolved([[9, 9]], [[0, 0]], [0, 2]).tolist() == [[[1.0, 0.25], [1.0, 1.0]]]
