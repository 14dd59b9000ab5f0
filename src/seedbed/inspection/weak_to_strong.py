"""Training a strong student on a weak supervisor's labels: targets, chains, what was recovered, and when not to.

Everything here works on probabilities; students are trained elsewhere. The auxiliary target is no cure for weak labels
that are wrong in a pattern: the student learns the pattern. Hence the two gates, one on the labels before training and
one on the trained student.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate, bootstrap, paired_gain, wilson
from seedbed.inspection.votes import Floats, Ints

Train = Callable[[Floats], Floats]
"""(N, K) targets -> (N, K) probabilities of the student trained on them, on the same rows."""
SWEEPS = 200


def confidence_share(step: float, *, most: float = 0.5, warmup: float = 0.1) -> float:
    """How much the student's own opinion counts: its share of training so far while warming up, times `most`.

    Args:
        step: Share of training done, in [0, 1].
        most: Largest share, in [0, 1].
        warmup: Share of training until then, in [0, 1].
    """
    if not (0 <= step <= 1 and 0 <= most <= 1 and 0 <= warmup <= 1):
        raise ConfigError("step, most and warmup lie in [0, 1]", f"{step}, {most}, {warmup}", "give fractions")
    return most * (1.0 if step > warmup else step)


def hardened(strong: ArrayLike, marginals: ArrayLike) -> Floats:
    """Student's opinions as one-hot rows whose class shares are those of the weak labels.

    A plain argmax lets one class swallow the others early in training. With two classes this is the quantile of the
    published loss; with more, one offset for each class is moved until the shares fit.

    Args:
        strong: (N, K) student's probabilities.
        marginals: (K,) class shares to meet; rounded to whole rows.

    Returns:
        (N, K) of 0 and 1, one 1 in each row.
    """
    p = _probabilities(strong, "the student")
    wanted = _whole(np.asarray(marginals, dtype=float), len(p))
    scores = np.log(np.maximum(p, 1e-300))
    offsets = np.zeros(p.shape[1])
    rows = np.arange(len(p))
    for _ in range(SWEEPS):
        chosen = (scores + offsets).argmax(axis=1)
        if np.array_equal(np.bincount(chosen, minlength=len(offsets)), wanted):
            break
        for k in range(len(offsets)):
            rivals = scores + offsets
            rivals[:, k] = -np.inf
            offsets[k] = _between(np.sort(rivals.max(axis=1) - scores[:, k]), int(wanted[k]))
    made = np.zeros_like(p)
    made[rows, (scores + offsets).argmax(axis=1)] = 1
    return made


def _between(needed: Floats, wanted: int) -> float:
    """The offset at which exactly so many rows choose the class, halfway to the next row."""
    if wanted == 0:
        return float(needed[0]) - 1
    if wanted == len(needed):
        return float(needed[-1]) + 1
    return float(needed[wanted - 1] + needed[wanted]) / 2


def _whole(shares: Floats, n: int) -> Ints:
    exact = n * shares / shares.sum()
    floor = np.floor(exact).astype(np.int64)
    floor[np.argsort(floor - exact, kind="stable")[: n - int(floor.sum())]] += 1
    return np.asarray(floor, dtype=np.int64)


def confidence_target(weak: ArrayLike, strong: ArrayLike, share: float) -> Floats:
    """Targets of the auxiliary confidence loss: weak labels mixed with the student's own hardened opinion.

    Args:
        weak: (N, K) weak labels, soft or one-hot.
        strong: (N, K) student's present probabilities; take no gradient through them.
        share: Weight of the student's opinion, from `confidence_share`.

    Returns:
        (N, K), rows sum to 1; train on the cross entropy with it.

    Source:
        Burns et al. 2023, Weak-to-Strong Generalization, arXiv:2312.09390 (auxiliary confidence loss). Differs: any
        number of classes.
    """
    labels, opinion = _pair(weak, strong)
    return np.asarray((1 - share) * labels + share * hardened(opinion, labels.mean(axis=0)))


def product_target(weak: ArrayLike, strong: ArrayLike, *, weak_power: float = 1.0, strong_power: float = 1.0) -> Floats:
    """Targets proportional to weak^a * strong^b: both opinions as if independent.

    Args:
        weak: (N, K) weak labels; where a one-hot row is given the product is the same row.
        strong: (N, K) student's probabilities.
        weak_power: a, at least 0.
        strong_power: b, at least 0.

    Returns:
        (N, K), rows sum to 1.
    """
    labels, opinion = _pair(weak, strong)
    logs = weak_power * np.log(np.maximum(labels, 1e-12)) + strong_power * np.log(np.maximum(opinion, 1e-12))
    made = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(made / made.sum(axis=1, keepdims=True))


def cross_entropy(target: ArrayLike, strong: ArrayLike) -> Floats:
    """(N,) loss of each row in nats; lower is better."""
    wanted, p = _pair(target, strong)
    return np.asarray(-(wanted * np.log(np.maximum(p, 1e-300))).sum(axis=1))


def chain(
    weak: ArrayLike, students: Sequence[Train], target: Callable[[Floats, Floats], Floats] | None = None
) -> list[Floats]:
    """Bootstrapping: each student is trained on the labels of the one before, from small to large.

    Args:
        weak: (N, K) weak labels.
        students: How to train each, smallest first. Give probabilities out of fold, or the chain learns itself by rote.
        target: (labels so far, student's probabilities) -> next labels; None takes the student's as they are.
            `product_target` keeps the weak labels in play.

    Returns:
        One (N, K) of labels after each student; the last is the chain's.
    """
    labels = _probabilities(weak, "the weak labels")
    made = []
    for train in students:
        found = _probabilities(train(labels), "a student")
        labels = found if target is None else target(labels, found)
        made.append(labels)
    return made


def recovered(weak: ArrayLike, student: ArrayLike, ceiling: ArrayLike, *, rng_seed: int = 0) -> Estimate:
    """Performance gap recovered: how far from weak supervision to gold supervision the student came.

    Args:
        weak: (n,) 1 where the weak supervisor is right on a gold row, else 0.
        student: The same for the student trained on weak labels.
        ceiling: The same for the student trained on gold.
        rng_seed: Of the bootstrap.

    Returns:
        1 at the ceiling, 0 at the supervisor, below 0 under it. Unstable where the gap is small.

    Raises:
        DataError: Lengths differ, or the interval of the gap holds 0: then a share of it has no meaning.
    """
    table = [np.asarray(each, dtype=float) for each in (weak, student, ceiling)]
    if len({each.shape for each in table}) != 1:
        raise DataError("three scores for the same rows", f"{[each.shape for each in table]}", "score the same rows")
    gap = paired_gain(table[0], table[2])
    if gap.low <= 0:
        raise DataError("there is no clear gap to recover", f"ceiling over weak: {gap}", "use more gold rows")
    scores = np.stack(table, axis=1)
    return bootstrap(scores, rng_seed=rng_seed, statistic=_recovered_share)


def _recovered_share(scores: Floats) -> float:
    weak, student, ceiling = scores.mean(axis=0)
    return float((student - weak) / (ceiling - weak)) if ceiling != weak else 0.0


@dataclass(frozen=True)
class Gate:
    """Whether to go on, and why."""

    is_open: bool
    reason: str
    measured: Estimate
    """Before training: the weak error rate, a fraction in [0, 1]. After it: the student's gain over the supervisor."""


def gate_labels(weak: ArrayLike, gold: ArrayLike, *, n_classes: int, limit: float = 1 / 3, level: float = 0.95) -> Gate:
    """Whether weak labels are good enough to train a student on, from a few rows that a human read.

    Two conditions: the upper end of the interval of the weak error rate is at most `limit`; and in no class is another
    label named clearly more often than the right one, for such a pattern is what a student learns first.

    Args:
        weak: (m,) weak labels of the rows that were read; the rows must have been drawn at random.
        gold: (m,) what the human said.
        n_classes: K.
        limit: Largest weak error rate to go on with.
        level: Coverage of the interval.

    Raises:
        DataError: No rows, or lengths differ.
    """
    said, true = np.asarray(weak, dtype=np.int64), np.asarray(gold, dtype=np.int64)
    if said.shape != true.shape or not len(said):
        raise DataError(
            "the gate needs weak and gold labels of the same rows", f"{said.shape}, {true.shape}", "read some"
        )
    error = wilson(int((said != true).sum()), len(said), level)
    if error.high > limit:
        reason = f"weak labels may be wrong in {error.high:.0%} of rows, the limit is {limit:.0%}: read more gold first"
        return Gate(False, reason, error)
    table = np.bincount(true * n_classes + said, minlength=n_classes**2).reshape(n_classes, n_classes)
    for k, row in enumerate(table):
        rival = int(np.delete(row, k).max(initial=0))
        # A tie of three to three says nothing; the sign test's 5 % point begins at five to none.
        if rival > row[k] and wilson(rival, rival + int(row[k]), 0.9).low > 0.5:
            other = int(np.argmax(np.where(np.arange(n_classes) == k, -1, row)))
            return Gate(False, f"class {k} is labelled {other} more often than {k}: mend that pattern first", error)
    return Gate(True, f"weak labels are wrong in at most {error.high:.0%} of rows", error)


def gate_student(weak_right: ArrayLike, student_right: ArrayLike, *, level: float = 0.95) -> Gate:
    """Whether to take the student's labels in place of the supervisor's, from gold rows neither was trained on.

    Open only where the gain is clear: a student that is not clearly better is not taken, and so none that is worse
    passes unseen but with the chance of (1 - level) / 2.

    Args:
        weak_right: (m,) 1 where the supervisor is right, else 0.
        student_right: (m,) the same for the student, on the same rows.
        level: Coverage of the interval.
    """
    gain = paired_gain(weak_right, student_right, level=level)
    if gain.low > 0:
        return Gate(True, f"the student gains {gain.value:+.1%}", gain)
    what = "is worse" if gain.high < 0 else "is not clearly better"
    return Gate(False, f"the student {what}: {gain:+.1%}; keep the supervisor's labels", gain)


def _probabilities(values: ArrayLike, whose: str) -> Floats:
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 2 or not len(p) or not (p.min() >= 0 and np.allclose(p.sum(axis=1), 1, atol=1e-3)):
        seen = f"shape {p.shape}" + (
            f", rows sum to {p.sum(axis=1).min():g} and more" if p.ndim == 2 and len(p) else ""
        )
        raise DataError(f"probabilities of {whose} are (N, K) with rows that sum to 1", seen, "normalise them")
    return p


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = _probabilities(first, "the labels"), _probabilities(second, "the student")
    if a.shape != b.shape:
        raise DataError("labels and student's probabilities for the same rows", f"{a.shape}, {b.shape}", "align them")
    return a, b
