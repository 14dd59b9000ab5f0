"""`seedbed plan`: what a recipe will ask and cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from seedbed.cli.console import json_option, out, print_json, recipe_argument, set_option, table
from seedbed.plan import plan
from seedbed.recipe import load_recipe


@click.command()
@recipe_argument
@set_option
@json_option
def command(recipe: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show requests, tokens and usd of every step of RECIPE: low, expected, high. Nothing is sent or written."""
    found = plan(load_recipe(recipe, overrides))
    if as_json:
        print_json(found)
        return
    lines = [_line(line) for line in [*found["lines"], found["total"]]]
    table(f"{found['name']}: teacher {found['teacher']}", ["step", "requests", "tokens in", "tokens out", "usd"], lines)
    if found["total"]["usd"] is None:
        out.print("the teacher's price is unknown: set teacher.endpoint.usd_per_million_in and usd_per_million_out")
    gold = found["gold"]
    budget = ", ".join(f"{value} {name}" for name, value in found["budget"].items()) or "none"
    out.print(f"gold: steer {gold['steer']}, select {gold['select']}, test {gold['test']} (sealed); budget: {budget}")


def _line(line: dict[str, Any]) -> list[str]:
    money = "unknown" if line["usd"] is None else _range([f"{value:.4f}" for value in line["usd"]])
    return [line["step"], *(_range(line[key]) for key in ("requests", "tokens_in", "tokens_out")), money]


def _range(values: Sequence[Any]) -> str:
    low, expected, high = values
    return str(expected) if low == high else f"{expected} ({low} to {high})"
