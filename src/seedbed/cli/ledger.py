"""`seedbed ledger`: what was asked and paid; the ledger's file checked, shrunk, or written as Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import click

from seedbed.cli.console import json_option, out, print_json, printable, table
from seedbed.ledger.spending import By, Line, Name, Spending, read_spending
from seedbed.ledger.upkeep import check, export, vacuum

_BETWEEN = 2
"""Blanks between two columns."""


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("runs"))
@click.option(
    "--by", type=click.Choice(get_args(By)), default="run", show_default=True, help="What a line of the table is."
)
@click.option("--export", "target", type=click.Path(path_type=Path), metavar="FILE.parquet", help="Write all requests.")
@click.option("--check", "is_check", is_flag=True, help="Check that the file is whole.")
@click.option("--vacuum", "is_vacuum", is_flag=True, help="Give back the file's unused room.")
@json_option
def command(path: Path, by: By, target: Path | None, is_check: bool, is_vacuum: bool, as_json: bool) -> None:
    """Show what the requests in a ledger came to: answers, tokens, usd, seconds. Nothing is sent.

    PATH is a ledger's file, the folder it lies in, or a run beside it [default: runs]. It may be written to
    meanwhile, but for --vacuum. --export writes one row for each request with its messages and its answer.

    The total of `used` counts a request once for each run that used it; `sent` counts it once, where it was paid.
    """
    if (target is not None) + is_check + is_vacuum > 1:
        raise click.UsageError("one of --export, --check and --vacuum at a time")
    file = find_ledger(path)
    if target is not None:
        count = export(file, target)
        _say(as_json, f"{target}: {count} requests", {"file": str(target), "requests": count})
    elif is_vacuum:
        before, after = vacuum(file)
        _say(as_json, f"{file}: {_bytes(before)} before, {_bytes(after)} after", {"before": before, "after": after})
    elif is_check:
        check(file)
        _say(as_json, f"{file}: whole", {"file": str(file), "whole": True})
    elif as_json:
        print_json({"ledger": str(file), **read_spending(file, by).to_dict()})
    else:
        print_spending(read_spending(file, by), file)


def find_ledger(path: Path) -> Path:
    """The ledger's file for what a user names: the file, its folder, or a run that lies beside it."""
    if not path.is_dir():
        return path
    inside, beside = path / "ledger.sqlite", path.absolute().parent / "ledger.sqlite"
    return beside if not inside.exists() and beside.exists() else inside


def print_spending(spending: Spending, file: Path) -> None:
    """The table, and below it what the numbers do not say."""
    if not spending.lines:
        out.print(printable(f"{file}: no requests yet"), markup=False)
        return
    lines = [*spending.lines, spending.total]
    left = ["  ".join(parts) for parts in _padded([line.name for line in lines])]
    title = str(file)
    head = "run and step" if spending.by == "step" else spending.by
    for block in _blocks((head, left), list(_columns(lines, spending.total)), out.width):
        _print_columns(title, block)
        title = ""
    if spending.by == "model" and spending.total.checked:
        _print_checked(spending)
    for note in _notes(spending.total):
        out.print(note, markup=False, soft_wrap=True)


Column = tuple[str, list[str]]


def _columns(lines: Sequence[Line], total: Line) -> Iterator[Column]:
    """Every column that says something, with its cells."""
    yield "used", [f"{line.used:,}" for line in lines]
    yield "sent", [f"{line.sent:,}" for line in lines]
    others = ("refused", "truncated", "malformed", "terminal", "exhausted")
    strange = sorted(total.answers.keys() - {"reply", *others})
    for state in ("reply", *(state for state in (*others, *strange) if total.answers[state])):
        yield state, [f"{line.answers[state]:,}" for line in lines]
    for name in ("waiting", "unanswered", "lost"):
        if getattr(total, name):
            yield name, [f"{getattr(line, name):,}" for line in lines]
    yield "tokens in", [f"{line.tokens_in:,}" for line in lines]
    if total.tokens_cached:
        yield "cached", [f"{line.tokens_cached:,}" for line in lines]
    yield "tokens out", [f"{line.tokens_out:,}" for line in lines]
    yield "usd", [_usd(line) for line in lines]
    if total.flops:
        yield "flops", [f"{line.flops:.2e}" if line.flops else "-" for line in lines]
    yield "median s", [_seconds(line.median_s) for line in lines]
    yield "p95 s", [_seconds(line.p95_s) for line in lines]


def _padded(names: Sequence[Name]) -> Iterator[list[str]]:
    """Runs in a column as wide as the longest; what was asked outside of any run says so."""
    width = max(len(name[0]) for name in names if len(name) > 1) if len(names[0]) > 1 else 0
    for first, *rest in names:
        yield [f"{first or '(no run)':<{width}}", *rest]


def _blocks(left: Column, columns: Sequence[Column], room: int) -> Iterator[list[Column]]:
    """As many columns side by side as the terminal has room for, the names before each: no number is cut off."""
    block: list[Column] = []
    for column in columns:
        if block and sum(map(_width, block)) + _width(column) > room - _width(left):
            yield [left, *block]
            block = []
        block.append(column)
    yield [left, *block]


def _width(column: Column) -> int:
    return max(map(len, (column[0], *column[1]))) + _BETWEEN


def _print_columns(title: str, columns: Sequence[Column]) -> None:
    table(title, [head for head, _ in columns], list(zip(*(cells for _, cells in columns), strict=True)))


def _print_checked(spending: Spending) -> None:
    """How replies to constrained requests met the constraint, by model."""
    ways = ["valid", "salvaged", "repaired", "invalid", "malformed"]
    ways += sorted(spending.total.checked.keys() - set(ways))
    lines = []
    for line in (*spending.lines, spending.total):
        if count := line.checked.total():
            shares = [f"{line.checked[way]:,} ({line.checked[way] / count:.1%})" for way in ways]
            lines.append([line.name[0], f"{count:,}", *shares])
    table("", ["answers to constrained requests", "all", *ways], lines)


def _notes(total: Line) -> Iterator[str]:
    if total.waiting:
        yield f"{total.waiting:,} requests are on their way: somebody waits for their answers"
    if total.in_doubt:
        yield (
            f"{total.unanswered:,} requests were never answered and {total.lost:,} tries beside them were lost (a "
            "connection broke, a process ended): they may be billed all the same"
        )
    if total.waiting or total.in_doubt:
        yield f"these can cost {total.in_doubt_usd:.4f} usd at most, as far as prices are known"
    if total.unknown_price:
        yield (
            f"the price of {total.unknown_price:,} answers is unknown and not in the sums: set "
            "usd_per_million_in and usd_per_million_out of the endpoint before the next run"
        )
    if total.unknown_tokens:
        yield f"{total.unknown_tokens:,} answers came without token counts, which are not in the sums"
    if total.flops and total.unknown_flops:
        yield f"the flops of {total.unknown_flops:,} answers are unknown and not in the sums"


def _usd(line: Line) -> str:
    if line.unknown_price == 0:
        return f"{line.usd:.4f}"
    return (f"{line.usd:.4f} + " if line.usd else "") + f"{line.unknown_price:,} unknown"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count:,} bytes"


def _say(as_json: bool, text: str, plain: dict[str, object]) -> None:
    if as_json:
        print_json(plain)
    else:
        out.print(printable(text), markup=False, soft_wrap=True)
