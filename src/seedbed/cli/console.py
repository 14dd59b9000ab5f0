"""What commands share: options, tables, progress. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# Elsewhere than on a terminal lines are not folded: a log is read by eyes and by grep.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories: control, format (direction marks among them), surrogates, line and paragraph separators."""

recipe_argument = click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Replace a setting, e.g. --set gold.steer=200."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Directory of the run [default: runs/NAME]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def printable(text: str) -> str:
    """Text from elsewhere as one line that cannot steer a terminal: control characters become blanks."""
    return "".join(" " if unicodedata.category(each) in _STEERING else each for each in text)


def table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(head):
        made.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for line in lines:
        made.add_row(*(Text(printable(str(cell))) for cell in line))
    if title:
        # Not as the table's own title: that is folded to the table's width.
        out.print(Text(printable(title)), soft_wrap=True)
    out.print(made)


def interval(found: dict[str, Any] | None, *, sign: bool = False) -> str:
    """An estimate in points: 81.2 [79.0, 83.3]."""
    if found is None:
        return "-"
    form = "{:+.1f}" if sign else "{:.1f}"
    value, low, high = (form.format(100 * found[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def usd(value: float | None) -> str:
    """A price; unknown is said, never shown as 0."""
    return "unknown" if value is None else f"{value:.4f}"


def accounting(account: dict[str, Any]) -> str:
    """The identity every stage obeys, in one line."""
    parts = [f"{account['accepted']} accepted"]
    for status in ("rejected", "failed"):
        reasons = account[status]
        detail = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        parts.append(f"{sum(reasons.values())} {status}" + (f" ({detail})" if detail else ""))
    parts.append(f"{account['pending']} pending")
    return f"{account['requested']} requested = " + " + ".join(parts)


class Meter:
    """Progress of asking steps: a bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last, self._started, self._step = 0.0, time.monotonic(), ""
        self._tasks: dict[str, Any] = {}
        self._bar = None
        if err.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
            )
            self._bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=err, transient=True)

    def __enter__(self) -> Meter:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, step: str, done: int, total: int, paid_usd: float) -> None:
        """One reply more."""
        now = time.monotonic()
        if step != self._step:
            self._step, self._started, self._last = step, now, now
        rate = f"{done / max(now - self._started, 1e-3):.0f}/s, {paid_usd:.4f} usd"
        if self._bar:
            if step not in self._tasks:
                self._tasks[step] = self._bar.add_task(f"{self._title}: {step}", total=total, rate="")
            self._bar.update(self._tasks[step], completed=done, total=total, rate=rate)
        elif now - self._last > 5 or (done == total and total > 20):
            self._last = now
            left = (total - done) * (now - self._started) / max(done, 1)
            click.echo(f"{self._title}: {step} {done}/{total} ({rate}, {left:.0f} s left)", err=True)
