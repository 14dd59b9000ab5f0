"""`seedbed sample`: which teacher to buy how many solutions from: a pilot, a plan, the draws"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from seedbed.cli.console import (
    Meter,
    accounting,
    interval,
    json_option,
    out,
    out_option,
    print_json,
    recipe_argument,
    set_option,
    table,
)
from seedbed.plan import pilot
from seedbed.recipe import load_recipe
from seedbed.report import write_report
from seedbed.run import run_sampling

UNITS = {"coverage": "problems solved, %", "unique": "different right solutions", "student": "worth to a student"}


@click.group()
def command() -> None:
    """Decide which teacher writes how many solutions, and have them written.

    `plan` pays for a small pilot and forecasts what the budget buys; `run` goes on from there, asks for the rest, and
    says whether the forecast was right. Both read a recipe with a `sample` step.
    """


@command.command("plan")
@recipe_argument
@set_option
@out_option
@json_option
def plan_command(recipe: Path, overrides: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Draw the pilot of RECIPE and show what each way to spend the budget is expected to bring.

    The pilot's draws are paid for once: `seedbed sample run` and `seedbed run` find them in the ledger.
    """
    loaded = load_recipe(recipe, overrides)
    with Meter(loaded.name) as meter:
        found = pilot(loaded, out or Path("runs") / loaded.name, progress=meter)
    if as_json:
        print_json(found)
    else:
        print_plan(loaded.name, found)


@command.command("run")
@recipe_argument
@set_option
@out_option
@json_option
def run_command(recipe: Path, overrides: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Draw and curate the solutions of RECIPE; its students are left for `seedbed run`, which pays for no draw again.

    Ends with exit code 4 when a budget ended it first.
    """
    loaded = load_recipe(recipe, overrides)
    path = out or Path("runs") / f"{loaded.name}-pool"
    with Meter(loaded.name) as meter:
        result = run_sampling(loaded, path, progress=meter)
    report = write_report(path)
    if as_json:
        print_json(result)
    else:
        print_sampling(result["sampling"])
        click.echo(accounting(result["account"]))
        click.echo(f"rows: {path}\nreport: {report}")
    sys.exit(0 if result["complete"] else 4)


def print_plan(name: str, found: dict[str, Any]) -> None:
    """The pilot's teachers, what each way to spend the budget should bring, and what to do."""
    plan, seen = found["plan"], found["pilot"]
    out.print(f"{name}: {found['problems']} problems, budget {amount(plan['budget'], found['unit'])}")
    out.print(
        f"pilot: {seen['samples']} draws of {seen['problems']} problems from each teacher, "
        f"{amount(seen['spent'], found['unit'])}"
    )
    print_teachers(seen["teachers"], found["unit"])
    value = UNITS[plan["objective"]]
    is_share = plan["objective"] == "coverage"
    lines = [
        [
            ("* " if one["name"] == plan["recommended"] else "  ") + one["name"],
            ", ".join(f"{draws:.1f} {teacher}" for teacher, draws in one["draws"].items()),
            interval(one["forecast"]) if is_share else sum_(one["forecast"]),
            amount(one["spent"], found["unit"]),
        ]
        for one in plan["options"]
    ]
    table("", ["  way to spend it", "draws a problem", f"{value}, forecast", "spent"], lines)
    out.print(
        f"alone, {plan['better']} is the better teacher with probability {plan['better_probability']:.2f}; "
        f"recommended: {plan['recommended']}"
    )


def print_teachers(teachers: dict[str, Any], unit: str) -> None:
    """One line per teacher: how often it is right, at what cost."""
    lines = [
        [
            name,
            one["address"],
            f"{one['draws']}",
            interval(one["right"]),
            interval(one["false_positives"]),
            amount(one["cost_per_draw"], unit),
        ]
        for name, one in teachers.items()
    ]
    table("", ["teacher", "model", "draws", "right %", "right by wrong steps %", "cost a draw"], lines)


def print_sampling(found: dict[str, Any]) -> None:
    """What was drawn, what it amounts to, and whether the forecast was right."""
    unit, came = found["unit"], found["outcome"]
    print_teachers(found["teachers"], unit)
    out.print(
        f"{came['draws']} draws, {amount(found['spent'], unit)}: {came['solved']} of {found['problems']} problems "
        f"solved ({interval(came['coverage'])} %), {came['found']} different right solutions"
    )
    for name, key in (("a solved problem", "cost_per_solved"), ("a different right solution", "cost_per_unique")):
        if (cost := came[key]) is not None:
            low, high = amount(cost["low"], unit), amount(cost["high"], unit)
            out.print(f"{name} cost {amount(cost['value'], unit)} [{low}, {high}]")
    if "chosen" in found:
        is_share = found["objective"] == "coverage"
        said = interval(found["forecast"]) if is_share else sum_(found["forecast"])
        actual = f"{100 * found['came_out']:.1f}" if is_share else f"{found['came_out']:.0f}"
        held = found["forecast"]["low"] <= found["came_out"] <= found["forecast"]["high"]
        out.print(
            f"chosen: {found['chosen']}; {UNITS[found['objective']]}: forecast {said}, came out {actual} "
            f"({'inside' if held else 'outside'} the interval)"
        )


def amount(value: float | None, unit: str) -> str:
    """A cost in its unit."""
    if value is None:
        return "unknown"
    return f"{value:.2e} flops" if unit == "flops" else f"{value:.4f} usd" if unit == "usd" else f"{value:.1f} s"


def sum_(found: dict[str, Any]) -> str:
    """A sum over problems with its interval."""
    return f"{found['value']:.0f} [{found['low']:.0f}, {found['high']:.0f}]"
