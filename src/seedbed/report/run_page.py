"""The report of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seedbed.report import accounts
from seedbed.report.axes import place_axis
from seedbed.report.charts import Series, legend, line_chart
from seedbed.report.evaluation import confusion_section, shift_section, slices_section, truth_section
from seedbed.report.examples import examples_section
from seedbed.report.files import RunFiles
from seedbed.report.html import Content, Markup, tag
from seedbed.report.page import Line, Section, facts, figure, figures, folded, lead, page, table, tiles, warning
from seedbed.report.sampling import pool_answer, pool_tiles, sampling_section
from seedbed.report.score_charts import cost_axis, in_per_cent, point, score_axis
from seedbed.report.words import amount, clearness, count, gain, metric, per_cent, pill, points, score, several, usd

Stage = Mapping[str, Any]

STOPPED = {
    "rounds": "all rounds of the recipe were done",
    "budget": "the budget ended",
    "gold exhausted": "the student made no mistakes on the steering gold any more",
    "no clear gain": "a round brought no clear gain on the select rows",
}

NOTE = (
    "A gain of the last student over the first does not say what made it: the last one had more rows too. Whether "
    "extrapolating mistakes beats as many plain rows, or simply training on the gold, is what a comparison shows "
    "(seedbed compare)."
)
POOL_NOTE = (
    "A gain of the last student over the first does not say whose solutions made it. Whether the planned pool teaches "
    "more than one bought from a single teacher at the same cost is what a comparison shows (seedbed compare)."
)


def run_page(run: RunFiles) -> str:
    """The HTML of a run's report."""
    result = run.result
    kind = "Report of a run" + (" in a known world, with a simulated teacher" if result["is_simulated"] else "")
    sections = [
        sampling_section(result),
        _scores_section(result),
        confusion_section(result, run.first_confusion),
        slices_section(result),
        examples_section(result, run.examples),
        truth_section(result),
        shift_section(result),
        _account_section(result, run.accounts),
        _gold_section(result),
        _provenance_section(run),
    ]
    return page(result["name"], f"seedbed · {kind}", _headline(result), sections)


def stage_name(stage: Stage, stages: Sequence[Stage]) -> str:
    """Where in the loop a student was trained."""
    rounds = [one["round"] for one in stages]
    if len(set(rounds)) < len(rounds):
        return str(stage["student"])
    return "seed rows" if stage["round"] == 0 else f"round {stage['round']}"


def _headline(result: Mapping[str, Any]) -> list[Content]:
    found, sampling = result["gain"], result.get("sampling")
    said: list[Content] = []
    if not result["complete"]:
        said.append(warning("This run is not complete: the budget ended first. The same command goes on with it."))
    if result["is_simulated"]:
        said.append(
            warning(
                tag("b", "The teacher is a simulation. "),
                f"{result['teacher']['model']} is a program that writes rows of a world whose truth is known; no "
                "language model was asked. The numbers say whether the method works there, not how good an LLM is.",
            )
        )
    over = "What did the budget buy?" if sampling and not found else "Did it help?"
    block = tag("div", tag("p", over, class_="over"), _answer(result), tiles(_tiles(result)), class_="headline")
    return [*said, block, tag("p", POOL_NOTE if sampling else NOTE, class_="note") if found else None]


def _answer(result: Mapping[str, Any]) -> Markup:
    found = result["gain"]
    if found is None and result.get("sampling"):
        return tag("p", pool_answer(result["sampling"]), _only_student(result), class_="answer")
    if found is None:
        scored = len(result["evaluation"].get("test", {}))
        why = "only one student was scored on test" if scored else "no student was scored on test"
        return tag("p", f"There is no gain to report: {why}.", class_="answer")
    said = {
        "clear gain": "Yes, clearly. The last student is better than the first on the sealed test rows",
        "clear loss": "No, it clearly hurt. The last student is worse than the first on the sealed test rows",
        "not clear": "Not clear. The test rows do not tell whether the last student is better than the first",
    }[clearness(found)]
    size = f": {points(found)} points of {metric(result['metric'])}, on {count(found['n'])} test rows."
    return tag("p", said + size, class_="answer")


def _only_student(result: Mapping[str, Any]) -> str | None:
    """What the one student that learned from the pool reaches; None where none was scored."""
    tested = [stage["test"] for stage in result["stages"] if stage["test"] is not None]
    if not tested:
        return None
    return f" The student trained on it reaches {per_cent(tested[-1])} % {metric(result['metric'])} on the test rows."


def _tiles(result: Mapping[str, Any]) -> list[tuple[str, Content]]:
    found, stages, spend = result["gain"], result["stages"], result["spend"]
    tested = [stage for stage in stages if stage["test"] is not None]
    shown: list[tuple[str, Content]] = []
    if found:
        shown.append(("gain, last over first student, points", [gain(found), " ", pill(found)]))
    name = metric(result["metric"])
    if result.get("sampling"):
        shown += pool_tiles(result["sampling"])
    if len(tested) > 1:
        shown.append((f"first student, test {name} %", score(tested[0]["test"])))
    if tested:
        shown.append((f"last student, test {name} %", score(tested[-1]["test"])))
    price = usd(spend["usd"]) + (" simulated usd" if result["is_simulated"] else " usd")
    if spend["usd"] is None and (pool := result.get("sampling")):
        price = amount(pool["spent"], pool["unit"])
    asked = "asked of the teachers" if len(_teachers(result)) > 1 else "asked of the teacher"
    shown.append((asked, [several(spend["requests"], "request"), tag("small", price)]))
    return shown


def _scores_section(result: Mapping[str, Any]) -> Section | None:
    stages = result["stages"]
    if not stages:
        return None
    name = metric(result["metric"])
    said = lead(
        "Every student is trained from its starting point on all rows accepted so far. ",
        "Select rows choose and stop; test rows stay sealed until the end and are the number to believe. ",
        "Bars and brackets are 95 % intervals.",
    )
    made = [said, figures(_rounds_chart(stages, name), _cost_chart(result, name)), _stages_table(result, name)]
    if f1 := result["evaluation"].get("f1"):
        made.append(tag("p", "Token F1 of the last student on test: ", score(f1), " %."))
    return Section("scores", "Score and cost, round by round", made)


def _rounds_chart(stages: Sequence[Stage], name: str) -> Markup | None:
    names = [stage_name(stage, stages) for stage in stages]
    series = []
    for split, slot, shift in (("test", 1, 4.0), ("select", 7, -4.0)):
        marks = [
            point(at, stage[split], f"{split}, {names[at]}: ")
            for at, stage in enumerate(stages)
            if stage[split] is not None
        ]
        if marks:
            series.append(Series(split, slot, marks, shift))
    if not series:
        return None
    few = names if len(names) <= 5 else [str(stage["round"]) for stage in stages]
    text = "; ".join(mark.tip for one in series for mark in one.points)
    x = place_axis("trained after" if few is names else "round", few)
    drawn = line_chart("Score by round", text, x, score_axis(f"{name}, %", series), in_per_cent(series))
    note = "Few select rows make wide intervals; they decide nothing alone."
    return figure("Score after each round", note, legend((one.name, one.slot) for one in series), drawn)


def _cost_chart(result: Mapping[str, Any], name: str) -> Markup | None:
    stages = [stage for stage in result["stages"] if stage["test"] is not None]
    if not stages:
        return None
    priced = all(stage["spend"]["usd"] for stage in stages)
    money = "simulated usd" if result["is_simulated"] else "usd"
    marks = [
        point(
            stage["spend"]["usd"] if priced else stage["spend"]["requests"],
            stage["test"],
            f"{stage_name(stage, stages)}, {_paid(stage, money)}: ",
        )
        for stage in stages
    ]
    series = [Series("test", 1, marks)]
    x = cost_axis([mark.x for mark in marks], f"{money} spent so far" if priced else "requests so far")
    drawn = line_chart(
        "Cost beside gain", "; ".join(m.tip for m in marks), x, score_axis(f"{name}, %", series), in_per_cent(series)
    )
    return figure(
        "What each step up had cost", "Test score of each student against what had been spent by then.", drawn
    )


def _paid(stage: Stage, money: str) -> str:
    return f"{several(stage['spend']['requests'], 'request')}, {usd(stage['spend']['usd'])} {money}"


def _stages_table(result: Mapping[str, Any], name: str) -> Markup:
    stages = result["stages"]
    lines = [
        Line(
            [
                [stage_name(stage, stages), tag("small", stage["student"])],
                count(stage["trained_on"]),
                count(stage["spend"]["requests"]),
                usd(stage["spend"]["usd"]),
                score(stage["select"]),
                score(stage["test"]),
            ]
        )
        for stage in stages
    ]
    money = "simulated usd" if result["is_simulated"] else "usd"
    head = (
        "student after",
        "rows trained on",
        "requests so far",
        f"{money} so far",
        f"select {name} %",
        f"test {name} %",
    )
    return table("Students, in order of training", head, lines)


def _account_section(result: Mapping[str, Any], found: Mapping[str, accounts.Account]) -> Section:
    steps, total = result["steps"], result["account"]
    made: list[Content] = [
        lead(
            "Nothing disappears: a row that was asked for is accepted, rejected with a reason, failed with the class "
            "of the failure, or still pending. Requests that ask for something else than a row, such as reasons or a "
            "check of a label, count as requests but ask for no row."
        ),
        accounts.identity(total),
    ]
    if found and not accounts.makes(found.values(), total):
        made.append(
            warning("The counts of the steps do not make the total. This is a fault of the program; please report it.")
        )
    made += [accounts.account_legend(), accounts.steps_table(steps, found, total)]
    return Section("accounting", "Where every row went", made)


def _gold_section(result: Mapping[str, Any]) -> Section:
    gold = result["gold"]
    reads = gold["reads"]
    sizes = (
        f"Gold came from {gold['source']} and was dealt into {several(gold['steer'], 'steering row')}, "
        f"{several(gold['select'], 'select row')} and {several(gold['test'], 'sealed test row')}. "
    )
    trained = result["gold_rows_trained_on"]
    used = (
        f"{several(trained, 'gold row')} also served as training rows. " if trained else "No gold row was trained on. "
    )
    return Section(
        "gold", "Who looked at gold", [lead(sizes, used, accounts.reads_summary(reads)), accounts.reads_table(reads)]
    )


def _provenance_section(run: RunFiles) -> Section:
    result = run.result
    task = result["task"]
    manifest = result.get("manifest") or {}
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    student = ", ".join(
        f"{key} {value}" for key, value in result["student"].items() if key != "kind" and value not in (None, "")
    )
    # `seedbed sample run` ends with the pool, whatever student the recipe names.
    taught = result["stages"] or not result.get("sampling")
    stopped = ", ".join(STOPPED.get(reason, reason) for reason in result["stopped"]) or "the recipe goes round no loop"
    pairs: list[tuple[str, Content]] = [
        ("recipe", [result["name"], tag("small", "identity ", tag("code", result["identity"]))]),
        ("made at", manifest.get("made_at")),
        ("task", [f"{task['name']} ({task['kind'].replace('_', ' ')})", tag("small", task["instruction"])]),
        *_asked_models(result),
        ("student", [result["student"]["kind"], tag("small", student) if student else None] if taught else "none"),
        ("rng seed", str(result["rng_seed"])),
        ("rounds ended because", stopped),
        *accounts.spend_facts(result["spend"], is_simulated=result["is_simulated"]),
        ("versions", versions),
    ]
    resolved = folded("The resolved recipe", tag("pre", run.recipe)) if run.recipe else None
    return Section("provenance", "How it was made", [facts((k, v) for k, v in pairs if v), resolved])


def _teachers(result: Mapping[str, Any]) -> dict[str, str]:
    """Every teacher that was asked, by name, with its address."""
    sampled = result["sampling"]["teachers"] if result.get("sampling") else {}
    return {name: one["address"] for name, one in sampled.items()} or {"teacher": result["teacher"]["model"]}


def _asked_models(result: Mapping[str, Any]) -> list[tuple[str, Content]]:
    known = _teachers(result)
    if len(known) > 1:
        # Their settings differ; the resolved recipe has them all.
        return [("teachers", [tag("div", f"{name}: ", tag("code", address)) for name, address in known.items()])]
    teacher = result["teacher"]
    address = next(iter(known.values()))
    said: Content = [tag("code", address), " (simulated)" if result["is_simulated"] else None]
    if address != teacher["model"]:
        return [("teacher", said)]
    return [
        ("teacher", said),
        ("sampling", ", ".join(f"{key} {value}" for key, value in teacher.items() if key != "model")),
    ]
