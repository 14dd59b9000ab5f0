"""`seedbed compare`: a recipe beside its baselines at equal budget."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from seedbed.cli.console import (
    Meter,
    interval,
    json_option,
    out,
    out_option,
    print_json,
    recipe_argument,
    set_option,
    table,
    usd,
)
from seedbed.compare import compare
from seedbed.errors import ConfigError
from seedbed.methods import family
from seedbed.recipe import load_recipe
from seedbed.report import write_report
from seedbed.steps.context import Progress


@click.command()
@recipe_argument
@click.option("--methods", help="Which methods, comma-separated; all that the recipe can be held against by default.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="How many rng seeds.")
@set_option
@out_option
@json_option
def command(
    recipe: Path, methods: str | None, seeds: int, overrides: tuple[str, ...], out: Path | None, as_json: bool
) -> None:
    """Run RECIPE and its baselines with the same gold, student and budget.

    An S3 recipe is held against gold alone, plain rows and other methods at as many requests; a recipe that samples
    against each of its teachers alone at the same cost. Exit code 3 says that the recipe is not clearly better than
    every baseline that was run.
    """
    loaded = load_recipe(recipe, overrides)
    known = list(family(loaded).methods)
    chosen = known if methods is None else [name.strip() for name in methods.split(",")]
    if unknown := sorted(set(chosen) - set(known)):
        raise ConfigError("there are no such methods", f"{unknown}", f"use some of {known}")
    path = out or Path("runs") / f"{loaded.name}-compare"

    def progress(title: str) -> Progress:
        click.echo(title, err=True)
        return Meter(title)

    found = compare(loaded, path, methods=chosen, rng_seeds=range(seeds), progress=progress)
    report = write_report(path)
    if as_json:
        print_json(found)
    else:
        print_comparison(found)
        click.echo(f"report: {report}")
    sys.exit(0 if found["verdicts"][found["itself"]]["helps"] else 3)


def print_comparison(found: dict[str, Any]) -> None:
    """One table like tables 2 and 3 of the paper, then who beats what."""
    simulated = " (a simulated teacher in a known world)" if found["is_simulated"] else ""
    gold = found["gold"]
    title = (
        f"{found['name']}: teacher {found['teacher']}{simulated}, student {found['student']['kind']}, "
        f"{gold['steer']} steering gold rows, {gold['test']} test rows, {len(found['rng_seeds'])} rng seeds"
    )
    baselines = [name for name in found["baselines"] if name in found["methods"]]
    lines = []
    for name, method in found["methods"].items():
        gains = found["gains"][name]
        truth = method["stages"][-1]["truth"]
        lines.append(
            [
                name,
                f"{method['trained_on']:.0f}",
                f"{method['requests']:.0f}",
                usd(method["usd"]),
                interval(method["test"]),
                *(interval(gains.get(baseline), sign=True) for baseline in baselines),
                f"{truth['total_variation']:.2f}" if truth else "-",
            ]
        )
    head = [
        "method",
        "rows",
        "requests",
        "usd",
        f"test {found['metric']} %",
        *(f"over {name}" for name in baselines),
        "tv",
    ]
    table(title, head, lines)
    for name, verdict in found["verdicts"].items():
        if verdict["helps"]:
            out.print(f"{name} clearly beats {', '.join(verdict['beaten'])}")
        else:
            out.print(f"{name} does not clearly beat {', '.join(verdict['not_beaten'])}")
