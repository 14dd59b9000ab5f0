"""Where things lie on a chart: ticks at round numbers, axes, and labels that keep clear of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.report.html import Markup, join, tag

LETTER = 6.3
"""Width of a digit or letter at the chart's font size, in its units; system fonts differ by a tenth."""


@dataclass(frozen=True)
class Axis:
    """One direction of a chart."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Plane:
    """The inside of a chart: two axes on a rectangle, in the units of the SVG."""

    x: Axis
    y: Axis
    left: float
    right: float
    top: float
    bottom: float

    def at_x(self, value: float) -> float:
        """Horizontal place of a value."""
        return self.left + (value - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)

    def at_y(self, value: float) -> float:
        """Vertical place of a value; y grows downwards."""
        return self.bottom - (value - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)


def number_axis(
    label: str, values: Sequence[float], *, form: str = "{:,g}", lowest: float = -math.inf, highest: float = math.inf
) -> Axis:
    """An axis that holds all values and ends at round numbers within [lowest, highest]."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    step = round_step((high - low) / 4)
    # Rounding first: 0.7 / 0.1 is 6.999999999999999, and its floor would add an empty band.
    start, end = math.floor(round(low / step, 6)) * step, math.ceil(round(high / step, 6)) * step
    start, end = max(start, lowest), min(end, highest)
    first, last = math.ceil(round(start / step, 6)), math.floor(round(end / step, 6))
    ticks = [(index * step, form.format(round(index * step, 10))) for index in range(first, last + 1)]
    return Axis(label, start, end, ticks)


def share_axis(label: str, values: Sequence[float]) -> Axis:
    """Fractions shown as per cent, never beyond 0 and 100."""
    return number_axis(label, [100 * value for value in values], lowest=0.0, highest=100.0)


def place_axis(label: str, names: Sequence[str]) -> Axis:
    """One tick per name, at 0, 1, 2, ..., with room at both ends."""
    return Axis(label, -0.35, len(names) - 0.65, list(enumerate(names)))


def round_step(rough: float) -> float:
    """The nearest 1, 2 or 5 times a power of ten that is not smaller."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart until each is `gap` from the next, as near as may be to where they were.

    Returns:
        The places in the order they were given; within [low, high] if there is room.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [0.0] * len(places)
    floor = low
    for index in order:
        moved[index] = max(places[index], floor)
        floor = moved[index] + gap
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def grid(plane: Plane) -> Markup:
    """Lines, ticks and titles of both axes."""
    across = [
        [
            tag("line", x1=plane.left, x2=plane.right, y1=plane.at_y(value), y2=plane.at_y(value), class_="grid"),
            tag("text", text, x=plane.left - 6, y=plane.at_y(value) + 4, text_anchor="end"),
        ]
        for value, text in plane.y.ticks
    ]
    return join(
        [
            across,
            tag("line", x1=plane.left, x2=plane.right, y1=plane.bottom, y2=plane.bottom, class_="axis"),
            [
                [
                    tag("line", x1=at, x2=at, y1=plane.bottom, y2=plane.bottom + 4, class_="axis"),
                    tag("text", text, x=at, y=plane.bottom + 17, text_anchor="middle"),
                ]
                for at, text in _readable(plane)
            ],
            tag("text", plane.y.label, x=2, y=12, class_="title"),
            tag("text", plane.x.label, x=plane.right, y=plane.bottom + 34, text_anchor="end", class_="title"),
        ]
    )


def _readable(plane: Plane) -> list[tuple[float, str]]:
    """Ticks of the x axis that do not run into the tick before."""
    kept: list[tuple[float, str]] = []
    end = -math.inf
    for value, text in plane.x.ticks:
        at, half = plane.at_x(value), len(text) * LETTER / 2
        if at - half >= end:
            kept.append((at, text))
            end = at + half + 6
    return kept


def left_margin(axis: Axis) -> float:
    """Room that the y ticks need."""
    return 12 + LETTER * max((len(text) for _, text in axis.ticks), default=1)
