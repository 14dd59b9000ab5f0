"""The command line: one file per command. `seedbed --help` imports none of them."""

from __future__ import annotations

import importlib
import sys

import click

from seedbed import __version__
from seedbed.errors import SeedbedError

COMMANDS = {
    "init": "Write a task and a recipe to start from.",
    "doctor": "Check the address of a model: reachable, key, what it honours, how fast.",
    "plan": "Show what a recipe will ask and cost; nothing is sent.",
    "preview": "Write the first few rows of a run and show them.",
    "sample": "Decide which teacher writes how many solutions: a pilot, a plan, the draws.",
    "run": "Run a recipe, or go on with it.",
    "show": "Show what a run did: accounting, scores, gold reads, rows.",
    "compare": "Run a recipe beside its baselines at equal budget.",
    "report": "Write the report of a run or a comparison as one HTML file.",
    "ledger": "Show what was asked and paid, by run, step, model or day; export it.",
    "audit": "Read rows one by one with single keys, so that the rate of bad ones is known.",
    "inspect": "Say which rows are good, and certify the defect rate of those to keep.",
    "certify": "Check a certificate of a defect rate against rows and labels.",
    "export": "Write a run's rows with a card that says how they were made.",
}


class Lazy(click.Group):
    """A group whose commands are imported when they are called, so that help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"seedbed.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help from the table above, so that no module is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Print an error with its way out and leave with its exit code."""
        try:
            return super().invoke(ctx)
        except SeedbedError as error:
            click.echo(f"seedbed: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("\nseedbed: stopped; the same command goes on", err=True)
            sys.exit(130)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seedbed")
def main() -> None:
    """Grow training data for a small model, and prove that it helped.

    \b
    Exit codes: 0 good, 1 our bug, 2 usage or configuration, 3 no clear gain, 4 budget reached or
    endpoint refused (the same command goes on).
    """
