"""A comparison counts every run once and says how far to believe it."""

import pytest

from seedbed.compare import compare
from seedbed.errors import BudgetExceeded, ConfigError
from tests.worlds import small_recipe


@pytest.mark.parametrize("rng_seeds", [(), (0, 1, 0)])
def test_a_run_is_never_counted_twice(tmp_path, rng_seeds):
    with pytest.raises(ConfigError, match="each once"):
        compare(small_recipe(), tmp_path, rng_seeds=rng_seeds)


def test_a_recipe_that_opens_no_test_rows_is_refused_before_it_runs(tmp_path):
    recipe = small_recipe()
    with pytest.raises(ConfigError, match="no `evaluate` step"):
        compare(recipe.model_copy(update={"steps": recipe.steps[:-1]}), tmp_path, methods=("s3",))
    assert not list(tmp_path.iterdir())


def test_one_rng_seed_gives_the_interval_that_the_run_itself_gives(tmp_path):
    found = compare(small_recipe(), tmp_path, methods=("gold",), rng_seeds=(0,))
    assert found["methods"]["gold"]["test"]["method"] == "wilson"


def test_a_comparison_stops_at_a_reached_budget_and_goes_on_when_it_is_raised(tmp_path):
    """What S3 asked for is the others' budget, so nothing may be compared before S3 has asked for all of it."""
    methods = ("s3", "plain")
    with pytest.raises(BudgetExceeded, match="raise"):
        compare(small_recipe(budget={"requests": 150}), tmp_path, methods=methods, rng_seeds=(0,))
    assert not (tmp_path / "comparison.json").exists() and not (tmp_path / "plain").exists()
    found = compare(small_recipe(budget={"requests": 500}), tmp_path, methods=methods, rng_seeds=(0,))
    assert {one["requests"] for one in found["methods"].values()} == {200.0}


def test_a_cap_on_a_step_of_s3_does_not_bind_its_baselines(tmp_path):
    """They may send what S3 sent, in steps of their own."""
    capped = small_recipe(
        budget={"requests": 500, "steps": {"synthesise": {"requests": 90}, "extrapolate": {"requests": 30}}}
    )
    found = compare(capped, tmp_path, methods=("s3", "plain"), rng_seeds=(0,))
    assert {one["requests"] for one in found["methods"].values()} == {120.0}
