"""A whole small recipe on a real OpenAI-compatible server that nobody here wrote: `transformers serve`."""

import polars as pl
import pytest

from seedbed.run import run_recipe
from tests.models.batch_server import batch_server
from tests.tiny_checkpoint import serving, write_checkpoint
from tests.worlds import small_recipe

STEPS = [
    {"verb": "synthesise", "requests": 24, "reasons": 3},
    {"verb": "train"},
    {"verb": "repeat", "rounds": 1, "steps": [{"verb": "extrapolate", "requests": 12}, {"verb": "train"}]},
    {"verb": "evaluate", "shift": False},
]


@pytest.mark.server
@pytest.mark.timeout(600)
def test_a_recipe_runs_against_transformers_serve_and_every_row_is_accounted_for(tmp_path):
    """The checkpoint babbles, so nothing is learned; what is shown is that the wire, the ledger and the counts hold."""
    write_checkpoint(tmp_path / "model")
    with serving(tmp_path / "model") as address:
        teacher = {"model": address, "max_tokens": 24, "endpoint": {"concurrency": 4, "timeout_s": 60}}
        recipe = small_recipe(teacher=teacher, steps=STEPS)
        result = run_recipe(recipe, tmp_path / "runs" / "real")
        sent = result["spend"]["sent"]
    account = result["account"]
    lost = sum(account["rejected"].values()) + sum(account["failed"].values())
    assert account["requested"] == account["accepted"] + lost + account["pending"] == 24 - 2 + 12
    assert account["accepted"] > 0 and sent == 36
    assert result["spend"]["usd"] is None, "a local server has no listed price"
    rows = pl.read_parquet(tmp_path / "runs" / "real" / "data" / "evaluate-1.parquet")
    assert rows.filter(pl.col("status") == "accepted")["text"].str.len_chars().min() > 0
    # The server is gone; the same command needs nothing from it.
    again = run_recipe(recipe, tmp_path / "runs" / "again")
    assert [stage["test"] for stage in again["stages"]] == [stage["test"] for stage in result["stages"]]
    assert (again["spend"]["requests"], again["spend"]["sent"]) == (36, 0)


@pytest.mark.slow
def test_a_recipe_runs_through_batch_files(tmp_path):
    with batch_server() as server:
        teacher = {"model": server.address, "endpoint": {"batch": True}}
        steps = [{"verb": "synthesise", "requests": 24, "reasons": 0}, {"verb": "train"}]
        result = run_recipe(small_recipe(teacher=teacher, steps=steps), tmp_path / "runs" / "batch")
    assert result["spend"]["sent"] == 24 and result["account"]["accepted"] > 12
    assert len(server.batches) == 1
