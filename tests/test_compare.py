"""A comparison counts every run once and says how far to believe it."""

import pytest

from seedbed.compare import compare
from seedbed.errors import ConfigError
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
