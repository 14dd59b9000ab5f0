"""How far each reader can be trusted, from rows that were read twice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seedbed.errors import DataError
from seedbed.estimate import Estimate, wilson
from seedbed.inspection.audit.queue import Reading


@dataclass(frozen=True)
class Reader:
    """One reader's record. Rows somebody skipped are left out of every share."""

    name: str
    read: int
    """First readings."""
    skipped: int
    median_s: float | None
    """Seconds to a first reading; None where no time was taken."""
    disagrees: Estimate | None
    """Share of this reader's doubly read rows with two different labels; None without such rows."""
    misses: Estimate | None
    """Share of bad rows called good; None where no settled row is bad."""
    false_alarms: Estimate | None
    """Share of good rows called bad; None where no settled row is good."""
    confusion: tuple[tuple[int, int], tuple[int, int]]
    """Counts, [truth][said] with 0 for good and 1 for bad."""


@dataclass(frozen=True)
class Readers:
    """All readers of an audit."""

    readers: tuple[Reader, ...]
    disagreement: Estimate | None
    """Share of rows read twice that got two different labels."""
    error: Estimate | None
    """Share of labels that are wrong, if two readings of a row err alike and independently. They rarely do: readers
    share mistakes, so this is a lower bound."""
    open_disputes: int
    """Rows with two different labels that nobody adjudicated: they settle nothing."""


def readers(readings: Sequence[Reading], *, level: float = 0.95) -> Readers:
    """What the second readings say about whoever made the first.

    A row is settled by its adjudication, else by two readings that agree. Two that agree may both be wrong, and an
    adjudicator may be: `misses` and `false_alarms` are with respect to them. Rows to read twice are chosen at random
    among those read, so the shares are those of rows *read*: where the audit looked for bad rows they are harder.

    Args:
        readings: Labels that stand, of all turns.
        level: Coverage of the intervals, in (0, 1).

    Returns:
        Readers in order of name; Wilson intervals.

    Source:
        Hosking, Blunsom and Bartolo 2024, Human Feedback is not Gold Standard, arXiv:2309.16349 (why readers are
        measured at all).
    """
    said = {turn: {one.row: one for one in readings if one.turn == turn} for turn in ("first", "second", "adjudicated")}
    pairs = [(one, said["second"][row]) for row, one in said["first"].items() if row in said["second"]]
    pairs = [pair for pair in pairs if "skip" not in (pair[0].label, pair[1].label)]
    truth = {first.row: first.label for first, second in pairs if first.label == second.label}
    truth |= {row: one.label for row, one in said["adjudicated"].items() if one.label != "skip"}
    differ = sum(first.label != second.label for first, second in pairs)
    both = wilson(differ, len(pairs), level) if pairs else None
    names = sorted({one.reader for one in readings if one.turn != "adjudicated"})
    return Readers(
        tuple(_reader(name, readings, pairs, truth, level) for name in names),
        both,
        error_rate(differ, len(pairs), level=level) if pairs else None,
        sum(first.label != second.label and first.row not in truth for first, second in pairs),
    )


def _reader(
    name: str,
    readings: Sequence[Reading],
    pairs: Sequence[tuple[Reading, Reading]],
    truth: Mapping[str, str],
    level: float,
) -> Reader:
    first = [one for one in readings if one.reader == name and one.turn == "first"]
    timed = [one.seconds for one in first if one.seconds is not None]
    own = [pair for pair in pairs if name in (pair[0].reader, pair[1].reader)]
    counts = np.zeros((2, 2), dtype=int)
    for one in readings:
        if one.reader == name and one.turn != "adjudicated" and one.label != "skip" and one.row in truth:
            counts[int(truth[one.row] == "bad"), int(one.label == "bad")] += 1
    good, bad = counts.sum(axis=1)
    differ = sum(one.label != two.label for one, two in own)
    return Reader(
        name,
        len(first),
        sum(one.label == "skip" for one in first),
        float(np.median(timed)) if timed else None,
        wilson(differ, len(own), level) if own else None,
        wilson(int(counts[1, 0]), int(bad), level) if bad else None,
        wilson(int(counts[0, 1]), int(good), level) if good else None,
        ((int(counts[0, 0]), int(counts[0, 1])), (int(counts[1, 0]), int(counts[1, 1]))),
    )


def error_rate(differ: int, pairs: int, *, level: float = 0.95) -> Estimate:
    """Share of labels that are wrong, from how often two readings of one row differ.

    Two readings that err independently at rate e differ on 2e(1-e) of the rows, whatever the rows are.

    Args:
        differ: Rows with two different labels.
        pairs: Rows with two labels, at least 1.
        level: Coverage of the interval, in (0, 1).

    Returns:
        The rate, in [0, 0.5]; readers that differ on half of the rows or more say nothing.

    Raises:
        DataError: No pairs.

    >>> print(error_rate(18, 100))
    0.100 [0.062, 0.158] (n=100, independent errors, wilson)
    """
    if pairs < 1:
        raise DataError("an error rate needs rows that were read twice", "0 pairs", "let 10 to 20 % be read again")
    found = wilson(differ, pairs, level)
    value, low, high = ((1 - math.sqrt(max(0.0, 1 - 2 * d))) / 2 for d in (found.value, found.low, found.high))
    return Estimate(value, low, high, pairs, "independent errors, wilson")
