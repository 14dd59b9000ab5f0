"""Scores on charts: estimates are fractions, charts show per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seedbed.report.axes import Axis, number_axis, share_axis
from seedbed.report.charts import Band, Point, Series
from seedbed.report.words import count, per_cent


def point(x: float, found: Mapping[str, Any], before: str = "", *, tip: str | None = None) -> Point:
    """An estimate as a point, with its numbers on hover."""
    said = tip or f"{before}{per_cent(found)} %, n = {count(found['n'])}"
    return Point(x, found["value"], found["low"], found["high"], said)


def score_axis(label: str, series: Sequence[Series], levels: Sequence[float] = ()) -> Axis:
    """An axis in per cent that holds every interval and level, which are given as fractions."""
    ends = [end for one in series for mark in one.points for end in (mark.y, mark.low, mark.high) if end is not None]
    return share_axis(label, [*ends, *levels])


def cost_axis(spent: Sequence[float], label: str) -> Axis:
    """An axis that begins with nothing spent."""
    return number_axis(label, [0.0, *spent], lowest=0.0)


def in_per_cent(series: Sequence[Series]) -> list[Series]:
    """The same series, as `score_axis` counts."""
    return [replace(one, points=[_hundred_times(mark) for mark in one.points]) for one in series]


def bands_in_per_cent(bands: Sequence[Band]) -> list[Band]:
    """The same bands, as `score_axis` counts."""
    return [replace(one, points=[_hundred_times(mark) for mark in one.points]) for one in bands]


def _hundred_times(mark: Point) -> Point:
    low, high = (None if end is None else 100 * end for end in (mark.low, mark.high))
    return replace(mark, y=100 * mark.y, low=low, high=high)
