"""The last student under the lens: confusion, slices, and how its rows differ from gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.estimate import wilson
from seedbed.report.axes import place_axis, share_axis
from seedbed.report.charts import Point, Series, dumbbell, heat_map, legend, line_chart, scatter
from seedbed.report.html import Content, Markup
from seedbed.report.page import Line, Section, figure, figures, lead, table
from seedbed.report.words import count, fraction, gain, metric, per_cent, pill, score

MAP_SLOTS = {"gold": 7, "seed rows": 2, "additions": 1}


def confusion_section(result: Mapping[str, Any], first: Sequence[Sequence[int]] | None) -> Section | None:
    """Which labels are taken for which, under the first and the last student."""
    evaluation = result["evaluation"]
    if "confusion" not in evaluation:
        return None
    labels, last = evaluation["labels"], evaluation["confusion"]
    drawn = []
    for name, counts in (("first student", first), ("last student", last)):
        if counts is not None:
            text = _recall_text(labels, counts)
            note = "Test rows; the darker, the larger the share of its line. The diagonal is right."
            drawn.append(
                figure(name.capitalize(), note, heat_map(f"Confusion matrix of the {name}", text, labels, counts))
            )
    lines = []
    for at, label in enumerate(labels):
        before = None if first is None else wilson(first[at][at], sum(first[at])).to_dict() if sum(first[at]) else None
        after = wilson(last[at][at], sum(last[at])).to_dict() if sum(last[at]) else None
        lines.append(Line([label, count(sum(last[at])), score(before), score(after)]))
    recall = table(
        "Share of each label's test rows that are answered right",
        ("label", "test rows", "first student %", "last student %"),
        lines,
    )
    said = lead("Which answers are taken for which. Each line is the right answer, each column what the student said.")
    return Section("confusion", "What is taken for what", [said, figures(*drawn), recall])


def _recall_text(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    return "; ".join(
        f"{label}: {row[at]} of {sum(row)} right" for at, (label, row) in enumerate(zip(labels, counts, strict=True))
    )


def slices_section(result: Mapping[str, Any]) -> Section | None:
    """The groups of rows where the first student was weakest, then and at the end."""
    slices = result["evaluation"].get("slices")
    if not slices:
        return None
    name = metric(result["metric"])
    lines = [
        Line(
            [
                one["name"],
                count(one["n"]),
                dumbbell(
                    *(
                        Point(0, e["value"], e["low"], e["high"], f"{per_cent(e)} %")
                        for e in (one["before"], one["after"])
                    )
                ),
                score(one["before"]),
                score(one["after"]),
                gain(one["gain"]),
                pill(one["gain"]),
            ]
        )
        for one in slices
    ]
    said = lead(
        "Groups of test rows with one thing in common. They were chosen, weakest first under the first student, on one "
        "random half of the test rows and are measured here on the other half, so that luck is not shown as a gain. "
        "With several slices, one in twenty intervals misses by chance."
    )
    head = ("slice", "rows", "0 to 100 %", f"before, {name} %", "after, %", "gain, points", "verdict")
    made = [
        said,
        legend([("first student", 7), ("last student", 1)]),
        table("The weakest slices, before and after", head, lines),
    ]
    return Section("slices", "Where the student was weakest", made)


def truth_section(result: Mapping[str, Any]) -> Section | None:
    """What only a known world can tell: how wrong the rows are, and what they lack."""
    stages = [stage for stage in result["stages"] if stage["truth"]]
    if not stages:
        return None
    wrong = "wrong labels" if result["task"]["kind"] == "classification" else "wrong answers"
    names = [f"round {stage['round']}" if stage["round"] else "seed rows" for stage in stages]
    kinds = {
        "total_variation": ("total variation to gold", 1),
        "total_variation_of_gold": ("total variation of as many gold rows, by chance", 7),
        "missing_tails": ("missing tails", 2),
        "wrong_labels": (wrong, 5),
    }
    lines = [
        Line([name, count(stage["trained_on"]), *(f"{100 * stage['truth'][key]:.1f}" for key in kinds)])
        for name, stage in zip(names, stages, strict=True)
    ]
    head = (
        "rows up to",
        "rows trained on",
        "total variation %",
        "of gold by chance %",
        "missing tails %",
        f"{wrong} %",
    )
    made = [
        lead(
            "In a known world the truth about every row can be counted. Total variation is how much probability would "
            "have to move to turn these rows into gold; as many real gold rows would show the grey value by chance "
            "alone, so that is as low as it can be expected to go. Missing tails is the share of gold that lies where "
            "no row was written. These are counts over exactly these rows, not estimates, so they carry no interval."
        ),
        figures(_truth_chart(stages, names, kinds)),
        table("The truth about the synthetic rows", head, lines),
    ]
    return Section("truth", "What the known world tells", made)


def _truth_chart(
    stages: Sequence[Mapping[str, Any]], names: Sequence[str], kinds: Mapping[str, tuple[str, int]]
) -> Markup:
    series = []
    for key, (name, slot) in kinds.items():
        values = [100 * stage["truth"][key] for stage in stages]
        marks = [Point(at, value, tip=f"{names[at]}, {value:.1f} %") for at, value in enumerate(values)]
        series.append(Series(name, slot, marks))
    text = "; ".join(f"{one.name}: {', '.join(mark.tip for mark in one.points)}" for one in series)
    few = names if len(names) <= 5 else [str(stage["round"]) for stage in stages]
    y = share_axis("per cent, lower is better", [0.0, *(mark.y / 100 for one in series for mark in one.points)])
    drawn = line_chart("The truth about the rows", text, place_axis("rows up to", few), y, series)
    note = "All accepted synthetic rows up to each round."
    return figure("How far the rows are from gold", note, legend((s.name, s.slot) for s in series), drawn)


def shift_section(result: Mapping[str, Any]) -> Section | None:
    """How the synthetic rows differ from the gold that may be looked at."""
    evaluation = result["evaluation"]
    shift, places = evaluation.get("shift"), evaluation.get("map")
    if not shift and not places:
        return None
    made: list[Content] = [
        lead(
            "Synthetic rows beside steering and select gold. Test rows are not on this map. Rows that look different "
            "are not useless for that; rows that leave parts of gold uncovered cannot teach them."
        )
    ]
    if places:
        made.append(figures(*_maps(places)))
    if shift:
        made.append(_shift_table(shift))
    return Section("shift", "How the rows differ from gold", made)


def _maps(places: Mapping[str, Sequence[Sequence[float]]]) -> list[Markup]:
    """Seed rows over gold, and additions over the same gold: where did the additions go?"""
    everything = [place for found in places.values() for place in found]
    across, up = [x for x, _ in everything], [y for _, y in everything]
    box = (min(across), min(up), max(across), max(up))
    gold = places.get("gold", [])
    made = []
    for name, found in places.items():
        if name == "gold" or not found:
            continue
        groups = [("gold", MAP_SLOTS["gold"], gold), (name, MAP_SLOTS.get(name, 4), found)]
        text = f"{len(found)} {name} among {len(gold)} gold rows; texts that share words lie near each other."
        names = legend((f"{one} ({len(which)})", slot) for one, slot, which in groups)
        note = "Texts that share words lie near each other; distances between far groups mean nothing."
        made.append(
            figure(f"{name.capitalize()} over gold", note, names, scatter(f"Map of {name} and gold", text, groups, box))
        )
    return made


def _shift_table(shift: Mapping[str, Any]) -> Markup:
    def line(name: str, key: str, says: str) -> Line:
        return Line([name, f"{shift[key]['made']:.2f}", f"{shift[key]['gold']:.2f}", says])

    apart = "AUC of a classifier: 0.50 if it cannot tell rows from gold, 1.00 if it always can"
    covered = "gold rows with a synthetic row as near as a gold row would be; a second draw of gold would reach 90 %"
    lines = [
        Line(["told apart from gold", fraction(shift["auc"]), "–", apart]),
        Line(["gold covered, %", score(shift["coverage"]), "–", covered]),
        line("different words", "distinct_1", "as a share of all words; more is more varied"),
        line("different word pairs", "distinct_2", "as a share of all pairs of neighbours"),
        line("nearest other row", "nearest", "mean similarity to it; more is more repetitive"),
    ]
    caption = (
        f"Measures of shift; the last three are counts on {count(shift['rows'])} rows of each side, to compare only"
    )
    return table(caption, ("measure", "these rows", "gold itself", "what it says"), lines, text=(3,))
