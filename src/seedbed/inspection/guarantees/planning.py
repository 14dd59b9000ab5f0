"""Where labels are put so that much can be certified: chosen before any of those labels is seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.binomial import Floats, check_rates, labels_for
from seedbed.randomness import stream

WEIGHTS = (1.0, 1.5, 2.5, 4.0)
SLOPE = (0.5, 0.3)
"""Mean and spread of the slope from said to true log-odds: label models are too sure of themselves."""
FLOOR = 0.1
"""Share of alpha that even the best rows are taken to hold: mistakes that all verifiers share."""
CURVES, SPLITS, STEPS = 40, 24, 20


@dataclass(frozen=True)
class Pilot:
    """Labels that steer the plan, and are never used to certify."""

    rows: tuple[int, ...]
    bad: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.bad) or len(set(self.rows)) != len(self.rows):
            raise DataError("a pilot has one label for each of its rows", f"{len(self.rows)} rows", "label each once")


@dataclass(frozen=True)
class Rung:
    """One set to be tested: the `size` best rows."""

    size: int
    weight: float
    """A defect in the core counts this many defects in the ring."""


@dataclass(frozen=True)
class Plan:
    """Nested sets of rows, tested from the smallest to the largest, and how many labels lie where."""

    n_rows: int
    alpha: float
    delta: float
    core: int
    """Best rows, labelled at one density ..."""
    reach: int
    """... and from there to here at another."""
    n_core: int
    n_ring: int
    rungs: tuple[Rung, ...]

    def __post_init__(self) -> None:
        sizes = [rung.size for rung in self.rungs]
        ordered = bool(sizes) and sizes == sorted(set(sizes)) and sizes[0] > 0 and sizes[-1] <= self.reach
        fits = 0 < self.core <= self.reach <= self.n_rows
        drawn = 0 <= self.n_core <= self.core and 0 <= self.n_ring <= self.reach - self.core
        if not (ordered and fits and drawn and all(rung.weight > 0 for rung in self.rungs)):
            raise ConfigError(
                "the plan's sets are not nested inside the rows", f"{self}", "make it with plan_selection"
            )
        check_rates(alpha=self.alpha, delta=self.delta)


def plan_selection(
    log_odds: ArrayLike, n: int, alpha: float, delta: float = 0.05, *, pilot: Pilot | None = None
) -> Plan:
    """Choose core, ring, and the sets to be tested, so that the certified set is expected to be large.

    A calibration curve from said to true probability is drawn from its posterior given the pilot (or from its prior);
    under each curve every plan has an expected yield, and the best on average is taken. A wrong curve costs yield,
    never validity: the labels that certify are not looked at here.

    Args:
        log_odds: (N,) log-odds that each row is bad, without the pilot's labels in it; never clipped probabilities.
        n: Labels for the certificate, the pilot's not among them.
        alpha: Defect rate to certify, in (0, 1).
        delta: Risk of a false certificate, in (0, 1).
        pilot: Labels of rows drawn at random; they are left out of the certified draw.

    Raises:
        ConfigError: Too few labels to certify anything, or a rate outside (0, 1).
        DataError: A score is not finite.
    """
    check_rates(alpha=alpha, delta=delta)
    said = np.asarray(log_odds, dtype=float)
    if said.ndim != 1 or not np.isfinite(said).all():
        raise DataError("one finite log-odds for each row", f"shape {said.shape}", "score every row")
    left = np.ones(len(said), dtype=bool)
    if pilot is not None:
        left[list(pilot.rows)] = False
    rows = np.sort(said[left])
    least = labels_for(alpha, delta)
    if n < min(least, len(rows)):
        raise ConfigError("too few labels to certify anything", f"{n} labels", f"label {least} rows or more")
    rates = _Rates(rows, _curves(said, pilot), alpha * FLOOR)
    plans = (_design(rates, (core, reach, share), n, (alpha, delta)) for core, reach, share in _shapes(rates, alpha))
    _, plan = max(plans, key=lambda found: found[0])
    return plan


def _shapes(rates: _Rates, alpha: float) -> list[tuple[int, int, float]]:
    """Cores, reaches and shares of the labels in the core that are worth trying."""
    total = len(rates.rows)
    target = int(np.median(rates.largest(alpha)))
    reaches = sorted({min(total, max(total // 50, int(target * part))) for part in (0.7, 0.85, 1.0, 1.1)})
    shapes = itertools.product(reaches, (0.6, 0.7, 0.8), (0.4, 0.5, 0.6, 0.7))
    return [(max(1, int(reach * core)), reach, share) for reach, core, share in shapes]


class _Rates:
    """Defect rates of the best rows under each curve."""

    def __init__(self, rows: Floats, curves: Floats, floor: float) -> None:
        self.rows = rows
        points = np.linspace(0, len(rows) - 1, min(len(rows), 1000)).astype(int)
        bad = floor + (1 - floor) * special.expit(curves[:, :1] + curves[:, 1:] * rows[points])
        self._at = np.concatenate([[0.0], (points + 1.0)])
        widths = np.diff(self._at)
        self._bad = np.concatenate([np.zeros((len(curves), 1)), np.cumsum(bad * widths, axis=1)], axis=1)

    def bad(self, size: int) -> Floats:
        """(curves,) bad rows among the `size` best."""
        after = int(np.clip(np.searchsorted(self._at, size), 1, len(self._at) - 1))
        low, high = self._at[after - 1], self._at[after]
        part = (size - low) / (high - low)
        found: Floats = (1 - part) * self._bad[:, after - 1] + part * self._bad[:, after]
        return found

    def largest(self, alpha: float) -> Floats:
        """(curves,) size of the largest set whose rate is at most alpha."""
        fits = self._bad[:, 1:] <= alpha * self._at[1:]
        last = fits.shape[1] - np.argmax(fits[:, ::-1], axis=1)
        return np.where(fits.any(axis=1), self._at[last], 1.0)


def calibration(log_odds: Floats, pilot: Pilot | None) -> Floats:
    """(N,) probability that each row is bad, averaged over the posterior of the calibration curve."""
    curves = _curves(log_odds, pilot)
    total = np.zeros(len(log_odds))
    for intercept, slope in curves:
        total += special.expit(intercept + slope * log_odds)
    return total / len(curves)


def _curves(said: Floats, pilot: Pilot | None) -> Floats:
    """(CURVES, 2) intercepts and slopes, drawn from their posterior on a grid."""
    intercept, slope = (
        part.ravel() for part in np.meshgrid(np.linspace(-6, 4, 61), np.linspace(0.02, 1.6, 60), indexing="ij")
    )
    log = -((intercept + 1.0) ** 2) / 8 - (slope - SLOPE[0]) ** 2 / (2 * SLOPE[1] ** 2)
    for row, bad in zip(pilot.rows, pilot.bad, strict=True) if pilot is not None else ():
        log += special.log_expit((1 if bad else -1) * (intercept + slope * said[row]))
    chance = np.exp(log - log.max())
    picked = stream(0, "calibration curves").choice(len(chance), size=CURVES, p=chance / chance.sum())
    return np.stack([intercept[picked], slope[picked]], axis=1)


def _design(rates: _Rates, shape: tuple[int, int, float], n: int, risk: tuple[float, float]) -> tuple[float, Plan]:
    """Expected yield of one shape, in rows, and the plan: its sets and their weights."""
    core, reach, share = shape
    n_core = min(core, round(share * n))
    n_ring = min(reach - core, n - n_core)
    sizes = np.unique(np.linspace(max(1.0, core * 0.4), reach, STEPS).astype(int)).tolist()
    tried = [_rung(rates, size, (core, reach, n_core, n_ring), risk) for size in sizes]
    found = [rung for rung in tried if rung is not None]
    kept: list[tuple[Rung, Floats]] = []
    for rung, power in reversed(found):  # a smaller set that is not likelier to pass would only be in the way
        if not kept or power.mean() > kept[-1][1].mean():
            kept.append((rung, power))
    kept.reverse()
    plan = Plan(
        len(rates.rows), *risk, core, reach, n_core, n_ring, tuple(rung for rung, _ in kept) or (Rung(core, 1.0),)
    )
    return _expected(kept), plan


def _expected(rungs: Sequence[tuple[Rung, Floats]]) -> float:
    total, passed, before = 0.0, np.ones(CURVES), 0
    for rung, power in rungs:
        passed = np.minimum(passed, power)
        total += float(passed.mean()) * (rung.size - before)
        before = rung.size
    return total


def _rung(
    rates: _Rates, size: int, layout: tuple[int, int, int, int], risk: tuple[float, float]
) -> tuple[Rung, Floats] | None:
    """The weight with the most power for one set, and that power under each curve."""
    core, reach, n_core, n_ring = layout
    alpha, delta = risk
    inside = min(size, core)
    labels = (round(n_core * inside / core), round(n_ring * (size - inside) / max(1, reach - core)))
    part = inside / size
    bad = rates.bad(size)
    first = rates.bad(inside) / inside
    second = (bad - rates.bad(inside)) / max(1, size - inside)
    least = np.linspace(0, min(1.0, alpha / part), SPLITS) if part < 1 else np.array([alpha])
    other = np.clip((alpha - part * least) / (1 - part), 0, 1) if part < 1 else np.zeros(1)
    null, hoped = _Counts(labels, least, other), _Counts(labels, first, np.clip(second, 0, 1))
    best: tuple[Rung, Floats] | None = None
    for weight in WEIGHTS if part < 1 else (1.0,):
        score = null.largest_score(weight, delta)
        if score >= 0:
            power = hoped.at_most(score, weight)
            if best is None or power.mean() > best[1].mean():
                best = Rung(size, weight), power
    return best


class _Counts:
    """Defects in two strata at given rates, binomial: near enough to choose by, the test itself is exact."""

    def __init__(self, labels: tuple[int, int], first: Floats, second: Floats) -> None:
        self._most = 20, 60
        # Not scipy.stats: its checks of arguments cost more than the sums.
        below = np.asarray(special.bdtr(np.arange(self._most[0]), labels[0], first[:, None]), dtype=np.float64)
        self._first = np.diff(np.where(np.isnan(below), 1.0, below), axis=1, prepend=0.0)
        second_below = np.asarray(special.bdtr(np.arange(self._most[1]), labels[1], second[:, None]), dtype=np.float64)
        self._second = np.where(np.isnan(second_below), 1.0, second_below)

    def at_most(self, score: float, weight: float) -> Floats:
        found = np.arange(min(self._most[0] - 1, math.floor(score / weight + 1e-9)) + 1)
        left = np.minimum(self._most[1] - 1, np.floor(score - weight * found + 1e-9).astype(int))
        total: Floats = np.einsum("ij,ij->i", self._first[:, found], self._second[:, left])
        return total

    def largest_score(self, weight: float, delta: float) -> float:
        """The largest score that is a surprise at every one of these rates; -1 where none is."""
        low, high = -1, 120  # in halves: every weight is a whole number of them
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at_most(middle / 2, weight).max() <= delta else (low, middle)
        return low / 2
