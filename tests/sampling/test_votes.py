import gzip
import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.sampling.curate import curate
from seedbed.sampling.votes import accuracy, labelled_by_vote, vote, vote_curve

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SEEDBED_DATA", ROOT.parent / "shared" / "data"))


def pool(answers: dict[str, list[str | None]], gold: str = "7", **columns: list[float]) -> pl.DataFrame:
    rows = [
        {"problem_id": problem, "model": "m", "draw": draw, "answer": answer, "correct": answer == gold}
        for problem, given in answers.items()
        for draw, answer in enumerate(given)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"answer": pl.String})
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())


def test_the_answer_given_most_often_wins() -> None:
    found = vote(pool({"a": ["7", "8", "7", None], "b": ["1", "2", "2"]}))
    assert found["answer"].to_list() == ["7", "2"]
    assert found["share"].to_list() == [0.5, pytest.approx(2 / 3)]
    assert found["margin"].to_list() == [0.25, pytest.approx(1 / 3)]
    assert found["draws"].to_list() == [4, 3]
    assert found["correct"].to_list() == [True, False]


def test_a_tie_goes_to_the_answer_that_was_drawn_first_and_is_said() -> None:
    found = vote(pool({"a": ["9", "7", "7", "9"]}))
    assert found.select("answer", "is_tie", "margin").row(0) == ("9", True, 0.0)


def test_a_weak_majority_abstains() -> None:
    rows = pool({"a": ["7", "7", "8", "9"], "b": ["7", "7", "7", "9"]})
    assert vote(rows, min_share=0.6)["answer"].to_list() == [None, "7"]
    assert vote(rows, min_margin=0.4)["answer"].to_list() == [None, "7"]
    assert vote(rows, min_share=0.6)["correct"].to_list() == [None, True]


def test_draws_without_an_answer_choose_nothing_and_cost_all_the_same() -> None:
    rows = pool({"a": [None, None]}, usd=[0.5, 0.25])
    found = vote(rows)
    assert found.select("answer", "share", "draws", "usd", "correct").row(0) == (None, 0.0, 2, 0.75, None)
    assert vote(rows.drop("usd"))["usd"].to_list() == [None]


def test_a_model_that_is_trusted_more_outvotes_two_others() -> None:
    rows = pool({"a": ["7", "8", "8"]}).with_columns(model=pl.Series(["good", "bad", "bad"]))
    assert vote(rows)["answer"].item() == "8"
    assert vote(rows, weights={"good": 3, "bad": 1})["answer"].item() == "7"
    with pytest.raises(ConfigError, match="no weight for \\['bad'\\]"):
        vote(rows, weights={"good": 3})


def test_a_verifier_can_weight_votes_or_choose_the_best_draw() -> None:
    rows = pool({"a": ["8", "8", "7", "9"]}, score=[0.3, 0.3, 0.5, 0.0])
    assert vote(rows, score="score")["answer"].item() == "8"
    assert vote(rows, score="score", rule="best")["answer"].item() == "7"
    with pytest.raises(DataError, match="score"):
        vote(rows.with_columns(score=-pl.col("score")), score="score")


def test_thresholds_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="min_share"):
        vote(pool({"a": ["7"]}), min_share=60)


def exact(answers: list[str | None], k: int, gold: str = "7") -> float:
    """The vote's chance by trying every subset, ties split evenly."""
    chances = []
    for subset in combinations(answers, k):
        counts = {answer: subset.count(answer) for answer in subset if answer is not None}
        winners = [answer for answer, count in counts.items() if count == max(counts.values())]
        chances.append(winners.count(gold) / max(1, len(winners)))
    return float(np.mean(chances))


def test_a_curve_is_what_trying_every_subset_gives() -> None:
    rng = np.random.default_rng(0)
    letters = ["7", "7", "8", "9", None]
    answers = {f"p{index}": [letters[code] for code in rng.integers(0, 5, 8)] for index in range(150)}
    for point in vote_curve(pool(answers), [1, 3, 8], rng_seed=0):
        truth = np.mean([exact(given, point.k) for given in answers.values()])
        # 200 subsets of each of 150 problems: a standard error below 0.003.
        assert point.vote.value == pytest.approx(truth, abs=1e-9 if point.k == 8 else 0.01)
        assert point.vote.value <= point.coverage.value + 0.01


def test_with_one_draw_voting_is_no_better_than_drawing() -> None:
    rows = pool({f"p{index}": ["7"] * (index % 9) + ["8"] * (8 - index % 9) for index in range(90)})
    (point,) = vote_curve(rows, [1], rng_seed=0)
    assert point.vote.value == pytest.approx(point.coverage.value, abs=0.01)
    assert point.coverage.value == pytest.approx(0.5)


def test_a_perfect_verifier_reaches_coverage_and_a_blind_one_does_not() -> None:
    rng = np.random.default_rng(1)
    answers = {f"p{index}": [str(code) for code in rng.integers(5, 9, 12)] for index in range(40)}
    rows = pool(answers).with_columns(score=pl.col("correct").cast(pl.Float64) + 0.01, blind=pl.lit(1.0))
    (perfect,) = vote_curve(rows, [4], rng_seed=0, score="score", rule="best")
    (blind,) = vote_curve(rows, [4], rng_seed=0, score="blind", rule="best")
    assert perfect.vote.value == pytest.approx(perfect.coverage.value, abs=0.02)
    assert blind.vote.value < perfect.vote.value - 0.2


def test_a_curve_is_the_same_for_the_same_rng_seed_and_whatever_the_order_of_problems() -> None:
    rows = pool({f"p{index}": ["7", "8", "7", "9", "8"] for index in range(5)})
    once = vote_curve(rows, [2, 3], rng_seed=4)
    assert vote_curve(rows, [2, 3], rng_seed=4) == once
    assert vote_curve(rows.reverse(), [2, 3], rng_seed=4)[0].vote.value == pytest.approx(once[0].vote.value)


def test_a_curve_needs_enough_draws_and_known_truth() -> None:
    rows = pool({"a": ["7", "8"], "b": ["7"]})
    with pytest.raises(DataError, match="fewest draws 1"):
        vote_curve(rows, [2], rng_seed=0)
    with pytest.raises(DataError, match="3 are not known"):
        vote_curve(rows.with_columns(correct=pl.lit(None, dtype=pl.Boolean)), [1], rng_seed=0)


def test_without_gold_the_vote_says_which_draws_are_right_and_abstains_where_it_does() -> None:
    rows = pool({"a": ["7", "7", "8"], "b": ["1", "2", None]}).drop("correct")
    labelled = labelled_by_vote(rows, vote(rows, min_margin=0.2))
    assert labelled["correct"].to_list() == [True, True, False, None, None, None]
    ready = labelled.with_columns(text=pl.lit("t"), key=pl.lit(None, dtype=pl.String), sound=pl.lit(value=True))
    assert curate(ready, rng_seed=0)["status"].to_list() == ["kept", "kept", *["rejected"] * 4]


def test_accuracy_counts_only_chosen_answers_with_known_truth() -> None:
    rows = pool({"a": ["7", "7"], "b": ["8", "8"], "c": ["7", "9"]})
    assert (accuracy(vote(rows, min_margin=0.1)).value, accuracy(vote(rows, min_margin=0.1)).n) == (0.5, 2)
    with pytest.raises(DataError, match="no chosen answer"):
        accuracy(vote(pool({"a": [None]})))


@pytest.mark.skipif(not (REAL / "date").exists(), reason="needs the real date samples")
def test_voting_on_real_samples_helps_and_stays_below_coverage() -> None:
    with gzip.open(REAL / "date" / "samples.jsonl.gz", "rt", encoding="utf-8") as lines:
        wanted = [json.loads(line) for line in lines if '"setting": "pot2_t=0.8"' in line]
    rows = pl.DataFrame(wanted, infer_schema_length=None).rename({"sample": "draw", "pred": "answer"})
    rows = rows.with_columns(pl.col("problem_id").cast(pl.String))
    one, all_twenty = vote_curve(rows, [1, 20], rng_seed=0)
    assert one.coverage.value == pytest.approx(0.720, abs=0.001)
    assert all_twenty.coverage.value == pytest.approx(0.908, abs=0.001)
    assert one.vote.value + 0.02 < all_twenty.vote.value < all_twenty.coverage.value - 0.05
    chosen = vote(rows)
    assert accuracy(chosen).value == pytest.approx(all_twenty.vote.value, abs=0.02)
    confident = vote(rows, min_share=0.8)
    assert accuracy(confident).value > accuracy(chosen).value + 0.05
