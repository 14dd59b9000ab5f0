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
    if found["is_open"]:
        out.print("`sample` is counted with its pilot only: `seedbed sample plan` draws that and says what follows")
    gold = found["gold"]
    budget = _caps(found["budget"])
    out.print(f"gold: steer {gold['steer']}, select {gold['select']}, test {gold['test']} (sealed); budget: {budget}")
    _print_caps(found["budget"], found["first_cap"], has_price=found["usd_per_million_tokens"] is not None)


def _line(line: dict[str, Any]) -> list[str]:
    money = "unknown" if line["usd"] is None else _range([f"{value:.4f}" for value in line["usd"]])
    return [line["step"], *(_range(line[key]) for key in ("requests", "tokens_in", "tokens_out")), money]


def _print_caps(budget: dict[str, Any], first: dict[str, Any] | None, *, has_price: bool) -> None:
    for kind in ("steps", "models"):
        for name, caps in budget.get(kind, {}).items():
            out.print(f"  budget of {name}: {_caps(caps)}", soft_wrap=True)
    if first is not None:
        of = f" of {first['part'].partition('.')[2]}" if first["part"] else ""
        if_ = "as expected" if first["if"] == "expected" else "at the high end"
        cap = f"{first['at']:.10g} {first['cap']}"
        out.print(f"if it goes {if_}, the cap of {cap}{of} is reached first, in {first['step']}", soft_wrap=True)
    elif budget and not has_price and _caps_usd(budget):
        out.print("a cap in usd needs a price: `seedbed run` sends nothing until it is known")
    elif budget:
        out.print("no cap is reached, even at the high end (minutes are not forecast)")


def _caps_usd(budget: dict[str, Any]) -> bool:
    return any(
        "usd" in part for part in (budget, *budget.get("steps", {}).values(), *budget.get("models", {}).values())
    )


def _caps(caps: dict[str, Any]) -> str:
    own = {name: value for name, value in caps.items() if name not in ("steps", "models")}
    return ", ".join(f"{value:.10g} {name}" for name, value in own.items()) or "none"


def _range(values: Sequence[Any]) -> str:
    low, expected, high = values
    return str(expected) if low == high else f"{expected} ({low} to {high})"
