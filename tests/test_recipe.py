"""A recipe is checked whole before anything runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from seedbed.errors import ConfigError, DataError
from seedbed.models.worlds import open_world
from seedbed.prepare import prepare
from seedbed.recipe import Recipe, load_recipe
from tests.worlds import small_recipe

GOOD = {
    "name": "good",
    "task": "sim:reviews",
    "gold": {"source": "sim:reviews", "rows": 100, "steer": 30, "select": 20},
    "teacher": "sim:reviews",
    "student": "linear",
    "steps": [{"verb": "synthesise", "requests": 10}, {"verb": "train"}, {"verb": "evaluate"}],
}
LOOP = {"verb": "repeat", "stop_without_gain": True, "steps": [{"verb": "extrapolate"}, {"verb": "train"}]}
STOPPING = [*GOOD["steps"][:2], LOOP]
FEEDBACK = [GOOD["steps"][0], {"verb": "feedback", "requests": 5}]


def load(tmp_path, overrides=(), **changes):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return load_recipe(file, overrides)


def test_all_problems_are_reported_at_once_each_with_its_line(tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        "name: bad name\ntask: sim:reviews\ngold:\n  source: g.jsonl\n  steer: many\nteacher: sim:reviews\n"
        "studnet: linear\nsteps:\n- verb: synthesise\n  request: 5\n- verb: fly\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_recipe(tmp_path / "recipe.yaml")
    seen = caught.value.seen
    for expected in (
        "yaml:1: name",
        "yaml:5: gold.steer",
        "`studnet`; did you mean `student`?",
        "yaml:10: steps.0.request",
        "did you mean `requests`?",
        "yaml:11: steps.1",
    ):
        assert expected in seen, seen


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"verb": "extrapolate"}, {"verb": "train"}], "needs a student"),
        ([{"verb": "evaluate"}, {"verb": "train"}], "only be the last step"),
        ([{"verb": "use_gold"}, {"verb": "train"}, {"verb": "extrapolate"}], "needs `folds`"),
        ([{"verb": "synthesise", "requests": 5}, {"verb": "evaluate"}], "`evaluate` needs a student"),
        ([{"verb": "use_gold"}, {"verb": "use_gold"}, {"verb": "train"}], "same rows twice"),
        (
            [{"verb": "train"}, {"verb": "repeat", "rounds": 2, "steps": [{"verb": "use_gold"}, {"verb": "train"}]}],
            "same rows twice",
        ),
        ([], "at least 1 item"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(tmp_path, steps, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, steps=steps)


def test_an_override_replaces_one_setting(tmp_path):
    recipe = load(
        tmp_path, ["gold.steer=10", "steps.0.requests=7", "teacher.temperature=0.5", "student.kind=linear"][:2]
    )
    assert recipe.gold.steer == 10 and recipe.steps[0].requests == 7


def test_an_override_reaches_into_a_teacher_that_is_one_word(tmp_path):
    recipe = load(tmp_path, ["teacher.temperature=0.5", "teacher.endpoint.attempts=1"])
    assert (recipe.teacher.model, recipe.teacher.temperature, recipe.teacher.endpoint.attempts) == (
        "sim:reviews",
        0.5,
        1,
    )


@pytest.mark.parametrize("override", ["steps.9.requests=1", "name.x=1", "steps.a.requests=1", "gold.steer=[", "gold"])
def test_an_override_that_leads_nowhere_says_so(tmp_path, override):
    with pytest.raises(ConfigError, match="override"):
        load(tmp_path, [override])


def test_sources_are_relative_to_the_recipes_folder(tmp_path):
    recipe = load(tmp_path, gold={**GOOD["gold"], "source": "gold.jsonl"}, teacher="recorded:replies.jsonl")
    assert recipe.gold.source == str(tmp_path / "gold.jsonl")
    assert recipe.teacher.model == f"recorded:{tmp_path / 'replies.jsonl'}"


def test_a_source_inside_a_repeat_is_relative_to_the_recipes_folder_too(tmp_path):
    loop = {"verb": "repeat", "steps": [{"verb": "use_rows", "source": "rows.jsonl"}, {"verb": "train"}]}
    assert load(tmp_path, steps=[loop]).steps[0].steps[0].source == str(tmp_path / "rows.jsonl")


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n", "not a mapping"), ("a: [", "not YAML"), ("", "not a mapping")],
)
def test_a_file_that_is_no_recipe_says_so(tmp_path, text, message):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(tmp_path / "recipe.yaml")


def test_what_decides_the_rows_changes_the_identity_and_nothing_else_does():
    base = prepare(small_recipe(), lambda _e: None).identity
    same = [
        {"name": "other"},
        {"budget": {"requests": 9}},
        {"teacher": {"model": "sim:reviews", "endpoint": {"concurrency": 3}}},
    ]
    other = [{"rng_seed": 1}, {"teacher": "sim:reviews?fidelity=0.5"}, {"student": {"kind": "linear", "c": 3.0}}]
    assert {prepare(small_recipe(**change), lambda _e: None).identity for change in same} == {base}
    assert base not in {prepare(small_recipe(**change), lambda _e: None).identity for change in other}


def test_wrong_labels_and_other_contexts_are_another_run(tmp_path):
    rows = {"source": "sim:claims", "rows": 360, "steer": 100, "select": 60}
    (tmp_path / "contexts.jsonl").write_text('{"premise": "It rained."}\n')
    changes = [
        {},
        {"gold": {**rows, "label_noise": 0.3}},
        {"contexts": "sim:claims"},
        {"contexts": str(tmp_path / "contexts.jsonl")},
    ]
    pairs = {"task": "sim:claims", "teacher": "sim:claims", "gold": rows}
    found = [prepare(small_recipe(**{**pairs, **change}), lambda _e: None).identity for change in changes]
    assert len(set(found)) == len(changes)


def test_the_test_rows_stay_and_the_steering_rows_change_with_the_rng_seed():
    gold = {"source": "sim:reviews", "rows": 400, "steer": 50, "select": 30, "test": 100}
    first, second = (prepare(small_recipe(gold=gold, rng_seed=seed), lambda _e: None).gold for seed in (0, 1))
    assert first.test.fingerprint == second.test.fingerprint
    assert set(first.steer["id"]) != set(second.steer["id"])


def test_label_noise_touches_steer_and_select_and_never_test():
    clean, noisy = (
        prepare(
            small_recipe(gold={**GOOD["gold"], "rows": 400, "test": 200, "steer": 100, "label_noise": noise}),
            lambda _e: None,
        ).gold
        for noise in (0.0, 0.3)
    )
    flipped = (clean.steer["label"] != noisy.steer["label"]).sum()
    assert 15 < flipped < 50 and clean.test.fingerprint == noisy.test.fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gold": {**GOOD["gold"], "steer": 90}}, "too few rows"),
        ({"gold": {"source": "sim:reviews", "steer": 5}}, "no size of its own"),
        ({"gold": {**GOOD["gold"], "source": "gone.jsonl"}}, "cannot be read"),
        ({"gold": {**GOOD["gold"], "test_source": "sim:reviews"}}, "leave gold.test_source out"),
        ({"gold": {**GOOD["gold"], "test": 1}}, "needs test rows"),
        ({"gold": {**GOOD["gold"], "select": 0}, "steps": STOPPING}, "needs select rows"),
        ({"task": "sim:claims", "gold": {**GOOD["gold"], "source": "sim:claims"}, "steps": FEEDBACK}, "single texts"),
        ({"student": "reader"}, "cannot do the task"),
        ({"task": "sim:nowhere"}, "no such known world"),
        ({"task": "gone.yaml"}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_found_before_anything_runs(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        prepare(load(tmp_path, **changes), lambda _e: None)


def test_gold_that_repeats_a_row_of_another_test_source_is_left_out(tmp_path):
    rows = open_world("reviews").gold(120, 3)
    rows.write_ndjson(tmp_path / "gold.jsonl")
    rows.head(40).write_ndjson(tmp_path / "test.jsonl")
    gold = {"source": "gold.jsonl", "test_source": "test.jsonl", "steer": 40, "select": 20}
    events = []
    split = prepare(load(tmp_path, gold=gold), events.append).gold
    texts = set(rows.head(40)["text"])
    assert not texts & {*split.steer["text"], *split.select["text"]}
    assert next(event["rows"] for event in events if event["event"] == "gold left out") >= 40


def test_rows_from_a_file_are_known_by_their_content_and_missed_before_anything_runs(tmp_path):
    steps = [{"verb": "use_rows", "source": "rows.jsonl"}, {"verb": "train"}, {"verb": "evaluate"}]
    with pytest.raises(ValueError, match="cannot be read"):
        prepare(load(tmp_path, steps=steps), lambda _e: None)
    found = []
    for folder, n in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / folder).mkdir()
        open_world("reviews").gold(n, 1).write_ndjson(tmp_path / folder / "rows.jsonl")
        found.append(prepare(load(tmp_path / folder, steps=steps), lambda _e: None).identity)
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"steps": {"synthesize": {"usd": 1}}}, "did you mean `synthesise`?"),
        ({"steps": {"synthesise-2": {"usd": 1}}}, "did you mean `synthesise-1`?"),
        ({"steps": {"train": {"usd": 1}}}, "no step `train` asks the teacher; there are synthesise"),
        ({"models": {"sim:review": {"usd": 1}}}, "did you mean `sim:reviews`?"),
        ({"steps": {"synthesise": {"dollars": 1}}}, "there is no setting `dollars`"),
        ({"steps": {"synthesise": {"usd": 0}}}, "greater than 0"),
    ],
)
def test_a_cap_on_nothing_is_reported_with_its_line(tmp_path, budget, message):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, budget=budget)
    assert message in caught.value.seen
    (part,) = budget
    lines = (tmp_path / "recipe.yaml").read_text().splitlines()
    line = 1 + lines.index("budget:") + 2  # the name of the step or model, and what is capped below it
    assert f":{line}: budget.{part}." in caught.value.seen or f":{line + 1}: budget.{part}." in caught.value.seen


def test_caps_may_stand_on_verbs_and_on_every_execution_in_a_repeat(tmp_path):
    loop = {**LOOP, "rounds": 3}
    names = ["synthesise", "synthesise-1", "extrapolate", "extrapolate-3"]
    budget = {"usd": 5, "steps": {name: {"minutes": 2} for name in names}, "models": {"sim:reviews": {"flops": 1e20}}}
    found = load(tmp_path, steps=[*GOOD["steps"][:2], loop], budget=budget).budget
    assert found.steps["extrapolate-3"].minutes == 2 and found.models["sim:reviews"].flops == 1e20
    with pytest.raises(ConfigError, match="extrapolate-3"):
        load(tmp_path, steps=[*GOOD["steps"][:2], loop], budget={"steps": {"extrapolate-4": {"usd": 1}}})


def test_a_cap_on_a_recorded_teacher_moves_with_its_path(tmp_path):
    address = "recorded:replies.jsonl"
    found = load(tmp_path, teacher=address, budget={"models": {address: {"requests": 5}}})
    assert list(found.budget.models) == [found.teacher.model] != [address]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("teachr.model=x", "no setting `teachr`; did you mean `teacher`"),
        ("teacher.endpoint.concurency=4", "no setting `concurency`; did you mean `concurrency`"),
        ("gold.ster=4", "no setting `ster`; did you mean `steer`"),
        ("budget.usd=-1", "budget.usd: Input should be greater than 0 (found -1)"),
        ("teacher=gpt-4", "no model can be at such an address"),
    ],
)
def test_a_wrong_override_is_named_as_it_was_typed(tmp_path, override, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, [override])
    assert said in str(caught.value)


WORDS: dict[str, Any] = {
    "name": "words",
    "task": {
        "name": "words",
        "kind": "reasoning",
        "answer": "number",
        "instruction": "Solve it.",
        "fields": ["problem"],
    },
    "gold": {"source": "pocket:problems", "rows": 40, "steer": 20},
    "teachers": {"weak": "pocket:weak", "strong": {"model": "pocket:strong", "temperature": 0.5}},
    "steps": [{"verb": "sample", "budget": {"flops": 1e9}}],
}
ALONE = {"verb": "sample", "strategy": "weak", "samples": 2}


def test_with_several_teachers_the_first_writes_and_each_keeps_its_settings() -> None:
    recipe = Recipe.model_validate(WORDS)
    assert recipe.teacher.model == "pocket:weak" and list(recipe.by_name) == ["weak", "strong"]
    assert recipe.by_name["strong"].temperature == 0.5
    assert Recipe.model_validate(recipe.model_dump()) == recipe


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"teacher": "pocket:base"}, "give one of the two"),
        ({"steps": [{"verb": "sample", "strategy": "best", "samples": 2}]}, "there are ['weak', 'strong']"),
        ({"steps": [{"verb": "sample"}]}, "give `budget` or `samples`"),
        ({"steps": [{"verb": "sample", "samples": 2}]}, "`samples` needs one teacher"),
        ({"steps": [{"verb": "sample", "strategy": "cascade", "budget": {"usd": 1}, "accept": "all"}]}, "one teacher"),
        ({"steps": [{"verb": "sample", "budget": {"usd": 1, "flops": 1}}]}, "give one of usd, flops and seconds"),
        ({"steps": [{"verb": "curate"}]}, "put `sample` before it"),
        ({"teachers": {"auto": "pocket:weak"}}, "strategies of that name"),
        ({"teachers": {"a": "pocket:weak", "b": "pocket:weak"}}, "two are the same model"),
        (
            {"steps": [{"verb": "sample", "strategy": "cascade", "teachers": ["weak"], "budget": {"usd": 1}}]},
            "`cascade` needs two teachers",
        ),
    ],
)
def test_a_sampling_recipe_that_makes_no_sense_says_why(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        Recipe.model_validate({**WORDS, **change})


def test_a_budget_in_usd_needs_a_price_before_anything_is_asked() -> None:
    recipe = Recipe.model_validate({**WORDS, "steps": [{"verb": "sample", "budget": {"usd": 1.0}}]})
    with pytest.raises(ConfigError, match="usd of a teacher's draws are not known"):
        prepare(recipe, lambda _event: None, with_teacher=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gold": {**WORDS["gold"], "steer": 9}}, "raise it to 10"),
        ({"gold": {**WORDS["gold"], "steer": 0}, "steps": [ALONE]}, "raise it to 1"),
        ({"task": {**WORDS["task"], "answer": "program"}, "steps": [{**ALONE, "accept": "majority"}]}, "vote"),
    ],
)
def test_sampling_that_could_only_fail_is_refused_before_it_is_paid_for(change: dict[str, Any], said: str) -> None:
    recipe = Recipe.model_validate({**WORDS, **change})
    with pytest.raises(ConfigError, match=said):
        prepare(recipe, lambda _event: None, with_teacher=False)


@pytest.mark.parametrize(
    ("answer", "right", "seen"),
    [
        ("number", ["18", "#### 7", "unknown"], "1 of 3 rows, first at row 3: 'unknown'"),
        ("program", ["assert f(1) == 2", "assert f(", "[{}]"], "2 of 3 rows, first at row 2: 'assert f('"),
    ],
)
def test_right_answers_that_nothing_could_be_held_against_are_found_before_anything_is_asked(
    tmp_path: Path, answer: str, right: list[str], seen: str
) -> None:
    gold = tmp_path / "gold.jsonl"
    rows = [{"problem": problem, "answer": said} for problem, said in zip("abc", right, strict=True)]
    gold.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    change = {"task": {**WORDS["task"], "answer": answer}, "gold": {"source": str(gold), "steer": 1}, "steps": [ALONE]}
    with pytest.raises(DataError) as caught:
        prepare(Recipe.model_validate({**WORDS, **change}), lambda _event: None, with_teacher=False)
    assert seen in caught.value.seen


def test_a_verb_of_another_kind_of_task_is_refused() -> None:
    recipe = Recipe.model_validate({**WORDS, "steps": [*WORDS["steps"], {"verb": "synthesise", "rows": 5}]})
    with pytest.raises(ConfigError, match="not for this kind of task"):
        prepare(recipe, lambda _event: None, with_teacher=False)
