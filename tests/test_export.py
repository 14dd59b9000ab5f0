"""A card says no more for its rows than was measured."""

import pytest

from seedbed.export import export_rows
from seedbed.run import run_recipe
from tests.worlds import small_recipe


@pytest.mark.parametrize(
    ("with_gold", "said"), [(False, "trained on these rows and 100 gold rows reaches"), (True, "on these rows reaches")]
)
def test_a_score_that_gold_rows_helped_to_reach_says_so(tmp_path, with_gold, said):
    steps = [{"verb": "synthesise", "requests": 40}, {"verb": "use_gold"}, {"verb": "train"}]
    run_recipe(small_recipe(steps=[*steps, {"verb": "evaluate", "shift": False}]), tmp_path / "run")
    _, card = export_rows(tmp_path / "run", tmp_path / "rows", with_gold=with_gold)
    assert said in card.read_text(encoding="utf-8")
