"""`seedbed doctor` as a user types it."""

import json

import pytest
import yaml
from click.testing import CliRunner
from tests.models.probe.endpoint import Habits, serving

from seedbed.cli import main
from seedbed.recipe import TeacherSettings


def call(*words):
    """(exit code, stdout, stderr)."""
    found = CliRunner().invoke(main, ["doctor", *map(str, words)], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def test_a_line_for_each_check_then_what_it_took_then_settings_a_recipe_takes():
    with serving(Habits(seed=False)) as endpoint:
        code, out, err = call(endpoint.address, "--set", "concurrency=3", "--set", "teacher.endpoint.timeout_s=5")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("at most 20 requests and ")
    assert any(line.startswith("no      seed           different answers") for line in lines)
    assert any(line.startswith("asked 17 requests: ") for line in lines)
    teacher = yaml.safe_load(out.partition("for the recipe:")[2])["teacher"]
    settings = TeacherSettings.model_validate(teacher)
    assert settings.endpoint.draws_per_request == 8 and settings.endpoint.concurrency == 3


def test_json_carries_what_was_found():
    with serving() as endpoint:
        code, out, _ = call(endpoint.address, "--json")
    found = json.loads(out)
    assert code == 0 and found["is_usable"] and found["spent"]["requests"] == 17
    assert {each["check"]: each["state"] for each in found["found"]}["json_schema"] == "ok"
    assert found["teacher"]["endpoint"] == {"draws_per_request": 8}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["gpt"], 2, "no model can be at such an address"),
        (["openai:x", "--set", "api_key_env=SEEDBED_NO_SUCH_KEY"], 2, "SEEDBED_NO_SUCH_KEY"),
        (["http://127.0.0.1:1/v1#tiny"], 4, "nothing listens"),
        (["sim:reviews?failures=1"], 4, "will not answer"),
        (["recorded:nowhere.jsonl"], 2, "cannot be read"),
    ],
)
def test_the_exit_code_says_whose_fault_it_is(words, code, said):
    found, out, _ = call(*words)
    assert found == code and said in out and "cannot be used like this" in out and "for the recipe" not in out


@pytest.mark.parametrize("setting", ["colour=1", "timeout_s=-1", "timeout_s", "timeout_s=[", "api=telegraph"])
def test_a_wrong_setting_is_exit_code_2_with_a_way_out(setting):
    code, out, err = call("sim:reviews", "--set", setting)
    assert code == 2 and not out and "fix:" in err and "Traceback" not in err


def test_what_an_endpoint_says_cannot_steer_the_terminal():
    with serving(Habits(says="[red]\x1b[2J\u202e")) as endpoint:
        out = call(endpoint.address)[1]
    assert "[red]" in out and not set("\x1b\u202e") & set(out)
