"""The reference pages say what the code says."""

import pytest
from pydantic import BaseModel

from docs import generate, tree
from seedbed import recipe, task
from seedbed.models import Endpoint
from seedbed.models.simulated import Knobs


@pytest.mark.parametrize("name", [*generate.PAGES, "README.md"])
def test_a_generated_page_is_what_the_code_says_today(name: str) -> None:
    assert generate.stale(name) == [], "run `make docs`"


def test_the_map_names_every_file_of_the_program_and_nothing_else() -> None:
    shown = [line.split()[0].rstrip("/") for line in tree.tree().splitlines()[1:]]
    # The weights' folder speaks for the files in it.
    found = [
        path
        for path in tree.SRC.rglob("*")
        if "__pycache__" not in path.parts and "weights" not in path.parent.parts and path.name != "__init__.py"
    ]
    assert sorted(shown) == sorted(path.name for path in found)


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    assert {path.name for path in (generate.HERE / "reference").iterdir()} == set(generate.PAGES)


def test_a_setting_without_a_meaning_is_refused() -> None:
    class Undocumented(BaseModel):
        depth: int = 1

    Undocumented.__module__ = "elsewhere"
    with pytest.raises(SystemExit, match=r"Undocumented\.depth"):
        generate.settings_table(Undocumented)


def test_no_meaning_is_kept_for_a_setting_that_says_it_itself() -> None:
    teacher, gold, budget = recipe.TeacherSettings, recipe.GoldSettings, recipe.BudgetSettings
    shown = [recipe.Recipe, gold, teacher, budget, Endpoint, task.Task, Knobs, *generate.STUDENTS, *generate.STEPS]
    silent = [(each, name) for each in shown for name in set(each.model_fields) - set(generate.field_docstrings(each))]
    named = [(f"{each.__name__}.{name}", name) for each, name in silent]
    assert set(generate.SAID) <= {own if own in generate.SAID else plain for own, plain in named}
