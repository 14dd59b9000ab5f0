"""The README's tables, made from results/*.json and from nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
PLANS = ("fixed weak", "fixed strong", "uniform", "cascade", "adaptive", "oracle")


def write_tables(here: Path, *, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are already there."""
    readme = here / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    made = f"{before}{BEGIN}\n\n{tables(here / 'results')}\n{END}{rest.split(END)[1]}"
    if check:
        if made != text:
            print(f"{readme.name} and results/*.json differ: run `python run.py table`", file=sys.stderr)
        return int(made != text)
    readme.write_text(made, encoding="utf-8")
    return 0


def tables(results: Path) -> str:
    """All tables, for the results that are there."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    blocks: list[str] = []
    if one := found.get("measures"):
        blocks += ["### Coverage of each teacher, %", _table(_coverage(one))]
        blocks += ["### GSM8K, one draw each", _table(_gsm(one))]
    if one := found.get("pilots"):
        count = len(one["rng_seeds"])
        blocks += [f"### Which teacher: {count} pilots of 100 problems per pair", _table(_named(one))]
        blocks += ["### Is the probability of the named teacher calibrated?", _table(_calibrated(one))]
        blocks += ["### Forecast of coverage on the other 269 problems", _table(_forecasts(one))]
    if one := found.get("replays"):
        seeds = len(one["rng_seeds"])
        for objective, what in (("coverage", "coverage, %"), ("unique", "unique correct solutions")):
            for again, how in ((False, "prompt paid once"), (True, "prompt paid per request")):
                title = f"### Replays, {what}; {how} ({seeds} rng seeds)"
                cells = [c for c in one["cells"] if c["objective"] == objective and c["per_request"] == again]
                blocks += [title, _table(_replays(cells, objective))]
    return "\n\n".join(blocks) + "\n"


def _coverage(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["teacher and setting", "@1", "@5", "@all", "draws"]
    for name in sorted({row["model"] for row in one["coverage"]}):
        rows = {row["k"]: row for row in one["coverage"] if row["model"] == name}
        most = max(rows)
        cells = [_points(rows[k]) if k in rows else "" for k in (1, 5, most)]
        yield [name, *cells, str(most)]


def _gsm(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["teacher", "solved, %", "GFLOPs a draw"]
    for row in one["gsm8k"]:
        yield [row["model"], _points(row), f"{sum(one['gsm8k_flops'][row['model']]) / 1e9:,.0f}"]
    joint = one["gsm8k_joint"]
    yield ["either", f"{100 * joint['either'] / joint['problems']:.1f}", ""]
    yield ["both", f"{100 * joint['both'] / joint['problems']:.1f}", ""]


def _named(one: dict[str, Any]) -> Iterator[list[str]]:
    yield [
        "pair",
        "budget",
        "weak really, %",
        "strong really, %",
        "right teacher named",
        "mean probability",
        "interval holds",
    ]
    keys = list(dict.fromkeys((row["pair"], row["fraction"]) for row in one["named"]))
    for pair, fraction in keys:
        rows = [row for row in one["named"] if (row["pair"], row["fraction"]) == (pair, fraction)]
        weak, strong = (fmean(list(row["real"].values())[m] for row in rows) for m in (0, 1))
        right = [_right(row) for row in rows]
        holds = [held for row in rows for held in row["holds"].values()]
        yield [
            pair,
            f"{fraction:g}",
            f"{100 * weak:.1f}",
            f"{100 * strong:.1f}",
            f"{sum(right)} of {len(right)}",
            f"{fmean(row['probability'] for row in rows):.2f}",
            f"{sum(holds)} of {len(holds)}",
        ]


def _right(row: dict[str, Any]) -> bool:
    return bool(row["real"][row["better"]] == max(row["real"].values()))


def _calibrated(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["probability said", "plans", "mean said", "right"]
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 0.95), (0.95, 1.01)):
        rows = [row for row in one["named"] if low <= row["probability"] < high]
        if rows:
            said = fmean(row["probability"] for row in rows)
            yield [f"{low:g} to {min(high, 1):g}", str(len(rows)), f"{said:.2f}", f"{fmean(map(_right, rows)):.2f}"]


def _forecasts(one: dict[str, Any]) -> Iterator[list[str]]:
    laws = list(one["forecasts"][0]["error_by_law"])
    yield ["teacher of", "k", "really, %", "interval holds", "width", "mixed: mean error", *laws]
    for pair in dict.fromkeys(row["pair"] for row in one["forecasts"]):
        rows = [row for row in one["forecasts"] if row["pair"] == pair]
        yield [
            f"{pair}: weak",
            str(rows[0]["k"]),
            f"{100 * fmean(row['actual'] for row in rows):.1f}",
            f"{sum(row['holds'] for row in rows)} of {len(rows)}",
            f"{100 * fmean(row['width'] for row in rows):.1f}",
            _error([row["error"] for row in rows]),
            *(_error([row["error_by_law"][law] for row in rows]) for law in laws),
        ]


def _error(errors: list[float]) -> str:
    """Mean error and mean absolute error, in points."""
    return f"{100 * fmean(errors):+.1f} ({100 * fmean(map(abs, errors)):.1f})"


def _replays(cells: list[dict[str, Any]], objective: str) -> Iterator[list[str]]:
    yield ["pair", "budget", *PLANS, "adaptive over best fixed", "spent by adaptive"]
    for cell in cells:
        plans = cell["plans"]
        scale = 100 if objective == "coverage" else 1
        gain = plans["adaptive"]["over_best_fixed"]
        shown = f"{scale * gain['value']:+.1f} [{scale * gain['low']:+.1f}, {scale * gain['high']:+.1f}]"
        yield [
            cell["pair"],
            f"{cell['fraction']:g}",
            *(f"{scale * plans[name]['value']:,.1f}" + ("*" if plans[name]["exhausted"] else "") for name in PLANS),
            shown,
            f"{100 * plans['adaptive']['spent'] / cell['budget']:.0f} %",
        ]


def _points(cell: dict[str, Any]) -> str:
    return f"{100 * cell['value']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"


def _table(lines: Iterator[list[str]]) -> str:
    head, *rest = lines
    rows = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
