"""What `seedbed init` writes can be planned at once."""

import contextlib
from pathlib import Path

import polars as pl
import pytest
import yaml
from click.testing import CliRunner, Result

from seedbed.cli import main
from seedbed.models.worlds import open_world


def init(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), "--yes", "--teacher", "sim:reviews", *options])


def a_gold_file(path: Path, *, text: str, label: str) -> Path:
    open_world("reviews").gold(60, 1).rename({"text": text, "label": label}).write_csv(path)
    return path


@pytest.mark.parametrize("label", ["label", "Sentiment"])
def test_columns_are_guessed_and_the_recipe_can_be_planned_at_once(tmp_path: Path, label: str) -> None:
    gold = a_gold_file(tmp_path / "gold.csv", text="review", label=label)
    assert init(tmp_path / "new", "--gold", str(gold)).exit_code == 0
    planned = CliRunner().invoke(main, ["plan", str(tmp_path / "new" / "recipe.yaml"), "--json"])
    assert planned.exit_code == 0, planned.output
    recipe = yaml.safe_load((tmp_path / "new" / "recipe.yaml").read_text())
    assert recipe["gold"]["columns"]["text"] == "review"


def test_a_relative_gold_path_is_written_as_seen_from_the_recipe(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        gold = a_gold_file(Path("mine.csv"), text="text", label="label")
        assert init(Path("deep/folder"), "--gold", str(gold)).exit_code == 0
        source = yaml.safe_load(Path("deep/folder/recipe.yaml").read_text())["gold"]["source"]
        assert source == "../../mine.csv"
        assert CliRunner().invoke(main, ["plan", "deep/folder/recipe.yaml"]).exit_code == 0


def test_a_column_that_cannot_be_guessed_is_asked_for_by_its_option(tmp_path: Path) -> None:
    gold = a_gold_file(tmp_path / "gold.csv", text="text", label="verdict_of_the_reader")
    result = init(tmp_path / "new", "--gold", str(gold))
    assert result.exit_code == 2
    assert "--label" in result.output and "verdict_of_the_reader" in result.output
    assert not (tmp_path / "new").exists()


def test_existing_files_are_never_written_over(tmp_path: Path) -> None:
    gold = a_gold_file(tmp_path / "gold.csv", text="text", label="label")
    (tmp_path / "recipe.yaml").write_text("mine")
    assert init(tmp_path, "--gold", str(gold)).exit_code == 2
    assert (tmp_path / "recipe.yaml").read_text() == "mine"


def test_a_known_world_needs_no_task_file(tmp_path: Path) -> None:
    assert init(tmp_path / "new", "--gold", "sim:reviews").exit_code == 0
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["recipe.yaml"]


def test_a_column_of_free_text_is_no_label_column(tmp_path: Path) -> None:
    rows = pl.DataFrame({"text": [f"t{n}" for n in range(99)], "label": [f"l{n}" for n in range(99)]})
    rows.write_csv(tmp_path / "gold.csv")
    assert "no label column" in init(tmp_path / "new", "--gold", str(tmp_path / "gold.csv")).output
