"""A whole small recipe on a model in this process."""

import polars as pl
import pytest
from tests.tiny_checkpoint import write_checkpoint
from tests.worlds import small_recipe

from seedbed.run import run_recipe

STEPS = [
    {"verb": "synthesise", "requests": 24, "reasons": 3},
    {"verb": "train"},
    {"verb": "repeat", "rounds": 1, "steps": [{"verb": "extrapolate", "requests": 12}, {"verb": "train"}]},
    {"verb": "evaluate", "shift": False},
]


@pytest.mark.slow
def test_a_recipe_runs_on_a_checkpoint_in_a_folder_and_replays_without_its_answers_changing(tmp_path):
    """The checkpoint babbles, so nothing is learned; what is shown is that rows, tokens and FLOPs are accounted for."""
    write_checkpoint(tmp_path / "model")
    teacher = {"model": f"hf:{tmp_path / 'model'}", "max_tokens": 24, "endpoint": {"concurrency": 8}}
    recipe = small_recipe(teacher=teacher, steps=STEPS)
    result = run_recipe(recipe, tmp_path / "runs" / "local")
    account = result["account"]
    lost = sum(account["rejected"].values()) + sum(account["failed"].values())
    assert account["requested"] == account["accepted"] + lost + account["pending"] == 24 - 2 + 12
    assert account["accepted"] > 0 and result["spend"]["sent"] == 36
    assert result["spend"]["usd"] is None and result["spend"]["flops"] > 0
    rows = pl.read_parquet(tmp_path / "runs" / "local" / "data" / "evaluate-1.parquet")
    again = run_recipe(recipe, tmp_path / "runs" / "again")
    assert (again["spend"]["requests"], again["spend"]["sent"]) == (36, 0)
    replayed = pl.read_parquet(tmp_path / "runs" / "again" / "data" / "evaluate-1.parquet")
    assert replayed["text"].to_list() == rows["text"].to_list()
    budget = {"models": {teacher["model"]: {"requests": 20}}}
    capped = run_recipe(small_recipe(teacher=teacher, steps=STEPS, budget=budget), tmp_path / "runs" / "capped")
    assert (capped["complete"], capped["spend"]["requests"], capped["spend"]["sent"]) == (False, 20, 0)
    # Alone in its batch, every row is answered the same: concurrency is no setting.
    alone = small_recipe(teacher=teacher | {"endpoint": {"concurrency": 1}}, steps=STEPS)
    one = run_recipe(alone, tmp_path / "runs" / "alone", ledger=tmp_path / "other.sqlite")
    assert [stage["test"] for stage in one["stages"]] == [stage["test"] for stage in result["stages"]]
