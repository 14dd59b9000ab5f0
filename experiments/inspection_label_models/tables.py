"""README.md's table, from results/*.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def write_tables(here: Path, *, check: bool) -> int:
    """Put the tables between the marks, or say whether they are there. Returns an exit code."""
    results = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (here / "results").glob("*.json")}
    parts = []
    for title, name, lines in (
        ("Crowds, % of rows with truth", "crowd", _crowd),
        ("Crowds, means", "crowd", _means),
        ("Labelling functions, %", "functions", _functions),
        ("Few votes a row, %", "few", _few),
        ("Repair of GSM8K rows, %", "repair", _repair),
        ("A million rows", "scale", _scale),
    ):
        if name in results:
            parts += [f"### {title}", _table(lines(results[name]))]
    readme = here / "README.md"
    text = readme.read_text(encoding="utf-8")
    made = text[: text.index(BEGIN) + len(BEGIN)] + "\n\n" + "\n\n".join(parts) + "\n\n" + text[text.index(END) :]
    if check:
        if made != text:
            print(f"{readme} differs from results/: run `python run.py table`")
        return int(made != text)
    readme.write_text(made, encoding="utf-8")
    return 0


def _crowd(found: dict[str, Any]) -> Iterator[list[str]]:
    models = list(next(iter(found["sets"].values()))["models"])
    yield ["set", "settings chosen on it", *models, "tempered over majority"]
    for name, one in found["sets"].items():
        of = {model: 100 * cell["accuracy"] for model, cell in one["models"].items()}
        shown = [f"{of[model]:.1f}" for model in models]
        yield [name, "yes" if one["chosen_on"] else "no", *shown, f"{of['tempered'] - of['majority']:+.1f}"]


def _means(found: dict[str, Any]) -> Iterator[list[str]]:
    sets = list(found["sets"].values())
    yield ["model", "8 sets, settings chosen on", "9 sets, held out", "all 17", "log loss, 9 held out", "CPU s, all 17"]
    for model in sets[0]["models"]:
        groups = [[s for s in sets if s["chosen_on"]], [s for s in sets if not s["chosen_on"]], sets]
        means = [f"{100 * fmean(s['models'][model]['accuracy'] for s in group):.2f}" for group in groups]
        loss = fmean(s["models"][model]["log_loss"] for s in groups[1])
        yield [model, *means, f"{loss:.2f}", f"{sum(s['models'][model]['cpu_s'] for s in sets):.1f}"]


def _functions(found: dict[str, Any]) -> Iterator[list[str]]:
    models = list(next(iter(found["sets"].values()))["none"])
    yield ["set", *(f"{model}, no label" for model in models), "Dawid-Skene, 50", "tempered, 50"]
    for name, one in found["sets"].items():
        none = [f"{100 * one['none'][model]:.1f}" for model in models]
        yield [name, *none, _points(one["50"]["Dawid-Skene"]), _points(one["50"]["tempered"])]


def _few(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["set", "votes a row", "majority", "Dawid-Skene", "tempered", "tempered over majority", "fewer mistakes"]
    for cell in found["cells"]:
        shown = [f"{100 * cell['accuracy'][model]:.1f}" for model in ("majority", "Dawid-Skene", "tempered")]
        gain, fewer = cell["gain"]["tempered"], 100 * cell["fewer"]["tempered"]
        yield [cell["set"], str(cell["asked"]), *shown, _points(gain, "+"), f"{fewer:.0f}"]


def _repair(found: dict[str, Any]) -> Iterator[list[str]]:
    yield [
        *("ranks of the ten models", "their mean", "the best", "plurality", "ours", "ours over plurality"),
        *("one of them right", "coverage at 98 % precision", "defects of others' rows", "mended", "good rows damaged"),
    ]
    for one in found["panels"]:
        yield [
            f"{one['first_rank']} to {one['first_rank'] + 9}",
            *(f"{100 * one[key]:.1f}" for key in ("mean", "best")),
            *(_points(one[key]) for key in ("plurality", "accuracy")),
            _points(one["gain"], "+"),
            *(f"{100 * one[key]:.1f}" for key in ("any_right", "coverage_98", "defects_before", "mended")),
            f"{100 * one['damaged']:.2f}",
        ]


def _scale(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["rows", "CPU s", "peak GB", "accuracy, %"]
    yield [f"{found['rows']:,}", f"{found['cpu_s']:.1f}", f"{found['peak_gb']:.2f}", f"{100 * found['accuracy']:.2f}"]


def _points(cell: dict[str, Any], sign: str = "") -> str:
    return f"{100 * cell['value']:{sign}.1f} [{100 * cell['low']:{sign}.1f}, {100 * cell['high']:{sign}.1f}]"


def _table(lines: Iterator[list[str]]) -> str:
    head, *rows = lines
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
