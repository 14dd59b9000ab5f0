import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.weak_to_strong import (
    chain,
    confidence_share,
    confidence_target,
    cross_entropy,
    gate_labels,
    gate_student,
    hardened,
    product_target,
    recovered,
)


def random_p(n: int, K: int, rng_seed: int) -> np.ndarray:
    return np.random.default_rng(rng_seed).dirichlet(np.ones(K), n)


def test_the_students_share_grows_while_warming_up() -> None:
    assert [confidence_share(step) for step in (0, 0.05, 0.1, 0.11, 1)] == [0, 0.025, 0.05, 0.5, 0.5]
    with pytest.raises(ConfigError):
        confidence_share(1.1)


def test_with_two_classes_hardening_is_the_published_quantile() -> None:
    strong = random_p(1000, 2, 0)
    made = hardened(strong, [0.3, 0.7])
    threshold = np.quantile(strong[:, 0], 0.7)
    assert np.array_equal(made[:, 0] == 1, strong[:, 0] >= threshold)


@given(st.integers(2, 6), st.integers(0, 1000))
def test_hardened_shares_are_the_weak_labels_shares(K: int, rng_seed: int) -> None:
    shares = random_p(1, K, rng_seed)[0]
    made = hardened(random_p(400, K, rng_seed + 1), shares)
    assert np.abs(made.sum(axis=0) - 400 * shares).max() < 1.0 + 1e-9 and set(np.unique(made)) == {0.0, 1.0}


def test_hardening_costs_no_more_likelihood_than_any_swap_of_two_rows() -> None:
    strong = random_p(60, 3, 5)
    made = hardened(strong, [0.2, 0.3, 0.5]).argmax(axis=1)
    logs = np.log(strong)
    for i in range(60):
        for j in range(60):
            kept, swapped = logs[i, made[i]] + logs[j, made[j]], logs[i, made[j]] + logs[j, made[i]]
            assert kept >= swapped - 1e-9


def test_targets_lie_between_the_two_opinions() -> None:
    weak, strong = random_p(50, 3, 1), random_p(50, 3, 2)
    assert np.allclose(confidence_target(weak, strong, 0), weak)
    assert np.allclose(confidence_target(weak, strong, 1), hardened(strong, weak.mean(axis=0)))
    assert np.allclose(confidence_target(weak, strong, 0.4).sum(axis=1), 1)
    assert np.allclose(product_target(weak, strong, strong_power=0), weak)
    assert np.allclose(product_target([[0.5, 0.5]], [[0.9, 0.1]]), [[0.9, 0.1]])
    assert np.allclose(product_target([[0.8, 0.2]], [[0.8, 0.2]]), [[16 / 17, 1 / 17]])
    assert np.allclose(product_target([[0.0, 1.0]], [[1.0, 0.0]], strong_power=0.5), [[0, 1]], atol=1e-5)


def test_cross_entropy_is_least_at_the_target() -> None:
    target = random_p(20, 3, 3)
    assert (cross_entropy(target, target) <= cross_entropy(target, random_p(20, 3, 4)) + 1e-12).all()
    assert cross_entropy([[1, 0]], [[0.25, 0.75]]) == pytest.approx(np.log(4))


def world(flip: str, rng_seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, truth, and weak labels that are wrong by chance or in a pattern that the features show."""
    rng = np.random.default_rng(rng_seed)
    X = rng.normal(size=(3000, 5))
    true = (X @ [2, 1, 0, 0, 0] > 0).astype(int)
    wrong = rng.random(3000) < 0.2 if flip == "chance" else X[:, 4] > 0.2
    return X, true, np.where(wrong, 1 - true, true)


def trained(X: np.ndarray) -> object:
    def train(labels: np.ndarray) -> np.ndarray:
        model = LogisticRegression(C=0.5)
        model.fit(np.vstack([X, X]), np.repeat([0, 1], len(X)), sample_weight=np.hstack([labels[:, 0], labels[:, 1]]))
        return np.asarray(model.predict_proba(X))

    return train


def test_a_student_outgrows_chance_errors_and_both_gates_let_it_pass() -> None:
    X, true, weak = world("chance")
    labels = chain(np.eye(2)[weak], [trained(X), trained(X)], product_target)
    weak_right = (weak == true)[-1000:]
    student_right = (labels[-1].argmax(axis=1) == true)[-1000:]
    assert not gate_labels(weak[:10], true[:10], n_classes=2).is_open
    assert gate_labels(weak[:200], true[:200], n_classes=2).is_open
    plain = chain(np.eye(2)[weak], [trained(X)])[0].argmax(axis=1) == true
    assert gate_student(weak_right, plain[-1000:]).is_open
    found = recovered(weak_right, plain[-1000:], np.ones(1000))
    assert found.low > 0.7 and found.high <= 1
    # With hard weak labels the product keeps them: nothing can outvote a certainty.
    assert np.array_equal(student_right, weak_right)


def test_a_pattern_of_errors_is_stopped_before_training() -> None:
    _, true, weak = world("pattern")
    gate = gate_labels(weak[:100], true[:100], n_classes=2)
    assert not gate.is_open and "read more gold" in gate.reason and gate.measured.n == 100


def test_a_class_that_is_called_by_another_name_is_stopped_though_the_rate_is_low() -> None:
    gold = np.repeat([0, 1, 2], [100, 90, 10])
    weak = np.where(gold == 2, 0, gold)
    gate = gate_labels(weak, gold, n_classes=3)
    assert not gate.is_open and "class 2 is labelled 0" in gate.reason and gate.measured.high < 1 / 3


def test_a_student_that_is_worse_hardly_ever_passes() -> None:
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(400):
        weak = rng.random(200) < 0.8
        student = np.where(rng.random(200) < 0.3, rng.random(200) < 0.8, weak)
        passed += gate_student(weak, student).is_open
    assert passed / 400 < 0.05
    assert "is worse" in gate_student(np.ones(50), np.zeros(50)).reason


def test_a_gap_that_is_not_there_cannot_be_recovered() -> None:
    with pytest.raises(DataError, match="no clear gap"):
        recovered([1, 0, 1, 0], [1, 1, 1, 0], [1, 0, 1, 0])
    with pytest.raises(DataError, match="the same rows"):
        recovered([1, 0], [1, 0, 1], [1, 1])


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(DataError, match="sum to 1"):
        product_target([[0.5, 0.9]], [[0.5, 0.5]])
    with pytest.raises(DataError, match="same rows"):
        confidence_target(np.full((2, 2), 0.5), np.full((3, 2), 0.5), 0.5)
    with pytest.raises(DataError, match="weak and gold"):
        gate_labels([], [], n_classes=2)
