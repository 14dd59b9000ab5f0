"""`seedbed certify`: check a certificate against the rows and the labels that it speaks of."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from seedbed.cli.console import json_option, out, print_json, printable
from seedbed.errors import DataError
from seedbed.inspection.guarantees.certificate import Certificate, read_labels, read_rows, verify

_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def command() -> None:
    """Check a certificate of a defect rate."""


@command.command("verify")
@click.argument("certificate", type=_file)
@click.argument("rows", type=_file)
@click.argument("labels", type=_file)
@json_option
def verify_command(certificate: Path, rows: Path, labels: Path, as_json: bool) -> None:
    """Make CERTIFICATE anew from ROWS and LABELS, and say what in it does not hold.

    ROWS has the columns `id` and the score that the certificate names, LABELS has `id` and `bad`; both are Parquet,
    JSONL or CSV. Draw, tests, kept rows and statement are recomputed. That the rng seed was fixed before the labels
    were seen, and that the reader was right, no file can show.
    """
    found = Certificate.read(certificate)
    checks = verify(found, read_rows(rows), read_labels(labels))
    wrong = [check for check in checks if not check.holds]
    if as_json:
        print_json({"holds": not wrong, "statement": found.statement, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            text = f"{'holds' if check.holds else 'WRONG':5}  {check.what}" + (
                f": {check.detail}" if check.detail else ""
            )
            out.print(printable(text), markup=False, soft_wrap=True)
    if wrong:
        raise DataError(
            f"{certificate} does not hold",
            ", ".join(check.what for check in wrong),
            "give the very rows and labels it was made from; if these are they, do not rely on it",
        )
    if not as_json:
        out.print(printable(found.statement), markup=False, soft_wrap=True)
