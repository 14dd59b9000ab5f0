"""`seedbed preview`: look at a few rows, then pay for the rest."""

from __future__ import annotations

from pathlib import Path

import click

from seedbed.cli.console import json_option, out_option, print_json, recipe_argument, set_option
from seedbed.plan import preview
from seedbed.recipe import load_recipe


@click.command()
@recipe_argument
@click.option("-n", "count", default=5, show_default=True, type=click.IntRange(min=1), help="How many rows.")
@set_option
@out_option
@json_option
def command(recipe: Path, count: int, overrides: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Write the first few seed rows of RECIPE and show them; the run will not pay for them again."""
    loaded = load_recipe(recipe, overrides)
    rows = preview(loaded, out or Path("runs") / loaded.name, count=count)
    if as_json:
        print_json(rows.to_dicts())
        return
    skipped = ("id", "made_by", "parents", "round")
    for number, row in enumerate(rows.to_dicts(), start=1):
        click.echo(f"-- row {number}")
        for name, value in row.items():
            if value is not None and name not in skipped:
                click.echo(f"{name}: {value}")
