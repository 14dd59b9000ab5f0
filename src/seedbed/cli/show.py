"""`seedbed show`: what a run did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import polars as pl

from seedbed.cli.console import accounting, interval, json_option, out, print_json, table, usd
from seedbed.errors import ConfigError
from seedbed.report.run_page import STOPPED
from seedbed.run import Folder


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--rows",
    "status",
    type=click.Choice(["accepted", "rejected", "failed", "pending"]),
    help="Show rows of this status instead, with the reason.",
)
@click.option("-n", "count", default=10, show_default=True, help="How many rows.")
@json_option
def command(run: Path, status: str | None, count: int, as_json: bool) -> None:
    """Show the run in directory RUN: scores, accounting, spend, gold reads, or its rows."""
    result = read_result(run)
    if status is not None:
        _print_rows(run, result, status, count, as_json=as_json)
    elif as_json:
        print_json(result)
    else:
        print_result(result, run)


def read_result(run: Path) -> dict[str, Any]:
    """The result of a finished run.

    Raises:
        ConfigError: The directory holds none.
    """
    result = Folder(run).read("result.json")
    if result is None:
        raise ConfigError("the directory holds no finished run", str(run), "run its recipe first, or go on with it")
    return result


def print_result(result: dict[str, Any], path: Path) -> None:
    """The whole result, as tables."""
    simulated = " (a simulated teacher in a known world)" if result["is_simulated"] else ""
    out.print(
        f"{result['name']}: teacher {result['teacher']['model']}{simulated}, student {result['student']['kind']}, "
        f"rng seed {result['rng_seed']}",
        highlight=False,
    )
    lines = []
    for stage in result["stages"]:
        truth = stage["truth"] or {}
        lines.append(
            [
                f"{stage['student']} (round {stage['round']})",
                stage["trained_on"],
                stage["spend"]["requests"],
                usd(stage["spend"]["usd"]),
                interval(stage["select"]),
                interval(stage["test"]),
                f"{truth['total_variation']:.2f}" if truth else "-",
            ]
        )
    metric = result["metric"]
    table("", ["student", "rows", "requests", "usd", f"select {metric} %", f"test {metric} %", "tv to gold"], lines)
    if gain := result["gain"]:
        clear = "clear" if gain["low"] > 0 else "not clear"
        out.print(f"gain of the last student over the first on test: {interval(gain, sign=True)} points, {clear}")
    out.print(accounting(result["account"]))
    gold = result["gold"]
    opened = sum(read["split"] == "test" and read["why"] == "final evaluation" for read in gold["reads"])
    out.print(
        f"gold: steer {gold['steer']}, select {gold['select']}, test {gold['test']} opened {opened} time(s); "
        f"{len(gold['reads'])} reads logged"
        + (f"; {gold['left_out']} rows left out that repeat a test row" if gold["left_out"] else "")
    )
    for reason in result["stopped"]:
        out.print(f"rounds ended: {STOPPED.get(reason, reason)}")
    out.print(f"run: {path}")


def _print_rows(run: Path, result: dict[str, Any], status: str, count: int, *, as_json: bool) -> None:
    rows = pl.read_parquet(run / "data" / f"{result['steps'][-1]['name']}.parquet")
    chosen = rows.filter((pl.col("status") == status) & (pl.col("made_by") != "gold")).head(count)
    if as_json:
        print_json(chosen.to_dicts())
        return
    task = result["task"]
    target = "label" if task["kind"] == "classification" else "answer"
    for row in chosen.to_dicts():
        text = " | ".join(str(row[name]) for name in task["fields"] if row[name] is not None)
        click.echo(
            f"{row['id']}  {row['made_by']}  {row[target]}\n    {row['why'] or ''}\n    {text}"
            if row["why"]
            else f"{row['id']}  {row['made_by']}  {row[target]}\n    {text}"
        )
    if chosen.is_empty():
        click.echo(f"no {status} rows")
