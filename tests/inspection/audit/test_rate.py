"""Rates from rows that were not drawn evenly."""

import itertools

import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.audit.rate import defect_rate
from seedbed.inspection.audit.risk import Evidence, RiskModel
from seedbed.inspection.audit.rules import Pick, chances, draw


def sampled(goal, bad, evidence, count, rng, *, every=25):
    """Picks of an audit that learns as it goes."""
    model, picks = RiskModel(evidence), []
    read = np.zeros(len(bad), dtype=bool)
    for step in range(count):
        if step % every == 0:
            rows = [pick.row for pick in picks]
            p_bad = model.fit(rows, bad[rows]).p_bad
        picks.append(draw(chances(goal, p_bad, read, evidence), rng))
        read[picks[-1].row] = True
    return picks


def rule(bad, drawn):
    """Chances of a rule that chases what it found, for four rows."""
    odds = np.array([1.0, 2.0, 3.0, 4.0]) + 5 * sum(bad[row] for row in drawn)
    odds[list(drawn)] = 0
    return odds / odds.sum()


@pytest.mark.parametrize("bad", list(itertools.product([0, 1], repeat=4))[1:])
def test_over_all_orders_a_rule_that_learns_gives_the_true_rate_on_average(bad):
    expected_value = 0.0
    for order in itertools.permutations(range(4), 2):
        picks, chance = [], 1.0
        for step, row in enumerate(order):
            odds = rule(bad, order[:step])
            chance *= odds[row]
            picks.append(Pick(row, odds[row], 4 - step, 0.1))
        # The published rate is cut to [0, 1]; what is unbiased is the mean before that.
        each = [bad[order[0]] / picks[0].probability, bad[order[0]] + bad[order[1]] / picks[1].probability]
        expected_value += chance * float(np.mean(each)) / 4
        found = defect_rate(picks, [bad[row] for row in order], 4)
        assert found.value == pytest.approx(min(1.0, np.mean(each) / 4))
    assert expected_value == pytest.approx(np.mean(bad))


def test_uniform_draws_give_the_plain_share():
    rng = np.random.default_rng(1)
    bad = rng.random(30) < 0.4
    order = rng.permutation(30)[:12]
    picks = [Pick(int(row), 1 / (30 - step), 30 - step, 1.0) for step, row in enumerate(order)]
    found = defect_rate(picks, bad[order], 30)
    assert found.value == pytest.approx(bad[order].mean())
    assert found.low < found.value < found.high


def test_every_row_read_leaves_no_doubt():
    picks = [Pick(row, 0.3, 3 - row, 0.5) for row in range(3)]
    found = defect_rate(picks, [1, 0, 0], 3)
    assert (found.value, found.low, found.high) == (1 / 3, 1 / 3, 1 / 3)


@pytest.mark.parametrize(("goal", "least"), [("estimate", 0.92), ("find", 0.90)])
def test_the_interval_covers_though_the_rule_learns(goal, least):
    trials, covers, values = 80, 0, []
    rng = np.random.default_rng(5)
    slices = np.repeat(np.arange(10), 60)
    true = 1 / (1 + np.exp(-(rng.normal(-2.2, 1, 10)[slices] + rng.normal(0, 1.5, 600))))
    bad = rng.random(600) < true
    evidence = Evidence.of(600, np.log(true / (1 - true)) + rng.normal(0, 1, 600), slices)
    for _ in range(trials):
        picks = sampled(goal, bad, evidence, 120, rng, every=60)
        found = defect_rate(picks, bad[[pick.row for pick in picks]], 600)
        covers += found.low <= bad.mean() <= found.high
        values.append(found.value)
    assert covers / trials >= least
    assert np.mean(values) == pytest.approx(bad.mean(), abs=4 * np.std(values) / np.sqrt(trials))


def test_a_belief_learned_before_makes_the_interval_narrower_and_moves_nothing_on_average():
    rng = np.random.default_rng(2)
    true = np.where(np.arange(400) < 100, 0.95, 0.02)
    widths, values = [], []
    for _ in range(60):
        bad = rng.random(400) < true
        order = rng.permutation(400)[:100]
        picks = [Pick(int(row), 1 / (400 - step), 400 - step, 1.0) for step, row in enumerate(order)]
        plain = defect_rate(picks, bad[order], 400)
        helped = defect_rate(picks, bad[order], 400, expected=[(30, true)])
        widths.append((helped.high - helped.low) / (plain.high - plain.low))
        values.append(helped.value - bad.mean())
    assert np.mean(widths) < 0.85
    assert np.mean(values) == pytest.approx(0, abs=3 * np.std(values) / np.sqrt(60))


def test_skipped_rows_count_neither_way():
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(60):
        kind = rng.choice(3, 500, p=[0.6, 0.2, 0.2])  # good, bad, undecidable
        order = rng.permutation(500)[:150]
        picks = [Pick(int(row), 1 / (500 - step), 500 - step, 1.0) for step, row in enumerate(order)]
        found = defect_rate(picks, kind[order] == 1, 500, readable=kind[order] != 2)
        truth = (kind == 1).sum() / (kind != 2).sum()
        errors.append(found.value - truth)
        assert found.low < found.value < found.high
    assert np.mean(errors) == pytest.approx(0, abs=0.015)


def test_nothing_found_is_not_certainty():
    picks = [Pick(step, 1 / (1000 - step), 1000 - step, 0.3) for step in range(100)]
    found = defect_rate(picks, np.zeros(100), 1000)
    assert found.low == 0 and found.high > 0.1  # 30 of the 100 draws were blind: worth 30 rows


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="one label for each pick"):
        defect_rate([], [], 5)
    with pytest.raises(DataError, match="no row could be decided"):
        defect_rate([Pick(0, 0.5, 5, 1.0)], [False], 5, readable=[False])
