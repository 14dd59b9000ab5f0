"""Probabilities that mean what they say: log-odds fitted to labels, and how far from the truth they are.

Which one to use:

    fit_platt        from 20 labels; two numbers, keeps the order of rows
    fit_beta         from 200; three numbers, bends good and bad ends apart, keeps the order
    fit_isotonic     from 1,000; any rising curve, ties rows
    venn_abers       from 500; a pair [p0, p1] for each row that holds without a model, ties rows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit

from seedbed.errors import DataError
from seedbed.estimate import Estimate, wilson
from seedbed.estimate.spread import check_level, normal_quantile
from seedbed.inspection.logistic_map import fit_logistic, read_known
from seedbed.randomness import stream

Floats = NDArray[np.float64]
INTERCEPT, SLOPE = 2.0, 0.5
"""Spread of the priors: intercepts around 0, slopes around 1, so that no labels leave the log-odds as they were."""
DRAWS = 2000


@dataclass(frozen=True)
class Curve:
    """A fitted map from a label model's log-odds to calibrated log-odds, with its doubt."""

    method: str
    coefficients: Floats
    """Platt: intercept, slope. Beta: intercept, slope on log p, slope on -log(1 - p)."""
    covariance: Floats
    n_labels: int

    def log_odds(self, log_odds: ArrayLike) -> Floats:
        """(N,) calibrated log-odds; rows keep their order."""
        return np.asarray(self._design(log_odds) @ self.coefficients)

    def p(self, log_odds: ArrayLike) -> Floats:
        """(N,) calibrated probability of being good."""
        return np.asarray(expit(self.log_odds(log_odds)))

    def interval(self, log_odds: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
        """(N,) ends of the interval for each probability; the doubt of the curve only."""
        design = self._design(log_odds)
        reach = normal_quantile(level) * np.sqrt(((design @ self.covariance) * design).sum(axis=1))
        centre = design @ self.coefficients
        return np.asarray(expit(centre - reach)), np.asarray(expit(centre + reach))

    def _design(self, log_odds: ArrayLike) -> Floats:
        return _platt_design(_finite(log_odds)) if self.method == "platt" else _beta_design(_finite(log_odds))


@dataclass(frozen=True)
class Steps:
    """A rising step curve from log-odds to probabilities, straight between the labelled rows' steps."""

    at: Floats
    """(B,) log-odds, rising."""
    value: Floats
    """(B,) share of good rows there, never falling."""
    n_labels: int

    def p(self, log_odds: ArrayLike) -> Floats:
        """(N,) calibrated probability of being good; rows beyond the labelled ones get the last step's."""
        return np.asarray(np.interp(_finite(log_odds), self.at, self.value))


def fit_platt(log_odds: ArrayLike, known: Mapping[int, int], *, weights: ArrayLike | None = None) -> Curve:
    """Calibrated log-odds b + a x, from as few as 20 labels.

    Args:
        log_odds: (N,) log-odds of each row being good. Never log-odds of clipped probabilities: that ties the ends.
        known: Row to 1 for good or 0 for bad.
        weights: (n,) how often each label counts, in the order of `known`, such as 1 / its chance of being read.

    Source:
        Platt 1999, Probabilistic outputs for support vector machines. Differs: b ~ N(0, 2^2) and a ~ N(1, 0.5^2)
        instead of his smoothed targets, so few labels leave the log-odds nearly as they were.
    """
    centre, scale = np.array([0.0, 1.0]), np.array([INTERCEPT, SLOPE])
    return _fit_curve("platt", _platt_design(_finite(log_odds)), known, centre, scale, weights)


def fit_beta(log_odds: ArrayLike, known: Mapping[int, int], *, weights: ArrayLike | None = None) -> Curve:
    """Calibrated log-odds c + a log p - b log(1 - p): the good end and the bad end are bent apart.

    Args:
        log_odds: (N,) log-odds of each row being good.
        known: Row to 1 for good or 0 for bad.
        weights: (n,) how often each label counts.

    Source:
        Kull, Silva Filho and Flach 2017, Beta calibration. Differs: normal priors as in `fit_platt`, and where a slope
        would fall below zero, Platt's curve is returned, for a curve that turns over would reorder the rows.
    """
    centre, scale = np.array([0.0, 1.0, 1.0]), np.array([INTERCEPT, SLOPE, SLOPE])
    found = _fit_curve("beta", _beta_design(_finite(log_odds)), known, centre, scale, weights)
    return found if found.coefficients[1:].min() >= 0 else fit_platt(log_odds, known, weights=weights)


def fit_isotonic(log_odds: ArrayLike, known: Mapping[int, int], *, weights: ArrayLike | None = None) -> Steps:
    """The best rising curve, where labels are many (1,000 or more). Below that it is worse than Platt's.

    Args:
        log_odds: (N,) log-odds of each row being good.
        known: Row to 1 for good or 0 for bad; at least one.
        weights: (n,) how often each label counts.

    Source:
        Zadrozny and Elkan 2002. Differs: straight lines between steps.
    """
    x = _finite(log_odds)
    rows, labels = _some(known, len(x))
    counts = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=float)
    at, code = np.unique(x[rows], return_inverse=True)
    mass = np.bincount(code, weights=counts)
    fitted = isotonic_regression(np.bincount(code, weights=counts * labels) / mass, weights=mass)
    return Steps(at, np.asarray(fitted.x), len(rows))


def venn_abers(log_odds: ArrayLike, known: Mapping[int, int]) -> tuple[Floats, Floats]:
    """Two probabilities for each row, one of which is calibrated whatever the score: [p0, p1].

    The row joins the labelled ones once as bad and once as good, and both rising curves are read at it. Their distance
    is the doubt: about 1 / (labels at this score). For one number take p1 / (1 - p0 + p1). A fit for each place among
    the labelled scores: 2,000 labels cost 0.3 CPU s.

    Args:
        log_odds: (N,) log-odds of each row being good.
        known: Row to 1 for good or 0 for bad; at least one. Labels that fitted the score are not to be used again.

    Returns:
        (N,) p0 and (N,) p1, with p0 <= p1.

    Source:
        Vovk and Petej 2014, arXiv:1211.0025 (inductive). Differs: fitted anew at each distinct place.
    """
    x = _finite(log_odds)
    rows, labels = _some(known, len(x))
    at, code = np.unique(x[rows], return_inverse=True)
    mass: Floats = np.bincount(code).astype(np.float64)
    good: Floats = np.bincount(code, weights=labels).astype(np.float64)
    left, right = np.searchsorted(at, x, "left"), np.searchsorted(at, x, "right")
    places, back = np.unique(left * 2 + (right > left), return_inverse=True)
    pairs = np.array([_joined(good, mass, int(place) // 2, bool(place % 2)) for place in places])
    return pairs[back, 0], pairs[back, 1]


def reliability(p: ArrayLike, truth: ArrayLike, *, bins: int = 10, level: float = 0.95) -> pl.DataFrame:
    """What was said beside what was found, in bins of equally many rows.

    Args:
        p: (n,) probability of being good.
        truth: (n,) 1 for good, 0 for bad; a uniform sample of rows, or all.
        bins: Most bins; rows with equal `p` share one.
        level: Coverage of each bin's interval.

    Returns:
        One row a bin: `from`, `to`, `n`, `said` (mean p), `found` (share good), `low` and `high` (Wilson's interval).
    """
    said, labels = _same(p, truth)
    code = _bins(said, bins)
    lines = []
    for b in range(int(code.max()) + 1):
        of = code == b
        found = wilson(int(labels[of].sum()), int(of.sum()), level)
        edges = {"from": float(said[of].min()), "to": float(said[of].max()), "n": int(of.sum())}
        means = {"said": float(said[of].mean()), "found": found.value, "low": found.low, "high": found.high}
        lines.append({**edges, **means})
    return pl.DataFrame(lines)


def calibration_distance(
    p: ArrayLike, truth: ArrayLike, *, bins: int = 10, level: float = 0.95, rng_seed: int = 0
) -> Estimate:
    """Expected calibration error (ECE): mean distance of said and found over bins, freed from the noise of few labels.

    With 100 labels in 10 bins a *perfect* probability has a measured ECE near 0.1, for each bin's share is noisy.
    Here the measured ECE is put beside what would be measured if the true gaps were c times the measured ones, for all
    c: the value is where the measured one is the median, and the interval holds all that make it likely. It holds 0
    where the labels cannot tell the probabilities from perfect ones.

    Args:
        p: (n,) probability of being good.
        truth: (n,) 1 for good, 0 for bad, of a uniform sample of rows that were not used to fit `p`.
        bins: Bins of equally many rows. Gaps that cancel within a bin are not seen.
        level: Coverage of the interval.
        rng_seed: Of the noise that is drawn.

    Returns:
        ECE as a fraction in [0, 1]; 0.03 is three points.

    Source:
        Naeini, Cooper and Hauskrecht 2015 (ECE); Kumar, Liang and Ma 2019, arXiv:1909.10155, on its bias. Differs: the
        bias is removed by inverting the distribution of the measured value, which also gives the interval.
    """
    check_level(level)
    said, labels = _same(p, truth)
    code = _bins(said, bins)
    n = np.bincount(code).astype(float)
    found = np.bincount(code, weights=labels) / n
    gap = found - np.bincount(code, weights=said) / n
    # Whichever is wider: a bin that was said to be sure and is not, or one in which all labels happen to agree.
    spread = np.sqrt(np.maximum(np.bincount(code, weights=said * (1 - said)) / n, found * (1 - found)) / n)
    noise = stream(rng_seed, "calibration distance").standard_normal((DRAWS, len(n))) * spread
    share = n / n.sum()
    measured = float(share @ np.abs(gap))

    def above(c: float, chance: float) -> float:
        return float(np.mean(np.abs(c * gap + noise) @ share > measured)) - chance

    def edge(chance: float) -> float:
        if measured == 0 or above(0.0, chance) >= 0:
            return 0.0
        most = 1.0
        while above(most, chance) < 0:
            most *= 2
        return min(1.0, measured * float(brentq(above, 0.0, most, args=(chance,), xtol=1e-4)))

    tail = (1 - level) / 2
    value, low, high = edge(0.5), edge(tail), edge(1 - tail)
    return Estimate(value, low, max(high, value), len(said), "ECE, inverted over scaled gaps")


def _fit_curve(
    method: str, design: Floats, known: Mapping[int, int], centre: Floats, scale: Floats, weights: ArrayLike | None
) -> Curve:
    rows, labels = read_known(known, len(design))
    counts = None if weights is None else np.asarray(weights, dtype=float)
    if counts is not None and (counts.shape != labels.shape or not (counts > 0).all()):
        raise DataError("one positive weight for each label", f"{counts.shape} for {len(labels)} labels")
    fit = fit_logistic(design[rows], labels, centre, scale, weights=counts)
    return Curve(method, fit.mean, fit.covariance(), len(rows))


def _platt_design(x: Floats) -> Floats:
    return np.column_stack([np.ones(len(x)), x])


def _beta_design(x: Floats) -> Floats:
    """Columns 1, log p and -log(1 - p) up to the constants that make all slopes equal at p = 1/2."""
    return np.column_stack([np.ones(len(x)), -np.logaddexp(0.0, -x) + np.log(2), np.logaddexp(0.0, x) - np.log(2)])


def _joined(good: Floats, mass: Floats, place: int, tied: bool) -> tuple[float, float]:
    """The two rising curves at one place, with one more row there that is bad, then good."""
    if not tied:
        good, mass = np.insert(good, place, 0.0), np.insert(mass, place, 0.0)
    more = mass.copy()
    more[place] += 1
    found = []
    for label in (0.0, 1.0):
        with_it = good.copy()
        with_it[place] += label
        found.append(float(isotonic_regression(with_it / more, weights=more).x[place]))
    return found[0], found[1]


def _bins(said: Floats, bins: int) -> NDArray[np.int64]:
    """(n,) bin of each row: equally many rows in each, equal values never parted, no bin empty."""
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    code = np.searchsorted(edges, said, side="left")
    return np.asarray(np.unique(code, return_inverse=True)[1], dtype=np.int64)


def _finite(log_odds: ArrayLike) -> Floats:
    x = np.asarray(log_odds, dtype=float)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise DataError("log-odds are (N,) finite numbers", f"shape {x.shape}", "carry log-odds, not log of 0 or 1")
    return x


def _some(known: Mapping[int, int], n_rows: int) -> tuple[NDArray[np.int64], Floats]:
    rows, labels = read_known(known, n_rows)
    if not len(rows):
        raise DataError("a step curve needs labels", "none", "with few labels use fit_platt, which has a prior")
    return rows, labels


def _same(p: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    said, labels = np.asarray(p, dtype=float), np.asarray(truth, dtype=float)
    if said.shape != labels.shape or said.ndim != 1 or not len(said):
        raise DataError("one truth for each probability", f"shapes {said.shape} and {labels.shape}")
    if not ((said >= 0) & (said <= 1)).all() or not np.isin(labels, (0.0, 1.0)).all():
        raise DataError("probabilities are in [0, 1], truths 0 or 1", f"p {said.min()} to {said.max()}")
    return said, labels
