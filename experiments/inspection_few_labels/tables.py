"""The README's tables, made from results/*.json and from nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


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
    if one := found.get("llmbar"):
        blocks += [f"### LLMBar, accuracy on unread pairs, % ({len(one['rng_seeds'])} draws)", _table(_llmbar(one))]
    if one := found.get("pooled"):
        blocks += [f"### Pooled rows, finding defects ({len(one['rng_seeds'])} draws)", _table(_pooled(one))]
    if one := found.get("judges"):
        draws = len(one["rng_seeds"])
        title = f"### Self-preference that is known: bias of own-family rows, points (400 labels, {draws} draws)"
        blocks += [title, _table(_known(one))]
        blocks += ["### LLMBar's evaluators, prompt Vanilla_NoRules, all 419 pairs", _table(_orders(one))]
    if one := found.get("own"):
        title = f"### Bias of own-family rows on recorded rows, points, by maker ({len(one['rng_seeds'])} draws)"
        blocks += [title, _table(_own(one))]
    return "\n\n".join(blocks) + "\n"


def _llmbar(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["judges", "labels", "method", "unread", "adversarial", "natural", "all rows, read ones right"]
    for cell in one["cells"]:
        parts = [_shown(cell[part]) for part in ("unread", "adversarial", "natural", "all rows")]
        yield [cell["judges"], str(cell["labels"]), cell["method"], *parts]


def _pooled(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["rows", "labels", "method", "AUPRC, %", "sd", "AUROC, %", "ECE, %", "sd", "error of the mean alone, %"]
    for cell in one["cells"]:
        unlearned = cell["method"].endswith("no labels")
        if unlearned and cell["labels"] != 100:
            continue
        head = [f"{cell['task']} {cell['rows']:,}", "0" if unlearned else str(cell["labels"]), cell["method"]]
        spread = [f"{100 * cell[part]['sd']:.1f}" for part in ("auprc", "ece")]
        auroc, level = (_shown(cell[part]) for part in ("auroc", "level"))
        yield [*head, _shown(cell["auprc"]), spread[0], auroc, _shown(cell["ece"]), spread[1], level]


def _biases(cell: dict[str, Any]) -> list[str]:
    names = ("verdicts", "blind", "removed", "own not asked")
    gamma = cell["gamma"]
    ends = f"[{cell['gamma_low']['value']:+.2f}, {cell['gamma_high']['value']:+.2f}]"
    worst = max(abs(draw) for draw in cell["removed"]["draws"])
    size = sum(abs(draw) for draw in cell["removed"]["draws"]) / len(cell["removed"]["draws"])
    shown = [f"{100 * size:.1f}", f"{100 * worst:.1f}", f"{gamma['value']:+.2f} {ends}"]
    return [*(_shown(cell[name], sign="+") for name in names), *shown]


BIASES = [
    "share of verdicts",
    "corrected, blind to family",
    "bias removed",
    "own not asked",
    "removed: mean size",
    "worst draw",
    "gamma found, mean ends",
]


def _known(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["gamma", *BIASES]
    for cell in one["known"]:
        yield [f"{cell['true gamma']:.1f}", *_biases(cell)]


def _own(one: dict[str, Any]) -> Iterator[list[str]]:
    yield ["rows", "labels", *BIASES]
    for cell in one["own"]:
        yield [cell["task"], str(cell["labels"]), *_biases(cell)]


def _orders(one: dict[str, Any]) -> Iterator[list[str]]:
    yield [
        "judge",
        "changes its mind, %",
        "first place, points",
        "length, log-odds",
        "right, one order, %",
        "right where consistent, %",
    ]
    for cell in one["orders"]:
        parts = [_shown(cell["inconsistent"]), _shown(cell["position"], sign="+")]
        length = cell["length"]
        effect = f"{length['value']:+.2f} [{length['low']:+.2f}, {length['high']:+.2f}]"
        yield [cell["judge"], *parts, effect, f"{100 * cell['one order']:.1f}", f"{100 * cell['consistent']:.1f}"]


def _shown(one: dict[str, Any], sign: str = "") -> str:
    return " ".join(
        [f"{100 * one['value']:{sign}.1f}", f"[{100 * one['low']:{sign}.1f}, {100 * one['high']:{sign}.1f}]"]
    )


def _table(lines: Iterator[list[str]]) -> str:
    head, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body])
