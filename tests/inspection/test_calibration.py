"""Calibrated probabilities: curves, pairs, and how far from the truth they are."""

import numpy as np
import pytest
from scipy.special import expit

from seedbed.errors import DataError
from seedbed.inspection.calibration import (
    calibration_distance,
    fit_beta,
    fit_isotonic,
    fit_platt,
    reliability,
    venn_abers,
)
from seedbed.randomness import stream


def world(n, slope=1.0, intercept=0.0, seed=0):
    """Log-odds, and truths whose real log-odds are intercept + slope times them."""
    rng = stream(seed, "calibration world")
    x = 3 * rng.standard_normal(n)
    return x, (rng.random(n) < expit(intercept + slope * x)).astype(int)


def known_of(y, rows):
    return {int(row): int(y[row]) for row in rows}


def test_without_labels_the_log_odds_stay_as_they_were():
    x = np.linspace(-40, 40, 9)
    assert fit_platt(x, {}).log_odds(x) == pytest.approx(x)
    assert fit_beta(x, {}).log_odds(x) == pytest.approx(x, abs=1e-9)


def test_fifty_labels_halve_the_distance_of_a_label_model_that_is_too_sure():
    before, after = [], []
    for seed in range(20):
        x, y = world(4000, slope=0.3, intercept=-0.5, seed=seed)
        p = fit_platt(x, known_of(y, range(50))).p(x)
        before.append(np.abs(expit(x) - expit(0.3 * x - 0.5)).mean())
        after.append(np.abs(p - expit(0.3 * x - 0.5)).mean())
    assert np.mean(after) < 0.4 * np.mean(before)


def test_the_curve_of_platt_is_the_maximum_of_its_posterior():
    x, y = world(80, slope=0.5, intercept=1.0, seed=3)
    b, a = fit_platt(x, known_of(y, range(80))).coefficients

    def loss(b, a):
        score = b + a * x
        return np.sum(np.logaddexp(0, score) - y * score) + b**2 / 8 + (a - 1) ** 2 / 0.5

    around = [loss(b + db, a + da) for db in (-0.01, 0, 0.01) for da in (-0.01, 0, 0.01)]
    assert min(around) == pytest.approx(loss(b, a), abs=1e-12)


def test_a_label_that_counts_twice_is_two_labels():
    x, y = world(30, seed=4)
    doubled = fit_platt(np.concatenate([x, x]), known_of(np.concatenate([y, y]), range(60)))
    assert fit_platt(x, known_of(y, range(30)), weights=np.full(30, 2.0)).coefficients == pytest.approx(
        doubled.coefficients
    )


def test_rows_far_out_keep_their_order():
    x, y = world(500, slope=0.4, seed=5)
    far = np.linspace(30, 60, 50)
    for fit in (fit_platt, fit_beta):
        assert (np.diff(fit(x, known_of(y, range(300))).log_odds(far)) > 0).all()


def test_beta_bends_the_two_ends_apart():
    rng = stream(6, "two ends")
    x = 3 * rng.standard_normal(6000)
    real = np.where(x > 0, 0.3 * x, 1.2 * x)
    y = (rng.random(6000) < expit(real)).astype(int)
    known = known_of(y, range(3000))
    error = {fit: np.abs(fit(x, known).p(x) - expit(real)).mean() for fit in (fit_platt, fit_beta)}
    assert error[fit_beta] < 0.5 * error[fit_platt]


def test_the_interval_of_the_curve_covers_at_its_level():
    held = []
    for seed in range(120):
        x, y = world(60, slope=0.7, intercept=0.5, seed=seed)
        low, high = fit_platt(x, known_of(y, range(60))).interval(np.array([1.5]))
        held.append(low[0] <= expit(0.5 + 0.7 * 1.5) <= high[0])
    assert 0.9 <= np.mean(held) <= 0.99


def test_isotonic_finds_a_curve_that_no_slope_can_draw():
    rng = stream(7, "steps")
    x = rng.uniform(-3, 3, 8000)
    real = np.where(x < -1, 0.1, np.where(x < 1, 0.5, 0.9))
    y = (rng.random(8000) < real).astype(int)
    known = known_of(y, range(4000))
    inner = np.abs(np.abs(x) - 1) > 0.2
    error = {fit: np.abs(fit(x, known).p(x) - real)[inner].mean() for fit in (fit_platt, fit_isotonic)}
    assert error[fit_isotonic] < 0.03 < error[fit_platt]


def rising(x, y, at):
    """The rising curve at one score, by its definition: the largest over lefts of the least mean over rights."""
    scores = np.unique(x)
    place = int(np.searchsorted(scores, at))
    means = [
        min(y[(x >= scores[a]) & (x <= scores[b])].mean() for b in range(place, len(scores))) for a in range(place + 1)
    ]
    return max(means)


def test_the_two_probabilities_are_those_of_two_curves_with_the_row_added():
    rng = stream(8, "venn")
    x = np.round(rng.standard_normal(38), 1)
    y = (rng.random(38) < expit(2 * x)).astype(int)
    p0, p1 = venn_abers(x, known_of(y, range(30)))
    for row in range(30, 38):
        for label, found in ((0, p0), (1, p1)):
            brute = rising(np.append(x[:30], x[row]), np.append(y[:30], label), x[row])
            assert found[row] == pytest.approx(brute, abs=1e-12)
    assert (p0 <= p1).all()


def test_over_many_draws_the_true_rate_lies_between_the_two_probabilities():
    found = []
    for seed in range(100):
        x, y = world(31, slope=0.2, intercept=0.8, seed=seed)
        p0, p1 = venn_abers(x, known_of(y, range(30)))
        found.append((p0[30], y[30], p1[30]))
    low, rate, high = np.mean(found, axis=0)
    assert low - 0.05 <= rate <= high + 0.05
    assert high - low < 0.2


def test_the_distance_of_a_perfect_probability_holds_zero_and_the_plain_one_does_not_come_near():
    held, values = [], []
    for seed in range(80):
        x, y = world(150, seed=seed)
        found = calibration_distance(expit(x), y)
        held.append(found.low == 0)
        values.append(found.value)
    assert np.mean(held) >= 0.93
    assert np.mean(values) < 0.03


def test_the_interval_of_the_distance_covers_what_many_labels_find():
    far = world(200_000, slope=0.4, intercept=-0.5, seed=99)
    real = calibration_distance(expit(far[0]), far[1]).value
    held, values = [], []
    for seed in range(80):
        x, y = world(300, slope=0.4, intercept=-0.5, seed=seed)
        found = calibration_distance(expit(x), y)
        held.append(found.low <= real <= found.high)
        values.append(found.value)
    assert 0.88 <= np.mean(held) <= 1.0
    assert np.mean(values) == pytest.approx(real, abs=0.02)


def test_the_table_counts_every_row_once_and_keeps_equal_values_together():
    x, y = world(1000, seed=2)
    p = np.round(expit(x), 1)
    table = reliability(p, y, bins=10)
    assert table["n"].sum() == 1000
    assert table["from"].to_list()[1:] > table["to"].to_list()[:-1]
    assert float((table["n"] * table["found"]).sum()) == pytest.approx(y.sum())


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit_platt([0.0, np.inf], {0: 1}),
        lambda: fit_platt([0.0, 1.0], {2: 1}),
        lambda: fit_platt([0.0, 1.0], {0: 2}),
        lambda: fit_platt([0.0, 1.0], {0: 1}, weights=[0.0]),
        lambda: fit_isotonic([0.0, 1.0], {}),
        lambda: calibration_distance([0.5, 1.2], [1, 0]),
        lambda: calibration_distance([0.5], [1, 0]),
    ],
)
def test_what_cannot_be_calibrated_is_refused_with_what_was_seen(call):
    with pytest.raises(DataError) as told:
        call()
    assert told.value.seen
