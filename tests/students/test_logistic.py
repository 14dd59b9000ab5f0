from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from seedbed.students.logistic import fit_logistic

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n_seen", [2, 3])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_seen_labels_get_the_probabilities_of_scikit_learn_and_the_unseen_none(n_seen: int, form: type) -> None:
    X, target = RNG.normal(size=(60, 4)), np.arange(60) % n_seen + 1
    ours = fit_logistic(form(X), target, np.ones(60), n_labels=5, c=0.7).proba(form(X))
    theirs = LogisticRegression(C=0.7).fit(X, target).predict_proba(X)
    np.testing.assert_allclose(ours[:, 1 : n_seen + 1], theirs, atol=1e-6)
    assert (ours[:, 0] == 0).all() and (ours[:, n_seen + 1 :] == 0).all()


def test_scores_too_large_for_an_exponential_still_give_probabilities() -> None:
    X, target = np.array([[1e3], [-1e3]] * 10), np.array([0, 1] * 10)
    proba = fit_logistic(X, target, np.ones(20), n_labels=2, c=1e6).proba(X * 1e3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_a_label_whose_rows_all_weigh_nothing_was_not_seen() -> None:
    weight = np.array([1.0, 1.0, 0.0])
    found = fit_logistic(np.eye(3), np.array([0, 1, 2]), weight, n_labels=3, c=1.0)
    assert found.seen.tolist() == [0, 1]
