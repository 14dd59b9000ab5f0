"""Charts as SVG that needs no script: colours come from the page's style sheet, so that they follow light and dark.

Every series has a shape of its own beside its colour, and every mark says its numbers on hover.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seedbed.fingerprint import fingerprint
from seedbed.report.axes import LETTER, Axis, Plane, grid, left_margin, spread
from seedbed.report.html import Content, Markup, join, number, tag

WIDTH, HEIGHT = 420.0, 290.0
"""Units of a chart; about as wide as a telephone, so that its letters stay readable there."""

SMALL = 3.0
"""Half the size of a mark on a band: the points that came out are larger."""

Box = tuple[float, float, float, float]
"""Left, low, right and high end of a part of the plane."""


@dataclass(frozen=True)
class Point:
    """A value, its interval if it has one, and what is said on hover."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    tip: str = ""


@dataclass(frozen=True)
class Series:
    """Points of one kind. `slot`, from 1 to 8, gives colour and shape."""

    name: str
    slot: int
    points: Sequence[Point]
    shift: float = 0.0
    """Moved so far to the right, in units, where series would hide each other."""
    joined: bool = True
    outlined: bool = False
    """Larger and with a rim, where points lie on a band of the same colour."""


@dataclass(frozen=True)
class Band:
    """What was forecast: a broken line through the values and the area between their ends; every point has both."""

    name: str
    slot: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Level:
    """A value to hold the points against, as a line across with its name at the right end."""

    name: str
    slot: int
    y: float
    tip: str = ""


def svg(title: str, text: str, *content: Content, width: float = WIDTH, height: float = HEIGHT) -> Markup:
    """A picture with a name and a description for those who cannot see it."""
    name = f"chart-{fingerprint([title, text, join(content)], digits=8)}"
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", text, id=f"{name}-desc"),
        *content,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="chart",
    )


def line_chart(
    title: str,
    text: str,
    x: Axis,
    y: Axis,
    series: Sequence[Series],
    *,
    levels: Sequence[Level] = (),
    bands: Sequence[Band] = (),
) -> Markup:
    """Points with intervals, joined in order, over two axes; levels run across, bands lie under everything."""
    longest = max((len(level.name) for level in levels), default=0)
    half_a_tick = LETTER * max((len(name) for _, name in x.ticks[-1:]), default=0) / 2
    right = WIDTH - (14 + LETTER * longest if levels else max(12.0, half_a_tick))
    plane = Plane(x, y, left_margin(y), right, 26, HEIGHT - 42)
    under = [_band(plane, one) for one in bands]
    return svg(title, text, grid(plane), under, _levels(plane, levels), [_series(plane, one) for one in series])


def legend(entries: Iterable[tuple[str, int]]) -> Markup:
    """Names beside their marks, as a list that wraps."""
    return key((swatch(slot), name) for name, slot in entries)


def key(entries: Iterable[tuple[Markup, str]]) -> Markup:
    """The same from swatches of several looks."""
    return tag("ul", [tag("li", look, name) for look, name in entries], class_="legend")


def swatch(slot: int, *, outlined: bool = False) -> Markup:
    """One mark, for a legend or a table."""
    return tag(
        "svg",
        tag("path", d=mark(slot, 7, 7, 4.6), class_="mark"),
        viewBox="0 0 14 14",
        class_=f"swatch s{slot}" + (" rim" if outlined else ""),
        aria_hidden="true",
    )


def band_swatch(slot: int) -> Markup:
    """A piece of a band, for a legend."""
    area = tag("path", d="M0 1h26v12h-26z", class_="band")
    way = tag("path", d="M0 7h26", class_="way broken")
    dot = tag("path", d=mark(slot, 13, 7, SMALL), class_="mark")
    return tag("svg", area, way, dot, viewBox="0 0 26 14", class_=f"swatch wide s{slot}", aria_hidden="true")


_PLUS = [(-1.15, -0.4), (-0.4, -0.4), (-0.4, -1.15), (0.4, -1.15), (0.4, -0.4), (1.15, -0.4)]
_PLUS += [(-x, -y) for x, y in _PLUS]


def mark(slot: int, x: float, y: float, r: float = 4.0) -> str:
    """Path of a series' shape around a place."""
    shapes: dict[int, list[tuple[float, float]]] = {
        2: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        3: [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
        4: [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)],
        5: [(0, 1.15), (1.1, -0.85), (-1.1, -0.85)],
        6: _PLUS,
        7: [(-0.6, -1.2), (0.6, -1.2), (0.6, 1.2), (-0.6, 1.2)],
        8: [(-1.2, -0.6), (1.2, -0.6), (1.2, 0.6), (-1.2, 0.6)],
    }
    if slot not in shapes:
        w = number(r)
        return f"M{number(x - r)} {number(y)}a{w} {w} 0 1 0 {number(2 * r)} 0a{w} {w} 0 1 0 {number(-2 * r)} 0z"
    corners = [f"{number(x + r * dx)} {number(y + r * dy)}" for dx, dy in shapes[slot]]
    return "M" + "L".join(corners) + "z"


def scatter(title: str, text: str, groups: Sequence[tuple[str, int, Sequence[Sequence[float]]]], box: Box) -> Markup:
    """A map without axes: only who lies near whom means something.

    Args:
        title: The picture's name.
        text: What is to be seen.
        groups: (name, slot, places) of each group; later ones lie on top.
        box: What the picture shows; give two pictures the same box and places can be held against each other.
    """
    edge, (left, low, right, high) = 12.0, box
    across, up = (WIDTH - 2 * edge) / max(right - left, 1e-9), (HEIGHT - 2 * edge) / max(high - low, 1e-9)
    drawn = []
    for name, slot, places in groups:
        shapes = "".join(mark(slot, edge + (x - left) * across, edge + (high - y) * up, 2.9) for x, y in places)
        drawn.append(tag("g", tag("title", f"{name}: {len(places)}"), tag("path", d=shapes), class_=f"cloud s{slot}"))
    frame = tag("rect", x=0.5, y=0.5, width=WIDTH - 1, height=HEIGHT - 1, rx=6, class_="frame")
    return svg(title, text, frame, drawn)


def heat_map(title: str, text: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """A confusion matrix: a line per right answer, a column per given one, shaded by the share of its line."""
    size = len(labels)
    longest = max(len(label) for label in labels)
    named = longest * LETTER + 8 < min(64.0, (WIDTH - 120) / size)
    names = [_cut(label, 18) if named else f"{n}  {_cut(label, 16)}" for n, label in enumerate(labels, start=1)]
    left = max(14 + LETTER * max(len(name) for name in names), 92.0)
    cell = min(84.0, (WIDTH - left - 4) / size)
    top = 42.0
    parts: list[Content] = [tag("text", "answered as", x=left, y=12, class_="title")]
    parts.append(tag("text", "right answer", x=left - 8, y=12, text_anchor="end", class_="title"))
    for column, label in enumerate(labels):
        head = label if named else str(column + 1)
        parts.append(tag("text", head, x=left + (column + 0.5) * cell, y=top - 8, text_anchor="middle"))
    for line, row in enumerate(counts):
        parts.append(tag("text", names[line], x=left - 8, y=top + (line + 0.5) * cell + 4, text_anchor="end"))
        for column, found in enumerate(row):
            place = (left + column * cell, top + line * cell, cell)
            parts.append(_cell(place, found, sum(row), f"{labels[line]} answered as {labels[column]}"))
    return svg(title, text, parts, height=top + size * cell + 6)


def _cell(place: tuple[float, float, float], found: int, total: int, what: str) -> Markup:
    x, y, cell = place
    part = found / total if total else 0.0
    box = tag(
        "rect", x=x + 1, y=y + 1, width=cell - 2, height=cell - 2, rx=3, fill_opacity=round(0.04 + 0.96 * part, 2)
    )
    shade = "strong" if part > 0.5 else "weak"
    texts: list[Content] = []
    if cell >= 22:
        texts.append(tag("text", f"{found:,}", x=x + cell / 2, y=y + cell / 2 + 4, text_anchor="middle", class_=shade))
    return tag("g", tag("title", f"{what}: {found:,} of {total:,}, {100 * part:.0f} %"), box, texts, class_="cell")


def dumbbell(before: Point, after: Point) -> Markup:
    """Two scores with intervals on one line from 0 to 100 per cent, for a cell of a table."""
    width, height = 190.0, 34.0

    def at(value: float) -> float:
        return 6 + value * (width - 12)

    marks = []
    for slot, y, point in ((7, 11.0, before), (1, 23.0, after)):
        low, high = at(point.low or 0.0), at(point.high if point.high is not None else point.y)
        bar = tag("line", x1=low, x2=high, y1=y, y2=y, class_="doubt")
        dot = tag("path", d=mark(1, at(point.y), y, 4), class_="mark")
        marks.append(tag("g", tag("title", point.tip), bar, dot, class_=f"s{slot}"))
    lines = [tag("line", x1=at(v), x2=at(v), y1=2, y2=height - 2, class_="grid") for v in (0, 0.25, 0.5, 0.75, 1)]
    tips = f"before {before.tip}, after {after.tip}"
    return tag(
        "svg", lines, marks, viewBox=f"0 0 {width:.0f} {height:.0f}", class_="inline", role="img", aria_label=tips
    )


def whisker(point: Point, reach: float) -> Markup:
    """A gain with its interval around zero, for a cell of a table; `reach` is the same for all of its column."""
    width, height = 190.0, 22.0

    def at(value: float) -> float:
        return width / 2 + value / reach * (width / 2 - 6)

    low, high = (point.y if end is None else end for end in (point.low, point.high))
    zero = tag("line", x1=width / 2, x2=width / 2, y1=0, y2=height, class_="zero")
    bar = tag("line", x1=at(low), x2=at(high), y1=height / 2, y2=height / 2, class_="doubt")
    dot = tag("path", d=mark(1, at(point.y), height / 2), class_="mark")
    drawn = tag("g", tag("title", point.tip), bar, dot, class_="s1" if low > 0 else "s2" if high < 0 else "s7")
    size = f"0 0 {width:.0f} {height:.0f}"
    return tag("svg", zero, drawn, viewBox=size, class_="inline", role="img", aria_label=point.tip)


def span(point: Point, reach: tuple[float, float], slot: int, came: Point | None = None) -> Markup:
    """A forecast with its interval, for a cell of a table, and what came of it if that is known.

    Args:
        point: The forecast; both ends of its interval are known.
        reach: What the cell's ends stand for, the same for all of its column.
        slot: Colour and shape.
        came: What came out, drawn with a rim.
    """
    width, height = 190.0, 22.0

    def at(value: float) -> float:
        return 8 + (value - reach[0]) / max(reach[1] - reach[0], 1e-12) * (width - 16)

    low, high = (point.y if end is None else end for end in (point.low, point.high))
    way = tag("line", x1=at(low), x2=at(high), y1=height / 2, y2=height / 2, class_="doubt")
    ends = [tag("line", x1=at(x), x2=at(x), y1=height / 2 - 4, y2=height / 2 + 4, class_="doubt") for x in (low, high)]
    dot = tag("path", d=mark(slot, at(point.y), height / 2, 3.6), class_="mark")
    drawn = [tag("g", tag("title", point.tip), way, ends, dot, class_=f"s{slot}")]
    if came is not None:
        rim = tag("path", d=mark(3, at(came.y), height / 2, 5), class_="mark")
        drawn.append(tag("g", tag("title", came.tip), rim, class_="s3 rim"))
    said = "; ".join(one.tip for one in (point, came) if one is not None)
    size = f"0 0 {width:.0f} {height:.0f}"
    return tag("svg", drawn, viewBox=size, class_="inline", role="img", aria_label=said)


def parts_bar(parts: Sequence[tuple[str, int, int]]) -> Markup:
    """What a whole falls into, as (name, count, slot), for a cell of a table; a small part stays visible."""
    width, height, x = 190.0, 14.0, 0.0
    total = sum(count for _, count, _ in parts)
    least = 2.0 * sum(count > 0 for _, count, _ in parts)
    drawn = []
    for name, count, slot in parts:
        if count:
            size = 2.0 + (width - least) * count / total
            box = tag("rect", x=x, y=0, width=max(size - 0.8, 1.2), height=height)
            drawn.append(tag("g", tag("title", f"{name}: {count:,} of {total:,}"), box, class_=f"part s{slot}"))
            x += size
    said = ", ".join(f"{count:,} {name}" for name, count, _ in parts) or "nothing"
    view = f"0 0 {width:.0f} {height:.0f}"
    return tag("svg", drawn, viewBox=view, class_="inline bar", role="img", aria_label=said)


def _series(plane: Plane, series: Series) -> Markup:
    places = [(plane.at_x(point.x) + series.shift, plane.at_y(point.y)) for point in series.points]
    way = None
    if series.joined and len(places) > 1:
        way = tag("path", d=_way(places), class_="way")
    marks = []
    for point, (x, y) in zip(series.points, places, strict=True):
        bar = None
        if point.low is not None and point.high is not None:
            bar = tag("line", x1=x, x2=x, y1=plane.at_y(point.low), y2=plane.at_y(point.high), class_="doubt")
        dot = tag("path", d=mark(series.slot, x, y, 5 if series.outlined else 4), class_="mark")
        marks.append(tag("g", tag("title", f"{series.name}: {point.tip}"), bar, dot))
    return tag("g", way, marks, class_=f"s{series.slot}" + (" rim" if series.outlined else ""))


def _band(plane: Plane, band: Band) -> Markup:
    across = [plane.at_x(point.x) for point in band.points]
    ends = [(point.y if end is None else end) for point in band.points for end in (point.low, point.high)]
    lows, highs = ([plane.at_y(end) for end in ends[side::2]] for side in (0, 1))
    rim = [*zip(across, highs, strict=True), *reversed([*zip(across, lows, strict=True)])]
    area = tag("path", d=_way(rim) + "z", class_="band")
    middle = [*zip(across, (plane.at_y(point.y) for point in band.points), strict=True)]
    marks = [
        tag("g", tag("title", f"{band.name}: {point.tip}"), tag("path", d=mark(band.slot, x, y, SMALL), class_="mark"))
        for point, (x, y) in zip(band.points, middle, strict=True)
    ]
    return tag("g", area, tag("path", d=_way(middle), class_="way broken"), marks, class_=f"s{band.slot}")


def _way(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)


def _levels(plane: Plane, levels: Sequence[Level]) -> Markup:
    at = [plane.at_y(level.y) for level in levels]
    labels = spread(at, 14, plane.top + 4, plane.bottom - 4)
    drawn = []
    for level, y, label in zip(levels, at, labels, strict=True):
        line = tag("line", x1=plane.left, x2=plane.right, y1=y, y2=y, class_="level")
        bent = tag("path", d=f"M{number(plane.right)} {number(y)}l6 {number(label - y)}", class_="leader")
        name = tag("text", level.name, x=plane.right + 9, y=label + 4)
        drawn.append(tag("g", tag("title", f"{level.name}: {level.tip}"), line, bent, name, class_=f"s{level.slot}"))
    return join(drawn)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
