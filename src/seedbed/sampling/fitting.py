"""Fits a few parameters to many weightings of the same problems at once: a bootstrap in one pass of numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError
from seedbed.sampling.coverage import Floats, Ints, chance_of_missing, read_counts

Evaluate = Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats, Floats]]
"""From parameters (r, d) and which of the weightings they belong to (r,), to loss (r,), slope (r, d) and curvature
(r, d, d)."""


@dataclass(frozen=True, slots=True)
class Table:
    """Problems folded by their counts: 10,000 problems of 1,000 draws are at most 1,001 lines."""

    n: Ints
    """(U,) draws."""
    c: Ints
    """(U,) correct ones."""
    times: Floats
    """(U,) problems with these counts."""
    line: Ints
    """(P,) where each problem went."""
    ks: Ints
    """(K,) numbers of draws at which curves are looked at."""
    missing: Floats
    """(U, K) chance that k of the draws hold no correct one; nan where there are fewer draws."""


def fold(n: ArrayLike, c: ArrayLike, *, points: int = 40) -> Table:
    """Fold problems by their counts, and prepare their curves at up to `points` log-spaced k.

    Raises:
        DataError: No problem was drawn.
    """
    drawn, correct = read_counts(n, c)
    if drawn.ndim != 1 or drawn.max(initial=0) < 1:
        raise DataError("a law needs problems that were drawn", f"counts of shape {drawn.shape}", "run a pilot first")
    most = int(drawn.max()) + 1
    pairs, line, times = np.unique(drawn * most + correct, return_inverse=True, return_counts=True)
    at_n, at_c = pairs // most, pairs % most
    ks = np.unique(np.geomspace(1, most - 1, points).round().astype(np.int64))
    if most - 1 <= points:
        ks = np.arange(1, most)
    missing = np.stack([chance_of_missing(at_n, at_c, int(k)) for k in ks], axis=1)
    return Table(at_n, at_c, times.astype(np.float64), line.astype(np.int64), ks, missing)


def mean_curves(table: Table, weights: Floats) -> Floats:
    """Coverage (R, K) under each weighting (R, U), over the problems that have enough draws; nan where none has."""
    known = np.isfinite(table.missing)
    total = weights @ known
    covered = weights @ np.where(known, 1.0 - table.missing, 0.0)
    return np.divide(covered, total, out=np.full_like(covered, np.nan), where=total > 0)


def minimise(
    evaluate: Evaluate, start: Floats, low: Floats, high: Floats, *, tolerance: float = 1e-10, steps: int = 200
) -> tuple[Floats, Floats]:
    """Parameters (R, d) of the lowest loss inside a box, and that loss (R,), for every weighting at once.

    Newton steps with Levenberg's damping. A weighting that has settled is left alone, so hundreds cost little more than
    the slowest few.
    """
    here = np.asarray(np.clip(start, low, high), dtype=np.float64)
    found = np.arange(len(here))
    loss, slope, curve = (np.asarray(each, dtype=np.float64) for each in evaluate(here, found))
    damping = np.full(len(here), 1e-3)
    active = found
    for _ in range(steps):
        step = _step(slope[active], curve[active], damping[active], here[active], (low, high))
        there = np.clip(here[active] + step, low, high)
        new_loss, new_slope, new_curve = evaluate(there, active)
        better = new_loss <= loss[active]
        gain = np.where(better, loss[active] - new_loss, np.inf)
        moved = active[better]
        here[moved], loss[moved] = there[better], new_loss[better]
        slope[moved], curve[moved] = new_slope[better], new_curve[better]
        damping[active] = np.where(better, damping[active] * 0.2, damping[active] * 8.0).clip(1e-9, None)
        settled = (gain <= tolerance * (np.abs(loss[active]) + tolerance)) | (damping[active] > 1e9)
        active = active[~settled]
        if not len(active):
            break
    return here, loss


def _step(slope: Floats, curve: Floats, damping: Floats, here: Floats, box: tuple[Floats, Floats]) -> Floats:
    """A damped Newton step in the directions that the box leaves open."""
    low, high = box
    stuck = ((here <= low) & (slope > 0)) | ((here >= high) & (slope < 0))
    free = ~stuck
    system = curve * (free[:, :, None] & free[:, None, :])
    diagonal = np.einsum("rii->ri", system)
    diagonal *= 1 + damping[:, None]
    diagonal += np.where(stuck, 1.0, 1e-12 + 1e-9 * diagonal.max(axis=1, keepdims=True))
    return np.asarray(-np.linalg.solve(system, (slope * free)[:, :, None])[:, :, 0], dtype=np.float64)
