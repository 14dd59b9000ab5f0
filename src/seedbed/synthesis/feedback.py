"""In-context feedback without gold: synthetic rows that teach a proxy student best become examples for the next.

Source:
    Ye et al. 2022, ProGen, arXiv:2210.12329: quality of a synthetic row is its influence on a noise-robust loss over
    other synthetic rows. Differs: the proxy is logistic regression on TF-IDF whatever the student, and the inverse
    Hessian of the influence function is replaced by the identity (a first-order influence, as in TracIn,
    arXiv:2002.08484), which costs one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from seedbed.synthesis.drafts import Draft
from seedbed.synthesis.prompts import fenced
from seedbed.task import Task


def influence_score(texts: Sequence[str], labels: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """How much a gradient step on each row lowers a noise-robust loss on rows it was not trained with.

    Rows are split in two random halves; each half is scored against the other.

    Args:
        texts: (n,) rows.
        labels: (n,) their labels, noisy.
        rng: Splits the rows.

    Returns:
        (n,) float; higher is better, zero is useless, negative does harm. All zero when one label is left.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    score = np.zeros(len(texts))
    if len(classes) < 2 or len(texts) < 4:
        return score
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    onehot = np.eye(len(classes))[codes]
    half = rng.permutation(len(texts)) % 2 == 0
    for train in (half, ~half):
        if len(np.unique(codes[train])) < len(classes):
            continue
        probability = LogisticRegression(C=10, max_iter=300).fit(features[train], codes[train]).predict_proba(features)
        # Reverse cross-entropy -sum_k p_k log(y_k), log 0 := -1, has the gradient p * ((1-y) - <p, 1-y>) in the logits;
        # it is bounded, so a wrong label cannot dominate it.
        wrong = 1 - onehot
        robust = probability * (wrong - (probability * wrong).sum(axis=1, keepdims=True))
        held_out = features[~train].T @ robust[~train] / max((~train).sum(), 1)
        alignment = features[train] @ held_out
        score[train] = ((probability - onehot)[train] * alignment).sum(axis=1)
    return score


def drafts(
    task: Task, rows: pl.DataFrame, count: int, rng: np.random.Generator, *, examples: int = 4, pool: int = 50
) -> list[Draft]:
    """Plan `count` rows, labels in turn, each shown `examples` of the `pool` best accepted rows of its label.

    Args:
        task: A single-text classification task.
        rows: Accepted synthetic rows.
        count: Rows to ask for.
        rng: The stream of this step.
        examples: In-context examples per prompt.
        pool: How many of the best rows per label may serve as examples.
    """
    score = influence_score(rows[task.written].to_list(), rows["label"].to_list(), rng)
    ranked = rows.with_columns(pl.Series("influence_score", score)).sort(
        "influence_score", "id", descending=[True, False]
    )
    best = {label: ranked.filter(pl.col("label") == label).head(pool).to_dicts() for label in task.labels}
    made = []
    labels = [label for label in task.labels if best[label]]
    for number in range(count if labels else 0):
        label = labels[number % len(labels)]
        shown = [best[label][i] for i in rng.choice(len(best[label]), min(examples, len(best[label])), replace=False)]
        block = "\n".join(f"<<<\n{fenced(row[task.written])}\n>>>" for row in shown)
        slots = {"label": label, "meaning": task.labels[label], "examples": block}
        made.append(Draft("feedback", slots, {"label": label, "parents": [row["id"] for row in shown]}))
    return made
