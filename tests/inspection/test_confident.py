import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.confident import crowdlab, find_label_issues, margin, self_confidence
from seedbed.inspection.votes import Votes


def noisy(n: int = 4000, K: int = 4, rate: float = 0.1, rng_seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True labels, given labels, and calibrated-looking probabilities that know nothing of the given ones."""
    rng = np.random.default_rng(rng_seed)
    true = rng.integers(0, K, n)
    given = np.where(rng.random(n) < rate, (true + rng.integers(1, K, n)) % K, true)
    logits = rng.normal(size=(n, K))
    logits[np.arange(n), true] += 4
    p = np.exp(logits)
    return true, given, p / p.sum(axis=1, keepdims=True)


def by_hand(given: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds and the calibrated counts, row by row as the paper writes them."""
    K = p.shape[1]
    t = np.array([np.mean([p[i, j] for i in range(len(p)) if given[i] == j]) for j in range(K)])
    C = np.zeros((K, K))
    for i in range(len(p)):
        over = [j for j in range(K) if p[i, j] >= t[j]]
        if over:
            C[given[i], max(over, key=lambda j: p[i, j])] += 1
    for i in range(K):
        C[i] *= np.sum(given == i) / C[i].sum()
    return t, C


def test_thresholds_and_joint_are_those_of_the_paper() -> None:
    _, given, p = noisy(600)
    found = find_label_issues(given, p)
    t, C = by_hand(given, p)
    assert np.allclose(found.thresholds, t) and np.allclose(found.joint, C / 600)
    assert found.joint.sum() == pytest.approx(1)


def test_flags_are_the_largest_gaps_in_the_numbers_of_the_joint() -> None:
    _, given, p = noisy(600)
    _, C = by_hand(given, p)
    expected = np.zeros(600, dtype=bool)
    for i in range(4):
        rows = np.flatnonzero(given == i)
        whole = np.floor(C[i]).astype(int)
        for j in np.argsort(whole - C[i], kind="stable")[: len(rows) - whole.sum()]:
            whole[j] += 1
        for j in range(4):
            if i != j and whole[j]:
                expected[rows[np.argsort(p[rows, i] - p[rows, j])[: whole[j]]]] = True
    expected &= p.argmax(axis=1) != given
    assert expected.sum() > 30
    assert np.array_equal(find_label_issues(given, p).flagged, expected)


def test_planted_noise_is_found_at_the_rate_it_has() -> None:
    true, given, p = noisy()
    found = find_label_issues(given, p)
    wrong = given != true
    assert (found.flagged & wrong).sum() / found.flagged.sum() > 0.9
    assert (found.flagged & wrong).sum() / wrong.sum() > 0.85
    assert 1 - np.trace(found.joint) == pytest.approx(0.1, abs=0.02)


def test_the_joint_finds_which_class_is_mistaken_for_which() -> None:
    true, _, p = noisy()
    given = np.where((true == 2) & (np.arange(len(true)) % 5 == 0), 0, true)
    joint = find_label_issues(given, p).joint
    # The mixture lowers the threshold of class 0, so a part of its wrong labels counts as sure: 0.031 for 0.043.
    assert joint[0, 2] == pytest.approx(np.mean((given == 0) & (true == 2)), rel=0.4)
    assert np.sort(joint[~np.eye(4, dtype=bool)])[-2] < 0.1 * joint[0, 2]


def test_a_class_that_is_always_underrated_is_not_all_flagged() -> None:
    true, given, p = noisy(rate=0.0)
    p[:, 1] *= 0.05
    p /= p.sum(axis=1, keepdims=True)
    assert find_label_issues(given, p).flagged[true == 1].mean() < 0.2 < (p.argmax(axis=1) != 1)[true == 1].mean()


def test_rankings_put_wrong_labels_first() -> None:
    true, given, p = noisy()
    wrong = given != true
    for score in (self_confidence, margin):
        for adjust in (False, True):
            first = np.argsort(score(given, p, adjust=adjust))[: wrong.sum()]
            assert wrong[first].mean() > 0.85
    assert np.allclose(self_confidence([0, 1], [[0.7, 0.3], [0.6, 0.4]]), [0.7, 0.4])
    assert np.allclose(margin([0, 1], [[0.7, 0.3], [0.6, 0.4]]), [0.4, -0.2])


@pytest.mark.parametrize(
    ("given", "p", "said"),
    [
        ([0, 1], [[0.5, 0.5]], "probabilities"),
        ([0, 0], [[0.5, 0.5], [0.5, 0.5]], "every class needs rows"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "every class needs rows"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], "every class needs rows"),
        ([0, 1], [[3.0, -1.0], [0.5, 0.5]], "lie in"),
        ([0, 1], [[np.nan, 0.5], [0.5, 0.5]], "lie in"),
    ],
)
def test_what_does_not_fit_is_told(given: list[int], p: list[list[float]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        find_label_issues(given, p)


def crowd(n: int = 1500, rng_seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, an (N, 6) table of two votes a row from six voters of falling skill, and a middling classifier."""
    rng = np.random.default_rng(rng_seed)
    true = rng.integers(0, 3, n)
    seen = rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[true]
    p = np.exp(1.2 * seen) / np.exp(1.2 * seen).sum(axis=1, keepdims=True)
    table = np.full((n, 6), -2)
    for i in range(n):
        for w in rng.choice(6, 2, replace=False):
            table[i, w] = true[i] if rng.random() < 0.95 - 0.1 * w else (true[i] + rng.integers(1, 3)) % 3
    return true, table, p


def test_crowdlab_is_the_weighted_mean_of_the_paper() -> None:
    _, table, p = crowd(80)
    made = crowdlab(Votes.of_columns(table, 3), p)
    asked = table >= 0
    counts = np.stack([(table == k).sum(axis=1) for k in range(3)], axis=1)
    first = np.array([max(range(3), key=lambda k: (counts[i, k], p[i, k])) for i in range(80)])
    right = np.mean([np.mean(table[i][asked[i]] == first[i]) for i in range(80)])
    commonest = np.mean(first == np.bincount(first).argmax())
    A = []
    for w in range(6):
        pairs = [
            table[i, w] == table[i, v] for i in range(80) for v in range(6) if v != w and asked[i, w] and asked[i, v]
        ]
        A.append(np.mean(pairs))
    weight = [max(1 - (1 - a) / (1 - commonest), 1e-6) for a in A]
    model = max(1 - np.mean(p.argmax(axis=1) != first) / (1 - commonest), 1e-6) * np.sqrt(2)
    for i in range(80):
        mixed = model * p[i]
        for w in np.flatnonzero(asked[i]):
            mixed = mixed + weight[w] * np.where(np.arange(3) == table[i, w], right, (1 - right) / 2)
        assert np.allclose(made.p[i], mixed / (model + sum(weight[w] for w in np.flatnonzero(asked[i]))))
    assert np.allclose(made.p.sum(axis=1), 1) and np.allclose(made.voter_agreement, A)


def test_crowdlab_is_better_than_votes_and_than_the_classifier_alone() -> None:
    true, table, p = crowd()
    made = crowdlab(Votes.of_columns(table, 3), p)
    rng = np.random.default_rng(0)
    counts = np.stack([(table == k).sum(axis=1) for k in range(3)], axis=1)
    majority = (counts + 0.1 * rng.random(counts.shape)).argmax(axis=1)
    assert np.mean(made.consensus == true) > max(np.mean(majority == true), np.mean(p.argmax(axis=1) == true)) + 0.01
    assert list(np.argsort(-made.voter_weight)) == [0, 1, 2, 3, 4, 5]
    wrong = made.consensus != true
    assert made.quality[wrong].mean() < made.quality[~wrong].mean() - 0.1


def test_an_abstention_counts_for_nothing() -> None:
    _, table, p = crowd(200)
    silent = np.where(table == -2, -1, table)
    one, other = (crowdlab(Votes.of_columns(each, 3), p) for each in (table, silent))
    assert np.allclose(one.p, other.p)
    assert other.vote_quality[Votes.of_columns(silent, 3).said == 3].max() == 0


def test_a_row_nobody_voted_on_is_the_classifiers() -> None:
    _, table, p = crowd(100)
    table[0] = -2
    assert np.allclose(crowdlab(Votes.of_columns(table, 3), p).p[0], p[0])


def test_one_vote_a_row_is_not_enough() -> None:
    with pytest.raises(DataError, match="two votes"):
        crowdlab(Votes.of_columns([[0], [1]], 2), np.full((2, 2), 0.5))
    with pytest.raises(DataError, match="one row of probabilities"):
        crowdlab(Votes.of_columns([[0, 0], [1, 1]], 2), np.full((3, 2), 0.5))
