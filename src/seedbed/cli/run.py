"""`seedbed run`: run a recipe, or go on with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from seedbed.cli.console import Meter, accounting, err, json_option, out_option, print_json, recipe_argument, set_option
from seedbed.cli.show import print_result
from seedbed.recipe import load_recipe
from seedbed.report import write_report
from seedbed.report.run_page import STOPPED
from seedbed.run import run_recipe


@click.command()
@recipe_argument
@set_option
@out_option
@json_option
def command(recipe: Path, overrides: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Run RECIPE in a directory that can be stopped at any moment and gone on with by the same command.

    Nothing that was answered is asked or paid for again. Ends with exit code 3 when the last student is not
    clearly better than the first, and with 4 when the budget ended first.
    """
    loaded = load_recipe(recipe, overrides)
    path = out or Path("runs") / loaded.name
    with Meter(loaded.name) as meter:
        result = run_recipe(loaded, path, progress=meter, on_event=_say)
    report = write_report(path)
    if as_json:
        print_json(result)
    else:
        print_result(result, path)
        click.echo(f"report: {report}")
    sys.exit(exit_code(result))


def exit_code(result: dict[str, Any]) -> int:
    """4 when the budget ended the run, 3 when no gain is clear, else 0."""
    if not result["complete"]:
        return 4
    gain = result["gain"]
    return 3 if gain is not None and gain["low"] <= 0 else 0


def _say(event: dict[str, Any]) -> None:
    match event["event"]:
        case "step finished":
            err.print(f"{event['step']} {event['seconds']:.1f} s{_did(event)}")
        case "stopped":
            reason = STOPPED.get(event["reason"], event["reason"])
            err.print(f"rounds ended after round {event['after_round']}: {reason}")
        case "budget reached":
            err.print(f"budget reached in {event['step']} after {event['answered']} answers: {event['why']}")
            cap = f"budget.{event['part']}" if event["part"] else "the budget"
            goes_on = (
                "the run goes on without the rest" if event["part"].startswith("steps.") else "nothing more is sent"
            )
            err.print(f"  {goes_on}; raise {cap} and run again to go on with it")
        case "budget nearly reached":
            used, cap = (f"{event[key]:.4g}" for key in ("used", "of"))
            part = f" of {event['part'].partition('.')[2]}" if event["part"] else ""
            err.print(
                f"budget{part} nearly reached in {event['step']}: {used} of {cap} {event['cap']} used or in flight"
            )
        case _:
            pass


def _did(event: dict[str, Any]) -> str:
    if (asked := event.get("asked")) and asked["requested"]:
        return f": {accounting(asked)}"
    if "checked" in event:
        return f": {event['checked']} rows checked, {event.get('near_copies', event.get('disagreed', 0))} rejected"
    return ""
