"""Each verb does what a recipe says, and every row it asks for is accounted for."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from tests.worlds import context

from seedbed.errors import ConfigError, DataError
from seedbed.rows import account, frame
from seedbed.steps import Deduplicate, Evaluate, Extrapolate, Feedback, Synthesise, Train, UseGold, UseRows, Verify
from seedbed.steps.context import State
from seedbed.steps.evaluate import one_half

PERFECT = "sim:reviews?refusals=0&failures=0&truncations=0&label_noise=0"


def start(ctx, requests=60):
    """A state after a seed step and a trained student."""
    state = Synthesise(requests=requests).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    return Train().run(ctx.at("train-1", 0), state)


def adds_up(found):
    parts = sum(found["rejected"].values()) + sum(found["failed"].values())
    return found["requested"] == found["accepted"] + parts + found["pending"]


def test_synthesise_sends_exactly_what_it_is_told():
    ctx = context()
    state = Synthesise(requests=50, reasons=5).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    assert state.rows.height + len(ctx.task.labels) == 50 and adds_up(account(state.rows))


def test_synthesise_goes_on_until_enough_rows_were_accepted():
    ctx = context(teacher="sim:reviews?refusals=0.2")
    state = Synthesise(rows=60).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    found = account(state.rows)
    assert found["accepted"] == 60 and found["requested"] > 60 and adds_up(found)
    assert state.rows["id"].n_unique() == state.rows.height


def test_requests_that_reasons_use_up_leave_no_row_and_no_error():
    ctx = context()
    found = Synthesise(requests=2, reasons=3).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    assert found.rows.is_empty() and found.metrics["asked"]["requested"] == 0


def test_writing_for_the_contexts_of_gold_is_a_read_of_gold():
    events = []
    ctx = replace(context("claims", events=events), contexts_are_gold=True)
    Synthesise(requests=2).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    assert ("steer", "contexts of seed rows") in {(event.get("split"), event["why"]) for event in events}


def test_synthesise_gives_up_when_patience_ends():
    ctx = context(teacher="sim:reviews?refusals=1&failures=0&truncations=0")
    state = Synthesise(rows=20, patience=1.5).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    assert account(state.rows)["accepted"] == 0 and state.rows.height == 30


@pytest.mark.parametrize("settings", [{}, {"rows": 5, "requests": 5}, {"requests": 0}, {"requests": 5, "colour": 1}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        Synthesise(**settings)


def test_a_step_with_the_same_name_and_seed_asks_the_same():
    first, again = (start(context()).rows for _ in range(2))
    assert first.equals(again)


def test_extrapolate_takes_mistakes_only_and_keeps_their_label():
    ctx = context(teacher=PERFECT)
    state = start(ctx)
    after = Extrapolate(requests=30).run(ctx.at("extrapolate-1", 1), state)
    made = after.rows.filter(pl.col("made_by") == "extrapolate-1")
    wrong = Extrapolate().find_mistakes(ctx, state, ctx.gold.steer)
    parents = {row["id"]: row["label"] for row in wrong.to_dicts()}
    assert made.height == 30 and set(made["parents"].explode()) <= set(parents)
    assert all(row["label"] == parents[row["parents"][0]] for row in made.to_dicts())
    assert after.metrics["mistakes"] == wrong.height < ctx.gold.steer.height


def test_the_papers_setting_is_one_look_alike_per_mistake():
    ctx = context()
    state = start(ctx)
    after = Extrapolate().run(ctx.at("extrapolate-1", 1), state)
    assert after.rows.height - state.rows.height == after.metrics["mistakes"]


def test_goldgen_extrapolates_all_of_gold_without_a_student():
    ctx = context()
    after = Extrapolate(of="all").run(ctx.at("extrapolate-1", 1), State(frame(ctx.task, [])))
    assert after.rows["parents"].explode().n_unique() == ctx.gold.steer.height


def test_extrapolate_without_a_student_is_refused():
    ctx = context()
    with pytest.raises(ConfigError, match="no student"):
        Extrapolate().run(ctx.at("extrapolate-1", 1), State(frame(ctx.task, [])))


def test_cross_validated_mistakes_are_made_by_students_that_did_not_see_the_row():
    ctx = context()
    state = UseGold().run(ctx.at("use_gold-1", 0), start(ctx))
    state = Train().run(ctx.at("train-2", 0), state)
    in_sample = Extrapolate().find_mistakes(ctx, state, ctx.gold.steer).height
    by_folds = Extrapolate(folds=5).find_mistakes(ctx.at("extrapolate-1", 1), state, ctx.gold.steer)
    assert by_folds.height > in_sample and by_folds["id"].is_in(ctx.gold.steer["id"].to_list()).all()


def test_a_rationale_is_paid_from_the_same_requests():
    ctx = context(teacher=PERFECT)
    state = start(ctx)
    after = Extrapolate(requests=60, show_rationale=True).run(ctx.at("extrapolate-1", 1), state)
    assert after.rows.height - state.rows.height == 60 - after.metrics["mistakes"]
    assert after.rows.filter(pl.col("made_by") == "extrapolate-1")["rationale"].null_count() == 0


def test_no_mistakes_left_is_no_error():
    ctx = context()
    state = start(ctx)
    ctx = replace(ctx, gold=replace(ctx.gold, steer=ctx.gold.steer.clear()))
    assert Extrapolate().run(ctx.at("extrapolate-1", 1), state).metrics["mistakes"] == 0


def test_feedback_names_its_examples_as_parents():
    ctx = context()
    after = Feedback(requests=12, examples=3).run(ctx.at("feedback-1", 1), start(ctx))
    made = after.rows.filter(pl.col("made_by") == "feedback-1")
    assert made.height == 12 and set(made["parents"].list.len()) == {3}


def test_verify_rejects_wrong_labels_and_little_else():
    ctx = context(
        teacher="sim:reviews?label_noise=0.3&verify_accuracy=1&refusals=0&failures=0&truncations=0&wrapping=0"
    )
    state = Synthesise(requests=200).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    after = Verify().run(ctx.at("verify-1", 0), state)
    made = after.rows.filter(pl.col("status").is_in(["accepted", "rejected"]))
    wrong = [ctx.world.truth(row) != row["label"] for row in made.to_dicts()]
    rejected = [str(row["why"]).startswith("verify") for row in made.to_dicts()]
    caught = sum(w and r for w, r in zip(wrong, rejected, strict=True))
    assert caught / sum(wrong) > 0.9 and sum(rejected) - caught < 5


def test_verify_keeps_what_it_could_not_check():
    ctx = context()
    state = start(ctx)
    kept = account(state.rows)["accepted"]
    ctx.purse.ended = "nothing more is sent"
    after = Verify().run(ctx.at("verify-1", 0), state)
    assert account(after.rows)["accepted"] == kept and after.metrics["abstained"] == kept


def test_deduplicate_rejects_repeats_and_says_of_what():
    ctx = context(teacher="sim:reviews?repeats=0.6")
    state = Synthesise(requests=80).run(ctx.at("synthesise-1", 0), State(frame(ctx.task, [])))
    after = Deduplicate(threshold=1.0).run(ctx.at("deduplicate-1", 0), state)
    texts = after.rows.filter(pl.col("status") == "accepted")["text"]
    why = after.rows.filter(pl.col("why").str.starts_with("near-copy"))["why"]
    assert after.metrics["near_copies"] == len(why) > 10
    assert texts.str.to_lowercase().n_unique() == len(texts) and adds_up(account(after.rows))


def test_rows_from_a_file_are_seed_rows_and_copies_of_test_rows_are_refused(tmp_path):
    ctx = context()
    stolen = ctx.gold.test._SealedRows__rows.head(3)
    own = ctx.world.gold(20, 7).with_columns(pl.col("text") + " Really.")
    pl.concat([stolen.select("text", "label"), own]).write_csv(tmp_path / "rows.csv")
    after = UseRows(source=str(tmp_path / "rows.csv")).run(ctx.at("use_rows-1", 0), State(frame(ctx.task, [])))
    assert account(after.rows)["rejected"]["leak"] >= 3
    assert set(after.rows["made_by"]) == {"use_rows-1"}


def test_rows_that_do_not_fit_point_to_the_settings_of_use_rows(tmp_path):
    ctx = context()
    (tmp_path / "rows.jsonl").write_text('{"review": "Fine.", "label": "positive"}\n')
    with pytest.raises(DataError) as caught:
        UseRows(source=str(tmp_path / "rows.jsonl")).run(ctx.at("use_rows-1", 0), State(frame(ctx.task, [])))
    assert "use_rows.columns" in caught.value.fix


def test_additions_can_weigh_a_given_share():
    ctx = context()
    state = start(ctx)
    state = Extrapolate(requests=10).run(ctx.at("extrapolate-1", 1), state)
    rows = state.rows.filter(pl.col("status") == "accepted")
    weights = Train(additions_share=0.5)._weights(rows)
    is_addition = (rows["round"] > 0).to_numpy()
    assert weights[is_addition].sum() == pytest.approx(weights[~is_addition].sum())


def test_training_on_nothing_says_where_the_rows_went():
    ctx = context()
    with pytest.raises(DataError, match="nothing to train on"):
        Train().run(ctx.at("train-1", 0), State(frame(ctx.task, [])))


def test_evaluate_opens_the_test_split_once_for_all_students():
    events = []
    ctx = context(events=events)
    state = start(ctx)
    state = Train().run(ctx.at("train-2", 1), state)
    after = Evaluate(shift=False).run(ctx.at("evaluate-1", 1), state)
    opened = [event for event in events if event["event"] == "test opened" and event["why"] == "final evaluation"]
    assert len(opened) == 1 and set(after.metrics["test"]) == {"train-1", "train-2"}
    assert after.predictions.height == 2 * ctx.gold.test.n


def test_slices_are_chosen_and_measured_on_different_contexts():
    answers = pl.DataFrame({"id": [f"r{n}" for n in range(40)], "cluster": [f"c{n // 4}" for n in range(40)]})
    half = one_half(answers, np.random.default_rng(0))
    sides = answers.with_columns(answers["id"].is_in(list(half)).alias("side"))
    assert len(half) == 20 and sides.group_by("cluster").agg(pl.col("side").n_unique())["side"].max() == 1
    alone = answers.with_columns(pl.lit(None, pl.String).alias("cluster"))
    assert len(one_half(alone, np.random.default_rng(0))) == 20


@pytest.mark.parametrize("world", ["claims", "intents"])
def test_a_round_works_in_every_kind_of_world(world):
    ctx = context(world)
    state = Extrapolate(requests=10).run(ctx.at("extrapolate-1", 1), start(ctx, 120))
    made = state.rows.filter((pl.col("made_by") == "extrapolate-1") & (pl.col("status") == "accepted"))
    assert made.height >= 5
    assert made[ctx.task.written].null_count() == 0


def test_rationales_never_take_more_than_half_of_the_requests():
    ctx = context(teacher=PERFECT)
    state = start(ctx)
    after = Extrapolate(requests=6, show_rationale=True).run(ctx.at("extrapolate-1", 1), state)
    made = after.rows.filter(pl.col("made_by") == "extrapolate-1")
    assert after.metrics["mistakes"] > 6 and made.height == 3 and made["rationale"].null_count() == 0


def test_a_claim_is_a_repeat_only_about_the_same_report():
    ctx = context("claims")
    gold = ctx.gold.steer.head(2)
    rows = [
        {
            "id": str(i),
            "made_by": "s",
            "parents": [],
            "round": 0,
            "status": "accepted",
            "label": "entailment",
            "premise": gold["premise"][i // 2],
            "hypothesis": "Nobody has ever said this before now.",
        }
        for i in range(4)
    ]
    after = Deduplicate().run(ctx.at("deduplicate-1", 0), State(frame(ctx.task, rows)))
    assert after.rows["status"].to_list() == ["accepted", "rejected", "accepted", "rejected"]
