"""The README's tables, made from results/*.json and from nothing else."""

from __future__ import annotations

import json
import sys
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
    """One table for each world, for the results that are there."""
    blocks: list[str] = []
    for name in ("redux", "develop"):
        path = results / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            blocks += [_world(one, len(found["rng_seeds"])) for one in found["worlds"]]
    return "\n\n".join(blocks) + "\n"


def _world(one: dict[str, Any], seeds: int) -> str:
    head = f"### {one['world']}: {one['reads']} reads of {one['n_rows']} rows, {one['bad']} bad, {seeds} rng seeds"
    lines = [
        "| rule | bad rows found, mean | 95 % of the mean | least, most | mean rate % | width, points | covers |",
        "|---|---:|---:|---:|---:|---:|---:|",
        f"| top {one['reads']} by the votes' log-odds | {one['rank']} | | | | | |",
    ]
    for name, rule in one["rules"].items():
        mean = rule["found"]
        within = f"{mean['low']:.1f} to {mean['high']:.1f}" if "low" in mean else ""
        lines.append(
            f"| {name} | {mean['value']:.1f} | {within} | {min(rule['each'])}, {max(rule['each'])} "
            f"| {100 * rule['rate']:.2f} | {100 * rule['width']:.1f} | {rule['covers']}/{seeds} |"
        )
    return head + "\n\n" + "\n".join(lines)
