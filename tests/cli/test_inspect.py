"""`seedbed inspect` as a user types it."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from seedbed.cli import main
from seedbed.randomness import stream


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """2,000 rows, one in ten bad, three voters who are right on 19 of 20, and labels of 400 random rows."""
    monkeypatch.chdir(tmp_path)
    rng = stream(0, "cli inspect")
    good = rng.random(2000) < 0.9
    votes = {f"v{w}": np.where(rng.random(2000) < 0.95, good, ~good).astype(int) for w in range(3)}
    ids = [f"r{n}" for n in range(2000)]
    pl.DataFrame({"id": ids, "by": ["a", "b"] * 1000, **votes}).write_ndjson(tmp_path / "rows.jsonl")
    read = rng.choice(2000, 400, replace=False).tolist()
    labels = pl.DataFrame({"id": [ids[n] for n in read], "good": [bool(good[n]) for n in read]})
    labels.write_csv(tmp_path / "labels.csv")
    return tmp_path


def call(*words):
    """(exit code, stdout, stderr)"""
    evidence = [word for w in range(3) for word in ("--evidence", f"v{w}=judge")]
    found = CliRunner().invoke(main, ["inspect", "rows.jsonl", *evidence, *words])
    return found.exit_code, found.stdout, found.stderr


def test_rows_are_certified_and_written(folder):
    code, seen, _ = call("--labels", "labels.csv", "--target", "defects <= 5% at 95%", "--slice", "by", "--out", "out")
    certificate = json.loads((folder / "out" / "certificate.json").read_text())
    rows = pl.read_parquet(folder / "out" / "inspected.parquet")
    assert code == 0 and certificate["is_certified"] and certificate["statement"] in seen.replace("\n", " ")
    assert (rows["verdict"] == "keep").sum() == certificate["n_kept"]
    assert "v2 (judge)" in seen and "worst 2 of 2 slices" in seen


def test_a_target_out_of_reach_ends_with_three_and_no_labels_with_zero(folder):
    code, seen, _ = call("--labels", "labels.csv", "--target", "defects <= 0.1% at 95%", "--json")
    found = json.loads(seen)
    assert code == 3 and not found["certificate"]["is_certified"] and found["after"] is None
    assert "300 labels certify, of 400" in found["certificate"]["statement"]
    code, seen, _ = call()
    assert code == 0 and "no human labels" in seen and (folder / "runs" / "rows-inspected").is_dir()


def test_bad_input_ends_with_two_and_a_way_out(folder):
    for words, said in (
        (("--evidence", "v9=judge"), "v9"),
        (("--target", "good rows"), "write it like"),
        (("--slice", "town"), "town"),
        (("--labels", "rows.jsonl"), "good"),
    ):
        code, _, seen = call(*words)
        assert code == 2 and said in seen and "fix:" in seen
