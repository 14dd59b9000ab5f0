"""Influence of synthetic rows."""

import numpy as np
import polars as pl
from tests.worlds import SENTIMENT

from seedbed.randomness import stream
from seedbed.synthesis import feedback


def noisy_rows(n=400, wrong=0.2):
    rng = np.random.default_rng(0)
    words = {"positive": ["good", "fine", "lovely", "great"], "negative": ["bad", "poor", "awful", "grim"]}
    rows = []
    for i in range(n):
        label = ["positive", "negative"][i % 2]
        said = label if rng.random() > wrong else ["positive", "negative"][1 - i % 2]
        text = " ".join([*rng.choice(words[label], 2), *rng.choice(["it", "was", "the", "food", "room"], 3)])
        rows.append({"id": str(i), "text": text, "label": said, "right": said == label})
    return pl.DataFrame(rows)


def test_wrongly_labelled_rows_have_less_influence():
    rows = noisy_rows()
    score = feedback.influence_score(rows["text"].to_list(), rows["label"].to_list(), stream(0, "i"))
    right = rows["right"].to_numpy()
    assert np.median(score[right]) > 0 > np.median(score[~right])


def test_the_score_is_the_first_order_change_of_the_robust_loss():
    """Against a numeric derivative: a tiny weight step along one row's loss gradient changes the robust loss by it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    rows = noisy_rows(40)
    texts, labels = rows["text"].to_list(), rows["label"].to_list()
    score = feedback.influence_score(texts, labels, stream(0, "i"))
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts).toarray()
    _, codes = np.unique(labels, return_inverse=True)
    onehot, train = np.eye(2)[codes], stream(0, "i").permutation(40) % 2 == 0
    model = LogisticRegression(C=10, max_iter=300).fit(features[train], codes[train])
    weights = np.vstack([-model.coef_[0] / 2, model.coef_[0] / 2]).T
    bias = np.array([-model.intercept_[0] / 2, model.intercept_[0] / 2])

    def softmax(w):
        logits = features @ w + bias
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def robust_loss(w):
        return (softmax(w) * (1 - onehot))[~train].sum(axis=1).mean()

    row = int(np.flatnonzero(train)[3])
    gradient = np.outer(features[row], (softmax(weights) - onehot)[row])
    step = 1e-5
    drop = (robust_loss(weights) - robust_loss(weights - step * gradient)) / step
    assert np.isclose(drop, score[row], rtol=1e-3, atol=1e-9)


def test_examples_come_from_the_best_rows_of_the_label():
    rows = noisy_rows()
    plan = feedback.drafts(SENTIMENT, rows, 10, stream(0, "p"), examples=3, pool=20)
    right = dict(zip(rows["id"], rows["right"], strict=True))
    label = dict(zip(rows["id"], rows["label"], strict=True))
    for draft in plan:
        assert len(set(draft.known["parents"])) == 3
        assert all(right[parent] and label[parent] == draft.known["label"] for parent in draft.known["parents"])


def test_one_label_alone_has_no_influence_and_no_crash():
    assert not feedback.influence_score(["a", "b", "c", "d"], ["x"] * 4, stream(0, "i")).any()
