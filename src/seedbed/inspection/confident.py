"""Which labels are wrong, from the probabilities of a classifier: confident learning, and CROWDLAB with votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError
from seedbed.inspection.votes import Floats, Ints, Votes

Bools = NDArray[np.bool_]
SLACK = 1e-6
"""Below a threshold by less than this still counts as at it: the mean of equal probabilities rounds either way."""


@dataclass(frozen=True)
class LabelIssues:
    """What confident learning found."""

    thresholds: Floats
    """(K,) mean probability of each class among the rows that carry its label."""
    joint: Floats
    """(K, K) estimated share of rows with given label i and true label j; sums to 1."""
    flagged: Bools
    """(N,) True where the label is likely wrong."""
    likely: Ints
    """(N,) class with the highest probability."""


def find_label_issues(given: ArrayLike, p: ArrayLike) -> LabelIssues:
    """Rows whose label is likely wrong, and how often each class is mistaken for each other.

    The probabilities must come from a classifier that did not see the row in training, such as out-of-fold ones: else
    it has learned the wrong labels too and finds none. It finds what the classifier can see, and flags what is hard
    together with what is wrong; precision has to be measured by reading some.

    Args:
        given: (N,) labels as they are, in [0, K).
        p: (N, K) out-of-sample probabilities.

    Raises:
        DataError: The shapes do not fit, a class has no row, or probabilities are outside [0, 1].

    Source:
        Northcutt, Jiang and Chuang 2021, Confident Learning, arXiv:1911.00068 (prune by noise rate). As in cleanlab, a
        row whose label is the classifier's first choice is never flagged, and each class keeps at least one row on the
        diagonal. Differs from cleanlab: among several classes over their thresholds the likeliest *of those* counts,
        as in the paper.
    """
    labels, probabilities = _read(given, p)
    own = probabilities[np.arange(len(labels)), labels]
    size = np.bincount(labels, minlength=probabilities.shape[1])
    thresholds = np.bincount(labels, own, minlength=len(size)) / size
    counts = _confident_counts(labels, probabilities, thresholds)
    calibrated = counts * (size / counts.sum(axis=1))[:, None]
    likely = probabilities.argmax(axis=1)
    flagged = _prune(labels, probabilities, own, _whole_rows(calibrated, size)) & (likely != labels)
    return LabelIssues(thresholds, calibrated / len(labels), flagged, likely.astype(np.int64))


def self_confidence(given: ArrayLike, p: ArrayLike, *, adjust: bool = False) -> Floats:
    """(N,) probability of each row's own label, in [0, 1]; higher is better.

    Args:
        given: (N,) labels, in [0, K).
        p: (N, K) out-of-sample probabilities.
        adjust: First take away what the classifier gives each class on average, for classes learned unequally well.
    """
    labels, probabilities = _read(given, p)
    shown = _adjusted(labels, probabilities) if adjust else probabilities
    return np.asarray(shown[np.arange(len(labels)), labels])


def margin(given: ArrayLike, p: ArrayLike, *, adjust: bool = False) -> Floats:
    """(N,) probability of each row's own label above the best of the others, in [-1, 1]; higher is better."""
    labels, probabilities = _read(given, p)
    shown = _adjusted(labels, probabilities) if adjust else probabilities.copy()
    rows = np.arange(len(labels))
    own = shown[rows, labels]
    shown[rows, labels] = -np.inf
    return np.asarray(own - shown.max(axis=1))


def _adjusted(labels: Ints, probabilities: Floats) -> Floats:
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = np.bincount(labels, own) / np.bincount(labels)
    shifted = probabilities - thresholds + thresholds.max()
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _read(given: ArrayLike, p: ArrayLike) -> tuple[Ints, Floats]:
    labels, probabilities = np.asarray(given, dtype=np.int64), np.asarray(p, dtype=np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        seen = f"{labels.shape} labels, {probabilities.shape} probabilities"
        raise DataError("confident learning needs (N,) labels and (N, K) probabilities", seen, "give one row for each")
    low, high = probabilities.min(), probabilities.max()
    if not (low >= 0 and high <= 1.001):  # half-precision rounding passes, NaN does not
        raise DataError("probabilities lie in [0, 1]", f"{low} to {high}", "give probabilities, not logits")
    size = np.bincount(labels, minlength=probabilities.shape[1]) if labels.min() >= 0 else np.zeros(1)
    if len(size) != probabilities.shape[1] or not size.all():
        seen = f"labels {labels.min()} to {labels.max()}, rows of each class {size.tolist()[:20]}"
        raise DataError("every class needs rows, and every row a class", seen, "drop classes that nothing carries")
    return labels, probabilities


def _confident_counts(labels: Ints, probabilities: Floats, thresholds: Floats) -> Floats:
    """(K, K) rows of label i that are confidently of class j. Rows under all thresholds count nowhere."""
    K = len(thresholds)
    over = np.where(probabilities >= thresholds - SLACK, probabilities, -1.0)
    best = over.argmax(axis=1)
    sure = over[np.arange(len(labels)), best] >= 0
    counts = np.bincount(labels[sure] * K + best[sure], minlength=K * K).reshape(K, K).astype(float)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    return counts


def _whole_rows(calibrated: Floats, size: Ints) -> Ints:
    """Whole numbers near these that keep the sum of each row: the largest remainders are rounded up."""
    floor = np.floor(calibrated + SLACK * SLACK).astype(np.int64)
    short = size - floor.sum(axis=1)
    rank = np.argsort(np.argsort(floor - calibrated, axis=1, kind="stable"), axis=1)
    return np.asarray(floor + (rank < short[:, None]), dtype=np.int64)


def _prune(labels: Ints, probabilities: Floats, own: Floats, joint: Ints) -> Bools:
    """Of the rows of label i, flag the joint[i, j] that speak most for j, for every j."""
    flagged = np.zeros(len(labels), dtype=bool)
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=len(joint)))
    for i, rows in enumerate(np.split(order, ends[:-1])):
        gaps = probabilities[rows] - own[rows, None]
        for j in np.flatnonzero(joint[i]):
            if j != i:
                most = min(int(joint[i, j]), len(rows))
                cut = np.partition(gaps[:, j], len(rows) - most)[len(rows) - most]
                flagged[rows[gaps[:, j] >= cut]] = True
    return flagged


@dataclass(frozen=True)
class Crowdlab:
    """One opinion from a classifier and the people who labelled the same rows."""

    p: Floats
    """(N, K) probability of each class."""
    consensus: Ints
    """(N,) likeliest class."""
    quality: Floats
    """(N,) probability of the consensus, in [0, 1]; higher is better."""
    vote_quality: Floats
    """(V,) probability of what each vote said; 0 for an abstention, which says nothing."""
    voter_agreement: Floats
    """(W,) how often each voter says what others say of the same row; the mean of all for who never met another."""
    voter_weight: Floats
    """(W,) weight of one vote; 0 is no better than always naming the commonest class."""
    model_weight: float
    """Weight of the classifier."""


def crowdlab(votes: Votes, p: ArrayLike) -> Crowdlab:
    """Class probabilities from votes and a classifier, each weighted by how far it beats the commonest class.

    Use it where rows have few votes each and a classifier could be trained on them. Weights come from agreement, so
    voters who share a mistake are trusted for it. Take `quality` as a ranking: on simulated crowds it says 61 % where
    87 % are right.

    Args:
        votes: Votes on N rows of K classes; abstentions count for nothing.
        p: (N, K) out-of-sample probabilities of a classifier trained on the majority's labels.

    Raises:
        DataError: The shapes do not fit, or no row has two votes.

    Source:
        Goh, Tkachenko and Mueller 2022, CROWDLAB, arXiv:2210.06812. Differs: votes that abstain are left out. cleanlab
        computes the weights a second time with the consensus in the majority's place; here it is done once.
    """
    probabilities = np.asarray(p, dtype=np.float64)
    if probabilities.shape != (votes.n_rows, votes.n_classes):
        seen = f"{probabilities.shape} for {votes.n_rows} rows of {votes.n_classes} classes"
        raise DataError("CROWDLAB needs (N, K) probabilities", seen, "give one row of probabilities for each row")
    counts = votes.counts
    total = counts.sum(axis=1)
    several = total > 1
    if not several.any():
        raise DataError(
            "agreement needs rows with two votes", f"at most {total.max():g} on any row", "ask a second voter"
        )
    first = _majority(counts, probabilities)
    share = counts[np.arange(len(counts)), first] / np.maximum(total, 1)
    likely_right = float(share[several].mean())
    commonest = float((first[several] == np.bincount(first[several]).argmax()).mean())
    floor = SLACK
    said = votes.said < votes.n_classes
    row, voter, what = votes.row[said], votes.voter[said], votes.said[said]
    agreement = _agreement(row, voter, what, counts, len(votes.voters))
    weight = np.maximum(1 - (1 - agreement) / max(1 - commonest, floor), floor)
    right = float((probabilities.argmax(axis=1)[several] == first[several]).mean())
    model_weight = max(1 - (1 - right) / max(1 - commonest, floor), floor) * float(np.sqrt(total.mean()))
    mixed = model_weight * probabilities
    other = (1 - likely_right) / max(votes.n_classes - 1, 1)
    spread = np.bincount(row, weight[voter], minlength=len(counts))
    named = np.bincount(row * votes.n_classes + what, weight[voter], minlength=counts.size).reshape(counts.shape)
    mixed += spread[:, None] * other + named * (likely_right - other)
    mixed /= (model_weight + spread)[:, None]
    consensus = mixed.argmax(axis=1).astype(np.int64)
    vote_quality = np.zeros(len(votes.said))
    vote_quality[said] = mixed[row, what]
    return Crowdlab(mixed, consensus, mixed.max(axis=1), vote_quality, agreement, weight, model_weight)


def _majority(counts: Floats, probabilities: Floats) -> Ints:
    """The class most voters name; the classifier breaks ties, and decides alone where nobody voted."""
    return np.asarray((counts + probabilities / (probabilities.max() + 1) * 0.5).argmax(axis=1), dtype=np.int64)


def _agreement(row: Ints, voter: Ints, what: Ints, counts: Floats, voters: int) -> Floats:
    same = counts[row, what] - 1
    others = counts.sum(axis=1)[row] - 1
    met = np.bincount(voter, others, minlength=voters)
    found = np.bincount(voter, same, minlength=voters) / np.maximum(met, 1)
    return np.where(met > 0, found, same.sum() / others.sum())
