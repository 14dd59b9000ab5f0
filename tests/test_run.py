"""A run can be stopped, resumed, refused and reproduced."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import yaml

from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models.worlds import open_world
from seedbed.run import Folder, run_recipe
from tests.worlds import data_files, small_recipe

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run: (its folder, its result)."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    return folder, run_recipe(small_recipe(), folder)


def test_every_count_of_a_run_adds_up(finished):
    folder, result = finished
    account = result["account"]
    lost = sum(account["rejected"].values()) + sum(account["failed"].values())
    assert account["requested"] == account["accepted"] + lost + account["pending"] == 120 - 2 + 80
    assert result["spend"]["requests"] == 200 and result["spend"]["in_doubt"] == 0
    rows = pl.read_parquet(folder / "data" / "evaluate-1.parquet")
    assert rows["id"].n_unique() == rows.height
    assert rows.filter(pl.col("status") != "accepted")["why"].null_count() == 0


def test_the_test_split_is_opened_once_and_every_read_of_gold_is_logged(finished):
    _, result = finished
    reads = result["gold"]["reads"]
    assert sum(read["split"] == "test" and read["why"] == "final evaluation" for read in reads) == 1
    assert {"steer", "select", "test"} == {read["split"] for read in reads}
    assert all(read["why"] for read in reads)


def test_every_number_carries_its_interval(finished):
    _, result = finished
    for stage in result["stages"]:
        assert {"value", "low", "high", "n", "method"} <= stage["test"].keys()
    assert result["gain"]["low"] <= result["gain"]["value"] <= result["gain"]["high"]


def test_the_same_command_again_sends_nothing_and_changes_nothing(finished):
    folder, result = finished
    before = data_files(folder)
    again = run_recipe(small_recipe(), folder)
    assert data_files(folder) == before
    assert again["stages"] == result["stages"] and again["spend"] == result["spend"]


def test_a_run_replays_byte_for_byte_from_its_ledger(finished, tmp_path):
    folder, _ = finished
    replayed = run_recipe(small_recipe(), tmp_path / "again", ledger=folder.parent / "ledger.sqlite")
    assert data_files(tmp_path / "again") == data_files(folder)
    assert replayed["spend"]["requests"] == 200


def test_two_rng_seeds_share_no_reply(tmp_path):
    for seed in (0, 1):
        run_recipe(small_recipe(rng_seed=seed), tmp_path / f"s{seed}")
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        scopes = [f"small@{Folder(tmp_path / f's{seed}').read('manifest.json')['run']}" for seed in (0, 1)]
        assert [ledger.spend(scope).sent for scope in scopes] == [200, 200]


def test_a_directory_of_another_recipe_is_refused(finished):
    with pytest.raises(ConfigError, match="other settings"):
        run_recipe(small_recipe(rng_seed=5), finished[0])


def test_two_processes_do_not_work_in_one_directory(tmp_path):
    with Folder(tmp_path / "r").locked(), pytest.raises(ConfigError, match="another process"):
        run_recipe(small_recipe(), tmp_path / "r")


def test_a_reached_budget_says_so_finishes_with_what_there_is_and_goes_on_when_raised(tmp_path, finished):
    first = run_recipe(small_recipe(budget={"requests": 140}), tmp_path / "r")
    assert first["stopped"] == ["budget"] and not first["complete"]
    assert first["spend"]["requests"] == 140 and first["account"]["pending"] == 20
    raised = run_recipe(small_recipe(budget={"requests": 500}), tmp_path / "r")
    assert raised["complete"] and raised["spend"]["requests"] == 200
    assert data_files(tmp_path / "r") == data_files(finished[0])


def test_rounds_end_when_no_mistake_is_left(tmp_path):
    gold = {"source": "sim:reviews", "rows": 360, "steer": 1, "select": 60}
    steps = [
        {"verb": "use_gold"},
        {"verb": "synthesise", "requests": 60},
        {"verb": "train"},
        {
            "verb": "repeat",
            "rounds": 5,
            "steps": [{"verb": "extrapolate", "requests": 5, "folds": 2}, {"verb": "train"}],
        },
        {"verb": "evaluate", "shift": False},
    ]
    result = run_recipe(small_recipe(gold=gold, steps=steps), tmp_path / "r")
    left = [step["mistakes"] for step in result["steps"] if step["verb"] == "extrapolate"]
    assert result["stopped"] == (["gold exhausted"] if 0 in left else ["rounds"])


def test_rounds_end_without_a_clear_gain(tmp_path):
    """A teacher that cannot copy an example, and few rows to see a gain on."""
    loop = {
        "verb": "repeat",
        "rounds": 4,
        "stop_without_gain": True,
        "steps": [{"verb": "extrapolate", "requests": 5}, {"verb": "train"}],
    }
    steps = [{"verb": "synthesise", "requests": 120}, {"verb": "train"}, loop, {"verb": "evaluate", "shift": False}]
    result = run_recipe(small_recipe(teacher="sim:reviews?fidelity=0", steps=steps), tmp_path / "r")
    assert result["stopped"] == ["no clear gain"] and result["stages"][-1]["round"] == 1


def test_rounds_that_train_nobody_end_alike_when_the_run_is_resumed(tmp_path):
    loop = {"verb": "repeat", "rounds": 2, "stop_without_gain": True, "steps": [{"verb": "extrapolate", "requests": 5}]}
    steps = [{"verb": "synthesise", "requests": 60}, {"verb": "train"}, loop, {"verb": "evaluate", "shift": False}]
    first, again = (run_recipe(small_recipe(steps=steps), tmp_path / "r") for _ in range(2))
    assert first["stopped"] == again["stopped"] == ["rounds"]
    assert [step["name"] for step in again["steps"]] == [step["name"] for step in first["steps"]]


@pytest.mark.parametrize("torn", [b'{"event": "gold re', '{"why": "ä'.encode()[:-1]])
def test_a_line_torn_by_a_kill_costs_no_other_event(tmp_path, torn):
    folder = Folder(tmp_path)
    folder.log({"event": "first", "why": "one\u2028line"})
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(torn)
    folder.log({"event": "second"})
    assert [event["event"] for event in folder.events()] == ["first", "second"]


def test_gold_left_out_before_the_directory_was_made_is_counted_in_it(tmp_path):
    rows = open_world("reviews").gold(200, 3)
    rows.write_ndjson(tmp_path / "gold.jsonl")
    rows.head(40).write_ndjson(tmp_path / "test.jsonl")
    gold = {
        "source": str(tmp_path / "gold.jsonl"),
        "test_source": str(tmp_path / "test.jsonl"),
        "steer": 60,
        "select": 30,
    }
    result = run_recipe(small_recipe(gold=gold), tmp_path / "r")
    assert result["gold"]["left_out"] >= 40
    assert sum(event["event"] == "gold left out" for event in Folder(tmp_path / "r").events()) == 1


def test_no_file_of_a_run_holds_the_key_or_a_path_of_this_machine(finished):
    folder, _ = finished
    for file in folder.rglob("*.json"):
        assert str(ROOT) not in file.read_text(encoding="utf-8")


PROGRAM = """
import sys, yaml
from pathlib import Path
from seedbed.recipe import load_recipe
from seedbed.run import run_recipe
run_recipe(load_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def kill_until_done(tmp_path, kills: int, recipe) -> int:
    """Run in a process that is killed `kills` times at random moments; the number of kills that hit."""
    file = tmp_path / "recipe.yaml"
    plain = recipe.model_dump(mode="json", exclude_none=True)
    file.write_text(yaml.safe_dump(plain))
    rng, hits = random.Random(0), 0
    # Each folder of runs has a ledger of its own: the timed run pays for nothing that the killed one asks.
    command = [sys.executable, "-c", PROGRAM, str(file), str(tmp_path / "killed" / "run")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    subprocess.run([*command[:-1], str(tmp_path / "timed" / "run")], check=True, env=environment)
    whole = time.monotonic() - started
    for _ in range(kills):
        process = subprocess.Popen(command, env=environment)
        try:
            process.wait(rng.uniform(0.05, 0.3) * whole)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            hits += 1
    subprocess.run(command, check=True, env=environment)
    return hits


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_lose_nothing_pay_nothing_twice_and_leave_the_same_bytes(tmp_path):
    """2,000 requests with a little latency, killed at 20 random moments."""
    steps = [
        {"verb": "synthesise", "requests": 1200, "reasons": 4},
        {"verb": "train"},
        {"verb": "repeat", "rounds": 2, "steps": [{"verb": "extrapolate", "requests": 400}, {"verb": "train"}]},
        {"verb": "evaluate", "shift": False},
    ]
    recipe = small_recipe(teacher="sim:reviews?latency_s=0.05", steps=steps)
    hits = kill_until_done(tmp_path, 20, recipe)
    undisturbed = tmp_path / "undisturbed" / "run"
    run_recipe(recipe, undisturbed)
    assert hits >= 10, hits
    assert data_files(tmp_path / "killed" / "run") == data_files(undisturbed)
    result = json.loads((tmp_path / "killed" / "run" / "result.json").read_text())
    print(f"{hits} kills hit a running process, {result['spend']['in_doubt']} requests were in flight")
    # What was in flight when a kill hit is asked for again and counted; everything else was asked for once.
    assert result["spend"]["requests"] == 2000
    assert result["spend"]["in_doubt"] <= hits * 2 * 16


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, finished):
    hits = kill_until_done(tmp_path, 2, small_recipe())
    assert hits >= 0
    assert data_files(tmp_path / "killed" / "run") == data_files(finished[0])


def test_a_steps_own_cap_ends_that_step_only(tmp_path):
    """27 of 40 look-alikes in two rounds: the verb's cap counts both, the run goes on and is complete."""
    events = []
    capped = {"steps": {"extrapolate": {"requests": 27}}}
    first = run_recipe(small_recipe(budget=capped), tmp_path / "r", on_event=events.append)
    asked = {step["name"]: step["asked"] for step in first["steps"] if step["verb"] == "extrapolate"}
    assert asked["extrapolate-1"]["pending"] == 13 and first["steps"][-1]["verb"] == "evaluate"
    assert first["complete"] and first["stopped"] == ["budget"] and first["spend"]["requests"] == 120 + 27
    found = [event for event in events if event["event"].startswith("budget")]
    assert [(event["event"], event["step"], event["part"]) for event in found] == [
        ("budget nearly reached", "extrapolate-1", "steps.extrapolate"),
        ("budget reached", "extrapolate-1", "steps.extrapolate"),
    ]
    again = run_recipe(small_recipe(budget=capped), tmp_path / "r")
    assert again["stages"] == first["stages"] and again["stopped"] == first["stopped"]


def test_a_step_that_its_own_cap_ended_goes_on_when_that_cap_is_raised(tmp_path, finished):
    """And the steps after it are done again: they find other mistakes now."""
    run_recipe(small_recipe(budget={"steps": {"extrapolate-1": {"tokens": 2000}}}), tmp_path / "r")
    raised = run_recipe(small_recipe(budget={"steps": {"extrapolate-1": {"tokens": 10**6}}}), tmp_path / "r")
    assert all(step["capped"] is None for step in raised["steps"])
    assert data_files(tmp_path / "r") == data_files(finished[0])


def test_a_cap_on_one_execution_leaves_the_next_round_alone(tmp_path):
    found = run_recipe(small_recipe(budget={"steps": {"extrapolate-1": {"requests": 5}}}), tmp_path / "r")
    asked = {step["name"]: step["asked"]["pending"] for step in found["steps"] if step["verb"] == "extrapolate"}
    assert asked == {"extrapolate-1": 35, "extrapolate-2": 0} and found["stopped"] == ["rounds"]


def test_a_models_cap_ends_all_asking_of_that_model(tmp_path):
    budget = {"models": {"sim:reviews": {"requests": 130}}}
    found = run_recipe(small_recipe(budget=budget), tmp_path / "r")
    assert not found["complete"] and found["stopped"] == ["budget"] and found["spend"]["requests"] == 130


def write_replies(path, count):
    """`count` recorded replies to the prompts for each label of the world of reviews."""
    labels = open_world("reviews").task.labels
    rows = [
        {"label": label, "reply": f"A {label} word or two about room number {room}."}
        for label in labels
        for room in range(count)
    ]
    pl.DataFrame(rows).write_ndjson(path)
    return f"recorded:{path}"


def test_a_cap_holds_on_a_model_whose_answers_are_kept_under_its_content(tmp_path):
    """The recipe names a file, the ledger what is in it; the caps, and all that is said of them, follow the recipe."""
    teacher, events = write_replies(tmp_path / "replies.jsonl", 40), []

    def run(requests):
        recipe = small_recipe(
            teacher=teacher,
            steps=[{"verb": "synthesise", "requests": 60}, {"verb": "train"}, {"verb": "evaluate", "shift": False}],
            budget={"models": {teacher: {"requests": requests}}},
        )
        return run_recipe(recipe, tmp_path / "r", on_event=events.append)

    for requests in (20, 20, 30):  # twice the same: what was used before is read back
        found = run(requests)
        assert not found["complete"] and found["spend"]["requests"] == requests
    said = [(event["event"], event["part"]) for event in events if event["event"].startswith("budget")]
    assert set(said) == {("budget nearly reached", f"models.{teacher}"), ("budget reached", f"models.{teacher}")}
    assert run(90)["complete"]


def test_a_run_whose_minutes_are_up_is_incomplete_and_goes_on_with_more(tmp_path, finished):
    slow = {"model": "sim:reviews?latency_s=0.01", "endpoint": {"concurrency": 2}}
    first = run_recipe(small_recipe(teacher=slow, budget={"minutes": 0.2 / 60}), tmp_path / "r")
    assert not first["complete"] and 0 < first["spend"]["requests"] < 200
    again = run_recipe(small_recipe(teacher=slow, budget={"minutes": 0.2 / 60}), tmp_path / "r")
    assert again["spend"]["requests"] == first["spend"]["requests"]
    assert run_recipe(small_recipe(teacher=slow, budget={"minutes": 5}), tmp_path / "r")["complete"]


def test_a_cap_in_flops_needs_the_size_of_the_model(tmp_path):
    with pytest.raises(ConfigError, match="model's size"):
        run_recipe(small_recipe(budget={"flops": 1e15}), tmp_path / "r")
    teacher = "sim:reviews?parameters_billion=8"
    found = run_recipe(small_recipe(teacher=teacher, budget={"flops": 1e14}), tmp_path / "s")
    assert 0 < found["spend"]["flops"] <= found["spend"]["flops_at_most"] <= 1e14
    assert not found["complete"] and found["spend"]["requests"] < 200
