"""What a few human labels make of a label model: its log-odds, corrected by family of voters and by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate
from seedbed.estimate.spread import normal_quantile
from seedbed.inspection.logistic_map import LaplaceFit, fit_logistic, read_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NEGLIGIBLE = 1e-4
"""A prior with a smaller share in the average is left out of it."""


@dataclass(frozen=True)
class Priors:
    """How far each part of the correction may move, as standard deviations on the log-odds scale.

    Where several are given, all combinations are fitted and averaged by how well each foretells the labels (the
    Laplace evidence), so nothing is tuned by hand: with few labels no combination stands out and the average stays
    near the label model; where the labels contradict it, the wide ones win.
    """

    intercept: float = 2.0
    """Of the constant, around 0."""
    trust: float = 0.5
    """Of the slope on the label model's log-odds, around one of `slopes`."""
    slopes: tuple[float, ...] = (1.0, 0.4, 0.15)
    """Centres of that slope: 1 takes the label model at its word, less says that it is too sure."""
    family: tuple[float, ...] = (0.1, 0.5, 2.0)
    """Of what a feature's slope may differ from what the label model already made of it; either sign."""
    slice: tuple[float, ...] = (0.1, 0.5, 1.5)
    """Of what the constant and every slope of one slice may differ from the others'."""

    def __post_init__(self) -> None:
        every = (self.intercept, self.trust, *self.family, *self.slice)
        if not (self.slopes and self.family and self.slice) or min(every) <= 0:
            raise ConfigError("the priors of a correction are positive, with one value at least for each", f"{self}")


@dataclass(frozen=True)
class Correction:
    """Every row's probability of being good after the labels were heard."""

    log_odds: Floats
    """(N,) mean of the row's log-odds: rank by these, they are never clipped and doubt does not reorder them."""
    p: Floats
    """(N,) mean probability that the row is good: what is doubtful lies nearer to a half than `log_odds` says."""
    p_lo: Floats
    """(N,) lower end of the interval for that probability, the fit's doubt only."""
    p_hi: Floats
    """(N,) upper end."""
    slopes: dict[str, Estimate]
    """Constant, slope on the label model and what each feature adds to it, averaged over the priors."""
    weights: dict[tuple[float, float, float], float]
    """(slope centre, family, slice) to its share in the average."""
    n_labels: int


def correct(
    log_odds: ArrayLike,
    known: Mapping[int, int],
    *,
    features: ArrayLike | None = None,
    slices: Sequence[str] | ArrayLike | None = None,
    names: Sequence[str] | None = None,
    priors: Priors | None = None,
    level: float = 0.95,
) -> Correction:
    """Log-odds of every row being good, after 0 to a few hundred human labels.

    The model is a logistic regression whose prior *is* the label model:

        logit P(good) = b0 + a x + sum_F g_F f_F + b_s + a_s x + sum_F g_Fs f_F

    with x the label model's log-odds, f_F the features (such as the mean signed vote of a family of judges), s the
    slice of the row. With a = 1 and all else 0 it is the label model; how far the rest may move is learned. A slope
    may come out negative: on rows made to deceive judges, a family's votes can speak for the wrong class.
    Not for labels by the thousand; use `calibration` and a model of the features there.

    Args:
        log_odds: (N,) log-odds of each row being good, of any unsupervised label model.
        known: Row to what a trusted reader said, 1 for good, 0 for bad.
        features: (N, F) what the label model may have weighed wrongly, each within about [-1, 1]; None for none.
        slices: (N,) slice of each row, such as the set it is from or who wrote it; None for one slice.
        names: (F,) names of the features.
        priors: How far each part may move.
        level: Coverage of the intervals.

    Returns:
        Probabilities in row order. Without labels they are the label model's own, with the priors' doubt around them.

    Raises:
        DataError: Lengths differ, a value is not finite, or a label is not 0 or 1 or names a row that is not there.

    Source:
        The hierarchical prior of Gelman and Hill 2007, chapter 13, with the Laplace approximation of MacKay 1992 and
        its predictive mean. Differs: centred on a label model; the prior's widths are averaged, not chosen.
    """
    priors = priors or Priors()
    priors = priors or Priors()
    x, table, codes = _read(log_odds, features, slices, names)
    rows, labels = read_known(known, len(x))
    shared = np.column_stack([np.ones(len(x)), x, table])
    width, count = shared.shape[1], int(codes.max(initial=0)) + 1
    fits = {}
    for key in product(priors.slopes, priors.family, priors.slice if count > 1 else priors.slice[:1]):
        centre, scale = _prior(key, priors, table.shape[1], count if count > 1 else 0)
        fits[key] = fit_logistic(_with_own(shared[rows], codes[rows], count), labels, centre, scale)
    evidence = np.array([fit.log_evidence for fit in fits.values()])
    shares = np.exp(evidence - logsumexp(evidence))
    average = [(fit, float(share)) for fit, share in zip(fits.values(), shares, strict=True) if share > NEGLIGIBLE]
    mean, variance = np.zeros(len(x)), np.zeros(len(x))
    for s in range(count):
        of = np.flatnonzero(codes == s)
        chosen = _columns_of(s, width, count)
        mean[of], variance[of] = _moments(np.tile(shared[of], len(chosen) // width), chosen, average)
    if not len(rows):
        mean = x
    said = ("constant", "label model", *(names if names is not None else (f"feature {f}" for f in range(width - 2))))
    slopes = _moments(np.eye(width), np.arange(width), average)
    reach = normal_quantile(level)
    return Correction(
        mean,
        expit(mean / np.sqrt(1 + np.pi * variance / 8) if len(rows) else x),
        expit(mean - reach * np.sqrt(variance)),
        expit(mean + reach * np.sqrt(variance)),
        {name: _estimate(m, v, reach, len(rows)) for name, m, v in zip(said, *slopes, strict=True)},
        dict(zip(fits, shares.tolist(), strict=True)),
        len(rows),
    )


def family_votes(said: ArrayLike, families: Sequence[str]) -> tuple[Floats, tuple[str, ...]]:
    """Mean signed vote of each family on each row: the features of `correct`.

    Args:
        said: (N, W) votes: 1 for good, 0 for bad, -1 for an abstention, -2 where the voter was not asked.
        families: (W,) family of each voter.

    Returns:
        (N, F) mean of +1, -1 and 0 for an abstention over the voters asked, 0 where none was; and the families' names.
    """
    votes = np.asarray(said)
    signed = np.where(votes == 1, 1.0, np.where(votes == 0, -1.0, 0.0))
    asked = votes > -2
    names = tuple(dict.fromkeys(families))
    columns = []
    for name in names:
        of = np.array([family == name for family in families])
        columns.append(signed[:, of].sum(axis=1) / np.maximum(asked[:, of].sum(axis=1), 1))
    return np.stack(columns, axis=1), names


def group_means(log_odds: ArrayLike, groups: Sequence[str] | ArrayLike, strength: float = 5.0) -> Floats:
    """How good the label model finds each row's group beside all rows, as a feature for `correct`.

    A group's mean probability tells more of the row than its own few votes where generators or problems differ
    much, and it needs no label.

    Args:
        log_odds: (N,) log-odds of each row being good.
        groups: (N,) group of each row: its generator, or the problem that it answers.
        strength: Rows of average quality that each group is given, so that small groups stay in the middle.

    Returns:
        (N,) log-odds of the group's mean, minus those of all rows.
    """
    p = expit(np.asarray(log_odds, dtype=float))
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    whole = float(np.clip(p.mean(), 1e-6, 1 - 1e-6))
    count = np.bincount(codes)
    mean = (np.bincount(codes, weights=p) + strength * whole) / (count + strength)
    mean = np.clip(mean, 1e-6, 1 - 1e-6)
    return np.asarray((np.log(mean / (1 - mean)) - np.log(whole / (1 - whole)))[codes])


def _read(
    log_odds: ArrayLike, features: ArrayLike | None, slices: object, names: Sequence[str] | None
) -> tuple[Floats, Floats, Ints]:
    x = np.asarray(log_odds, dtype=float)
    table = np.zeros((len(x), 0)) if features is None else np.asarray(features, dtype=float)
    codes = np.zeros(len(x), dtype=np.int64)
    if slices is not None:
        codes = np.unique(np.asarray(slices), return_inverse=True)[1].astype(np.int64)
    if names is not None and len(names) != table.shape[1]:
        raise DataError("one name for each feature", f"{len(names)} names, {table.shape[1]} features")
    if x.ndim != 1 or table.ndim != 2 or len(table) != len(x) or len(codes) != len(x):
        seen = f"log-odds {x.shape}, features {table.shape}, {len(codes)} slices"
        raise DataError("a correction needs (N,) log-odds, (N, F) features and (N,) slices", seen)
    if not (np.isfinite(x).all() and np.isfinite(table).all()):
        raise DataError("log-odds and features must be finite", "NaN or infinity", "abstentions are 0, not NaN")
    return x, table, codes


def _with_own(shared: Floats, codes: Ints, count: int) -> Floats:
    """(n, (2 + F) (1 + S)) columns: shared by all rows, then the same within each slice where there are several."""
    if count == 1:
        return shared
    return np.hstack([shared, *(np.where((codes == s)[:, None], shared, 0.0) for s in range(count))])


def _columns_of(s: int, width: int, count: int) -> Ints:
    """The coefficients that a row of slice `s` meets: so many rows in many slices need no table of all columns."""
    own = np.arange(width) + width * (1 + s)
    return np.concatenate([np.arange(width), own]) if count > 1 else np.arange(width)


def _prior(key: tuple[float, float, float], priors: Priors, width: int, count: int) -> tuple[Floats, Floats]:
    slope, family, within = key
    shared = np.array([priors.intercept, priors.trust * slope, *[family] * width])
    # What one slice adds to the slope on x is kept below the slope itself: x is on the scale of log-odds already.
    own = np.array([within, within * priors.trust * slope, *[within * min(family, 1.0)] * width])
    scale = np.concatenate([shared, *[own] * count])
    centre = np.zeros(len(scale))
    centre[1] = slope
    return centre, scale


def _moments(design: Floats, chosen: Ints, average: list[tuple[LaplaceFit, float]]) -> tuple[Floats, Floats]:
    """Mean and variance of each row's log-odds under the average of the fits; `design` has the columns `chosen`."""
    whole = sum(share for _, share in average)
    first, second = np.zeros(len(design)), np.zeros(len(design))
    for fit, share in average:
        mean = design @ fit.mean[chosen]
        variance = ((design @ fit.covariance(chosen)) * design).sum(axis=1)
        first += share / whole * mean
        second += share / whole * (variance + mean**2)
    return first, np.maximum(second - first**2, 0.0)


def _estimate(mean: float, variance: float, reach: float, n: int) -> Estimate:
    spread = reach * float(np.sqrt(variance))
    return Estimate(float(mean), float(mean) - spread, float(mean) + spread, n, "Laplace, averaged over priors")
