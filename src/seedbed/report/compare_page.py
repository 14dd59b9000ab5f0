"""The report of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedbed.report import accounts
from seedbed.report.charts import whisker
from seedbed.report.compare_charts import rounds_section, truth_section
from seedbed.report.files import ComparisonFiles
from seedbed.report.html import Content, tag
from seedbed.report.page import Line, Section, facts, lead, page, table, tiles, warning
from seedbed.report.sampling import pools_table
from seedbed.report.score_charts import point
from seedbed.report.words import UNITS, clearness, count, gain, metric, pill, points, score, several, usd

Found = Mapping[str, Any]


def compare_page(comparison: ComparisonFiles) -> str:
    """The HTML of a comparison's report."""
    found = comparison.found
    kind = "Comparison of methods" + (" in a known world, with a simulated teacher" if found["is_simulated"] else "")
    sections = [
        _table_section(found),
        _gains_section(found),
        _pools_section(found),
        rounds_section(found),
        truth_section(found),
        _account_section(found),
        _caveats_section(found),
        _provenance_section(comparison),
    ]
    return page(found["name"], f"seedbed · {kind}", _headline(found), sections)


def verdict(found: Found, method: str) -> str:
    """Whether a method beats its baselines, in one or two sentences with the gains."""
    gains = found["gains"].get(method, {})
    if not gains:
        baselines = ", ".join(found["baselines"])
        return f"Nothing can be said about {method}: none of the baselines {baselines} was run beside it."
    lost = {name: one for name, one in gains.items() if one["low"] <= 0}
    if not lost:
        return f"Yes, clearly. {method} beats every baseline that was run at the same budget: {_list(gains)}."
    worse = {name: one for name, one in lost.items() if clearness(one) == "clear loss"}
    unclear = {name: one for name, one in lost.items() if name not in worse}
    beaten = {name: one for name, one in gains.items() if name not in lost}
    said = [f"Not shown. {method} does not clearly beat every baseline."]
    if worse:
        said.append(f"It is clearly worse than {_list(worse)}.")
    if unclear:
        said.append(f"It is not clear whether it is better than {_list(unclear)}.")
    if beaten:
        said.append(f"It clearly beats {_list(beaten)}.")
    return " ".join(said)


def _list(gains: Mapping[str, Found]) -> str:
    return "; ".join(f"{name}, {points(one)} points" for name, one in gains.items())


def _headline(found: Found) -> list[Content]:
    said: list[Content] = []
    if found["is_simulated"]:
        said.append(
            warning(
                tag("b", "The teacher is a simulation. "),
                f"{found['teacher']} is a program that writes rows of a world whose truth is known; no language "
                "model was asked. The numbers say which method works there, not how good an LLM is.",
            )
        )
    # The recipe itself, alone and with gold among the training rows.
    itself = found["itself"]
    first, *others = [name for name in (itself, f"{itself}+gold") if name in found["methods"]]
    block = tag(
        "div",
        tag("p", "Did it help?", class_="over"),
        tag("p", verdict(found, first), class_="answer"),
        [tag("p", verdict(found, name)) for name in others],
        tiles(_tiles(found, first)),
        class_="headline",
    )
    return [*said, block]


def _tiles(found: Found, first: str) -> list[tuple[str, Content]]:
    shown: list[tuple[str, Content]] = [
        (f"{first}, test {metric(found['metric'])} %", score(found["methods"][first]["test"]))
    ]
    shown += [
        (f"{first} over {name}, points", [gain(one), " ", pill(one)])
        for name, one in found["gains"].get(first, {}).items()
    ]
    return shown


def _table_section(found: Found) -> Section:
    baselines = [name for name in found["baselines"] if name in found["methods"]]
    lines = []
    for name, method in found["methods"].items():
        gains = [found["gains"].get(name, {}).get(one) for one in baselines]
        cells: list[Content] = [
            [name, tag("small", method["what"])],
            f"{method['trained_on']:,.0f}",
            f"{method['requests']:,.0f}",
            usd(method["usd"]),
            score(method["test"]),
            *([gain(one), tag("small", clearness(one)) if one else None] for one in gains),
        ]
        lines.append(Line(cells))
    money = "simulated usd" if found["is_simulated"] else "usd"
    over = (f"over {one}" for one in baselines)
    head = ["method", "rows", "requests", money, f"test {metric(found['metric'])} %", *over]
    seeds = several(len(found["rng_seeds"]), "rng seed")
    caption = f"Means over {seeds}; gains in points over each baseline; 95 % intervals in brackets"
    said = lead(
        "Every method had the same gold, the same student and the same budget for drawing solutions, and was scored on "
        "the same sealed test rows. A plan helps when it clearly beats the same budget spent on any one teacher."
        if pools_of(found)
        else "Every method had the same gold, the same teacher, the same student and the same number of requests, and "
        "was scored on the same sealed test rows. A method helps when it clearly beats as many plain rows, the gold "
        "alone, and both together."
    )
    return Section("methods", "All methods at equal budget", [said, table(caption, head, lines)])


def _gains_section(found: Found) -> Section | None:
    pairs = [(name, base, one) for name in found["verdicts"] for base, one in found["gains"][name].items()]
    if not pairs:
        return None
    reach = max(abs(end) for *_, one in pairs for end in (one["low"], one["high"])) * 1.05 or 1.0
    lines = [
        Line([f"{name} over {base}", whisker(point(0, one, tip=f"{points(one)} points"), reach), gain(one), pill(one)])
        for name, base, one in pairs
    ]
    said = lead(
        "Every gain over a baseline, paired row by row and seed by seed. The line in the middle is no gain at all."
    )
    scale = f"{-100 * reach:.0f} to {100 * reach:.0f} points".replace("-", "−")
    head = ("method over baseline", scale, "gain, points", "verdict")
    return Section("gains", "Gain over each baseline", [said, table("Gains with 95 % intervals", head, lines)])


def pools_of(found: Found) -> dict[str, Found]:
    """What each method sampled; empty where the methods write rows instead."""
    return {name: method["sampling"] for name, method in found["methods"].items() if method.get("sampling")}


def _pools_section(found: Found) -> Section | None:
    pools = pools_of(found)
    if not pools:
        return None
    said = lead(
        f"What each method bought, in the runs of rng seed {found['rng_seeds'][0]}. Draws of a problem that was solved "
        "already can still find a different solution; a right answer by wrong steps teaches the wrong steps."
    )
    return Section("pools", "What each method drew", [said, pools_table(pools)])


def _account_section(found: Found) -> Section:
    lines = [accounts.account_line(key, method["account"]) for key, method in found["methods"].items()]
    said = lead(f"What became of every row that was asked for, in the runs of rng seed {found['rng_seeds'][0]}.")
    made: list[Content] = [
        said,
        accounts.account_legend(),
        table("Rows by method", ("method", *accounts.ACCOUNT_HEAD), lines),
    ]
    wrong = [key for key, method in found["methods"].items() if not accounts.adds_up(method["account"])]
    if wrong:
        made.append(
            warning(
                f"The counts of {', '.join(wrong)} do not add up. This is a fault of the program; please report it."
            )
        )
    else:
        made.append(tag("p", "On every line, requested = accepted + rejected + failed + pending.", class_="note"))
    return Section("accounting", "Where every row went", made)


def _caveats_section(found: Found) -> Section:
    seeds, gold = len(found["rng_seeds"]), found["gold"]
    intervals = sum(len(gains) for gains in found["gains"].values())
    missing = [name for name in found["baselines"] if name not in found["methods"]]
    early = [
        key for key, method in found["methods"].items() if any("budget" in reasons for reasons in method["stopped"])
    ]
    rows, gains = several(gold["test"], "test row"), several(intervals, "gain")
    said = [
        _what_intervals_cover(seeds),
        (
            f"All numbers are about {rows} from {gold['source']}, the same for every method and seed; "
            "other data may rank the methods differently."
        ),
        (
            f"There are {gains} on this page. At 95 %, about one in twenty such intervals misses the truth, "
            "so a single barely clear gain among many is weak evidence."
        ),
        _what_is_equal(found),
    ]
    if missing:
        said.append(f"These baselines were not run: {', '.join(missing)}. The verdict says nothing about them.")
    if early:
        said.append(f"A budget ended runs of {', '.join(early)} early.")
    return Section("caveats", "How far to trust this", tag("ul", [tag("li", one) for one in said], class_="plain"))


def _what_is_equal(found: Found) -> str:
    pools = pools_of(found)
    if not pools:
        return (
            "The budget is equal in requests. Prompts differ in length, so prices differ a little; the table has both."
        )
    units = " and ".join(sorted({UNITS[pool["unit"]] for pool in pools.values()}))
    return f"The budget is equal in {units}, not in requests: a cheaper teacher is asked more often."


def _what_intervals_cover(seeds: int) -> str:
    if seeds == 1:
        return (
            "The intervals cover the draw of the test rows only: with one rng seed nothing is known about how much "
            "another training, split or teacher reply would move the numbers."
        )
    said = (
        f"The intervals cover both the draw of the test rows and that of {seeds} rng seeds (teacher replies, split of "
    )
    said += "steering and select rows, training)."
    return said + (" Two seeds are few: such intervals are too narrow where seeds matter." if seeds == 2 else "")


def _provenance_section(comparison: ComparisonFiles) -> Section:
    found = comparison.found
    gold, task, manifest = found["gold"], found["task"], comparison.manifest
    student = ", ".join(
        f"{key} {value}" for key, value in found["student"].items() if key != "kind" and value is not None
    )
    pairs: list[tuple[str, Content]] = [
        ("recipe", found["name"]),
        ("first run made at", manifest.get("made_at")),
        ("task", [f"{task['name']} ({task['kind'].replace('_', ' ')})", tag("small", task["instruction"])]),
        _asked_models(found),
        ("student", [found["student"]["kind"], tag("small", student) if student else None]),
        (
            "gold",
            f"{gold['source']}: " + ", ".join(f"{count(gold[part])} {part}" for part in ("steer", "select", "test")),
        ),
        ("rng seeds", ", ".join(str(seed) for seed in found["rng_seeds"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())),
    ]
    return Section("provenance", "How it was made", facts((name, value) for name, value in pairs if value))


def _asked_models(found: Found) -> tuple[str, Content]:
    """The teacher, or all that any method asked."""
    known = {name: one["address"] for pool in pools_of(found).values() for name, one in pool["teachers"].items()}
    if len(known) > 1:
        return "teachers", [tag("div", f"{name}: ", tag("code", address)) for name, address in known.items()]
    return "teacher", [tag("code", found["teacher"]), " (simulated)" if found["is_simulated"] else None]
