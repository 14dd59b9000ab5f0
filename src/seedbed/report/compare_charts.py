"""Charts of a comparison: score by student, cost beside gain, and the truth of a known world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seedbed.report.axes import place_axis, share_axis
from seedbed.report.charts import Level, Point, Series, legend, line_chart
from seedbed.report.html import Markup
from seedbed.report.page import Line, Section, figure, figures, lead, table
from seedbed.report.score_charts import cost_axis, in_per_cent, point, score_axis
from seedbed.report.words import count, is_estimate, metric, several, usd

Found = Mapping[str, Any]

SLOTS = {"s3": 1, "plain+gold": 2, "s3+gold": 3, "goldgen": 4, "progen": 5, "gold": 6, "plain": 7, "zerogen": 8}


def rounds_section(found: Found) -> Section:
    """Score by student and by what was spent."""
    name = metric(found["metric"])
    made = figures(_rounds_chart(found, name), _cost_chart(found, name))
    said = (
        "Methods that go round train a student after every round; methods that ask once have one student, shown as a "
        "line across. Bars are 95 % intervals."
    )
    if _has_bare_means(found):
        said += " Points without a bar are means over the rng seeds."
    return Section("rounds", "Score and cost, round by round", [lead(said), made])


def _has_bare_means(found: Found) -> bool:
    return any(
        not is_estimate(stage["test"]) for method in found["methods"].values() for stage in method["stages"][:-1]
    )


def stage_points(method: Found, across: Sequence[float]) -> list[Point]:
    """Test score of every student of a method; the last carries the interval of the whole method."""
    made = []
    last = len(method["stages"]) - 1
    for at, (x, stage) in enumerate(zip(across, method["stages"], strict=True)):
        found = stage["test"] if is_estimate(stage["test"]) else method["test"] if at == last else None
        paid = f"{count(stage['requests'])} requests, {usd(stage['usd'])} usd: "
        if found is not None:
            made.append(point(x, found, paid))
        else:
            made.append(
                Point(
                    x, stage["test"], tip=f"{paid}{100 * stage['test']:.1f} %, mean of {several(stage['runs'], 'run')}"
                )
            )
    return made


def _rounds_chart(found: Found, name: str) -> Markup:
    methods = found["methods"]
    looped = {key: method for key, method in methods.items() if len(method["stages"]) > 1}
    series = []
    for at, (key, method) in enumerate(looped.items()):
        shift = 6.0 * (at - (len(looped) - 1) / 2)
        series.append(Series(key, slot_of(key, methods), stage_points(method, range(len(method["stages"]))), shift))
    levels = [
        Level(key, slot_of(key, methods), 100 * method["test"]["value"], point(0, method["test"]).tip)
        for key, method in methods.items()
        if key not in looped
    ]
    longest = max((len(method["stages"]) for method in looped.values()), default=1)
    x = place_axis("student, in order of training", [f"{number}" for number in range(1, longest + 1)])
    text = "; ".join(f"{one.name}: {mark.tip}" for one in series for mark in one.points[-1:])
    text += "; ".join(["", *(f"{level.name}: {level.tip}" for level in levels)])
    y = score_axis(f"test {name}, %", series, [level.y / 100 for level in levels])
    drawn = line_chart("Score by student", text, x, y, in_per_cent(series), levels=levels)
    names = legend((one.name, one.slot) for one in series)
    return figure(
        "Score of each method's students",
        "1 is trained on the seed rows; the others after each further step.",
        names,
        drawn,
    )


def _cost_chart(found: Found, name: str) -> Markup:
    methods = found["methods"]
    prices = [stage["usd"] for method in methods.values() for stage in method["stages"]]
    priced = all(price is not None for price in prices) and any(prices)
    series = []
    across = {key: [stage["usd" if priced else "requests"] for stage in m["stages"]] for key, m in methods.items()}
    shifts = _beside({key: spent[-1] for key, spent in across.items()})
    for key, method in methods.items():
        series.append(Series(key, slot_of(key, methods), stage_points(method, across[key]), shifts[key]))
    text = "; ".join(f"{one.name}: {mark.tip}" for one in series for mark in one.points[-1:])
    money = "simulated usd" if found["is_simulated"] else "usd"
    x = cost_axis([mark.x for one in series for mark in one.points], f"{money} spent" if priced else "requests")
    drawn = line_chart("Cost beside gain", text, x, score_axis(f"test {name}, %", series), in_per_cent(series))
    names = legend((one.name, one.slot) for one in series)
    return figure("Cost beside gain", "Up is better, left is cheaper.", names, drawn)


def _beside(ends: Mapping[str, float]) -> dict[str, float]:
    """Shifts that set marks side by side where methods end at nearly one place, as they do at an equal budget."""
    width = max(ends.values(), default=0.0) / 50 or 1.0
    places: dict[int, list[str]] = {}
    for key, end in sorted(ends.items(), key=lambda one: one[1]):
        places.setdefault(round(end / width), []).append(key)
    return {key: 6.0 * (at - (len(keys) - 1) / 2) for keys in places.values() for at, key in enumerate(keys)}


def truth_section(found: Found) -> Section | None:
    """Total variation by student, missing tails and wrong labels; None where the truth is not known."""
    methods = {key: m for key, m in found["methods"].items() if any(stage["truth"] for stage in m["stages"])}
    if not methods:
        return None
    chance = [
        100 * stage["truth"]["total_variation_of_gold"]
        for m in methods.values()
        for stage in m["stages"]
        if stage["truth"]
    ]
    made = [
        lead(
            "In a known world it can be counted how much probability would have to move to turn a method's rows into "
            f"gold. As many gold rows would show {min(chance):.0f} to {max(chance):.0f} % by chance alone. These are "
            "counts over the rows that were made, averaged over the rng seeds."
        ),
        figures(_truth_chart(methods)),
        table(
            "The truth about each method's rows at the end",
            ("method", "total variation %", "of gold by chance %", "missing tails %", "wrong labels %"),
            _truth_lines(methods),
        ),
    ]
    return Section("truth", "What the known world tells", made)


def _truth_chart(methods: Mapping[str, Found]) -> Markup:
    series, levels = [], []
    for at, (key, method) in enumerate(methods.items()):
        values = [(x, 100 * s["truth"]["total_variation"]) for x, s in enumerate(method["stages"]) if s["truth"]]
        tips = [Point(x, value, tip=f"{value:.1f} %") for x, value in values]
        if len(tips) > 1:
            series.append(Series(key, slot_of(key, methods), tips, 3.0 * (at - (len(methods) - 1) / 2)))
        else:
            levels.append(Level(key, slot_of(key, methods), tips[0].y, tips[0].tip))
    longest = max(len(method["stages"]) for method in methods.values())
    x = place_axis("student, in order of training", [f"{number}" for number in range(1, longest + 1)])
    ends = [0.0, *(mark.y / 100 for one in series for mark in one.points), *(level.y / 100 for level in levels)]
    y = share_axis("per cent, lower is better", ends)
    text = "; ".join(f"{one.name}: {', '.join(mark.tip for mark in one.points)}" for one in series)
    drawn = line_chart("Total variation by student", text, x, y, series, levels=levels)
    names = legend((one.name, one.slot) for one in series)
    return figure("Total variation to gold", "Gold rows that were trained on are left out.", names, drawn)


def _truth_lines(methods: Mapping[str, Found]) -> list[Line]:
    keys = ("total_variation", "total_variation_of_gold", "missing_tails", "wrong_labels")
    return [
        Line([key, *(f"{100 * truth[one]:.1f}" for one in keys)])
        for key, method in methods.items()
        if (truth := final_truth(method))
    ]


def final_truth(method: Found) -> Found | None:
    """The truth about all rows of a method; None where it is not known or there are no rows."""
    stages = method["stages"]
    truth: Found | None = stages[-1]["truth"] if stages else None
    return truth or None


def slot_of(method: str, methods: Iterable[str]) -> int:
    """Colour and shape of a method, the same on every chart; teachers, whose names are free, go by their place."""
    strangers = [name for name in methods if name not in SLOTS]
    return SLOTS[method] if method in SLOTS else 1 + strangers.index(method) % 8
