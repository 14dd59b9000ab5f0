"""A plan is not exceeded by what the recipe can ask for."""

from seedbed.plan import plan
from tests.worlds import small_recipe


def test_a_repeat_inside_a_repeat_multiplies_its_rounds():
    inner = {"verb": "repeat", "rounds": 3, "steps": [{"verb": "extrapolate", "requests": 10}, {"verb": "train"}]}
    steps = [
        {"verb": "synthesise", "requests": 20},
        {"verb": "train"},
        {"verb": "repeat", "rounds": 2, "steps": [inner]},
    ]
    assert plan(small_recipe(steps=steps))["total"]["requests"] == (30, 80, 80)
