"""`seedbed inspect`: which rows are good, and a certificate for those that are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from seedbed.cli.console import interval, json_option, out, print_json, printable, table
from seedbed.inspection.columns import read_labels, read_voter
from seedbed.inspection.inspect import Inspection, inspect
from seedbed.rows import read_table

WORST = 10


@click.command()
@click.argument("data")
@click.option(
    "--evidence", multiple=True, required=True, metavar="COLUMN=KIND[:FAMILY]", help="A column of votes; repeat it."
)
@click.option("--labels", "labels_file", metavar="FILE", help="Human labels: columns id and good.")
@click.option("--target", default="defects <= 2% at 95%", show_default=True, help="What to certify of the kept rows.")
@click.option("--slice", "slices", metavar="COLUMN", help="Column by which rows differ, such as who wrote them.")
@click.option("--rng-seed", default=0, show_default=True, help="Splits the labels; fix it before they are seen.")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for inspected.parquet and certificate.json [default: runs/DATA-inspected].",
)
@json_option
def command(  # noqa: PLR0913, PLR0917  # click hands over each option
    data: str,
    evidence: tuple[str, ...],
    labels_file: str | None,
    target: str,
    slices: str | None,
    rng_seed: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Say of each row of DATA how probably it is good, and certify the defect rate of those to keep.

    DATA is a .jsonl, .csv or .parquet file with a column `id` and columns of votes: 1 good, 0 bad, empty for no word.
    KIND is execution, symbolic, consensus, judge, classifier, function, critic or human; voters of one FAMILY share
    their mistakes. The labelled rows must be drawn uniformly at random from DATA: a quarter of them corrects the
    ranking, the others certify. Ends with exit code 3 when labels were given and nothing could be certified.
    """
    labels = read_labels(read_table(labels_file)) if labels_file else None
    voters = [read_voter(text) for text in evidence]
    found = inspect(read_table(data), voters, labels=labels, target=target, slices=slices, rng_seed=rng_seed)
    folder = folder or Path("runs") / f"{Path(data).stem}-inspected"
    found.write(folder)
    if as_json:
        print_json(summary(found))
    else:
        print_inspection(found)
        for name, file in (("rows", "inspected.parquet"), ("certificate", "certificate.json")):
            out.print(printable(f"{name}: {folder / file}"), markup=False, soft_wrap=True)
    sys.exit(3 if labels and not found.is_certified else 0)


def summary(found: Inspection) -> dict[str, object]:
    """All but the rows, as plain data."""
    return {
        "before": found.before.to_dict() if found.before else None,
        "after": found.after.to_dict() if found.after else None,
        "verdicts": verdicts(found),
        "voters": found.voters.to_dicts(),
        "slices": found.slices.to_dicts(),
        "certificate": found.certificate,
    }


def verdicts(found: Inspection) -> dict[str, int]:
    """Rows of each verdict."""
    return {name: int((found.rows["verdict"] == name).sum()) for name in ("keep", "drop", "ask")}


def print_inspection(found: Inspection) -> None:
    """Rates, voters, worst slices, and what may be said."""
    count = verdicts(found)
    rates = [["all", f"{found.rows.height:,}", interval(found.before.to_dict() if found.before else None)]]
    rates.append(["keep", f"{count['keep']:,}", interval(found.after.to_dict() if found.after else None)])
    rates += [[name, f"{count[name]:,}", ""] for name in ("drop", "ask")]
    table("", ["rows", "number", "bad %"], rates)
    lines = [
        [
            f"{one['voter']} ({one['kind']}{', ' + one['family'] if one['family'] else ''})",
            f"{100 * one['speaks']:.1f}",
            "-" if one["right_by_model"] is None else f"{100 * one['right_by_model']:.1f}",
            interval(
                {"value": one["right_by_labels"], "low": one["low"], "high": one["high"]} if one["n_labels"] else None
            ),
            f"{one['nats']:.2f}",
        ]
        for one in found.voters.to_dicts()
    ]
    out.print()
    table("voters", ["voter", "speaks %", "right by model %", "right by labels %", "nats"], lines)
    if found.slices.height > 1:
        worst = [
            [one["slice"], f"{one['rows']:,}", f"{one['kept']:,}", interval({**one, "value": one["bad"]})]
            for one in found.slices.head(WORST).to_dicts()
        ]
        out.print()
        title = f"worst {len(worst)} of {found.slices.height} slices"
        table(title, ["slice", "rows", "kept", "bad %, shrunk"], worst)
    out.print("\n" + printable(found.statement), markup=False, soft_wrap=True)
