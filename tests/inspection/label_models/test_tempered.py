import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seedbed.errors import DataError
from seedbed.inspection.label_models import DawidSkene, Majority, Tempered
from seedbed.inspection.votes import Voter, Votes
from seedbed.randomness import stream

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("SEEDBED_DATA", ROOT.parent / "shared" / "data")) / "inspection"


def crowd(accuracies: list[float], n: int, rng_seed: int = 0, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(rng_seed, "tempered", n)
    truth = (rng.random(n) < share).astype(int)
    is_right = rng.random((n, len(accuracies))) < accuracies
    return np.where(is_right, truth[:, None], 1 - truth[:, None]), truth


def right(log_posterior: np.ndarray, truth: np.ndarray) -> float:
    return float((log_posterior.argmax(axis=1) == truth).mean())


def one_sided(n: int, rng_seed: int) -> tuple[Votes, np.ndarray]:
    """Seven labelling functions that each know one class of three and abstain elsewhere."""
    rng = stream(rng_seed, "one-sided")
    truth = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    columns = []
    for w in range(7):
        speaks = rng.random(n) < np.where(truth == w % 3, 0.5, 0.08)
        columns.append(np.where(speaks, w % 3, -1))
    return Votes.of_columns(np.stack(columns, axis=1), 3), truth


@pytest.mark.parametrize("rng_seed", range(3))
def test_voters_who_abstain_and_know_one_class_do_not_make_it_collapse(rng_seed: int) -> None:
    votes, truth = one_sided(1500, rng_seed)
    ours = right(Tempered().fit(votes).log_posterior_, truth)
    assert ours > right(Majority().fit(votes).log_posterior_, truth) - 0.005
    assert ours > right(DawidSkene().fit(votes).log_posterior_, truth) + 0.1


@pytest.mark.parametrize(("asked", "rng_seed"), [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2)])
def test_with_one_or_two_votes_a_row_it_is_not_worse_than_the_majority(asked: int, rng_seed: int) -> None:
    rng = stream(rng_seed, "few votes")
    said, truth = crowd(rng.uniform(0.55, 0.9, 20).tolist(), 500, rng_seed, share=0.3)
    kept = np.argsort(rng.random(said.shape), axis=1) < asked
    votes = Votes.of_columns(np.where(kept, said, -2), 2)
    found = Tempered().fit(votes).log_posterior_
    if asked == 1:
        assert (found.argmax(axis=1) == votes.said).all()
    # Ties are split.
    best = votes.counts == votes.counts.max(axis=1, keepdims=True)
    majority = float((best[np.arange(500), truth] / best.sum(axis=1)).mean())
    assert right(found, truth) >= majority - 0.005


@pytest.mark.parametrize("rng_seed", range(3))
def test_one_vote_a_row_from_very_many_voters_is_left_as_it_is(rng_seed: int) -> None:
    rng = stream(rng_seed, "many voters")
    voter, said = rng.integers(0, 300, 900), rng.integers(0, 2, 900)
    votes = Votes(np.arange(900), voter, said, 900, 2, tuple(Voter(str(w)) for w in range(300)))
    assert (Tempered().fit(votes).log_posterior_.argmax(axis=1) == said).all()


def test_it_beats_the_majority_where_voters_differ() -> None:
    said, truth = crowd([0.95, 0.9, 0.55, 0.52, 0.5, 0.5, 0.5], 1000)
    votes = Votes.of_columns(said, 2)
    model = Tempered().fit(votes)
    assert right(model.log_posterior_, truth) > right(Majority().fit(votes).log_posterior_, truth) + 0.05
    assert model.ability_[:2].min() > model.ability_[3:].max()
    assert np.abs(model.confusion_[0] - [[0.95, 0.05, 0], [0.05, 0.95, 0]]).max() < 0.05


def test_a_voter_who_always_says_the_same_has_no_weight() -> None:
    said, _ = crowd([0.8, 0.8, 0.8, 0.7], 500)
    votes = Votes.of_columns(np.column_stack([said, np.ones((500, 1), dtype=int)]), 2)
    nats = Tempered().fit(votes).nats(votes)
    assert np.abs(nats[votes.voter == 4]).mean() < 0.05 * np.abs(nats[votes.voter == 0]).mean()


def test_copies_of_one_voter_in_a_family_do_not_outvote_the_others() -> None:
    said, truth = crowd([0.75] * 5, 800)
    table = np.column_stack([said, np.repeat(said[:, :1], 4, axis=1)])
    family = [Voter(str(w), "judge", "one" if w == 0 or w > 4 else None) for w in range(9)]
    known = {int(i): int(truth[i]) for i in stream(0, "known").permutation(800)[:100]}
    rest = np.setdiff1d(np.arange(800), list(known))
    told = Tempered().fit(Votes.of_columns(table, 2, family), known=known)
    untold = Tempered().fit(Votes.of_columns(table, 2), known=known)
    assert told.dependence_.families["one"] > 0.8
    assert right(told.log_posterior_[rest], truth[rest]) > right(untold.log_posterior_[rest], truth[rest]) + 0.02


def test_rows_that_mislead_everyone_lower_what_votes_are_worth() -> None:
    rng = stream(0, "hard rows")
    truth, misleads = rng.integers(0, 2, 1500), rng.random(1500) < 0.25
    rate = np.where(misleads, 0.35, 0.9)[:, None]
    said = np.where(rng.random((1500, 10)) < rate, truth[:, None], 1 - truth[:, None])
    model = Tempered().fit(Votes.of_columns(said, 2))
    blind = DawidSkene().fit(Votes.of_columns(said, 2))
    loss = [-np.maximum(one.log_posterior_[np.arange(1500), truth], -30).mean() for one in (model, blind)]
    assert model.dependence_.crowd > 0.05
    assert loss[0] < 0.6 * loss[1]


def test_independent_voters_are_hardly_tempered() -> None:
    said, _ = crowd([0.8] * 8, 1500)
    model = Tempered().fit(Votes.of_columns(said, 2))
    assert model.dependence_.crowd < 0.03
    assert model.vote_weight_.min() > 0.8


def test_each_slice_has_a_class_prior_of_its_own() -> None:
    rng = stream(0, "slices")
    slices = np.repeat([0, 1], 1000)
    truth = (rng.random(2000) < np.where(slices == 0, 0.9, 0.1)).astype(int)
    said = np.where(rng.random((2000, 3)) < 0.7, truth[:, None], 1 - truth[:, None])
    votes = Votes.of_columns(said, 2)
    with_slices, without = Tempered().fit(votes, slices=slices), Tempered().fit(votes)
    assert with_slices.prior_[0, 1] > 0.75
    assert with_slices.prior_[1, 1] < 0.25
    assert right(with_slices.log_posterior_, truth) > right(without.log_posterior_, truth) + 0.05


def test_slices_that_do_not_fit_the_rows_are_refused() -> None:
    votes = Votes.of_columns([[0, 1], [1, 1]], 2)
    with pytest.raises(DataError, match="one slice number"):
        Tempered().fit(votes, slices=np.array([0, 1, 1]))


def test_a_reader_who_misreads_is_a_strong_vote_and_no_verdict() -> None:
    said, _ = crowd([0.9] * 9, 300)
    said[0] = 0
    votes = Votes.of_columns(said, 2)
    assert Tempered().fit(votes, known={0: 1}).log_posterior_[0, 0] == -np.inf
    doubted = Tempered(misread=0.2).fit(votes, known={0: 1}).log_posterior_[0]
    assert doubted[0] > doubted[1]


def test_log_odds_are_not_clipped() -> None:
    said, _ = crowd([0.99] * 60, 300)
    assert Tempered().fit(Votes.of_columns(said, 2)).log_posterior_.min() < -50


@pytest.mark.skipif(not (REAL / "crowd17").is_dir(), reason="the shared crowd sets are not here")
def test_on_a_real_crowd_it_beats_majority_and_textbook() -> None:
    folder = REAL / "crowd17" / "SpectralMethodsMeetEM__web"
    labels, gold = (pl.read_csv(folder / name, infer_schema=False) for name in ("label.csv", "truth.csv"))
    votes, rows, classes = Votes.of_triplets(*(labels[name].to_list() for name in ("item", "worker", "label")))
    truth = dict(zip(gold["item"], gold["truth"], strict=True))
    index = [i for i, name in enumerate(rows) if name in truth]
    real = np.array([classes.index(truth[rows[i]]) for i in index])
    ours, textbook = (right(make().fit(votes).log_posterior_[index], real) for make in (Tempered, DawidSkene))
    assert ours > 0.87
    assert textbook < 0.83
