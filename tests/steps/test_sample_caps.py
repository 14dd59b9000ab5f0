"""A cap of the recipe's that comes before the step's own budget: what was drawn is kept, and the rest is pending."""

from pathlib import Path
from typing import Any

import pytest

from seedbed.errors import BudgetExceeded
from seedbed.plan import pilot
from seedbed.recipe import Recipe
from seedbed.report import write_report
from seedbed.run import run_recipe

TASK = {
    "name": "word problems",
    "kind": "reasoning",
    "answer": "number",
    "fields": ["problem"],
    "instruction": "Solve the problem.",
}


def recipe(step: dict[str, Any], **budget: Any) -> Recipe:
    weak = {"model": "pocket:weak", "max_tokens": 64}
    plain = {
        "name": "words",
        "task": TASK,
        "gold": {"source": "pocket:problems?steps=2-2", "rows": 20, "steer": 12},
        "teachers": {"hot": {**weak, "temperature": 1.0}, "cold": {**weak, "temperature": 0.5}},
        "steps": [step],
        "budget": budget,
    }
    return Recipe.model_validate(plain)


PLANNED = {"verb": "sample", "budget": {"flops": 1e11}, "pilot": {"problems": 10, "samples": 2}}


@pytest.mark.parametrize("step", [PLANNED, {**PLANNED, "strategy": "cold"}])
def test_a_cap_within_the_first_draws_ends_the_run_and_loses_none_of_them(tmp_path: Path, step: dict[str, Any]) -> None:
    found = run_recipe(recipe(step, requests=3), tmp_path / "run")
    assert not found["complete"] and found["sampling"]["outcome"]["draws"] == 3
    assert write_report(tmp_path / "run").exists()


def test_a_pilot_that_a_cap_cuts_short_makes_no_plan(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded, match="within the pilot"):
        pilot(recipe(PLANNED, requests=3), tmp_path / "run")


@pytest.mark.parametrize("accept", ["correct", "majority", "all"])
def test_a_cap_that_pays_for_nothing_leaves_every_draw_pending(tmp_path: Path, accept: str) -> None:
    step = {"verb": "sample", "strategy": "hot", "samples": 2, "accept": accept}
    found = run_recipe(recipe(step, tokens=1), tmp_path / "run")
    assert not found["complete"] and found["account"]["pending"] == found["account"]["requested"] == 24


def test_a_budget_too_small_for_a_pilot_is_refused_after_two_problems(tmp_path: Path) -> None:
    asked: list[int] = []
    with pytest.raises(Exception, match="raise it to"):
        run_recipe(
            recipe({**PLANNED, "budget": {"flops": 1e6}}),
            tmp_path / "run",
            progress=lambda _step, _done, total, _usd: asked.append(total),
        )
    assert max(asked) == 2 * 2
