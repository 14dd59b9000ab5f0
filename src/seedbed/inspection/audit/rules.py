"""Which row a human reads next, and with which probability that one was chosen.

    estimate   how many rows are bad: doubtful rows more often, none never
    find       as many bad rows as possible, to mend them: the likeliest first, some at random
    improve    teach the model: rows it cannot decide, in slices that few have read

Rows are drawn one after the other among those that nobody has read. The chance of each draw is kept with its label;
from these `defect_rate` makes an unbiased rate whatever the rule was, and however it learned in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.risk import Evidence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Goal = Literal["estimate", "find", "improve"]
GOALS: tuple[Goal, ...] = get_args(Goal)
UNIFORM: dict[Goal, float] = {"estimate": 0.3, "find": 0.05, "improve": 0.2}
"""Share of draws that look at nothing: the only ones that see a defect which all evidence misses."""
EXPLORE, SHARPNESS = 0.15, 4
"""To find: share of draws that follow the belief, to this power, without taking its top. With the uniform ones, a fifth
explores. Powers 1, 2 and 4 were compared on simulated audits and pooled CRUXEval rows: the sharper, the more found."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One draw."""

    row: int
    probability: float
    """Of this row, among those unread at the time, given all labels before."""
    left: int
    """Rows that were unread, this one among them."""
    least: float
    """Smallest probability of any unread row, as a multiple of 1 / left: how blind the rule could have been."""


def chances(goal: Goal, p_bad: ArrayLike, read: ArrayLike, evidence: Evidence, uniform: float | None = None) -> Floats:
    """Probability of each row to be the next one read.

    Args:
        goal: What the labels are for.
        p_bad: (N,) belief that each row is bad, in [0, 1].
        read: (N,) rows that were drawn before.
        evidence: Slices and worth of the rows.
        uniform: Share of draws in (0, 1] that ignore the belief; None takes the goal's own. To find, 0.05 is cheap and
            makes a wide rate; 0.2 to 0.3 finds some fewer and makes a narrower one.

    Returns:
        (N,) sums to one, zero for rows that were drawn, above zero for all others.

    Raises:
        ConfigError: An unknown goal, or a share outside (0, 1].
        DataError: Nothing is left to read.

    Source:
        estimate: Zrnic and Candès 2024, Active Statistical Inference, arXiv:2403.03208. Differs: without replacement.
    """
    if goal not in GOALS:
        raise ConfigError("an audit has one of three goals", f"{goal!r}", f"use one of {', '.join(GOALS)}")
    floor = UNIFORM[goal] if uniform is None else uniform
    if not 0 < floor <= 1:
        raise ConfigError("the uniform share lies above 0 and at most at 1", f"{floor}", "leave it out, or use 0.2")
    p, unread = np.asarray(p_bad, dtype=np.float64), ~np.asarray(read, dtype=bool)
    left = int(unread.sum())
    if left == 0:
        raise DataError("every row was drawn already", f"{len(p)} rows", "there is nothing more to audit")
    wish = np.where(unread, _wish(goal, p, unread, evidence), 0.0)
    total = float(wish.sum())
    led = wish / total if total > 0 else unread / left
    mixed: Floats = floor * unread / left + (1 - floor) * led
    return mixed


def _wish(goal: Goal, p: Floats, unread: Bools, evidence: Evidence) -> Floats:
    if goal == "estimate":
        spread: Floats = np.sqrt(p * (1 - p))
        return spread
    if goal == "find":
        gain = np.where(unread, p * evidence.worth, -1.0)
        # Rows that are equally good share the chance: which of them stands first in the file means nothing.
        top = np.asarray(gain >= gain.max() * (1 - 1e-12), dtype=np.float64)
        followed = np.where(unread, gain / max(float(gain.max()), 1e-300), 0.0) ** SHARPNESS
        share = EXPLORE / (1 - UNIFORM["find"])
        found: Floats = (1 - share) * top / top.sum() + share * followed / max(float(followed.sum()), 1e-300)
        return found
    seen = np.bincount(evidence.slices, ~unread, minlength=int(evidence.slices.max()) + 1)
    novelty = 1 / np.sqrt(1 + seen[evidence.slices])
    doubt: Floats = entr(p) + entr(1 - p)
    return doubt * novelty


def draw(probability: Floats, rng: np.random.Generator) -> Pick:
    """Draw the next row from what `chances` returned."""
    allowed = np.flatnonzero(probability > 0)
    ladder = np.cumsum(probability[allowed])
    # The last step of the ladder may end at 1 - 1e-16: the draw is scaled to it.
    place = min(int(np.searchsorted(ladder, rng.random() * ladder[-1], side="right")), len(allowed) - 1)
    row = int(allowed[place])
    least = float(probability[allowed].min()) * len(allowed)
    return Pick(row, float(probability[row]), len(allowed), least)
