"""`seedbed audit`: a human reads rows, with single keys and without knowing what any model thinks."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from seedbed.cli.console import interval, json_option, out, print_json, printable, table
from seedbed.errors import ConfigError, DataError
from seedbed.fingerprint import fingerprint
from seedbed.inspection.audit.exchange import LAYOUTS, Layout, label_studio_config, read, write
from seedbed.inspection.audit.queue import Label, Queue, Reading
from seedbed.inspection.audit.readers import Readers, readers
from seedbed.inspection.audit.risk import Evidence
from seedbed.inspection.audit.rules import GOALS, Goal
from seedbed.inspection.audit.session import Asked, Audit, Outcome, Plan
from seedbed.rows import read_table, write_whole

HIDDEN = {"id", "made_by", "parents", "round", "status", "why", "log_odds", "model", "teacher", "generator"}
HIDDEN_PREFIXES = ("p_", "verdict", "vote", "judge", "score", "evidence")
"""Columns that a reader is not shown unless --show names them: who wrote a row, and what others think of it."""
KEYS: dict[str, Label] = {"g": "good", "b": "bad", "s": "skip"}
HELP = "g good   b bad   s skip   n note   u undo   q quit"
LARGEST_LOGIT = 12.0
"""A probability of 0 or 1 as log-odds: 6 in a million."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--goal", type=click.Choice(GOALS), help="What the labels are for [default: estimate].")
@click.option(
    "--reads", default=100, show_default=True, type=click.IntRange(1), help="Readings, second ones among them."
)
@click.option("--reader", help="Who reads [default: the user's name].")
@click.option(
    "--show", multiple=True, metavar="COLUMN", help="Show this column [default: all but models and verdicts]."
)
@click.option("--slice", "slice_column", metavar="COLUMN", help="Learn a rate for each value of this column.")
@click.option("--p-good", metavar="COLUMN", help="Probability that a row is good [default: p_good, if there].")
@click.option("--log-odds", metavar="COLUMN", help="Log-odds that a row is bad, instead of --p-good.")
@click.option("--worth", metavar="COLUMN", help="Value of finding a bad row per minute of reading, for --goal find.")
@click.option("--second", type=click.FloatRange(0, 1), help="Share of rows read twice [default: 0.15].")
@click.option("--rng-seed", type=int, help="Decides the draws [default: 0].")
@click.option("--queue", "queue_path", type=click.Path(path_type=Path, dir_okay=False), help="[default: FILE.audit]")
@click.option("--adjudicate", is_flag=True, help="Read the rows whose two readings differ.")
@click.option("--summary", is_flag=True, help="Show what was found so far; reads nothing, and the reader is not blind.")
@click.option("--draw", "draw_count", type=click.IntRange(1), help="With --export: draw rows to be read elsewhere.")
@click.option(
    "--export", "export_path", type=click.Path(path_type=Path, dir_okay=False), help="Write labels to a file."
)
@click.option(
    "--import", "import_path", type=click.Path(path_type=Path, dir_okay=False), help="Take labels from a file."
)
@click.option("--as", "layout", type=click.Choice(LAYOUTS), help="Layout of the file [default: by its ending].")
@json_option
def command(file: Path, queue_path: Path | None, reader: str | None, show: tuple[str, ...], **options: Any) -> None:
    """Read rows of FILE one by one and say whether each is good or bad.

    \b
    Every label is on disk once its key is pressed: quit at any time, the same command goes on.
    Nothing is shown of who wrote a row or what any model thinks of it, nor the rate before the end.
    """
    rows = read_table(str(file))
    if rows.is_empty():
        raise DataError("there is nothing to audit", f"{file} holds no rows", "give a file with rows")
    ids = _ids(rows)
    evidence = _evidence(rows, options)
    fields = _fields(rows, show, [options[name] for name in ("slice_column", "p_good", "log_odds", "worth")])
    path = queue_path or file.with_name(file.name + ".audit")
    asked = {name: options[name] for name in ("goal", "second", "rng_seed") if options[name] is not None}
    first = {"goal": "estimate", "second": Plan.second, "rng_seed": Plan.rng_seed, **asked}
    content = [name for name in rows.columns if not _is_hidden(name)]
    identity = fingerprint([ids, rows.select(pl.col(content).cast(pl.String)).rows()])
    with Queue.at(path, {"rows": identity, "n_rows": rows.height}, first) as queue:
        audit = Audit(ids, evidence, queue, _plan(queue, asked))
        _do(audit, fields, reader or os.environ.get("USER") or "reader", options)


def _do(audit: Audit, fields: list[dict[str, str]], reader: str, options: dict[str, Any]) -> None:
    if options["import_path"]:
        _import(audit, options["import_path"], options["layout"], reader)
    if options["export_path"]:
        _export(audit, fields, reader, options)
    elif options["draw_count"]:
        raise ConfigError("rows are drawn into a file", "--draw without --export", "add --export FILE")
    if options["summary"]:
        _summary(audit, as_json=options["as_json"])
    elif not (options["import_path"] or options["export_path"]):
        _check_terminal()
        _Reader(audit, fields, reader, adjudicate=options["adjudicate"]).read(options["reads"])


def _plan(queue: Queue, asked: dict[str, Any]) -> Plan:
    """The plan that the queue was begun with; a goal may change on the way, the rest decides what was drawn."""
    had = queue.settings
    for name in ("second", "rng_seed"):
        if name in asked and asked[name] != had[name]:
            seen = f"--{name.replace('_', '-')} {asked[name]}, the queue was begun with {had[name]}"
            raise ConfigError(
                "an audit keeps its settings", seen, "leave the option out, or begin another with --queue"
            )
    goal: Goal = asked.get("goal", had["goal"])
    return Plan(goal=goal, second=had["second"], rng_seed=had["rng_seed"])


def _ids(rows: pl.DataFrame) -> list[str]:
    """The rows' own ids where they are told apart by them, else their content; a repeated row has its number."""
    if "id" in rows.columns and rows["id"].null_count() == 0 and rows["id"].n_unique() == rows.height:
        return rows["id"].cast(pl.String).to_list()
    seen: dict[str, int] = {}
    made = []
    for values in rows.select(pl.all().cast(pl.String)).iter_rows():
        identity = fingerprint(values)
        seen[identity] = seen.get(identity, 0) + 1
        made.append(identity if seen[identity] == 1 else f"{identity}-{seen[identity]}")
    return made


def _is_hidden(name: str) -> bool:
    return name in HIDDEN or name.startswith(HIDDEN_PREFIXES)


def _fields(rows: pl.DataFrame, show: tuple[str, ...], used: list[str | None]) -> list[dict[str, str]]:
    names = list(show) or [name for name in rows.columns if not _is_hidden(name) and name not in used]
    if not names:
        fix = "name the columns to show with --show"
        raise ConfigError("no column is left that a reader could be shown", f"columns {rows.columns}", fix)
    text = rows.select(_column(rows, name).cast(pl.String).fill_null("") for name in names)
    return text.to_dicts()


def _column(rows: pl.DataFrame, name: str) -> pl.Series:
    if name not in rows.columns:
        raise ConfigError("the rows have no such column", f"{name!r}; columns {rows.columns}", "name one of them")
    return rows[name]


def _numbers(rows: pl.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = _column(rows, name).cast(pl.Float64, strict=False)
    if missing := found.null_count() + int(found.is_nan().sum()):
        place = int((found.is_null() | found.is_nan().fill_null(value=False)).arg_max() or 0)
        seen = f"`{name}`: {missing} rows, first row {place + 1} with {rows[name][place]!r}"
        raise DataError("a column of numbers has other values", seen, "fill them in: 0.5 where p_good is unknown")
    return found.to_numpy().astype(np.float64)


def _evidence(rows: pl.DataFrame, options: dict[str, Any]) -> Evidence:
    log_odds, p_good = None, options["p_good"] or ("p_good" if "p_good" in rows.columns else None)
    if options["log_odds"]:
        log_odds = _numbers(rows, options["log_odds"])
    elif p_good:
        p = _numbers(rows, p_good)
        if not ((p >= 0) & (p <= 1)).all():
            raise DataError("a probability lies in [0, 1]", f"`{p_good}` from {p.min()} to {p.max()}", "use --log-odds")
        with np.errstate(divide="ignore"):
            log_odds = np.clip(np.log1p(-p) - np.log(p), -LARGEST_LOGIT, LARGEST_LOGIT)
    slices = None
    if options["slice_column"]:
        slices = _column(rows, options["slice_column"]).cast(pl.String).fill_null("").to_numpy()
    worth = _numbers(rows, options["worth"]) if options["worth"] else None
    return Evidence.of(rows.height, log_odds, slices, worth)


def _layout(path: Path, layout: Layout | None) -> Layout:
    if layout is not None:
        return layout
    known: dict[str, Layout] = {".jsonl": "jsonl", ".csv": "csv"}
    if path.suffix.lower() not in known:
        fix = f"name it with --as: one of {', '.join(LAYOUTS)}"
        raise ConfigError("the layout of the file cannot be told from its name", str(path), fix)
    return known[path.suffix.lower()]


def _import(audit: Audit, path: Path, layout: Layout | None, reader: str) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError("the labels cannot be read", f"{path}: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise DataError("the labels are not UTF-8 text", f"{path}: {error}", "convert them") from error
    entries = read(text, _layout(path, layout), source=path.name, reader=reader)
    kept, found = audit.take(entries, who=reader), sum(one.reading is not None for one in entries)
    click.echo(f"{kept} labels kept, {found - kept} were here already, {len(entries) - found} rows without label")


def _export(audit: Audit, fields: list[dict[str, str]], reader: str, options: dict[str, Any]) -> None:
    path: Path = options["export_path"]
    layout = _layout(path, options["layout"])
    asked = audit.hand_out(options["draw_count"], reader) if options["draw_count"] else None
    entries = audit.entries(fields, asked=asked)
    write_whole(path, write(entries, layout).encode())
    what = "rows to be read" if asked is not None else "entries"
    click.echo(f"{len(entries)} {what} written to {path}")
    if asked is not None and layout == "label-studio":
        config = path.with_suffix(".config.xml")
        write_whole(config, label_studio_config(fields[0]).encode())
        click.echo(f"labelling interface for the Label Studio project: {config}")


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            "an audit is read with single keys on a terminal",
            "standard input or output is not a terminal",
            "draw rows into a file with --draw 100 --export rows.csv (or --as label-studio, argilla), have them read, "
            "and take the labels back with --import FILE; --summary shows what was found",
        )


class _Reader:
    """The loop at the terminal: one row, one key."""

    def __init__(self, audit: Audit, fields: list[dict[str, str]], name: str, *, adjudicate: bool) -> None:
        self._audit, self._fields, self._name, self._adjudicate = audit, fields, name, adjudicate

    def read(self, wanted: int) -> None:
        """Show rows until `wanted` readings are there, nothing is left, or the reader quits."""
        click.echo(HELP)
        while True:
            done = sum(one.turn != "adjudicated" for one in self._audit.queue.readings())
            if done >= wanted and not self._adjudicate:
                click.echo(f"\n{done} of {wanted} read; --reads goes further")
                break
            asked = self._audit.next(self._name, adjudicate=self._adjudicate)
            if asked is None:
                click.echo("\nnothing is left to read")
                break
            self._print(asked, "to be settled" if self._adjudicate else f"{done + 1} of {wanted}")
            if not self._answer(asked):
                click.echo(f"\n{done} read and saved; the same command goes on")
                return
        _summary(self._audit, as_json=False)

    def _print(self, asked: Asked, progress: str) -> None:
        click.echo(f"\n--- {progress} ---")
        for name, text in self._fields[asked.place].items():
            # Line by line: the text must not steer the terminal, but a program keeps its lines.
            lines = [printable(line) for line in text.split("\n")]
            click.echo(f"{printable(name)}: " + "\n  ".join(lines))

    def _answer(self, asked: Asked) -> bool:
        """One key; False where the reader quits."""
        began, note = time.monotonic(), ""
        while True:
            try:
                key = click.getchar().lower()
            except EOFError:
                return False
            if label := KEYS.get(key):
                seconds = round(time.monotonic() - began, 2)
                self._audit.record(asked, Reading(asked.row, self._name, label, seconds=seconds, note=note))
                click.echo(f"  {label}")
                return True
            if key == "q":
                return False
            if key == "u":
                undone = self._audit.undo(self._name)
                click.echo("  nothing to take back" if undone is None else f"  taken back: {undone.label}")
                if undone is not None:
                    return True
            elif key == "n":
                note = click.prompt("  note", default=note, show_default=False)
            else:
                click.echo(f"  {HELP}")


def _summary(audit: Audit, *, as_json: bool) -> None:
    outcome, found = audit.outcome(), readers(audit.queue.readings())
    if as_json:
        print_json(_plain(outcome, found))
        return
    rate = "no rate yet"
    if outcome.rate is not None:
        rate = f"{interval(outcome.rate.to_dict())} % of all {len(audit.ids)} rows are bad, as these readers see it"
    out.print(rate)
    out.print(
        f"{outcome.read} rows read: {outcome.bad} bad, {outcome.skipped} skipped; {outcome.waiting} drawn and unread"
    )
    if found.disagreement:
        lines = [
            [one.name, str(one.read), "-" if one.median_s is None else f"{one.median_s:.1f}",
             *(interval(share.to_dict() if share else None) for share in (one.disagrees, one.misses, one.false_alarms))]
            for one in found.readers
        ]  # fmt: skip
        head = ["reader", "rows", "median s", "two readings differ %", "bad called good %", "good called bad %"]
        table("", head, lines)
        if outcome.disputed:
            out.print(f"{outcome.disputed} rows have two different labels: --adjudicate settles them")


def _plain(outcome: Outcome, found: Readers) -> dict[str, Any]:
    def shown(estimate: Any) -> Any:
        return None if estimate is None else estimate.to_dict()

    return {
        "rate": shown(outcome.rate),
        "read": outcome.read,
        "bad": outcome.bad,
        "skipped": outcome.skipped,
        "waiting": outcome.waiting,
        "disputed": outcome.disputed,
        "disagreement": shown(found.disagreement),
        "error": shown(found.error),
        "readers": [
            {"name": one.name, "read": one.read, "skipped": one.skipped, "median_s": one.median_s,
             "disagrees": shown(one.disagrees), "misses": shown(one.misses), "false_alarms": shown(one.false_alarms),
             "confusion": one.confusion}
            for one in found.readers
        ],
    }  # fmt: skip
