"""`seedbed report`: the report of a run or a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from seedbed.report import write_report


@click.command()
@click.argument("path", type=click.Path(path_type=Path, file_okay=False))
def command(path: Path) -> None:
    """Write PATH/report.html for the run or the comparison in directory PATH, and print where it is.

    The file opens offline, loads nothing and runs no code, so it can be sent to somebody as it is.
    """
    click.echo(write_report(path))
