"""A label model corrected by a few labels."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.correction import Priors, correct, family_votes, group_means
from seedbed.inspection.logistic_map import fit_logistic
from seedbed.randomness import stream


def known_of(y, rows):
    return {int(row): int(y[row]) for row in rows}


def panel(n, seed, flipped=0.0):
    """Two families of judges, an adversarial slice on which the larger one is mostly wrong, and counted votes."""
    rng = stream(seed, "panel")
    y = rng.integers(0, 2, n)
    hard = rng.random(n) < flipped
    votes = np.empty((n, 8), dtype=int)
    for w in range(8):
        right = np.where(hard, 0.25, 0.85) if w < 6 else np.full(n, 0.75)
        votes[:, w] = np.where(rng.random(n) < right, y, 1 - y)
    x = np.log((votes.sum(axis=1) + 0.5) / (8.5 - votes.sum(axis=1)))
    return y, hard, votes, 2 * x


def test_without_labels_the_label_model_stands():
    _, hard, votes, x = panel(200, 0)
    features, names = family_votes(votes, ["a"] * 6 + ["b"] * 2)
    found = correct(x, {}, features=features, names=names, slices=hard)
    assert found.log_odds == pytest.approx(x)
    assert found.p == pytest.approx(expit(x))
    assert (found.p_lo < found.p).all() and (found.p < found.p_hi).all()


def test_the_signs_of_a_family_flip_on_the_slice_that_was_made_to_deceive_it():
    gains = []
    for seed in range(5):
        y, hard, votes, x = panel(600, seed, flipped=0.5)
        features, _ = family_votes(votes, ["a"] * 6 + ["b"] * 2)
        found = correct(x, known_of(y, range(60)), features=features, slices=hard)
        rest = np.arange(600) >= 60
        before, after = (((score > 0) == y)[hard & rest].mean() for score in (x, found.log_odds))
        gains.append(after - before)
        assert before < 0.45
    assert np.mean(gains) > 0.3


def test_ten_labels_do_not_spoil_a_good_label_model():
    losses = []
    for seed in range(10):
        y, _, votes, x = panel(500, seed)
        features, _ = family_votes(votes, ["a"] * 6 + ["b"] * 2)
        found = correct(x, known_of(y, range(10)), features=features)
        losses.append((((x > 0) == y).mean() - ((found.log_odds > 0) == y).mean())[()])
    assert np.mean(losses) < 0.01


def test_it_is_the_average_of_the_priors_by_how_well_they_foretell_the_labels():
    y, _, votes, x = panel(300, 1, flipped=1.0)
    features, _ = family_votes(votes, ["a"] * 6 + ["b"] * 2)
    few, many = (correct(x, known_of(y, range(n)), features=features) for n in (1, 80))
    wide = {n: sum(w for key, w in found.weights.items() if key[1] == 2.0) for n, found in ((1, few), (80, many))}
    assert wide[80] > 0.8
    assert wide[1] < 0.5
    assert sum(many.weights.values()) == pytest.approx(1)


def test_the_interval_covers_the_probability_that_made_the_rows():
    held = []
    for seed in range(150):
        rng = stream(seed, "coverage")
        # Drawn from the prior itself, for that is what the interval speaks of.
        x, f = 2 * rng.standard_normal(120), rng.uniform(-1, 1, (120, 2))
        b, a, g = 2 * rng.standard_normal(), 1 + 0.5 * rng.standard_normal(), 0.5 * rng.standard_normal(2)
        real = expit(b + a * x + f @ g)
        y = (rng.random(120) < real).astype(int)
        found = correct(
            x, known_of(y, range(40)), features=f, priors=Priors(slopes=(1.0,), family=(0.5,), slice=(0.1,))
        )
        held.append(((found.p_lo <= real) & (real <= found.p_hi))[40:].mean())
    assert 0.92 <= np.mean(held) <= 0.98


def test_slices_are_read_in_blocks_as_one_wide_table_would_be():
    rng = stream(2, "wide")
    n, codes = 90, stream(2, "codes").integers(0, 4, 90)
    x, f = rng.standard_normal(n), rng.uniform(-1, 1, (n, 2))
    y = rng.integers(0, 2, n)
    priors = Priors(slopes=(1.0,), family=(0.5,), slice=(0.7,))
    found = correct(x, known_of(y, range(30)), features=f, slices=codes, priors=priors)

    shared = np.column_stack([np.ones(n), x, f])
    wide = np.hstack([shared, *(shared * (codes == s)[:, None] for s in range(4))])
    scale = np.concatenate([[2.0, 0.5, 0.5, 0.5], np.tile([0.7, 0.35, 0.35, 0.35], 4)])
    centre = np.zeros(20)
    centre[1] = 1

    def loss(w):
        score = wide[:30] @ w
        return np.sum(np.logaddexp(0, score) - y[:30] * score) + 0.5 * np.sum(((w - centre) / scale) ** 2)

    best = minimize(loss, centre, method="BFGS", options={"gtol": 1e-8})
    assert found.log_odds == pytest.approx(wide @ best.x, abs=1e-4)


def test_more_coefficients_than_labels_give_the_same_posterior_as_fewer():
    rng = stream(3, "both ways")
    design, labels = rng.standard_normal((12, 30)), rng.integers(0, 2, 12).astype(float)
    scale = rng.uniform(0.2, 2, 30)
    narrow = fit_logistic(design, labels, np.zeros(30), scale)
    # The same labels, padded with rows that say nothing, so that no direction is left out.
    padded = np.vstack([design, np.zeros((40, 30))])
    full = fit_logistic(padded, np.append(labels, np.zeros(40)), np.zeros(30), scale)
    assert narrow.mean == pytest.approx(full.mean, abs=1e-7)
    assert narrow.covariance() == pytest.approx(full.covariance(), abs=1e-7)


def test_the_mean_vote_of_a_family_counts_abstentions_as_nothing_and_leaves_out_who_was_not_asked():
    found, names = family_votes([[1, 0, -1, 1], [1, -2, -2, -2]], ["a", "a", "a", "b"])
    assert names == ("a", "b")
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_a_group_of_bad_rows_is_told_without_labels_and_a_small_one_stays_in_the_middle():
    x = np.array([4.0] * 50 + [-4.0] * 50 + [-4.0])
    found = group_means(x, ["good"] * 50 + ["bad"] * 50 + ["one"])
    assert found[0] > 1 and found[60] < -1
    assert -0.6 < found[100] < 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: correct([0.0, np.nan], {}),
        lambda: correct([0.0, 1.0], {5: 1}),
        lambda: correct([0.0, 1.0], {0: -1}),
        lambda: correct([0.0, 1.0], {}, features=[[1.0]]),
        lambda: correct([0.0, 1.0], {}, slices=["a"]),
        lambda: correct([0.0, 1.0], {}, features=[[1.0], [1.0]], names=["a", "b"]),
    ],
)
def test_what_does_not_fit_together_is_refused_with_what_was_seen(call):
    with pytest.raises(DataError) as told:
        call()
    assert told.value.seen


def test_a_prior_of_no_width_is_refused():
    with pytest.raises(ConfigError):
        Priors(family=(0.0,))
