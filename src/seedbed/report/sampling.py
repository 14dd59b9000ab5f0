"""The pool of sampled solutions: what the budget was spent on, why, whether the forecast held, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.report.charts import Point, span, swatch
from seedbed.report.html import Content, Markup, tag
from seedbed.report.page import Line, Section, facts, figures, lead, table
from seedbed.report.pool_chart import coverage_chart, slots
from seedbed.report.words import (
    UNITS,
    Found,
    amount,
    amounts,
    bare_amount,
    count,
    counts,
    fraction,
    per_cent,
    score,
    several,
)

BOUGHT = {
    "coverage": "% of the problems solved",
    "unique": "different right solutions",
    "student": "worth to a student, the sum of log(1 + solutions) over problems",
}
"""What each objective counts."""

WAYS = {
    "fixed": "all of it on one teacher, all problems alike",
    "mixture": "an equal part of it on every teacher, all problems alike",
    "cascade": "first a few draws of every problem from the cheaper teacher, then the dearer one for what is unsolved",
    "adaptive": "draw by draw, each where it is expected to bring most for its cost",
}
"""What each kind of option means."""


def sampling_section(result: Mapping[str, Any]) -> Section | None:
    """What was decided and why, what it brought, and how each teacher did; None for a run that samples nothing."""
    found = result.get("sampling")
    if not found:
        return None
    drawn = coverage_chart(found)
    made: list[Content] = [
        lead(_how_to_read(found)),
        facts((name, said) for name, said in _decision(found) if said),
        figures(drawn, _pool_table(found)) if drawn else _pool_table(found),
        _options_table(found) if "plan" in found else None,
        _teachers_table(found),
    ]
    return Section("sampling", "What the budget was spent on, and what came of it", made)


def holds(found: Found) -> bool | None:
    """Whether what came out lies inside the interval of the plan's forecast; None where nothing was forecast."""
    if found.get("forecast") is None or found.get("came_out") is None:
        return None
    return bool(found["forecast"]["low"] <= found["came_out"] <= found["forecast"]["high"])


def held_pill(found: Found) -> Markup | None:
    """`forecast held` or `forecast missed` in a frame."""
    held = holds(found)
    if held is None:
        return None
    look = "clear-gain" if held else "clear-loss"
    return tag("span", f"forecast {'held' if held else 'missed'}", class_=f"pill {look}")


def pool_answer(found: Found) -> str:
    """The pool in a few sentences, for the top of a page."""
    came = found["outcome"]
    said = (
        f"{count(came['solved'])} of {several(found['problems'], 'problem')} are solved, with "
        f"{several(came['found'], 'different right solution')}, for {amount(found['spent'], found['unit'])}."
    )
    verdict = {
        True: " The forecast held: ",
        False: " The forecast did not hold: ",
        None: "",
    }[holds(found)]
    return said + (f"{verdict}{_beside_forecast(found)}." if verdict else "")


def pool_tiles(found: Found) -> list[tuple[str, Content]]:
    """The pool in a few numbers."""
    came, unit = found["outcome"], found["unit"]
    said = f"{several(came['draws'], 'draw')}, {amount(found['spent'], unit)}"
    shown: list[tuple[str, Content]] = [
        ("problems solved, %", [score(came["coverage"]), _told(found, "coverage"), tag("small", said)]),
        ("different right solutions", [count(came["found"]), _told(found, "unique")]),
    ]
    for name, which in (("a solved problem", "cost_per_solved"), ("a different right solution", "cost_per_unique")):
        if came[which] is not None:
            shown.append((f"cost of {name}, {UNITS[unit]}", amounts(came[which], unit)))
    return shown


def _told(found: Found, goal: str) -> Content:
    """The forecast, under the number that it was about."""
    if holds(found) is None or found["objective"] != goal:
        return None
    return [" ", held_pill(found), tag("small", f"forecast {_forecast(found['forecast'], goal)}")]


def _how_to_read(found: Found) -> str:
    if "plan" not in found:
        return (
            "A solution counts as right when it ends as gold does, and as different when no other right solution of "
            "its problem has the same equations or words, as the recipe says. Brackets are 95 % intervals."
        )
    pilot = found["pilot"]
    return (
        f"A pilot drew {several(pilot['samples'], 'solution')} to each of {several(pilot['problems'], 'problem')} from "
        "every teacher. Everything forecast here was forecast from it, before the rest of the budget was spent. "
        "Brackets are 95 % intervals."
    )


def _decision(found: Found) -> list[tuple[str, Content]]:
    return [
        ("asked for", _asked(found)),
        ("decided", _decided(found)),
        ("why", _why(found)),
        ("did the forecast hold?", _held(found)),
        ("spent", _spent(found)),
    ]


def _asked(found: Found) -> str:
    problems, budget = several(found["problems"], "problem"), found.get("budget")
    if budget is None:
        return f"a fixed number of draws of each of {problems} from {', '.join(found['teachers'])}"
    wanted = "as many solved as possible" if found["objective"] == "coverage" else f"as much {BOUGHT['student']}"
    wanted = "as many different right solutions as possible" if found["objective"] == "unique" else wanted
    return f"{wanted} for {problems}, with {amount(budget, found['unit'])}"


def _decided(found: Found) -> Content:
    option = chosen(found)
    if option is None:
        return [tag("b", f"all on {found['strategy']}"), ", all problems alike"]
    draws = ", ".join(f"{number:.1f} from {teacher}" for teacher, number in option["draws"].items())
    return [tag("b", option["name"]), f": {WAYS.get(option['kind'], option['kind'])}; draws of a problem: {draws}"]


def _why(found: Found) -> str:
    option = chosen(found)
    if option is None:
        return "The recipe names the teacher. There was no pilot, and nothing was forecast."
    plan = found["plan"]
    told = next(one for one in plan["options"] if one["name"] == plan["recommended"])
    if found["strategy"] == "auto":
        said = _why_best(found, option)
    elif told is option:
        said = "The recipe asks for it, and the plan recommends it, too."
    else:
        forecast = _forecast(told["forecast"], found["objective"])
        said = f"The recipe asks for it; the plan recommends {told['name']}, {forecast}."
    if len(found["pilot"]["teachers"]) > 1:
        said += f" With all of the budget on one teacher, {plan['better']} brings more with probability "
        said += _chance(plan["better_probability"]) + "."
    return said


def _why_best(found: Found, option: Found) -> str:
    """How the option that was taken stands to the best of the others."""
    options, goal, unit = found["plan"]["options"], found["objective"], found["unit"]
    others = [one for one in options if one["name"] != option["name"]]
    mine = f"{_forecast(option['forecast'], goal)} {_counted(goal)}"
    if not others:
        return f"There is no other way to spend the budget; the forecast is {mine}."
    best = max(others, key=lambda one: float(one["forecast"]["value"]))
    theirs = _forecast(best["forecast"], goal)
    if best["forecast"]["value"] > option["forecast"]["value"]:
        costs = f"{amount(option['spent'], unit)} against {amount(best['spent'], unit)}"
        return (
            f"Its forecast, {mine}, is near the best of {len(options)} ways to spend the budget, {theirs} of "
            f"{best['name']}; of those that can hardly be told apart it is expected to cost least, {costs}."
        )
    said = f"Of {len(options)} ways to spend the budget it has the best forecast, {mine}; the next best is "
    said += f"{best['name']} with {theirs}."
    if best["forecast"]["value"] >= option["forecast"]["low"]:
        said += " That lies inside the interval of the first: the choice is not a clear one."
    return said


def _held(found: Found) -> Content:
    held = holds(found)
    if held is None:
        return None
    said = f"{'Yes' if held else 'No'}: {_beside_forecast(found)}."
    checks = found.get("checks")
    if checks:
        right, worst = sum(one["holds"] for one in checks), max(abs(one["error"]) for one in checks)
        said += (
            f" The curve of coverage held at {right} of {several(len(checks), 'number')} of draws, on the problems "
            f"that the pilot had not seen; it was off by {100 * worst:.1f} points at most."
        )
    return said


def _spent(found: Found) -> str:
    unit, spent, budget = found["unit"], found["spent"], found.get("budget")
    said = amount(spent, unit)
    if budget:
        said += f", {100 * spent / budget:.0f} % of the budget"
    if found.get("pilot") and spent:
        pilot = found["pilot"]["spent"]
        part = f"{amount(pilot, unit)} of it, {100 * pilot / spent:.0f} %"
        said += f"; {part}, was the pilot, whose draws stay in the pool"
    return said


def chosen(found: Found) -> Found | None:
    """The plan's option that the budget went to."""
    options: Sequence[Found] = found["plan"]["options"] if "plan" in found else ()
    return next((one for one in options if one["name"] == found.get("chosen")), None)


def _beside_forecast(found: Found) -> str:
    goal, told, came = found["objective"], found["forecast"], found["came_out"]
    if holds(found):
        where = "inside the interval"
    else:
        where = "below the interval" if came < told["low"] else "above the interval"
    if goal == "coverage":
        return f"{_forecast(told, goal)} % solved were forecast and {_value(came, goal)} % came out, {where}"
    return f"{_forecast(told, goal)} {_counted(goal)} were forecast and {_value(came, goal)} came out, {where}"


def _counted(goal: str) -> str:
    """What a number counts, after the number."""
    return {"coverage": "% solved", "unique": "different right solutions"}.get(goal, "of worth to a student")


def _value(value: float, goal: str) -> str:
    return f"{100 * value:.1f}" if goal == "coverage" else count(round(value))


def _forecast(told: Found, goal: str) -> str:
    if goal == "coverage":
        return per_cent(told)
    return f"{count(round(told['value']))} [{count(round(told['low']))}, {count(round(told['high']))}]"


def _chance(probability: float) -> str:
    return "above 0.99" if probability > 0.995 else "below 0.01" if probability < 0.005 else f"{probability:.2f}"


def _options_table(found: Found) -> Markup:
    """Every way to spend the budget with its forecast; what was chosen, with what came of it, stands out."""
    goal, options, unit = found["objective"], found["plan"]["options"], found["unit"]
    reach = _reach([one["forecast"] for one in options], found.get("came_out"))
    lines = []
    for one in options:
        is_chosen = one["name"] == found.get("chosen")
        came = Point(0, found["came_out"], tip=f"came out: {_value(found['came_out'], goal)}") if is_chosen else None
        told = one["forecast"]
        shown = Point(0, told["value"], told["low"], told["high"], f"forecast: {_forecast(told, goal)}")
        draws = ", ".join(f"{number:.1f} {teacher}" for teacher, number in one["draws"].items())
        forecast = score(told) if goal == "coverage" else counts(told)
        outcome: Content = [_value(came.y, goal), " ", held_pill(found)] if came else None
        name: Content = [one["name"], tag("small", "chosen")] if is_chosen else one["name"]
        cells = [name, draws, span(shown, reach, 1, came), forecast, outcome, bare_amount(one["spent"], unit)]
        lines.append(Line(cells, "chosen" if is_chosen else None))
    wide = f"{_value(reach[0], goal)} to {_value(reach[1], goal)}"
    head = ("way to spend it", "draws of a problem", wide, "forecast", "came out", f"expected cost, {UNITS[unit]}")
    caption = (
        f"Every way to spend the budget: {BOUGHT[goal]}, best forecast first. The rimmed mark is what came out; what "
        "the other ways would have brought is not known"
    )
    return table(caption, head, lines, text=(1,))


def _reach(told: Sequence[Found], came: float | None) -> tuple[float, float]:
    """What the cells of a column show: all intervals, and what came out."""
    ends = [end for one in told for end in (one["low"], one["high"])] + ([came] if came is not None else [])
    return min(ends), max(ends)


def _pool_table(found: Found) -> Markup:
    came, unit, problems = found["outcome"], found["unit"], found["problems"]
    unknown = came["false_positives"] or {}
    left = f"{count(unknown['unchecked'])} not checkable" if unknown.get("unchecked") else ""
    lines = [
        Line(
            ["problems solved, %", score(came["coverage"]), _unbroken(f"{count(came['solved'])} of {count(problems)}")]
        ),
        Line(
            [
                "different right solutions of a problem",
                fraction(came["unique"]),
                _unbroken(f"{count(came['found'])} in all"),
            ]
        ),
        Line(["right answers by wrong steps, %", score(came["false_positives"]), left]),
        Line(["cost of a solved problem", amounts(came["cost_per_solved"], unit), UNITS[unit]]),
        Line(["cost of a different right solution", amounts(came["cost_per_unique"], unit), UNITS[unit]]),
    ]
    caption = f"What the pool of {several(came['draws'], 'draw')} holds, and at what cost, over all problems"
    return table(caption, ("measure", "value", ""), lines)


def _teachers_table(found: Found) -> Markup:
    """One line per teacher; only the pilot gave all of them the same problems."""
    unit, pilot, slot = found["unit"], found.get("pilot"), slots(found)
    lines = []
    for name, one in found["teachers"].items():
        cells: list[Content] = [
            [swatch(slot[name]), " ", name, tag("small", one["address"])],
            [count(one["draws"]), tag("small", f"of {several(one['problems'], 'problem')}", class_="num")],
        ]
        if pilot:
            cells.append(score(pilot["teachers"].get(name, {}).get("right")))
        cells += [score(one["right"]), score(one["false_positives"]), _bare(one["cost_per_draw"], unit)]
        cells += [_bare(one["cost"], unit), f"{_tokens(one['tokens_in'])} / {_tokens(one['tokens_out'])}"]
        lines.append(Line(cells))
    first = ["teacher", "draws", *(["right in the pilot, %"] if pilot else [])]
    costs = [f"cost of a draw, {UNITS[unit]}", f"cost, {UNITS[unit]}"]
    head = (*first, "right, all draws, %", "right by wrong steps, %", *costs, "tokens read / written a draw")
    caption = "The teachers"
    option = chosen(found)
    if option is not None and option["kind"] in ("adaptive", "cascade"):
        caption += (
            ". Only the pilot's column compares them: later draws went where they were expected to bring most, and not "
            "to the same problems from every teacher"
        )
    return table(caption, head, lines)


def _unbroken(text: str) -> Markup:
    return tag("span", text, class_="num")


def _bare(value: float | None, unit: str) -> str:
    return "unknown" if value is None else bare_amount(value, unit)


def _tokens(value: float | None) -> str:
    return "unknown" if value is None or math.isnan(value) else count(round(value))


def pools_table(pools: Mapping[str, Found]) -> Markup:
    """What several pools hold and cost, one line each."""
    units = {found["unit"] for found in pools.values()}
    shared = units.pop() if len(units) == 1 else None
    lines = []
    for name, found in pools.items():
        came, unit = found["outcome"], found["unit"]
        draws = ", ".join(f"{count(one['draws'])} {teacher}" for teacher, one in found["teachers"].items())
        went = found.get("chosen") or f"all on {found['strategy']}"
        lines.append(
            Line(
                [
                    [name, tag("small", went)],
                    draws,
                    _bare(found["spent"], unit) if shared else amount(found["spent"], unit),
                    score(came["coverage"]),
                    count(came["found"]),
                    score(came["false_positives"]),
                    [amounts(came["cost_per_unique"], unit), None if shared else f" {UNITS[unit]}"],
                    held_pill(found),
                ]
            )
        )
    money = f", {UNITS[shared]}" if shared else ""
    head = ("method", "draws", f"spent{money}", "problems solved, %", "different right solutions")
    more = ("right by wrong steps, %", f"cost of a different right solution{money}", "forecast")
    return table("Pools by method, with 95 % intervals over problems", (*head, *more), lines, text=(1,))
