"""Judges in both orders, and their biases measured and removed."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from seedbed.errors import DataError
from seedbed.inspection.calibration import fit_platt
from seedbed.inspection.judges import Verdicts, both_orders, fit_judges, order_report, own_family_gap
from seedbed.randomness import stream

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SEEDBED_DATA", ROOT.parent / "shared" / "data")) / "inspection"


def judged(n, gamma, delta=0.0, seed=0):
    """Three judges of two families on rows of three generators; their own family's rows get gamma in log-odds."""
    rng = stream(seed, "judged")
    z = (rng.random(n) < 0.7).astype(int)
    writers = np.array(["x", "y", "z"])[rng.integers(0, 3, n)]
    families = ["x", "x", "y"]
    length = rng.standard_normal(n)
    own = writers[:, None] == np.array(families)[None, :]
    score = -1.0 + 2.2 * z[:, None] + gamma * own + delta * length[:, None]
    said = (rng.random((n, 3)) < expit(score)).astype(int)
    return Verdicts.of(said, families, writers, length), z


def known_of(z, n):
    return {row: int(z[row]) for row in range(n)}


def test_a_judge_that_changes_its_mind_with_the_order_abstains():
    assert both_orders([1, 1, 0, -1, 0], [1, 0, 1, 1, 0]).tolist() == [1, -1, -1, -1, 0]


def test_a_judge_that_always_takes_the_first_is_all_bias_and_says_nothing():
    first, second = np.ones(50, dtype=int), np.zeros(50, dtype=int)
    report = order_report(first, second)
    assert (both_orders(first, second) == -1).all()
    assert report.position.value == 0.5 and report.inconsistent.value == 1.0


def test_the_interval_of_the_position_bias_covers():
    held = []
    for seed in range(300):
        rng = stream(seed, "position")
        better = rng.integers(0, 2, 120)
        # Taken is what is shown first in 62 % of the pairs where the judge does not see the better one.
        sees = rng.random((2, 120)) < 0.5
        first = rng.random((2, 120)) < 0.62
        original = np.where(sees[0], better, first[0].astype(int))
        swapped = np.where(sees[1], better, 1 - first[1].astype(int))
        found = order_report(original, swapped).position
        held.append(found.low <= 0.5 * 0.12 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_self_preference_and_length_are_found_with_intervals_that_cover():
    held = []
    for seed in range(50):
        verdicts, z = judged(600, gamma=1.0, delta=0.4, seed=seed)
        found = fit_judges(verdicts, known_of(z, 600))
        ends = ((found.self_preference, 1.0), (found.self_preference_on_good, 1.0), (found.length_effect, 0.4))
        held.append([one.low <= real <= one.high for one, real in ends])
    assert (np.mean(held, axis=0) >= 0.9).all()


def test_a_family_that_is_better_is_not_called_preferred():
    rng = stream(1, "better family")
    writers = np.array(["x", "y"])[rng.integers(0, 2, 4000)]
    z = (rng.random(4000) < np.where(writers == "x", 0.9, 0.5)).astype(int)
    said = (rng.random((4000, 1)) < expit(-1 + 2 * z[:, None])).astype(int)
    found = fit_judges(Verdicts.of(said, ["x"], writers), known_of(z, 4000))
    assert found.self_preference.low <= 0 <= found.self_preference.high


def test_with_the_bias_removed_own_rows_look_no_better_than_they_are():
    before, after = [], []
    for seed in range(8):
        verdicts, z = judged(8000, gamma=1.5, seed=seed)
        known = known_of(z, 400)
        own = verdicts.own.any(axis=1)[400:]
        blind = Verdicts(verdicts.said, np.zeros_like(verdicts.own), verdicts.length)
        for one, gaps in ((blind, before), (verdicts, after)):
            score = fit_judges(one, known).log_odds(one)
            p = fit_platt(score, known).p(score)
            gaps.append(own_family_gap(p[400:], z[400:], own).value)
    assert np.mean(before) > 0.06
    assert abs(np.mean(after)) < 0.02


def test_without_labels_a_verdict_speaks_for_what_it_says():
    verdicts = Verdicts.of([[1, 1, -1], [0, -2, 0], [-1, -1, -2]], ["x", "x", "y"], ["x", "y", "z"])
    found = fit_judges(verdicts, {}).log_odds(verdicts)
    assert found[0] > 1 and found[1] < -1 and found[2] == 0


def test_a_judge_is_not_heard_about_its_own_family_where_that_is_asked_for():
    verdicts = Verdicts.of([[1, 0], [1, 0]], ["x", "y"], ["x", "y"])
    assert verdicts.without_own().said.tolist() == [[-2, 0], [1, -2]]


@pytest.mark.skipif(not (REAL / "llmbar").is_dir(), reason="the recorded judgments are not here")
def test_chatgpt_prefers_what_is_shown_first_on_llmbar():
    with gzip.open(REAL / "llmbar" / "judgments.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [one for one in map(json.loads, lines) if one["evaluator"] == "ChatGPT-0301"]
    pairs = [one["v"]["w"] for one in found if one["set"].startswith("LLMBar") and one["strategy"] == "Vanilla"]
    number = {"1": 1, "2": 0, None: -1}
    report = order_report(*(np.array([number[pair[order]] for pair in pairs]) for order in (0, 1)))
    assert report.inconsistent.low > 0.1 and report.position.is_clear


@pytest.mark.parametrize(
    "call",
    [
        lambda: both_orders([1, 2], [1, 0]),
        lambda: both_orders([1, 0], [1]),
        lambda: order_report([1, -1], [1, 0]),
        lambda: Verdicts.of([[1]], ["x", "y"], ["x"]),
        lambda: Verdicts.of([[5]], ["x"], ["x"]),
        lambda: own_family_gap([0.5, 0.5], [1, 0], [True, True]),
    ],
)
def test_verdicts_that_do_not_fit_are_refused_with_what_was_seen(call):
    with pytest.raises(DataError) as told:
        call()
    assert told.value.seen


def test_one_verdict_counts_by_how_much_likelier_it_is_on_a_good_row():
    verdicts, z = judged(400, gamma=1.0, delta=0.5, seed=3)
    found = fit_judges(verdicts, known_of(z, 400))
    mean, row = found.fit.mean, 7
    expected = 0.0
    for w in range(3):
        own, length = verdicts.own[row, w], verdicts.length[row]
        chance = [
            expit(mean[w] + t * mean[3 + w] + own * (mean[6 + t] + mean[9 + 3 * t + w]) + mean[8] * length)
            for t in (0, 1)
        ]
        expected += np.log(chance[1] / chance[0] if verdicts.said[row, w] else (1 - chance[1]) / (1 - chance[0]))
    assert found.log_odds(verdicts)[row] == pytest.approx(expected)
