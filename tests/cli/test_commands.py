"""The commands as a user types them: what is printed, what is left behind, which exit code."""

import json

import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from tests.worlds import small_recipe

from seedbed.cli import COMMANDS, main


def call(*words, cwd=None):
    """Run a command in-process; (exit code, stdout, stderr)."""
    found = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def write(folder, **changes):
    """A recipe file in a folder."""
    plain = small_recipe().model_dump(mode="json", exclude_none=True, exclude={"budget"})
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump({**plain, **changes}, sort_keys=False))
    return file


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run made by the command: (recipe file, run directory, stdout, exit code)."""
    folder = tmp_path_factory.mktemp("cli")
    file = write(folder)
    code, out, _ = call("run", file, "--out", folder / "runs" / "small")
    return file, folder / "runs" / "small", out, code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    code, out, _ = call(name, "--help")
    assert code == 0 and "Usage" in out and len(out.split("\n\n")) > 2


def test_run_prints_scores_with_intervals_and_the_accounting(ran):
    _, folder, out, code = ran
    assert code in (0, 3)
    for expected in (
        "train-3 (round 2)",
        "gain of the last student",
        "requested =",
        "opened 1 time(s)",
        "a simulated teacher",
    ):
        assert expected in out
    assert (folder / "report.html").stat().st_size > 10_000


def test_run_again_as_json_is_the_same_result(ran):
    file, folder, _, _ = ran
    code, out, _ = call("run", file, "--out", folder, "--json")
    assert json.loads(out)["spend"]["requests"] == 200 and code in (0, 3)


def test_show_lists_rows_with_their_reasons(ran):
    _, folder, _, _ = ran
    rows = pl.read_parquet(folder / "data" / "evaluate-1.parquet")
    for status in ("rejected", "failed"):
        code, out, _ = call("show", folder, "--rows", status, "-n", "99", "--json")
        assert code == 0 and len(json.loads(out)) == rows.filter(pl.col("status") == status).height


def test_plan_says_what_a_run_will_ask_and_sends_nothing(tmp_path):
    file = write(tmp_path)
    code, out, _ = call("plan", file, "--json")
    total = json.loads(out)["total"]
    assert code == 0 and total["requests"] == [160, 200, 200]
    assert list(tmp_path.iterdir()) == [file]


def test_the_plans_price_brackets_what_the_run_paid(ran):
    file, folder, _, _ = ran
    total = json.loads(call("plan", file, "--json")[1])["total"]
    paid = json.loads(call("show", folder, "--json")[1])["spend"]["usd"]
    assert total["usd"][0] <= paid <= total["usd"][2]


def test_preview_is_paid_for_once(tmp_path):
    file, out = write(tmp_path), tmp_path / "runs" / "small"
    code, text, _ = call("preview", file, "-n", "3", "--out", out, "--json")
    previewed = json.loads(text)
    assert code == 0 and len(previewed) == 3 and not out.exists()
    call("run", file, "--out", out)
    made = pl.read_parquet(out / "data" / "synthesise-1.parquet")
    assert made.head(3)["text"].to_list() == [row["text"] for row in previewed]
    spend = json.loads(call("show", out, "--json")[1])["spend"]
    assert (spend["requests"], spend["sent"]) == (200, 200 - 3 - 2), (
        "three rows and the reasons of two labels were owned"
    )


def test_export_writes_the_rows_and_a_card_without_a_licence_nobody_gave(ran, tmp_path):
    _, folder, _, _ = ran
    code, _, _ = call("export", folder, "--to", tmp_path)
    card = (tmp_path / "README.md").read_text()
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    head = yaml.safe_load(card.split("---")[1])
    assert code == 0 and "license" not in head and "synthetic" in head["tags"]
    assert {"id", "made_by", "parents", "text", "label"} <= rows[0].keys()
    assert "sim:reviews" in card and "a simulation" in card and "200" in card


def test_export_puts_a_given_licence_on_the_card(ran, tmp_path):
    call("export", ran[1], "--to", tmp_path, "--licence", "cc-by-4.0", "--form", "parquet")
    assert yaml.safe_load((tmp_path / "README.md").read_text().split("---")[1])["license"] == "cc-by-4.0"
    assert pl.read_parquet(tmp_path / "train.parquet").height > 100


def test_init_writes_a_recipe_that_runs_from_somebodys_csv(tmp_path):
    from seedbed.models.worlds import open_world

    open_world("reviews").gold(200, 0).rename({"text": "sentence"}).write_csv(tmp_path / "gold.csv")
    folder = tmp_path / "mine"
    code, _, err = call(
        "init", folder, "--gold", tmp_path / "gold.csv", "--teacher", "sim:reviews", "--yes", "--name", "mine"
    )
    assert code == 0, err
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recipe["gold"]["columns"] == {"text": "sentence"}
    code, out, err = call("plan", folder / "recipe.yaml")
    assert code == 0 and "2000" in out, err


def test_init_does_not_overwrite(tmp_path):
    (tmp_path / "recipe.yaml").write_text("mine")
    code, _, err = call("init", tmp_path, "--gold", "sim:reviews", "--teacher", "sim:reviews", "--yes")
    assert code == 2 and "already" in err and (tmp_path / "recipe.yaml").read_text() == "mine"


WRONG = {
    "a missing recipe": (None, "cannot be read"),
    "a misspelt setting": ({"studnet": "linear"}, "did you mean `student`"),
    "a missing gold file": ({"gold": {"source": "gone.jsonl", "steer": 5}}, "cannot be read"),
    "a missing gold column": ({"gold": {"source": "columns.jsonl", "steer": 5}}, "lacks columns"),
    "an unknown label": ({"gold": {"source": "labels.jsonl", "steer": 5}}, "'fine' x 1"),
    "an empty file": ({"gold": {"source": "empty.jsonl", "steer": 5}}, "the file is empty"),
    "unreadable bytes": ({"gold": {"source": "bytes.jsonl", "steer": 5}}, "not UTF-8"),
    "an unknown teacher": ({"teacher": "gpt:4"}, "no model can be at such an address"),
    "an unknown knob": ({"teacher": "sim:reviews?colour=1"}, "colour"),
    "too little gold": ({"gold": {"source": "sim:reviews", "rows": 10, "steer": 50}}, "too few rows"),
    "a key that is not set": (
        {"teacher": {"model": "openai:gpt-4.1-mini", "endpoint": {"api_key_env": "NO_SUCH_KEY"}}},
        "NO_SUCH_KEY",
    ),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("verb", ["run", "compare"])
def test_what_is_wrong_is_said_with_exit_code_2_and_nothing_is_written(tmp_path, what, verb):
    changes, message = WRONG[what]
    (tmp_path / "columns.jsonl").write_text('{"sentence": "a", "label": "positive"}\n' * 9)
    (tmp_path / "labels.jsonl").write_text(
        '{"text": "a", "label": "fine"}\n' + '{"text": "b", "label": "positive"}\n' * 9
    )
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bytes.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    file = tmp_path / "gone.yaml" if changes is None else write(tmp_path, **changes)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(verb, file, "--out", tmp_path / "runs" / "x")
    assert code == 2 and message in err and "fix:" in err and not out
    assert "Traceback" not in err and sorted(tmp_path.rglob("*")) == before


def test_a_reached_budget_is_exit_code_4_and_says_how_to_go_on(tmp_path):
    file = write(tmp_path, budget={"requests": 130})
    code, _, err = call("run", file, "--out", tmp_path / "runs" / "x")
    assert code == 4 and "budget reached" in err and "go on" in err
    assert "130 of 130 requests used" in err and "nearly reached in" in err


def test_a_reached_cap_of_one_step_is_said_and_is_no_failure(tmp_path):
    file = write(tmp_path, budget={"steps": {"extrapolate": {"requests": 20}}})
    code, _, err = call("run", file, "--out", tmp_path / "runs" / "x")
    assert code in (0, 3) and "the run goes on without the rest; raise budget.steps.extrapolate" in err


def test_a_plan_shows_every_cap_and_which_is_reached_first(tmp_path):
    caps = {"usd": 5, "steps": {"extrapolate": {"requests": 20}}, "models": {"sim:reviews": {"minutes": 3}}}
    code, out, _ = call("plan", write(tmp_path, budget=caps))
    assert code == 0 and "budget: 5 usd" in out
    assert "budget of extrapolate: 20 requests" in out and "budget of sim:reviews: 3 minutes" in out
    assert "the cap of 20 requests of extrapolate is reached first, in extrapolate-1" in out


def test_compare_prints_one_table_and_who_beats_what(tmp_path):
    file = write(tmp_path)
    code, out, _ = call(
        "compare", file, "--seeds", "2", "--methods", "s3,plain,gold,plain+gold", "--out", tmp_path / "runs" / "c"
    )
    assert code in (0, 3)
    assert "over plain+gold" in out and "s3 " in out and ("clearly beats" in out or "does not clearly beat" in out)
    found = json.loads((tmp_path / "runs" / "c" / "comparison.json").read_text())
    assert {one["requests"] for name, one in found["methods"].items() if name != "gold"} == {200.0}
    assert found["methods"]["gold"]["requests"] == 0
    assert (tmp_path / "runs" / "c" / "report.html").exists()
