"""How far synthetic rows are from gold when nobody knows the true distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedGroupKFold

from seedbed.errors import DataError
from seedbed.estimate import Estimate, bootstrap
from seedbed.similarity import nearest, normalise

Floats = NDArray[np.float64]

WORDS = r"(?u)\b\w+\b"
WORDS_AND_SIGNS = r"(?u)\w+|[^\w\s]"

FOLDS = 5
MOST = 2000
"""Rows of each side that are compared; more are drawn from, so that a measure takes seconds."""
REFERENCE = 0.9
"""Coverage that a second draw of gold would have; `coverage` is calibrated to it."""


def summary(gold: Sequence[str], made: Sequence[str], *, rng: np.random.Generator) -> dict[str, Any]:
    """All measures as plain data for a report.

    Args:
        gold: (n,) trusted texts, 20 or more.
        made: (m,) synthetic texts, 20 or more.
        rng: Decides draws and folds.

    Returns:
        auc and coverage as Estimate dictionaries; distinct_1, distinct_2 and nearest as {"gold": x, "made": y};
        `rows`, how many of each side the last three were measured on.
    """
    size = min(len(gold), len(made), MOST)
    parts = {"gold": _draw(gold, size, rng), "made": _draw(made, size, rng)}
    return {
        "auc": two_sample_auc(gold, made, rng=rng).to_dict(),
        "coverage": coverage(gold, made, rng=rng).to_dict(),
        "distinct_1": {name: distinct(texts, 1) for name, texts in parts.items()},
        "distinct_2": {name: distinct(texts, 2) for name, texts in parts.items()},
        "nearest": {name: mean_nearest(texts) for name, texts in parts.items()},
        "rows": size,
    }


def two_sample_auc(gold: Sequence[str], made: Sequence[str], *, rng: np.random.Generator) -> Estimate:
    """How well a classifier tells synthetic texts from gold: 0.5 if it cannot, 1 if it always can.

    Closer to 0.5 is better, and near 1 is usual for a teacher with a style of its own; that alone does not make its
    rows useless. Equal texts are kept in one fold, so a repeated text cannot be recognised by heart.

    Args:
        gold, made: Texts, 20 or more each.
        rng: Decides draws and folds.

    Returns:
        Area under the ROC curve over held-out folds, a fraction; the interval is for this number of training rows.

    Raises:
        DataError: One side has fewer than 20 texts.

    Source:
        Lopez-Paz and Oquab 2016, Revisiting Classifier Two-Sample Tests, arXiv:1610.06545. Differs: AUC instead of
        accuracy, so that unequal sides need no correction; variance by DeLong, DeLong and Clarke-Pearson 1988, times
        1 + k / (k - 1) for k folds (Nadeau and Bengio 2003), because the folds share training rows: on two draws of
        the same 600 sentences DeLong alone covered 84 %.
    """
    _enough(gold, made)
    first, second = _draw(gold, MOST, rng), _draw(made, MOST, rng)
    texts = [*first, *second]
    is_made = np.repeat([0, 1], [len(first), len(second)])
    _, same = np.unique([normalise(text) for text in texts], return_inverse=True)
    scores = np.zeros(len(texts))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    for train, held in folds.split(texts, is_made, same):
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORDS_AND_SIGNS)
        seen = vectorizer.fit_transform([texts[row] for row in train])
        model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300).fit(seen, is_made[train])
        found = model.decision_function(vectorizer.transform([texts[row] for row in held]))
        # Folds have thresholds of their own; ranks within the fold can be put together.
        scores[held] = stats.rankdata(found) / (len(held) + 1)
    return _auc(scores[is_made == 1], scores[is_made == 0])


def coverage(gold: Sequence[str], made: Sequence[str], *, rng: np.random.Generator) -> Estimate:
    """Share of gold rows that have a synthetic row as near as gold rows have each other; 0.9 would be perfect.

    The radius is calibrated: within it, 90 % of gold rows find one of an equally large draw of *other gold rows*. So
    0.9 means no region of gold is missing, and 0.5 that nearly half of what should be found is not. More than 0.9
    happens when synthetic rows keep to the middle of what gold says.

    Args:
        gold, made: Texts, 20 or more each; the larger side is drawn down to the smaller.
        rng: Decides draws.

    Returns:
        The share, a fraction; the interval is over gold rows.

    Raises:
        DataError: One side has fewer than 20 texts.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, table 8. Differs: distances in 50 dimensions of TF-IDF instead
        of a t-SNE picture of an encoder's, cosine, and a radius calibrated on gold where the paper gives none.
    """
    _enough(gold, made)
    some = _draw(gold, MOST, rng)
    size = min(len(some) - 1, len(made), MOST)
    others = _draw(made, size, rng)
    space = _space([*some, *others], rng, dimensions=50)
    mine, theirs = space[: len(some)], space[len(some) :]
    to_gold = np.empty(len(some))
    for row in range(len(some)):
        rest = rng.choice(len(some) - 1, size, replace=False)
        to_gold[row] = 1 - (mine[rest + (rest >= row)] @ mine[row]).max()
    to_made = 1 - (mine @ theirs.T).max(axis=1)
    # The radius is a draw as well: rows are drawn again with both of their distances.
    return bootstrap(
        np.column_stack([to_gold, to_made]),
        rng_seed=int(rng.integers(2**31)),
        draws=500,
        statistic=lambda rows: float((rows[:, 1] <= np.quantile(rows[:, 0], REFERENCE)).mean()),
    )


def distinct(texts: Sequence[str], run: int) -> float:
    """Distinct runs of words divided by all of them; falls with the number of texts, so compare equal numbers.

    Args:
        texts: Texts.
        run: Words in a run; 1 measures the vocabulary, 2 the phrases.

    Returns:
        Fraction in [0, 1], higher is more diverse; 0 where there is no run at all.

    Source:
        Li and others 2016, A Diversity-Promoting Objective Function for Neural Conversation Models, arXiv:1510.03055.
    """
    runs = []
    for text in texts:
        words = normalise(text).split()
        runs += [tuple(words[start : start + run]) for start in range(len(words) - run + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0


def mean_nearest(texts: Sequence[str]) -> float:
    """Mean similarity of each text to the most similar one before it, in [0, 1]; lower is more diverse.

    Rises with the number of texts, so compare equal numbers.
    """
    found = nearest(texts)[1:]
    return float(np.mean([match.similarity if match else 0.0 for match in found])) if found else 0.0


def map_2d(
    texts: Mapping[str, Sequence[str]], *, rng: np.random.Generator, method: Literal["auto", "tsne", "pca"] = "auto"
) -> dict[str, Floats]:
    """Places on a picture, one per text: texts that share words lie near each other.

    For looking, not for measuring: distances between far groups mean nothing.

    Args:
        texts: Name of a group (gold, seed, additions) to its texts.
        rng: Decides the layout.
        method: "tsne" shows groups; "pca" takes a second for any number; "auto" is t-SNE up to 2,000 texts.

    Returns:
        Name to (n, 2) places, in the order of the texts, both axes within [-1, 1].

    Source:
        van der Maaten and Hinton 2008, Visualizing Data using t-SNE.
    """
    everything = [text for group in texts.values() for text in group]
    if len(everything) < 3:
        return {name: np.zeros((len(group), 2)) for name, group in texts.items()}
    space = _space(everything, rng, dimensions=50)
    if method == "tsne" or (method == "auto" and len(everything) <= MOST):
        perplexity = min(30.0, (len(everything) - 1) / 3)
        layout = TSNE(2, perplexity=perplexity, init="random", random_state=int(rng.integers(2**31)))
    else:
        layout = PCA(2, svd_solver="full")
    places = np.asarray(layout.fit_transform(space), dtype=np.float64)
    places = (places - places.mean(axis=0)) / max(1e-12, float(np.abs(places - places.mean(axis=0)).max()))
    ends = np.cumsum([len(group) for group in texts.values()])[:-1]
    return dict(zip(texts, np.split(places, ends), strict=True))


def _space(texts: Sequence[str], rng: np.random.Generator, *, dimensions: int) -> Floats:
    """Texts as points of length one whose directions are what their words have in common."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=WORDS)
    table = vectorizer.fit_transform([normalise(text) or "empty" for text in texts])
    width = min(dimensions, min(table.shape) - 1)
    if width >= 2:
        points = TruncatedSVD(width, random_state=int(rng.integers(2**31))).fit_transform(table)
    else:
        points = np.pad(table.toarray(), ((0, 0), (0, max(0, 2 - table.shape[1]))))
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(lengths, 1e-12), dtype=np.float64)


def _auc(high: Floats, low: Floats, level: float = 0.95) -> Estimate:
    """AUC with DeLong's variance, on the logit scale so that the interval stays inside (0, 1)."""
    order = stats.rankdata(np.concatenate([high, low]))
    above = (order[: len(high)] - stats.rankdata(high)) / len(low)
    below = 1 - (order[len(high) :] - stats.rankdata(low)) / len(high)
    value = float(above.mean())
    variance = float(above.var(ddof=1)) / len(high) + float(below.var(ddof=1)) / len(low)
    error = math.sqrt(variance * (1 + FOLDS / (FOLDS - 1)))
    # A perfect separation has no spread; half a pair is the least that can be wrong.
    inner = min(max(value, 0.5 / (len(high) * len(low))), 1 - 0.5 / (len(high) * len(low)))
    reach = float(stats.norm.ppf((1 + level) / 2)) * error / (inner * (1 - inner))
    middle = math.log(inner / (1 - inner))
    low_end, high_end = (1 / (1 + math.exp(-(middle + side * reach))) for side in (-1, 1))
    return Estimate(value, min(value, low_end), max(value, high_end), len(high) + len(low), f"auc, {FOLDS} folds")


def _draw(texts: Sequence[str], size: int, rng: np.random.Generator) -> list[str]:
    if len(texts) <= size:
        return list(texts)
    return [texts[row] for row in sorted(rng.choice(len(texts), size, replace=False))]


def _enough(gold: Sequence[str], made: Sequence[str]) -> None:
    if min(len(gold), len(made)) < 20:
        raise DataError(
            "too few rows to compare", f"{len(gold)} gold, {len(made)} synthetic", "give 20 or more of each"
        )
