"""Where a student is weak: groups of rows that somebody can name, and whether they are worse than the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer

from seedbed.errors import DataError
from seedbed.estimate import Estimate, paired_gain, share, wilson
from seedbed.task import Task

Mask = NDArray[np.bool_]

MARKERS = {
    "a negation": r"(?i)\b(not|no|never|none|nobody|nothing|neither|nor|without|hardly|\w+n['’]t)\b",
    "a contrast": r"(?i)\b(but|however|although|though|despite|yet|while|except)\b",
    "a question mark": r"\?",
    "an exclamation mark": r"!",
    "a digit": r"\d",
    "a word in capitals": r"\b[A-Z]{2,}\b",
    "a quotation": r"[\"“”«»]",
    "a comparison": r"(?i)\b(more|less|most|least|than|\w+er than)\b",
    "a condition": r"(?i)\b(if|unless|would|could|should|may|might)\b",
}
"""What a text has, by the pattern that shows it. English words; other languages keep the signs."""


@dataclass(frozen=True)
class Slice:
    """Rows with one thing in common, and how the student does on them."""

    name: str
    n: int
    accuracy: Estimate
    p_value: float
    """Adjusted over all slices that were tried: below 0.05, at most one in twenty such slices is a false alarm."""
    row_ids: tuple[str, ...]


@dataclass(frozen=True)
class SliceGain:
    """One slice under two students."""

    name: str
    n: int
    before: Estimate
    after: Estimate
    gain: Estimate


def find_slices(
    task: Task, rows: pl.DataFrame, correct: ArrayLike, *, min_support: int = 20, groups: int = 8, rng_seed: int = 0
) -> list[Slice]:
    """Every slice that was tried, the most surely weak first.

    Slices are by label, by length, by words that go together, and by signs such as a negation. They are made without
    looking at what the student has right, so that the p values mean what they say. A slice found on `select` that is
    then mended is only known to be mended on `test`.

    Args:
        task: Names the fields and the label.
        rows: (n,) rows with `id`, the task's fields and, for classification, the label.
        correct: (n,) whether the student has each row right, in the same order.
        min_support: Fewest rows of a slice, and fewest outside it.
        groups: Most groups of words per field.
        rng_seed: Decides where the word groups start.

    Returns:
        Slices by rising p value, then rising accuracy.

    Raises:
        DataError: The two differ in length.

    Source:
        Benjamini and Hochberg 1995 (adjustment); Fisher's exact test, one-sided: worse than the rest.
    """
    right = np.asarray(correct, dtype=bool)
    if len(right) != rows.height:
        raise DataError("each row needs right or wrong", f"{rows.height} rows, {len(right)} scores", "score every row")
    named: dict[str, Mask] = {}
    known: set[bytes] = set()
    for name, mask in _candidates(task, rows, min_support, groups, rng_seed):
        # The same rows under a second name would be a second chance for the same chance finding.
        if min_support <= mask.sum() <= rows.height - min_support and (key := mask.tobytes()) not in known:
            known.add(key)
            named[name] = mask
    if not named:
        return []
    p_values = [_worse_than_the_rest(right, mask) for mask in named.values()]
    adjusted = stats.false_discovery_control(p_values)
    ids = np.array(rows["id"].to_list(), dtype=object)
    found = [
        Slice(name, int(mask.sum()), wilson(int(right[mask].sum()), int(mask.sum())), float(p), tuple(ids[mask]))
        for (name, mask), p in zip(named.items(), adjusted, strict=True)
    ]
    return sorted(found, key=lambda each: (each.p_value, each.accuracy.value, each.name))


def slice_gains(slices: Sequence[Slice], before: pl.DataFrame, after: pl.DataFrame) -> list[SliceGain]:
    """How each slice fares under two students.

    Slices that were chosen because the first student is weak there gain by luck alone (regression to the mean): give
    students' answers on rows other than those the slices were chosen on, or read small gains with that in mind.

    Args:
        slices: From `find_slices`.
        before, after: Answers of the two students, as `metrics.score_rows` gives them; rows in any order. A column
            `cluster` in `before` says which rows share something, and widens the intervals.

    Raises:
        DataError: A slice has rows that were not answered by both.
    """
    first, second = (dict(answers.select("id", "correct").iter_rows()) for answers in (before, after))
    shared = {}
    if "cluster" in before.columns and before["cluster"].null_count() < before.height:
        shared = dict(before.select("id", "cluster").iter_rows())
    gains = []
    for each in slices:
        if missing := [row for row in each.row_ids if row not in first or row not in second]:
            raise DataError(
                "a slice has rows without answers",
                f"{len(missing)} of {each.n} in {each.name!r}",
                "answer the same rows",
            )
        old, new = [first[row] for row in each.row_ids], [second[row] for row in each.row_ids]
        clusters = [shared[row] for row in each.row_ids] if shared else None
        if clusters and len(set(clusters)) < 2:
            continue  # one passage alone says nothing about others
        shares = share(old, clusters=clusters), share(new, clusters=clusters)
        gains.append(SliceGain(each.name, each.n, *shares, paired_gain(old, new, clusters=clusters)))
    return gains


def _worse_than_the_rest(right: Mask, mask: Mask) -> float:
    """Chance of so few right rows in the slice if it were drawn from all rows."""
    return float(stats.hypergeom.cdf(int(right[mask].sum()), len(right), int(right.sum()), int(mask.sum())))


def _candidates(
    task: Task, rows: pl.DataFrame, min_support: int, groups: int, rng_seed: int
) -> Iterator[tuple[str, Mask]]:
    if task.kind == "classification":
        for label in task.labels:
            yield f"label is {label}", (rows["label"] == label).to_numpy()
    for field in task.fields:
        texts = rows[field].to_list()
        yield from _by_length(field, texts)
        for what, pattern in MARKERS.items():
            yield f"{field} has {what}", np.array([bool(re.search(pattern, text)) for text in texts], dtype=bool)
        yield from _by_words(field, texts, min(groups, len(texts) // (2 * min_support)), rng_seed)


def _by_length(field: str, texts: list[str]) -> Iterator[tuple[str, Mask]]:
    words = np.array([len(text.split()) for text in texts])
    if not len(words):
        return
    edges = np.unique(np.quantile(words, [0.25, 0.5, 0.75]).round().astype(int))
    for low, high in zip([0, *(edges + 1)], [*edges, int(words.max())], strict=True):
        yield f"{field} has {low} to {high} words", (words >= low) & (words <= high)


def _by_words(field: str, texts: list[str], groups: int, rng_seed: int) -> Iterator[tuple[str, Mask]]:
    if groups < 2:
        return
    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True, min_df=2, max_features=5000)
    try:
        table = vectorizer.fit_transform(texts)
    except ValueError:  # nothing but stop words, or no word occurs twice
        return
    filled = np.asarray(table.sum(axis=1)).ravel() > 0
    # scikit-learn warns where there are fewer different rows than groups.
    groups = min(groups, len({part.tobytes() for part in np.split(table.indices, table.indptr[1:-1])}))
    model = KMeans(n_clusters=groups, n_init=3, random_state=rng_seed)
    member = model.fit_predict(table)
    names = vectorizer.get_feature_names_out()
    for group in range(model.n_clusters):
        top = [names[index] for index in np.argsort(-model.cluster_centers_[group], kind="stable")[:3]]
        yield f"{field} about {', '.join(top)}", (member == group) & filled
