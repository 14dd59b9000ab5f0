"""Every recipe that is shipped can be planned, says what it should reach, and asks for what its header says."""

import re
from pathlib import Path

import pytest

from seedbed.plan import plan
from seedbed.recipe import load_recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def header(path: Path) -> str:
    """The comment at the top."""
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.removeprefix("#").strip() for line in lines[:first])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_can_be_planned_without_a_key(path: Path) -> None:
    found = plan(load_recipe(path))
    assert found["total"]["requests"][1] > 0
    # What runs in this process has no price; its budget is in FLOPs.
    assert found["total"]["usd"] is not None or found["teacher"].startswith("pocket:")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_headed_by_what_it_reaches_and_costs(path: Path) -> None:
    said = header(path)
    assert re.search(r"Should reach|Not measured|stands in README", said), "say the number, or that there is none"
    asked = re.search(r"([\d,]+) requests", said)
    if asked is None:
        assert "stands in README" in said, "say what it costs"
        return
    assert int(asked[1].replace(",", "")) == plan(load_recipe(path))["total"]["requests"][1]
