"""Solutions drawn from real pocket models: every draw is a row, every cost is counted, the plan is followed."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.plan import pilot
from seedbed.recipe import Recipe
from seedbed.run import run_recipe, run_sampling

TASK = {
    "name": "word problems",
    "kind": "reasoning",
    "answer": "number",
    "fields": ["problem"],
    "instruction": "Solve the problem.",
}
TEACHERS = {
    "weak": {"model": "pocket:weak", "temperature": 0.9, "max_tokens": 128},
    "strong": {"model": "pocket:strong", "temperature": 0.9, "max_tokens": 128},
}


def recipe(*steps: dict[str, Any], **changes: Any) -> Recipe:
    gold = {"source": "pocket:problems?steps=2-3", "rows": 40, "steer": 24}
    plain = {"name": "words", "task": TASK, "gold": gold, "teachers": TEACHERS, "steps": list(steps)}
    return Recipe.model_validate({**plain, **changes})


def pool_of(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path / "pools" / "sample-1.parquet")


def test_as_many_draws_as_were_asked_for_each_with_its_verdict_and_cost(tmp_path: Path) -> None:
    result = run_recipe(recipe({"verb": "sample", "strategy": "weak", "samples": 3}), tmp_path / "run")
    pool, rows = pool_of(tmp_path / "run"), pl.read_parquet(tmp_path / "run" / "data" / "sample-1.parquet")
    assert pool.height == rows.height == 24 * 3 == result["account"]["requested"]
    assert pool.group_by("problem_id").len()["len"].unique().to_list() == [3]
    right = rows.filter(pl.col("status") == "accepted")
    assert right.height == int(pool["correct"].sum()) > 0
    assert all(
        str(text).rstrip(".").endswith(answer) for text, answer in right.select("solution", "answer").iter_rows()
    )
    wrong = rows.filter(pl.col("status") != "accepted")
    assert wrong["why"].null_count() == 0
    assert result["sampling"]["spent"] == pytest.approx(pool["flops"].sum()) and pool["flops"].min() > 0


def test_a_budget_on_one_teacher_is_spent_to_the_last_draws_and_not_beyond(tmp_path: Path) -> None:
    cost = run_recipe(recipe({"verb": "sample", "strategy": "weak", "samples": 4}), tmp_path / "a")["sampling"]["spent"]
    step = {"verb": "sample", "strategy": "weak", "budget": {"flops": 3 * cost}}
    found = run_recipe(recipe(step), tmp_path / "b")["sampling"]
    assert 0.9 * 3 * cost < found["spent"] < 1.03 * 3 * cost
    assert set(pool_of(tmp_path / "b")["model"]) == {"weak"}


@pytest.mark.parametrize("strategy", ["auto", "cascade", pytest.param("adaptive", marks=pytest.mark.slow)])
def test_a_pilot_a_plan_and_draws_that_keep_to_the_budget(tmp_path: Path, strategy: str) -> None:
    step = {"verb": "sample", "strategy": strategy, "budget": {"flops": 3e10}, "pilot": {"problems": 10, "samples": 3}}
    found = run_recipe(recipe(step), tmp_path / "run")["sampling"]
    assert found["pilot"]["problems"] == 10 and set(found["pilot"]["teachers"]) == {"weak", "strong"}
    assert found["spent"] < 1.03 * 3e10
    assert strategy == "auto" or found["chosen"].startswith(strategy)
    assert {one["kind"] for one in found["plan"]["options"]} == {"fixed", "mixture", "cascade", "adaptive"}
    assert found["came_out"] == found["outcome"]["found"]


def test_a_pilot_alone_writes_a_plan_and_the_run_pays_for_none_of_its_draws_again(tmp_path: Path) -> None:
    made = recipe({"verb": "sample", "budget": {"flops": 3e10}, "pilot": {"problems": 10, "samples": 3}})
    plan = pilot(made, tmp_path / "run")
    asked = []
    result = run_sampling(made, tmp_path / "run", progress=lambda _step, _done, total, _usd: asked.append(total))
    assert result["sampling"]["plan"] == plan["plan"]
    assert result["spend"]["sent"] == result["spend"]["requests"] - 10 * 3 * 2


def test_a_budget_too_small_for_a_pilot_says_how_much_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="raise it to"):
        run_recipe(recipe({"verb": "sample", "budget": {"flops": 1e8}}), tmp_path / "run")


def test_without_gold_the_majority_decides_and_what_it_calls_right_is_the_answer(tmp_path: Path) -> None:
    step = {"verb": "sample", "strategy": "strong", "samples": 5, "accept": "majority"}
    run_recipe(recipe(step), tmp_path / "run")
    rows = pl.read_parquet(tmp_path / "run" / "data" / "sample-1.parquet")
    accepted = rows.filter(pl.col("status") == "accepted")
    assert accepted.height and accepted.group_by("problem").agg(pl.col("answer").n_unique())["answer"].max() == 1
    assert rows.filter(pl.col("status") == "rejected")["why"].str.starts_with("vote: most said").all()


def test_unchecked_sampling_keeps_every_solution(tmp_path: Path) -> None:
    step = {"verb": "sample", "strategy": "weak", "samples": 2, "accept": "all"}
    account = run_recipe(recipe(step), tmp_path / "run")["account"]
    assert account["accepted"] + sum(account["failed"].values()) == account["requested"] == 48


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_pool(tmp_path: Path) -> None:
    step = {"verb": "sample", "strategy": "adaptive", "budget": {"flops": 3e10}}
    step |= {"pilot": {"problems": 10, "samples": 3}}
    whole = run_recipe(recipe(step), tmp_path / "whole" / "run")
    cut = run_recipe(recipe(step, budget={"requests": 80}), tmp_path / "cut" / "run")
    assert not cut["complete"] and cut["account"]["pending"] >= 0
    again = run_recipe(recipe(step), tmp_path / "cut" / "run")
    kept = ("problem_id", "model", "draw", "text", "correct")
    assert pool_of(tmp_path / "cut" / "run").select(kept).equals(pool_of(tmp_path / "whole" / "run").select(kept))
    assert again["sampling"]["outcome"]["found"] == whole["sampling"]["outcome"]["found"]


def test_a_pilot_in_which_nothing_is_right_ends_there_and_says_what_went_wrong(tmp_path: Path) -> None:
    short = {name: {**teacher, "max_tokens": 2} for name, teacher in TEACHERS.items()}
    step = {"verb": "sample", "budget": {"flops": 3e10}, "pilot": {"problems": 10, "samples": 3}}
    with pytest.raises(DataError, match=r"(?s)no teacher solved any problem.*most often: truncated"):
        run_recipe(recipe(step, teachers=short), tmp_path / "run")
