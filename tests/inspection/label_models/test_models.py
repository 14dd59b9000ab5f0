import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.label_models import DawidSkene, Glad, LabelModel, Mace, Majority, OneCoin, Tempered
from seedbed.inspection.label_models.contract import Tally
from seedbed.inspection.votes import Votes
from seedbed.randomness import stream

MODELS = [Majority, OneCoin, DawidSkene, Glad, Mace, Tempered]
ADDITIVE = [OneCoin, DawidSkene, Glad, Mace, Tempered]


def crowd(accuracies: list[float], n: int = 400, classes: int = 3, rng_seed: int = 0) -> tuple[Votes, np.ndarray]:
    rng = stream(rng_seed, "crowd", n, classes)
    truth = rng.integers(0, classes, n)
    wrong = (truth[:, None] + rng.integers(1, classes, (n, len(accuracies)))) % classes
    right = rng.random((n, len(accuracies))) < accuracies
    return Votes.of_columns(np.where(right, truth[:, None], wrong), classes), truth


def right(model: LabelModel, truth: np.ndarray) -> float:
    return float((model.log_posterior_.argmax(axis=1) == truth).mean())


@pytest.mark.parametrize("make", MODELS)
def test_a_posterior_is_a_distribution_over_the_classes_of_each_row(make: type[LabelModel]) -> None:
    votes, truth = crowd([0.8, 0.7, 0.7, 0.6, 0.6])
    model = make().fit(votes)
    assert model.log_posterior_.shape == (400, 3)
    assert np.exp(model.log_posterior_).sum(axis=1) == pytest.approx(np.ones(400))
    assert right(model, truth) > 0.78


@pytest.mark.parametrize("make", MODELS)
def test_a_known_row_is_settled_and_teaches_who_can_be_believed(make: type[LabelModel]) -> None:
    votes, _ = crowd([0.8, 0.7, 0.6])
    log_posterior = make().fit(votes, known={3: 2, 7: 0}).log_posterior_
    assert log_posterior[3].tolist() == [-np.inf, -np.inf, 0.0]
    assert log_posterior[7].tolist() == [0.0, -np.inf, -np.inf]


@pytest.mark.parametrize("make", MODELS)
def test_a_known_label_outside_the_votes_is_refused(make: type[LabelModel]) -> None:
    votes, _ = crowd([0.8, 0.7], n=5)
    with pytest.raises(DataError, match="outside the votes"):
        make().fit(votes, known={5: 0})
    with pytest.raises(DataError, match="outside the votes"):
        make().fit(votes, known={0: 3})


@pytest.mark.parametrize("make", MODELS)
def test_the_order_of_the_votes_changes_nothing(make: type[LabelModel]) -> None:
    votes, _ = crowd([0.8, 0.7, 0.6], n=60)
    order = stream(1, "order").permutation(len(votes.row))
    mixed = Votes(votes.row[order], votes.voter[order], votes.said[order], 60, 3, votes.voters)
    first, second = make().fit(votes), make().fit(mixed)
    assert second.log_posterior_ == pytest.approx(first.log_posterior_, abs=1e-9)
    assert second.nats(mixed) == pytest.approx(first.nats(votes)[order], abs=1e-9)


@pytest.mark.parametrize("make", ADDITIVE)
def test_nats_add_up_to_the_log_odds_above_the_prior(make: type[LabelModel]) -> None:
    votes, _ = crowd([0.8, 0.75, 0.7, 0.6], n=50)
    model = make().fit(votes)
    order = np.argsort(-model.log_posterior_, axis=1, kind="stable")
    rows = np.arange(50)
    odds = model.log_posterior_[rows, order[:, 0]] - model.log_posterior_[rows, order[:, 1]]
    rest = odds - np.bincount(votes.row, weights=model.nats(votes), minlength=50)
    # What is left is the class prior's: one number for each pair of classes, whatever the votes.
    for pair in {(a, b) for a, b in order[:, :2].tolist()}:
        same = rest[(order[:, 0] == pair[0]) & (order[:, 1] == pair[1])]
        assert same == pytest.approx(np.full(len(same), same[0]), abs=1e-9)


@pytest.mark.parametrize("make", MODELS)
def test_rows_without_votes_and_voters_without_rows_are_allowed(make: type[LabelModel]) -> None:
    table = np.full((40, 4), -2)
    table[:30, :3] = stream(0, "few").integers(0, 2, 30)[:, None]
    model = make().fit(Votes.of_columns(table, 2))
    assert np.isfinite(model.log_posterior_).all()
    assert len(model.nats(Votes.of_columns(table, 2))) == 90


def test_the_nats_of_the_majority_are_what_a_row_would_lose_without_the_vote() -> None:
    votes = Votes.of_columns([[0, 0, 1], [1, 1, 1]], 2)
    full = Majority().fit(votes).log_posterior_
    for place in range(6):
        kept = np.arange(6) != place
        less = Votes(votes.row[kept], votes.voter[kept], votes.said[kept], 2, 2, votes.voters)
        row, top = int(votes.row[place]), int(full[votes.row[place]].argmax())
        without = Majority().fit(less).log_posterior_[row]
        lost = (full[row, top] - full[row, 1 - top]) - (without[top] - without[1 - top])
        assert Majority().fit(votes).nats(votes)[place] == pytest.approx(lost)


def test_sums_over_votes_are_those_of_two_plain_loops() -> None:
    votes = Votes.of_columns(stream(0, "sums").integers(-2, 3, (20, 4)), 3)
    posterior = stream(1, "sums").dirichlet(np.ones(3), 20)
    evidence = stream(2, "sums").normal(size=(4, 3, 4))
    by_voter, by_row = np.zeros((4, 3, 4)), np.zeros((20, 3))
    for i, w, y in zip(votes.row, votes.voter, votes.said, strict=True):
        by_voter[w, :, y] += posterior[i]
        by_row[i] += 0.5 * evidence[w, :, y]
    tally = Tally(votes)
    assert tally.by_voter(posterior) == pytest.approx(by_voter)
    assert tally.by_row(evidence, np.full(len(votes.row), 0.5)) == pytest.approx(by_row)


def test_dawid_and_skene_find_the_confusion_of_each_voter() -> None:
    rng = stream(0, "confusion")
    truth = rng.integers(0, 2, 2500)
    real = rng.dirichlet([1, 1], (7, 2)) * 0.5 + 0.5 * np.eye(2)
    said = np.stack([[rng.choice(2, p=real[w, z]) for z in truth] for w in range(7)], axis=1)
    found = DawidSkene().fit(Votes.of_columns(said, 2)).confusion_[:, :, :2]
    assert np.abs(found - real).max() < 0.06


def test_one_coin_finds_the_accuracy_of_each_voter() -> None:
    votes, _ = crowd([0.9, 0.8, 0.7, 0.6, 0.5], n=3000)
    assert OneCoin().fit(votes).accuracy_ == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5], abs=0.04)


def test_mace_finds_who_clicks_without_looking() -> None:
    votes, _ = crowd([0.9, 0.9, 0.8, 0.8, 0.8], n=500)
    said = np.column_stack([votes.said.reshape(500, 5), np.ones((500, 2), dtype=int)])
    model = Mace().fit(Votes.of_columns(said, 3))
    assert model.looks_[:5].min() > 0.6
    assert model.looks_[5:].max() < 0.1
    assert model.habits_[5, 1] > 0.95


def test_glad_finds_the_rows_that_are_hard_for_everyone() -> None:
    rng = stream(0, "glad")
    truth, hard = rng.integers(0, 2, 400), np.arange(400) < 200
    is_right = rng.random((400, 9)) < np.where(hard, 0.6, 0.95)[:, None]
    model = Glad().fit(Votes.of_columns(np.where(is_right, truth[:, None], 1 - truth[:, None]), 2))
    assert np.median(model.ease_[hard]) < 0.6 * np.median(model.ease_[~hard])
