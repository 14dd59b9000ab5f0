"""Coverage against draws: what the pilot forecast for each teacher as a band, and what came out as points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.report.axes import Axis, share_axis
from seedbed.report.charts import Band, Point, Series, band_swatch, key, line_chart, swatch
from seedbed.report.html import Markup
from seedbed.report.page import figure
from seedbed.report.score_charts import bands_in_per_cent, in_per_cent, point
from seedbed.report.words import Found, per_cent, several

POOL_SLOT = 3
"""Of the point that stands for all draws together."""

ORDER = (1, 2, 4, 5, 6, 8)
"""Slots of teachers: the first two differ most for every kind of eye."""


def slots(found: Found) -> dict[str, int]:
    """Colour and shape of each teacher, the same on every chart and table of the page."""
    names = [
        *found.get("forecasts", {}),
        *(name for name in found["teachers"] if name not in found.get("forecasts", {})),
    ]
    return {name: ORDER[at % len(ORDER)] for at, name in enumerate(names)}


def coverage_chart(found: Found) -> Markup | None:
    """A band per teacher, and points where draws were checked against it; None where nothing was forecast."""
    forecasts: Mapping[str, Any] = found.get("forecasts") or {}
    slot = slots(found)
    bands = [
        Band(name, slot[name], [_at(one, one["k"], "forecast") for one in told["curve"]])
        for name, told in forecasts.items()
        if told["curve"]
    ]
    if not bands:
        return None
    came = [*_checked(found, slot), *_pool(found)]
    entries = [(band_swatch(band.slot), f"{band.name}, forecast") for band in bands]
    entries += [(swatch(one.slot, outlined=True), one.name) for one in came]
    drawn = line_chart(
        "Coverage against draws",
        _text(bands, came),
        _draws_axis(bands, came),
        share_axis("problems solved, %", [end for mark in _marks(bands, came) for end in _ends(mark)]),
        in_per_cent(came),
        bands=bands_in_per_cent(bands),
    )
    laws = ", ".join(f"{told['law']} for {name}" for name, told in forecasts.items())
    note = (
        "The share of problems outside the pilot that so many draws from one teacher solve. A band is the 95 % "
        f"interval of its forecast. The law that fits the pilot best: {laws}."
    )
    if any(one.slot == POOL_SLOT for one in came):
        note += " The whole pool counts all teachers' draws together, on all problems."
    return figure("Coverage forecast for each teacher", note, key(entries), drawn)


def _at(one: Found, k: float, what: str) -> Point:
    return point(math.log2(k), one, tip=f"{several(one['k'], 'draw')}, {what} {per_cent(one)} %")


def _checked(found: Found, slot: Mapping[str, int]) -> list[Series]:
    """What came out of the one teacher that all was spent on, at each number of draws that was forecast."""
    checks = found.get("checks")
    option = next((one for one in found["plan"]["options"] if one["name"] == found.get("chosen")), None)
    if not checks or option is None:
        return []
    teacher = next(iter(option["draws"]))
    marks = [
        Point(
            math.log2(one["k"]),
            one["actual"],
            tip=f"{several(one['k'], 'draw')}, {100 * one['actual']:.1f} %, "
            f"{'inside' if one['holds'] else 'outside'} the interval",
        )
        for one in checks
    ]
    return [Series(f"{teacher}, came out", slot[teacher], marks, joined=False, outlined=True)]


def _pool(found: Found) -> list[Series]:
    """All draws together, where they did not go to all problems alike: no band is about them."""
    came = found["outcome"]
    mean = came["draws"] / max(found["problems"], 1)
    if found.get("checks") or mean < 1:
        return []
    tip = f"{mean:.1f} draws of a problem on average, {per_cent(came['coverage'])} %"
    mark = point(math.log2(mean), came["coverage"], tip=tip)
    return [Series("the whole pool, came out", POOL_SLOT, [mark], joined=False, outlined=True)]


def _draws_axis(bands: Sequence[Band], came: Sequence[Series]) -> Axis:
    """Each doubling as wide as the last."""
    end = max(mark.x for mark in _marks(bands, came))
    ticks = [(float(power), f"{2**power:,}") for power in range(math.floor(end) + 1)]
    return Axis("draws of a problem, doubled at each step", -0.15, end + 0.15, ticks)


def _marks(bands: Sequence[Band], came: Sequence[Series]) -> list[Point]:
    return [mark for band in bands for mark in band.points] + [mark for one in came for mark in one.points]


def _ends(mark: Point) -> list[float]:
    return [end for end in (mark.y, mark.low, mark.high) if end is not None]


def _text(bands: Sequence[Band], came: Sequence[Series]) -> str:
    said = [f"{band.name}: {'; '.join(mark.tip for mark in band.points)}" for band in bands]
    return ". ".join(said + [f"{one.name}: {'; '.join(mark.tip for mark in one.points)}" for one in came])
