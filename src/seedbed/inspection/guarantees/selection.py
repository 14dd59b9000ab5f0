"""The largest set of rows, by score, whose defect rate is certified from labels that were made for it alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seedbed.errors import DataError
from seedbed.inspection.guarantees.binomial import Ints, labels_expected, labels_for, pair_p_value
from seedbed.inspection.guarantees.planning import Pilot, Plan, Rung
from seedbed.randomness import stream


@dataclass(frozen=True)
class Tested:
    """One set and what came of it."""

    size: int
    labels: tuple[int, int]
    """In the core and in the ring of this set."""
    defects: tuple[int, int]
    p_value: float


@dataclass(frozen=True)
class Selection:
    """What may be kept, or why nothing may be."""

    is_certified: bool
    kept: Ints
    """Rows to keep, best first: the certified set without those that were labelled bad, plus good rows of the pilot."""
    size: int
    """Rows of the certified set before labelled-bad ones were dropped; 0 where nothing was certified."""
    tested: tuple[Tested, ...]
    missing: Ints
    """Rows whose labels would have been needed to go on; empty when a test ended the sequence."""
    more_labels: int | None
    """About how many new labels a certificate would take with four chances in five; None: no number would do."""
    among: int
    """Size of the set in which those labels would have to lie."""

    @property
    def yielded(self) -> int:
        """Rows that may be kept."""
        return len(self.kept)


def order_rows(log_odds: ArrayLike, rng_seed: int, pilot: Pilot | None = None) -> Ints:
    """Rows from best to worst, the pilot's left out; ties in an order that only `rng_seed` decides."""
    said = np.asarray(log_odds, dtype=float)
    ties = stream(rng_seed, "ties").random(len(said))
    order = np.lexsort((ties, said)).astype(np.int64)
    return order if pilot is None else order[~np.isin(order, np.asarray(pilot.rows, dtype=np.int64))]


def draw(plan: Plan, order: Ints, rng_seed: int) -> Ints:
    """Rows to label, from best to worst: the order in which `decide` needs them, so that labelling may stop early.

    Core and ring are drawn without replacement. Given how many of the drawn lie in a nested set, they are a random draw
    from it: that is why one label serves every set that holds it.

    Args:
        plan: From `plan_selection`.
        order: From `order_rows`.
        rng_seed: Decides the draw.

    Raises:
        DataError: The plan is for another number of rows.
    """
    _check(plan, order)
    core = stream(rng_seed, "core").choice(plan.core, size=plan.n_core, replace=False)
    ring = plan.core + stream(rng_seed, "ring").choice(plan.reach - plan.core, size=plan.n_ring, replace=False)
    drawn: Ints = order[np.sort(np.concatenate([core, ring]))]
    return drawn


def decide(plan: Plan, order: Ints, drawn: Ints, bad: Mapping[int, bool], pilot: Pilot | None = None) -> Selection:
    """Test the sets from the smallest on and stop at the first that does not pass.

    Testing in a fixed order is as safe as one test: for a false certificate, the first set whose rate is too high must
    pass, and that has probability delta. At the set where the sequence ends, the rows labelled bad are taken out once,
    and the set may pass without them; going on from there would not be safe.

    Args:
        plan: The plan the rows were drawn by.
        order: Rows from best to worst.
        drawn: From `draw`.
        bad: Row to whether it is bad, for the drawn rows; others in it are ignored. Labels may end anywhere.
        pilot: The pilot that the plan was made with; its good rows may be kept.

    Returns:
        What may be kept; at risk `plan.delta`, at most `plan.alpha` of it is bad with respect to the reader.

    Raises:
        DataError: The plan is for another number of rows, or a drawn row is not among them.

    Source:
        Angelopoulos, Bates, Candès, Jordan and Lei 2021, Learn then Test, arXiv:2110.01052 (fixed-sequence testing).
        Differs: one draw serves all nested sets; core and ring have their own densities, tested exactly at the least
        favourable split; finite sets; labelled-bad rows are dropped.
    """
    _check(plan, order)
    place = np.empty(int(order.max()) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    if len(drawn) != plan.n_core + plan.n_ring or not np.isin(drawn, order).all():
        raise DataError("these rows were not drawn by this plan", f"{len(drawn)} rows", "draw with the same rng_seed")
    places = np.sort(place[drawn])
    missing = [row for row in order[places].tolist() if row not in bad]
    known = int(place[missing[0]]) if missing else len(order)
    is_bad = np.array([bad.get(row, False) for row in order[places].tolist()], dtype=bool)
    tested: list[Tested] = []
    size, wanted = 0, False
    for rung in plan.rungs:
        if wanted := bool((places < rung.size).any() and known < rung.size):
            break
        found, passes, passes_dropped = _test(plan, rung, places, is_bad)
        tested.append(found)
        size = rung.size if passes or passes_dropped else size
        if not passes:
            break
    more, among = _more_labels(plan, tested) if not size else (0, 0)
    rest = np.array(missing, dtype=np.int64) if wanted else np.zeros(0, dtype=np.int64)
    return Selection(bool(size), _kept(order[:size], bad, drawn, pilot), size, tuple(tested), rest, more, among)


def _check(plan: Plan, order: Ints) -> None:
    if len(order) != plan.n_rows:
        raise DataError("the plan is for another set of rows", f"{len(order)} rows, planned {plan.n_rows}", "plan anew")


def _test(plan: Plan, rung: Rung, places: Ints, bad: np.ndarray) -> tuple[Tested, bool, bool]:
    """The set as it is, and without the rows that were labelled bad."""
    inside = min(rung.size, plan.core)
    core, ring = places < inside, (places >= plan.core) & (places < rung.size)
    labels = int(core.sum()), int(ring.sum())
    defects = int(bad[core].sum()), int(bad[ring].sum())
    rows = inside, rung.size - inside
    allowed = plan.alpha * rung.size
    dropped = sum(defects)
    least = [math.floor(allowed + 1e-9) + 1, math.floor(allowed + (1 - plan.alpha) * dropped + 1e-9) + 1]
    score = rung.weight * defects[0] + defects[1]
    p = pair_p_value(score, rung.weight, labels, rows, least[0])
    passes = p <= plan.delta
    without = passes or pair_p_value(score, rung.weight, labels, rows, least[1]) <= plan.delta
    return Tested(rung.size, labels, defects, p), passes, without


def _kept(chosen: Ints, bad: Mapping[int, bool], drawn: Ints, pilot: Pilot | None) -> Ints:
    drawn_bad = {row for row in drawn.tolist() if bad.get(row, False)}
    kept = [row for row in chosen.tolist() if row not in drawn_bad]
    if pilot is not None and kept:
        kept += [row for row, is_bad in zip(pilot.rows, pilot.bad, strict=True) if not is_bad]
    return np.array(kept, dtype=np.int64)


def _more_labels(plan: Plan, tested: list[Tested]) -> tuple[int | None, int]:
    """Labels that would probably certify the set that looks best, judged by its estimated rate."""
    if not tested:
        return labels_for(plan.alpha, plan.delta), plan.rungs[0].size
    guesses = []
    for found in tested:
        inside = min(found.size, plan.core)
        # Half a defect is added: a set without a seen defect is not thought to be free of them.
        parts = zip((inside, found.size - inside), found.defects, found.labels, strict=True)
        rate = sum(rows * (bad + 0.5 * rows / found.size) / (n + 0.5) for rows, bad, n in parts if rows) / found.size
        guesses.append((labels_expected(rate, plan.alpha, plan.delta), found.size))
    possible = [guess for guess in guesses if guess[0] is not None]
    if not possible:
        return None, tested[0].size
    labels, among = min(possible, key=lambda guess: guess[0] or 0)
    return min(labels or 0, among), among
