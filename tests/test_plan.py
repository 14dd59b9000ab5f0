"""A plan is not exceeded by what the recipe can ask for."""

import polars as pl

from seedbed.plan import plan, preview
from tests.worlds import small_recipe


def test_a_repeat_inside_a_repeat_multiplies_its_rounds():
    inner = {"verb": "repeat", "rounds": 3, "steps": [{"verb": "extrapolate", "requests": 10}, {"verb": "train"}]}
    steps = [
        {"verb": "synthesise", "requests": 20},
        {"verb": "train"},
        {"verb": "repeat", "rounds": 2, "steps": [inner]},
    ]
    assert plan(small_recipe(steps=steps))["total"]["requests"] == (30, 80, 80)


def first_cap(**budget):
    return plan(small_recipe(budget=budget))["first_cap"]


def test_the_cap_that_is_reached_first_is_named_with_its_step():
    """120 seed requests, then 40 in each of two rounds."""
    assert first_cap(requests=200) is None
    assert first_cap(requests=199) == {
        "part": "",
        "cap": "requests",
        "at": 199,
        "step": "extrapolate-2",
        "if": "expected",
    }
    nested = first_cap(requests=170, steps={"extrapolate": {"requests": 30}})
    assert (nested["part"], nested["step"]) == ("steps.extrapolate", "extrapolate-1")
    assert first_cap(requests=60, steps={"extrapolate-2": {"requests": 1}})["step"] == "synthesise-1"
    assert first_cap(models={"sim:reviews": {"usd": 1e-6}})["part"] == "models.sim:reviews"


def test_a_cap_that_only_the_high_end_reaches_is_named_as_such():
    expected, high = plan(small_recipe())["total"]["usd"][1:]
    assert first_cap(usd=(expected + high) / 2)["if"] == "high" and first_cap(usd=high * 1.01) is None


def test_a_cap_in_flops_is_forecast_where_the_size_is_known():
    found = plan(small_recipe(teacher="sim:reviews?parameters_billion=1", budget={"flops": 1e12}))["first_cap"]
    assert (found["cap"], found["step"]) == ("flops", "synthesise-1")


def test_a_cap_on_a_recorded_teacher_is_named_as_the_recipe_has_it_and_holds_in_a_preview(tmp_path):
    pl.DataFrame({"label": ["positive"], "reply": ["Fine."]}).write_ndjson(tmp_path / "replies.jsonl")
    address = f"recorded:{tmp_path / 'replies.jsonl'}"
    recipe = small_recipe(teacher=address, budget={"models": {address: {"requests": 2}}})
    assert plan(recipe)["first_cap"]["part"] == f"models.{address}"
    assert preview(recipe, tmp_path / "run", count=5).height == 0  # both went to reasons
