"""Logistic regression under a normal prior: its mode by Newton steps, and the Laplace doubt around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from seedbed.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_STEPS = 60
"""Newton ends long before: the negative log posterior is strictly convex."""


@dataclass(frozen=True)
class LaplaceFit:
    """Normal approximation of the posterior of P coefficients."""

    mean: Floats
    """(P,) posterior mode."""
    scale: Floats
    """(P,) standard deviations of the prior."""
    directions: Floats
    """(D, P) orthonormal rows: the whitened directions that the labels speak of, D = min(n, P)."""
    learned: Floats
    """(D, D) how much of the prior's variance the labels took away, in those directions."""
    log_evidence: float
    """Log probability of the labels under this prior, up to a constant that all priors share."""

    def covariance(self, which: ArrayLike | None = None) -> Floats:
        """(Q, Q) posterior covariance of the coefficients in `which`; all of them when None."""
        chosen = np.arange(len(self.mean)) if which is None else np.asarray(which)
        spoken = self.directions[:, chosen]
        kept = np.eye(len(chosen)) - spoken.T @ self.learned @ spoken
        return np.asarray(kept * np.outer(self.scale[chosen], self.scale[chosen]))


def fit_logistic(
    design: Floats, labels: Floats, centre: Floats, scale: Floats, *, weights: Floats | None = None
) -> LaplaceFit:
    """Posterior of w in logit P(label) = design @ w with w ~ N(centre, diag(scale^2)).

    In coefficients divided by their prior's spread, only directions that some labelled row points in leave the prior,
    so thousands of coefficients cost no more than there are labels.

    Args:
        design: (n, P) one row for each label.
        labels: (n,) 0 or 1.
        centre: (P,) prior means.
        scale: (P,) prior standard deviations, above 0.
        weights: (n,) how often each label counts; None counts each once.
    """
    offset = design @ centre
    whitened = design * scale
    directions = np.eye(len(scale)) if len(scale) <= len(labels) else np.linalg.svd(whitened, full_matrices=False)[2]
    seen = whitened @ directions.T
    counts = np.ones(len(labels)) if weights is None else weights
    mode = np.zeros(len(directions))
    for _ in range(MAX_STEPS):
        gradient = seen.T @ (counts * (labels - expit(offset + seen @ mode))) - mode
        step = cho_solve(cho_factor(_curvature(seen, offset, counts, mode)), gradient)
        step = _shortened(seen, offset, labels, counts, mode, step)
        mode = mode + step
        if float(np.abs(step).max(initial=0.0)) < 1e-9:
            break
    curvature = _curvature(seen, offset, counts, mode)
    evidence = -_loss(seen, offset, labels, counts, mode) - 0.5 * float(np.linalg.slogdet(curvature)[1])
    learned = np.eye(len(mode)) - np.linalg.inv(curvature)
    return LaplaceFit(centre + scale * (directions.T @ mode), scale, directions, learned, evidence)


def read_known(known: Mapping[int, int], n_rows: int) -> tuple[Ints, Floats]:
    """Rows and labels of what a trusted reader said, checked.

    Raises:
        DataError: A label is not 0 or 1, or its row is not one of `n_rows`.
    """
    rows = np.array(list(known), dtype=np.int64)
    labels = np.array(list(known.values()), dtype=float)
    if len(rows) and (rows.min() < 0 or rows.max() >= n_rows):
        seen = f"rows {rows.min()} to {rows.max()} of {n_rows}"
        raise DataError("a label names a row that is not there", seen, "rows are counted from 0")
    if not np.isin(labels, (0.0, 1.0)).all():
        seen = f"{sorted(set(labels.tolist()))[:5]}"
        raise DataError("a label is 1 for good or 0 for bad", seen, "leave rows out that nobody could judge")
    return rows, labels


def _curvature(seen: Floats, offset: Floats, counts: Floats, mode: Floats) -> Floats:
    p = expit(offset + seen @ mode)
    return np.asarray((seen.T * (counts * p * (1 - p))) @ seen + np.eye(len(mode)))


def _loss(seen: Floats, offset: Floats, labels: Floats, counts: Floats, mode: Floats) -> float:
    score = offset + seen @ mode
    return float(counts @ (np.logaddexp(0.0, score) - labels * score) + 0.5 * mode @ mode)


def _shortened(seen: Floats, offset: Floats, labels: Floats, counts: Floats, mode: Floats, step: Floats) -> Floats:
    """The Newton step, halved until it goes down: far-off log-odds make the first steps too long."""
    here = _loss(seen, offset, labels, counts, mode)
    for _ in range(30):
        if _loss(seen, offset, labels, counts, mode + step) <= here + 1e-12:
            break
        step = step / 2
    return step
