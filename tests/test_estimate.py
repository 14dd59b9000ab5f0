"""Coverage is simulated: a 95 % interval must hold the truth in 92 to 98 % of the draws."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.estimate import (
    Estimate,
    bootstrap,
    gain_over_seeds,
    mcnemar,
    mean_over_seeds,
    mean_t,
    paired_gain,
    share,
    wilson,
)

BOUNDS = st.floats(-1e6, 1e6)


def share_covered(draw: Callable[[], Estimate], truth: float, draws: int = 400) -> float:
    intervals = [draw() for _ in range(draws)]
    return float(np.mean([each.low <= truth <= each.high for each in intervals]))


@settings(deadline=None)
@given(BOUNDS, BOUNDS, BOUNDS, st.integers(0, 10**9))
def test_an_estimate_survives_json_without_loss(value: float, one: float, other: float, n: int) -> None:
    estimate = Estimate(value, min(one, other), max(one, other), n, "t")
    assert Estimate.from_dict(json.loads(json.dumps(estimate.to_dict()))) == estimate


def test_an_estimate_reads_as_number_interval_rows_and_method() -> None:
    estimate = Estimate(0.812, 0.785, 0.836, 872, "wilson")
    assert str(estimate) == "0.812 [0.785, 0.836] (n=872, wilson)"
    assert f"{estimate:.1%}" == "81.2% [78.5%, 83.6%] (n=872, wilson)"


@pytest.mark.parametrize(
    ("low", "high", "clear"), [(0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.1, False), (0.0, 0.1, False)]
)
def test_a_gain_is_clear_when_its_interval_excludes_zero(low: float, high: float, clear: bool) -> None:
    assert Estimate((low + high) / 2, low, high, 10, "t").is_clear is clear


def test_an_estimate_with_a_missing_key_or_a_nan_is_refused() -> None:
    with pytest.raises(DataError, match="not an estimate"):
        Estimate.from_dict({"value": 1.0})
    with pytest.raises(DataError, match="finite value"):
        Estimate(float("nan"), 0, 1, 3, "t")


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe 1998, Two-sided confidence intervals for the single proportion, table I: 81 of 263, 15 of 148, 0 of 20.
    for successes, n, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]:
        found = wilson(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("n", "share"), [(50, 0.8), (300, 0.95), (872, 0.6)])
def test_wilson_covers(n: int, share: float) -> None:
    rng = np.random.default_rng(1)
    assert 0.92 <= share_covered(lambda: wilson(int(rng.binomial(n, share)), n), share) <= 0.98


def test_a_share_of_questions_covers_when_they_share_a_passage() -> None:
    rng = np.random.default_rng(17)

    def clustered() -> Estimate:
        easy = np.where(rng.random(160) < 0.5, rng.random(40).repeat(4), rng.random(160)) < 0.9
        return share(easy, clusters=list(np.arange(40).repeat(4)))

    assert 0.92 <= share_covered(clustered, 0.9) <= 0.98


def test_a_perfect_score_on_few_passages_keeps_the_doubt_of_few_passages() -> None:
    alone, shared = share([True] * 40), share([True] * 40, clusters=list(np.arange(8).repeat(5)))
    assert alone == wilson(40, 40) and shared.low < 0.7 < alone.low
    assert share([True] * 5, clusters=["a"] * 5).low < 0.25


@pytest.mark.parametrize("n", [5, 40])
def test_mean_t_covers(n: int) -> None:
    rng = np.random.default_rng(2)
    assert 0.92 <= share_covered(lambda: mean_t(rng.normal(3, 2, n)), 3) <= 0.98


def passages(rng: np.random.Generator, groups: int, each: int) -> tuple[np.ndarray, list[int]]:
    shared = rng.normal(size=groups).repeat(each)
    return shared + rng.normal(size=groups * each), list(np.arange(groups).repeat(each))


def test_clusters_restore_the_coverage_that_shared_passages_cost() -> None:
    rng = np.random.default_rng(3)

    def clustered() -> Estimate:
        values, names = passages(rng, 25, 6)
        return mean_t(values, clusters=names)

    assert 0.92 <= share_covered(clustered, 0) <= 0.98
    assert share_covered(lambda: mean_t(passages(rng, 25, 6)[0]), 0) < 0.8


def test_bootstrap_covers_a_skewed_mean() -> None:
    rng = np.random.default_rng(4)
    assert 0.92 <= share_covered(lambda: bootstrap(rng.exponential(size=60), rng_seed=0, draws=150), 1) <= 0.98


def test_bootstrap_covers_when_whole_passages_are_drawn() -> None:
    rng = np.random.default_rng(5)

    def clustered() -> Estimate:
        values, names = passages(rng, 25, 4)
        return bootstrap(values, clusters=names, rng_seed=0, draws=150)

    assert 0.92 <= share_covered(clustered, 0, draws=250) <= 0.98


def test_bootstrap_takes_any_statistic_and_repeats_itself() -> None:
    rows = np.random.default_rng(6).normal(size=(80, 2))

    def correlation(some: np.ndarray) -> float:
        return float(np.corrcoef(some.T)[0, 1])

    first = bootstrap(rows, rng_seed=7, statistic=correlation, draws=200)
    assert first == bootstrap(rows, rng_seed=7, statistic=correlation, draws=200)
    assert first.value == correlation(rows) and first.low < first.value < first.high


def disagreeing(rng: np.random.Generator, n: int, gained: float, lost: float) -> tuple[np.ndarray, np.ndarray]:
    kind = rng.random(n)
    return (kind >= gained).astype(float), ((kind < gained) | (kind >= gained + lost)).astype(float)


@pytest.mark.parametrize(
    ("n", "gained", "lost"), [(50, 0.05, 0.05), (200, 0.015, 0.005), (872, 0.06, 0.04), (2000, 0.2, 0.1)]
)
def test_paired_gain_covers_right_and_wrong(n: int, gained: float, lost: float) -> None:
    rng = np.random.default_rng(8)
    assert 0.92 <= share_covered(lambda: paired_gain(*disagreeing(rng, n, gained, lost)), gained - lost) <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200, 872, 2000])
@pytest.mark.parametrize("disagreement", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("tilt", [0.5, 0.75, 1.0])
def test_paired_gain_covers_from_50_to_2000_rows(n: int, disagreement: float, tilt: float) -> None:
    rng = np.random.default_rng(9)
    gained, lost = disagreement * tilt, disagreement * (1 - tilt)
    covered = share_covered(lambda: paired_gain(*disagreeing(rng, n, gained, lost)), gained - lost, draws=1000)
    # With one disagreement expected in all, no interval on counts can come down to 95 %.
    assert 0.92 <= covered <= (0.98 if n * disagreement > 1 else 1.0)


def test_paired_gain_covers_graded_scores() -> None:
    rng = np.random.default_rng(10)

    def graded() -> Estimate:
        before = rng.beta(2, 2, 100)
        return paired_gain(before, np.clip(before + rng.choice([-0.1, 0.0, 0.0, 0.1], 100), 0, 1))

    assert 0.92 <= share_covered(graded, 0) <= 0.98


def test_paired_gain_covers_when_questions_share_a_passage() -> None:
    rng = np.random.default_rng(11)

    def clustered() -> Estimate:
        kind = np.where(rng.random(200) < 0.5, rng.random(50).repeat(4), rng.random(200))
        before, after = (kind >= 0.1), ((kind < 0.1) | (kind >= 0.15))
        return paired_gain(before, after, clusters=list(np.arange(50).repeat(4)))

    assert 0.92 <= share_covered(clustered, 0.05) <= 0.98


def test_paired_gain_gives_tangos_published_interval() -> None:
    # Fagerland, Lydersen and Laake 2014, Recommended tests and confidence intervals for paired binomial proportions:
    # 1 against 7 disagreements among 21 gives -0.517 to -0.026.
    found = paired_gain(np.repeat([0, 1, 1], [1, 7, 13]), np.repeat([1, 0, 1], [1, 7, 13]))
    assert (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize(("gained", "lost"), [(12, 3), (9, 4), (10, 3), (30, 16), (30, 15)])
def test_a_paired_gain_is_clear_exactly_when_mcnemars_score_test_rejects(gained: int, lost: int) -> None:
    before = np.repeat([0, 1, 1], [gained, lost, 100])
    gain = paired_gain(before, np.repeat([1, 0, 1], [gained, lost, 100]))
    assert gain.is_clear is ((gained - lost) ** 2 / (gained + lost) > 1.959964**2)


def test_two_students_that_never_disagree_keep_some_doubt() -> None:
    right = np.ones(100)
    gain = paired_gain(right, right)
    assert gain.value == 0 and gain.low < -0.01 and gain.high > 0.01 and not gain.is_clear
    shared = paired_gain(right, right, clusters=list(np.arange(10).repeat(10)))
    assert shared.high > 3 * gain.high


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_swapping_the_students_turns_the_gain_around(rows: list[tuple[bool, bool]]) -> None:
    before, after = zip(*rows, strict=True)
    gain, back = paired_gain(before, after), paired_gain(after, before)
    assert gain.low <= gain.value <= gain.high
    assert (gain.value, gain.low, gain.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-9)


def test_mcnemar_gives_the_published_mid_p() -> None:
    # Fagerland, Lydersen and Laake 2013, table 2 (1 against 7 disagreements among 21): mid-p 0.0391.
    before = np.repeat([1, 0, 1], [1, 7, 13])
    test = mcnemar(before, np.repeat([0, 1, 1], [1, 7, 13]))
    assert (test.gained, test.lost, test.n, round(test.p_value, 4)) == (7, 1, 21, 0.0391)


def test_mcnemar_rejects_equal_students_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(12)
    rejected = [mcnemar(*disagreeing(rng, 300, 0.05, 0.05)).p_value < 0.05 for _ in range(1000)]
    assert 0.025 <= np.mean(rejected) <= 0.07
    assert mcnemar([True, True], [True, True]).p_value == 1.0


def crossed(
    rng: np.random.Generator, seeds: int, n: int, by_seed: float, by_row: float
) -> tuple[np.ndarray, np.ndarray]:
    gain = 0.02 + rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, by_row, n) + rng.normal(0, 0.1, (seeds, n))
    return np.clip(0.5 - gain / 2, 0, 1), np.clip(0.5 + gain / 2, 0, 1)


@pytest.mark.parametrize(
    ("seeds", "by_seed", "by_row"), [(3, 0.05, 0.05), (5, 0.0, 0.2), (5, 0.01, 0.1), (10, 0.05, 0.2)]
)
def test_a_gain_over_rng_seeds_covers_new_seeds_and_new_rows(seeds: int, by_seed: float, by_row: float) -> None:
    rng = np.random.default_rng(13)
    assert 0.92 <= share_covered(lambda: gain_over_seeds(*crossed(rng, seeds, 100, by_seed, by_row)), 0.02) <= 0.98


def test_a_mean_over_rng_seeds_covers_right_and_wrong_rows() -> None:
    rng = np.random.default_rng(14)
    easy = 0.7  # mean of the rows' own chances, Beta(7, 3) / (7 + 3)

    def scores() -> Estimate:
        return mean_over_seeds(rng.random((5, 150)) < np.clip(rng.beta(7, 3, 150) + rng.normal(0, 0.01, (5, 1)), 0, 1))

    assert 0.92 <= share_covered(scores, easy) <= 0.98


def test_a_gain_over_rng_seeds_covers_when_rows_share_a_passage() -> None:
    rng = np.random.default_rng(15)

    def clustered() -> Estimate:
        gain = rng.normal(0, 0.1, 40).repeat(4) + rng.normal(0, 0.01, (5, 1)) + rng.normal(0, 0.1, (5, 160))
        return gain_over_seeds(0.5 - gain / 2, 0.5 + gain / 2, clusters=list(np.arange(40).repeat(4)))

    assert 0.92 <= share_covered(clustered, 0) <= 0.98


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(16)
    alike = gain_over_seeds(*crossed(rng, 5, 500, 0.0, 0.1))
    apart = gain_over_seeds(*crossed(rng, 5, 500, 0.1, 0.1))
    assert (apart.high - apart.low) > 3 * (alike.high - alike.low)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: wilson(0, 0),
        lambda: wilson(3, 2),
        lambda: mean_t([]),
        lambda: mean_t([1.0, float("nan")]),
        lambda: mean_t([1.0, None]),
        lambda: mean_t([1.0, 2.0], clusters=["a"]),
        lambda: mean_t([1.0, 2.0], clusters=["a", "a"]),
        lambda: mean_t([1.0, 2.0], level=95),
        lambda: bootstrap([1.0, 2.0], clusters=["a", "a"], rng_seed=0),
        lambda: paired_gain([1, 0], [1, 0, 1]),
        lambda: paired_gain([1], [0]),
        lambda: paired_gain([50, 60], [70, 80]),
        lambda: share([0.5, 1]),
        lambda: mcnemar([0.5, 1], [1, 1]),
        lambda: mcnemar([], []),
        lambda: gain_over_seeds([[1, 0]], [[1, 1]]),
        lambda: gain_over_seeds(np.ones((2, 3)), np.ones((3, 2))),
        lambda: mean_over_seeds([1, 0, 1]),
    ],
)
def test_scores_that_cannot_carry_an_interval_are_refused_with_a_way_out(wrong: Callable[[], object]) -> None:
    with pytest.raises(DataError) as caught:
        wrong()
    assert caught.value.seen and caught.value.fix
