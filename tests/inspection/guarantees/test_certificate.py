import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from seedbed.cli import main
from seedbed.errors import DataError
from seedbed.inspection.guarantees.certificate import (
    Certificate,
    Setting,
    certify,
    read_labels,
    read_rows,
    rows_to_label,
    verify,
)
from seedbed.randomness import stream

SETTING = Setting(n=150, alpha=0.1, rng_seed=4)


def rows_and_truth(slope: float = 1.5) -> tuple[pl.DataFrame, dict[str, bool]]:
    rng = stream(2, "certificate")
    said = rng.normal(size=1200) * 3
    bad = rng.random(1200) < 1 / (1 + np.exp(2 - slope * said))
    ids = [f"row {number}" for number in range(1200)]
    return pl.DataFrame({"id": ids, "log_odds": said, "text": ids}), dict(zip(ids, bad.tolist(), strict=True))


def certified(slope: float = 1.5) -> tuple[pl.DataFrame, dict[str, bool], Certificate, list[str]]:
    rows, truth = rows_and_truth(slope)
    labels = {key: truth[key] for key in rows_to_label(rows, SETTING)}
    certificate, kept = certify(rows, labels, SETTING)
    return rows, labels, certificate, kept


ROWS, LABELS, CERTIFICATE, KEPT = certified()


def wrong(certificate: Certificate, rows: pl.DataFrame = ROWS, labels: dict[str, bool] | None = None) -> set[str]:
    return {check.what for check in verify(certificate, rows, LABELS if labels is None else labels) if not check.holds}


def test_a_certificate_survives_the_file_and_holds(tmp_path: Path) -> None:
    assert CERTIFICATE.is_certified and CERTIFICATE.n_kept == len(KEPT) > 300
    read = Certificate.read(CERTIFICATE.write(tmp_path / "certificate.json"))
    assert read == CERTIFICATE
    assert wrong(read) == set()


def test_the_order_of_rows_and_labels_does_not_matter() -> None:
    assert wrong(CERTIFICATE, ROWS.reverse(), dict(reversed(LABELS.items()))) == set()


def test_a_changed_label_is_found() -> None:
    flipped = LABELS | {next(iter(LABELS)): not next(iter(LABELS.values()))}
    assert "labels" in wrong(CERTIFICATE, labels=flipped)


def test_a_changed_row_is_found_even_where_no_score_changed() -> None:
    changed = ROWS.with_columns(text=pl.when(pl.col("id") == "row 5").then(pl.lit("other")).otherwise("text"))
    assert wrong(CERTIFICATE, changed) == {"rows"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"statement": "All rows are good."}, "statement"),
        ({"alpha": 0.05}, "statement"),
        ({"rng_seed": 5}, "recomputed"),
        ({"kept_sha256": "0" * 64, "plan": CERTIFICATE.plan | {"core": 7}}, "plan"),
    ],
)
def test_a_certificate_that_was_tampered_with_does_not_hold(change: dict[str, object], found: str) -> None:
    assert wrong(replace(CERTIFICATE, **change)) & {found, "recomputed"}


def test_a_pilot_steers_the_plan_and_is_never_drawn() -> None:
    rows, truth = rows_and_truth()
    setting = replace(SETTING, pilot=tuple(f"row {number}" for number in range(0, 1200, 30)))
    pilot = {key: truth[key] for key in setting.pilot}
    drawn = rows_to_label(rows, setting, pilot)
    assert not set(drawn) & set(setting.pilot)
    labels = pilot | {key: truth[key] for key in drawn}
    certificate, _ = certify(rows, labels, setting)
    assert wrong(certificate, rows, labels) == set()


def test_what_cannot_be_certified_says_so_and_that_holds_too() -> None:
    rows, labels, certificate, kept = certified(0.0)
    assert not certificate.is_certified and kept == []
    assert "can be certified" in certificate.statement
    assert "new labels" in certificate.statement or "No number of labels" in certificate.statement
    assert wrong(certificate, rows, labels) == set()


def test_labels_that_are_not_there_are_asked_for() -> None:
    with pytest.raises(DataError, match="labels are missing"):
        certify(ROWS, {}, SETTING)


def test_the_command_says_what_holds_and_fails_where_something_does_not(tmp_path: Path) -> None:
    file = CERTIFICATE.write(tmp_path / "certificate.json")
    ROWS.write_parquet(tmp_path / "rows.parquet")
    table = pl.DataFrame({"id": list(LABELS), "bad": list(LABELS.values())})
    table.write_csv(tmp_path / "labels.csv")
    asked = ["certify", "verify", str(file), str(tmp_path / "rows.parquet"), str(tmp_path / "labels.csv")]
    good = CliRunner().invoke(main, asked)
    assert good.exit_code == 0 and CERTIFICATE.statement in good.output.replace("\n", " ")
    file.write_text(file.read_text().replace('"n_kept": ', '"n_kept": 1'))
    bad = CliRunner().invoke(main, [*asked, "--json"])
    assert bad.exit_code == 2 and "does not hold" in bad.output
    assert not json.loads(bad.stdout)["holds"]


def test_files_that_cannot_be_read_say_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,bad\na,true\na,maybe\n")
    with pytest.raises(DataError, match="true or false"):
        read_labels(tmp_path / "labels.csv")
    (tmp_path / "rows.csv").write_text("name\na\n")
    with pytest.raises(DataError, match="column `id`"):
        read_rows(tmp_path / "rows.csv")
    (tmp_path / "certificate.json").write_text("[]")
    with pytest.raises(DataError, match="not a certificate"):
        Certificate.read(tmp_path / "certificate.json")
