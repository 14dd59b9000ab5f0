from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
from scipy import stats

from seedbed.errors import ConfigError
from seedbed.models.simulated import Knobs, Simulated, parse_address
from seedbed.models.worlds import WORLDS, open_world
from seedbed.parsing import bare_text, is_refusal, numbered_list
from seedbed.request import Failure, Reply, Request
from seedbed.students.linear import LinearStudent
from seedbed.synthesis.prompts import TEMPLATES, render

CALM = dict.fromkeys(("refusals", "failures", "truncations", "wrapping", "repeats", "label_noise"), 0.0)
every_world = pytest.mark.parametrize("name", sorted(WORLDS))


def calm(name: str, **knobs: float) -> Simulated:
    """A teacher without faults but those named."""
    return Simulated(f"sim:{name}?{urlencode(CALM | knobs)}")


def ask(teacher: Simulated, verb: str, slots: Mapping[str, str], draw: int = 0) -> Reply | Failure:
    prompt = render(teacher.world.task, verb, slots)
    return asyncio.run(teacher.send(Request((("user", prompt),), draw=draw)))


def written(teacher: Simulated, verb: str, slots: Mapping[str, str], count: int) -> list[str]:
    replies = [ask(teacher, verb, slots, draw) for draw in range(count)]
    return [reply.text for reply in replies if isinstance(reply, Reply)]


def slots_of(teacher: Simulated, row: Mapping[str, str]) -> dict[str, str]:
    """Every slot that any verb needs, made from one gold row."""
    task = teacher.world.task
    label, block = row[task.target], ""
    if task.context is not None:
        block = f"{task.context}:\n<<<\n{row[task.context]}\n>>>\n\n"
    return {
        "label": label,
        "meaning": task.labels.get(label, ""),
        "labels": ", ".join(task.labels),
        "context": row.get(task.context or "", ""),
        "context_block": block,
        "example": row[task.written],
        "examples": f"<<<\n{row[task.written]}\n>>>",
        "hint": "",
        "reasons": "",
        "count": "6",
    }


def verb_for(teacher: Simulated, verb: str) -> str:
    task = teacher.world.task
    if task.kind == "extractive_qa":
        return f"{verb}_qa"
    return f"{verb}_pair" if task.context is not None and verb != "verify" else verb


@every_world
def test_every_seed_row_of_a_calm_teacher_has_the_label_that_was_asked_for(name: str) -> None:
    teacher = calm(name)
    task = teacher.world.task
    for row in teacher.world.gold(20, 1).iter_rows(named=True):
        for text in written(teacher, verb_for(teacher, "seed"), slots_of(teacher, row), 3):
            assert teacher.world.truth({**row, task.written: text}) == row[task.target]


@every_world
def test_label_noise_is_the_share_of_rows_of_another_label(name: str) -> None:
    teacher = calm(name, label_noise=0.3)
    task, wrong = teacher.world.task, 0
    gold = teacher.world.gold(200, 2)
    for draw, row in enumerate(gold.iter_rows(named=True)):
        reply = ask(teacher, verb_for(teacher, "seed"), slots_of(teacher, row), draw)
        assert isinstance(reply, Reply)
        wrong += teacher.world.truth({**row, task.written: reply.text}) != row[task.target]
    assert stats.binomtest(wrong, 200, 0.3).pvalue > 0.001


@every_world
def test_a_faithful_teacher_copies_every_hidden_attribute_but_not_the_text(name: str) -> None:
    teacher = calm(name, fidelity=1)
    task, fresh, same, count = teacher.world.task, teacher.world.fresh_attributes, 0, 0
    for row in teacher.world.gold(40, 3).iter_rows(named=True):
        before = teacher.world.read(row) or {}
        for text in written(teacher, verb_for(teacher, "extrapolate"), slots_of(teacher, row), 2):
            after = teacher.world.read({**row, task.written: text}) or {}
            assert {key for key in before if before[key] != after[key]} == set(fresh)
            same, count = same + (text == row[task.written]), count + 1
    assert same < 0.1 * count


@every_world
def test_fidelity_is_the_share_of_attributes_that_survive(name: str) -> None:
    """Measured on tails, which a fully narrow teacher never writes by itself."""
    world = open_world(name)
    gold = list(world.gold(80, 4).iter_rows(named=True))
    kept = {}
    for fidelity in (0.0, 0.5, 1.0):
        teacher = calm(name, narrowness=1, fidelity=fidelity)
        same = total = 0
        for row in gold:
            (text,) = written(teacher, verb_for(teacher, "extrapolate"), slots_of(teacher, row), 1)
            before, after = world.read(row), world.read({**row, world.task.written: text})
            assert before is not None and after is not None
            copied = set(before) - set(world.fresh_attributes)
            same += sum(before[key] == after[key] for key in copied)
            total += len(copied)
        kept[fidelity] = same / total
    assert kept[0.0] < kept[0.5] - 0.05 < kept[1.0] - 0.1
    assert kept[1.0] == 1


@every_world
def test_a_verifier_is_right_as_often_as_its_knob_says(name: str) -> None:
    teacher = calm(name, verify_accuracy=0.8)
    target, right = teacher.world.task.target, 0
    for row in teacher.world.gold(200, 5).iter_rows(named=True):
        (text,) = written(teacher, verb_for(teacher, "verify"), slots_of(teacher, row), 1)
        right += text == row[target]
    assert stats.binomtest(right, 200, 0.8).pvalue > 0.001


def test_reasons_are_numbered_and_steer_what_is_written() -> None:
    teacher = calm("reviews", narrowness=1)
    slots = slots_of(teacher, {"text": "", "label": "negative"})
    (reply,) = written(teacher, "reasons", slots, 1)
    reasons = numbered_list(reply)
    assert len(set(reasons)) == 6
    plain = written(teacher, "seed", slots, 60)
    steered = [
        text
        for reason in reasons
        for text in written(teacher, "seed", {**slots, "reasons": f"Build on these reasons:\n1. {reason}\n"}, 10)
    ]
    cells = [len({teacher.world.cell({"text": text}) for text in texts}) for texts in (plain, steered)]
    assert cells[1] > cells[0]


def test_a_reason_in_the_hint_of_an_example_is_obeyed() -> None:
    teacher = calm("reviews", narrowness=1, fidelity=0, verify_accuracy=1)
    gold = teacher.world.gold(400, 6).iter_rows(named=True)
    row = next(row for row in gold if "sarcasm" in teacher.world.cell(row))
    slots = slots_of(teacher, row)
    (reason,) = written(teacher, "explain", slots, 1)
    blind = written(teacher, "extrapolate", slots, 20)
    told = written(teacher, "extrapolate", {**slots, "hint": f"Why the label is right: {reason}\n"}, 20)
    assert sum("sarcasm" in teacher.world.cell({"text": text}) for text in blind) < 5
    assert all("sarcasm" in teacher.world.cell({"text": text}) for text in told)


def test_in_context_examples_pull_the_teacher_towards_them() -> None:
    teacher = calm("reviews", narrowness=1, fidelity=1)
    gold = teacher.world.gold(400, 6).iter_rows(named=True)
    row = next(row for row in gold if teacher.world.cell(row).startswith("garage"))
    texts = written(teacher, "feedback", slots_of(teacher, row), 40)
    share = sum(teacher.world.cell({"text": text}).startswith("garage") for text in texts) / 40
    assert 0.2 < share < 0.8


def test_an_example_under_the_wrong_label_misleads_as_often_as_its_knob_says() -> None:
    teacher = calm("reviews", follows_example=0.5, fidelity=1)
    wrong = 0
    for row in teacher.world.gold(300, 7, label_noise=1.0).iter_rows(named=True):
        (text,) = written(teacher, "extrapolate", slots_of(teacher, row), 1)
        wrong += teacher.world.truth({"text": text}) != row["label"]
    assert stats.binomtest(wrong, 300, 0.5).pvalue > 0.001


@every_world
# No world has problems to solve.
@pytest.mark.parametrize("verb", sorted(set(TEMPLATES) - {"solve"}))
def test_any_prompt_gets_text_even_one_that_does_not_fit_the_world(name: str, verb: str) -> None:
    teacher = calm(name)
    row = teacher.world.gold(1, 8).row(0, named=True)
    for slots in (slots_of(teacher, row), dict.fromkeys(slots_of(teacher, row), "")):
        reply = ask(teacher, verb, slots)
        assert isinstance(reply, Reply) and reply.text


@every_world
def test_a_prompt_it_does_not_understand_gets_no_row(name: str) -> None:
    teacher = calm(name)
    row = teacher.world.gold(1, 8).row(0, named=True)
    for prompt in ("", "Hello!", 'Write it with the label "no such label".', "Write <<<\n>>> <<<x>>> <<<y>>>"):
        reply = asyncio.run(teacher.send(Request((("user", prompt),))))
        assert isinstance(reply, Reply)
        assert teacher.world.read({**row, teacher.world.task.written: reply.text}) is None


def test_a_reply_depends_on_address_and_request_only() -> None:
    slots = slots_of(Simulated("sim:reviews"), {"text": "", "label": "positive"})
    first = written(Simulated("sim:reviews"), "seed", slots, 20)
    again = written(Simulated("sim:reviews"), "seed", slots, 20)
    other = written(Simulated("sim:reviews?fidelity=0.1"), "seed", slots, 20)
    assert first == again
    assert len(set(first)) > 10
    assert first != other


def test_repeats_hand_out_few_texts() -> None:
    slots = slots_of(Simulated("sim:reviews"), {"text": "", "label": "positive"})
    texts = written(calm("reviews", repeats=1), "seed", slots, 60)
    assert len(set(texts)) <= 8


def test_faults_come_as_often_as_their_knobs_say_and_are_billed_where_a_reply_was_begun() -> None:
    teacher = Simulated("sim:reviews?refusals=0.2&failures=0.1&truncations=0.1&wrapping=0")
    slots = slots_of(teacher, {"text": "", "label": "positive"})
    replies = [ask(teacher, "seed", slots, draw) for draw in range(600)]
    failures = [reply for reply in replies if isinstance(reply, Failure)]
    apologies = [reply for reply in replies if isinstance(reply, Reply) and is_refusal(reply.text)]
    kinds = [failure.kind for failure in failures]
    for seen, due in ((kinds.count("terminal"), 0.1), (kinds.count("refused"), 0.09), (len(apologies), 0.09)):
        assert stats.binomtest(seen, 600, due).pvalue > 0.001
    assert stats.binomtest(kinds.count("truncated"), 600, 0.072).pvalue > 0.001
    assert all((failure.usd or 0) > 0 for failure in failures if failure.kind != "terminal")


def test_wrapping_is_mostly_taken_off_by_the_parser() -> None:
    teacher = Simulated("sim:reviews?refusals=0&failures=0&truncations=0&wrapping=1")
    slots = slots_of(teacher, {"text": "", "label": "positive"})
    texts = written(teacher, "seed", slots, 200)
    raw = sum(teacher.world.read({"text": text}) is not None and text[0].isalpha() for text in texts)
    bare = sum(not (bare_text(text) or "").startswith("Here is") for text in texts)
    assert raw == 0
    assert stats.binomtest(bare, 200, 0.75).pvalue > 0.001


def test_price_is_tokens_times_the_knobs() -> None:
    teacher = calm("reviews", usd_in=2, usd_out=10)
    reply = ask(teacher, "seed", slots_of(teacher, {"text": "", "label": "positive"}))
    assert isinstance(reply, Reply) and reply.tokens_in and reply.tokens_out
    assert reply.usd == pytest.approx((2 * reply.tokens_in + 10 * reply.tokens_out) / 1e6)
    assert "simulated" in reply.model


def test_a_reply_longer_than_max_tokens_is_truncated() -> None:
    teacher = calm("reviews")
    prompt = render(teacher.world.task, "seed", slots_of(teacher, {"text": "", "label": "positive"}))
    reply = asyncio.run(teacher.send(Request((("user", prompt),), max_tokens=3)))
    assert isinstance(reply, Failure) and (reply.kind, reply.tokens_out) == ("truncated", 3)


@pytest.mark.parametrize(
    "address",
    [
        "sim:atlantis",
        "reviews",
        "sim:reviews?fidelty=1",
        "sim:reviews?fidelity=2",
        "sim:reviews?fidelity=",
        "sim:reviews?fidelity",
        "sim:reviews?fidelity=1&fidelity=1",
    ],
)
def test_a_wrong_address_is_refused_with_what_would_be_right(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(address)
    assert caught.value.fix


def test_an_unknown_knob_lists_all_knobs() -> None:
    with pytest.raises(ConfigError) as caught:
        Simulated("sim:reviews?speed=3")
    assert all(knob in caught.value.fix for knob in Knobs.model_fields)


def seed_rows(teacher: Simulated, count: int, rng_seed: int) -> pl.DataFrame:
    """Zero-shot rows, labels in turn, for real contexts where the world has them."""
    task, rows = teacher.world.task, []
    labels, contexts = list(task.labels), teacher.world.contexts(count, 1000 + rng_seed)
    for number in range(count):
        label = labels[number % len(labels)]
        known = {task.target: label} | ({task.context: contexts[number]} if task.context else {})
        slots = slots_of(teacher, {**known, task.written: ""})
        reply = ask(teacher, verb_for(teacher, "seed"), slots, draw=number + 10**6 * rng_seed)
        if isinstance(reply, Reply) and not is_refusal(reply.text):
            rows.append({**known, task.written: bare_text(reply.text)})
    return pl.DataFrame(rows).select(task.columns)


def accuracy(teacher: Simulated, train: pl.DataFrame, test: pl.DataFrame) -> float:
    task = teacher.world.task
    student = LinearStudent(labels=list(task.labels))
    student.fit(train.select(task.fields).rows(), train[task.target].to_list())
    predicted = np.array(student.predict(test.select(task.fields).rows()))
    return float((predicted == test[task.target].to_numpy()).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gap"), [("reviews", 0.08), ("intents", 0.08), ("claims", 0.03)])
def test_a_linear_student_on_2000_teacher_rows_is_clearly_below_one_on_2000_gold_rows(name: str, gap: float) -> None:
    teacher = Simulated(f"sim:{name}")
    for rng_seed in (0, 1):
        test = teacher.world.gold(2000, 9000 + rng_seed)
        gold = accuracy(teacher, teacher.world.gold(2000, 7000 + rng_seed), test)
        synthetic = accuracy(teacher, seed_rows(teacher, 2000, rng_seed), test)
        assert 0.65 < synthetic < gold - gap < 0.95


@pytest.mark.slow
def test_the_default_teacher_is_far_from_gold_and_misses_tails() -> None:
    for name in sorted(WORLDS):
        teacher = Simulated(f"sim:{name}")
        if teacher.world.task.labels:
            rows = seed_rows(teacher, 1000, 3)
            assert teacher.world.total_variation(rows) > 1.5 * teacher.world.expected_total_variation(1000)
            assert teacher.world.missing_tails(rows)


@pytest.mark.slow
def test_look_alikes_of_mistakes_help_a_student_only_if_the_teacher_copies_well() -> None:
    gains = {}
    for fidelity in (0.95, 0.0):
        teacher, gains[fidelity] = Simulated(f"sim:reviews?fidelity={fidelity}"), []
        task = teacher.world.task
        for rng_seed in (0, 1, 2):
            test, steer = teacher.world.gold(2000, 9000 + rng_seed), teacher.world.gold(400, 5000 + rng_seed)
            seeds = seed_rows(teacher, 2000, rng_seed)
            student = LinearStudent().fit(seeds[:1200].select("text").rows(), seeds["label"][:1200].to_list())
            wrong = np.array(student.predict(steer.select("text").rows())) != steer["label"].to_numpy()
            mistakes, added = steer.filter(pl.Series(wrong)).to_dicts(), []
            for number in range(800):
                row = mistakes[number % len(mistakes)]
                reply = ask(teacher, "extrapolate", slots_of(teacher, row), draw=number)
                if isinstance(reply, Reply) and not is_refusal(reply.text):
                    added.append({"text": bare_text(reply.text), "label": row["label"]})
            grown = pl.concat([seeds[:1200], pl.DataFrame(added).select(task.columns)])
            gains[fidelity].append(accuracy(teacher, grown, test) - accuracy(teacher, seeds, test))
    assert np.mean(gains[0.95]) > 0.03
    assert np.mean(gains[0.0]) < 0.01
