from __future__ import annotations

import json

import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.estimate import Estimate
from seedbed.evaluation.shift import coverage, distinct, map_2d, mean_nearest, summary, two_sample_auc

TOPICS = [[f"{topic}{word}" for word in range(12)] for topic in ("ra", "mo", "ki", "zu")]


def sentences(n: int, rng: np.random.Generator, topics: tuple[int, ...] = (0, 1, 2, 3), style: str = "") -> list[str]:
    """Texts whose topic is known; `style` is a word that this author likes."""
    found = []
    for _ in range(n):
        words = list(rng.choice(TOPICS[int(rng.choice(topics))], 6))
        found.append(" ".join([*words, style] if style and rng.random() < 0.5 else words))
    return found


@pytest.mark.slow
def test_two_draws_of_the_same_texts_cannot_be_told_apart() -> None:
    holds = []
    for rng_seed in range(60):
        rng = np.random.default_rng([0, rng_seed])
        auc = two_sample_auc(sentences(80, rng), sentences(80, rng), rng=rng)
        holds.append(auc.low <= 0.5 <= auc.high)
    assert sum(holds) >= 54


def test_an_author_with_a_habit_is_told_apart() -> None:
    rng = np.random.default_rng(1)
    auc = two_sample_auc(sentences(150, rng), sentences(150, rng, style="truly"), rng=rng)
    assert auc.low > 0.55 and auc.high < 0.9


def test_texts_repeated_on_one_side_are_not_recognised_by_heart() -> None:
    rng = np.random.default_rng(2)
    few = sentences(30, rng)
    auc = two_sample_auc(sentences(150, rng), few * 5, rng=rng)
    assert auc.high < 0.85


def test_a_perfect_separation_still_has_an_interval() -> None:
    rng = np.random.default_rng(3)
    auc = two_sample_auc(sentences(40, rng, (0,)), sentences(40, rng, (1,)), rng=rng)
    assert auc.value == 1.0 and auc.low <= 1.0 == auc.high


def test_coverage_of_a_second_draw_of_gold_is_nine_in_ten() -> None:
    values = []
    for rng_seed in range(5):
        rng = np.random.default_rng([4, rng_seed])
        values.append(coverage(sentences(120, rng), sentences(300, rng), rng=rng).value)
    assert 0.85 < np.mean(values) < 0.95


def test_coverage_falls_by_the_share_of_topics_that_the_teacher_never_writes_about() -> None:
    rng = np.random.default_rng(5)
    half = coverage(sentences(300, rng), sentences(300, rng, (0, 1)), rng=rng)
    assert 0.35 < half.value < 0.6 and half.high < 0.75


def test_distinct_counts_runs_of_words() -> None:
    assert distinct(["A b a b!"], 1) == 0.5 and distinct(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["", "a"], 2) == 0.0


def test_repeats_are_less_diverse() -> None:
    rng = np.random.default_rng(6)
    fresh = sentences(100, rng)
    assert mean_nearest(fresh[:20] * 5) > 0.75 > mean_nearest(fresh)
    assert mean_nearest(["alone"]) == 0.0


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_the_map_puts_texts_on_one_topic_together_and_is_the_same_each_time(method: str) -> None:
    def draw() -> dict[str, np.ndarray]:
        rng = np.random.default_rng(7)
        texts = {"one": sentences(25, rng, (0,)), "two": sentences(25, rng, (1,))}
        return map_2d(texts, rng=rng, method=method)  # type: ignore[arg-type]

    places = draw()
    assert places["one"].shape == places["two"].shape == (25, 2)
    apart = np.linalg.norm(places["one"].mean(axis=0) - places["two"].mean(axis=0))
    assert apart > 2 * np.abs(places["one"] - places["one"].mean(axis=0)).mean()
    assert all((places[name] == again).all() for name, again in draw().items())


def test_a_map_of_next_to_nothing_is_still_a_map() -> None:
    rng = np.random.default_rng(8)
    assert map_2d({"gold": ["a"], "made": []}, rng=rng)["made"].shape == (0, 2)
    same = map_2d({"gold": ["same text"] * 5, "made": ["", "!"]}, rng=rng)
    assert np.isfinite(same["gold"]).all() and np.isfinite(same["made"]).all()


def test_the_summary_is_plain_data_with_both_sides() -> None:
    rng = np.random.default_rng(9)
    found = json.loads(json.dumps(summary(sentences(60, rng), sentences(90, rng), rng=rng)))
    assert Estimate.from_dict(found["auc"]).n == 150 and Estimate.from_dict(found["coverage"]).n == 60
    assert found["rows"] == 60 and set(found["distinct_1"]) == {"gold", "made"}


def test_too_few_rows_are_refused() -> None:
    rng = np.random.default_rng(10)
    with pytest.raises(DataError, match="too few"):
        coverage(["a"] * 19, ["b"] * 50, rng=rng)
