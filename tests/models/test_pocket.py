"""A pocket model behind its address: what it reads, what it counts, and what its answers are kept under."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pocket.tiny_llama import write_llama

from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, flops_per_token, open_model
from seedbed.models.in_process import Answer
from seedbed.models.pocket import Pocket, open_pocket, problem
from seedbed.pocket.tokenizer import Tokenizer
from seedbed.request import Choice, Failure, Reply, Request

TOKENIZER = Tokenizer()


def write(folder: Path, **kind: Any) -> Path:
    """A checkpoint with the pocket tokenizer's vocabulary that ends its answers before long."""
    settings = {"is_tied": False, "end": TOKENIZER.eos, "eager": 0.4, **kind}
    return write_llama(folder, TOKENIZER.size, **settings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pocket") / "tiny")


def asked(text: str = "Add 12 and 30.", **settings: Any) -> Request:
    return Request((("system", "Be brief."), ("user", f"Solve the problem.\n\n{text}")), **settings)


def answers(engine: Pocket, requests: list[Request]) -> list[Answer]:
    for number, request in enumerate(requests):
        engine.add(number, request)
    found: dict[int, Answer] = {}
    while len(found) < len(requests):
        found |= engine.step()
    return [found[number] for number in range(len(requests))]


def said(found: list[Answer]) -> list[str]:
    return [answer.text if isinstance(answer, Reply) else answer.kind for answer in found]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Solve it.\n\nOne and one?", "One and one?"),
        ("Solve it.\n\nHere:\n \nOne\nand one?\n\n", "One\nand one?"),
        ("One and one?", "One and one?"),
        ("\n\n", ""),
    ],
)
def test_it_reads_what_stands_after_the_last_blank_line(text: str, read: str) -> None:
    assert problem((("system", "a\n\nb"), ("user", text))) == read
    assert problem((("user", "old\n\nproblem"), ("assistant", "x\n\ny"), ("user", text))) == read


def test_an_instruction_changes_the_question_and_not_what_is_read(folder: Path) -> None:
    engine = Pocket(folder, 8)
    requests = [Request((("user", f"{word} it.\n\nAdd 12 and 30."),), temperature=0) for word in ("Solve", "Do")]
    found = answers(engine, requests)
    assert found[0].tokens_in == len(TOKENIZER.prompt("Add 12 and 30.")) and said(found)[0] == said(found)[1]


def test_an_answer_is_the_same_alone_and_in_a_batch_and_draws_differ(folder: Path) -> None:
    requests = [asked(f"Add {draw % 5} and 30.", draw=draw, max_tokens=60) for draw in range(40)]
    together = said(answers(Pocket(folder, 16), requests))
    assert together == said(answers(Pocket(folder, 1), requests)) and len(set(together)) > 20
    others = [asked(f"Add {draw % 5} and 30.", draw=draw, rng_seed=1, max_tokens=60) for draw in range(40)]
    assert said(answers(Pocket(folder, 16), others)) != together


def test_draws_of_one_problem_pay_for_reading_it_once(folder: Path) -> None:
    engine = Pocket(folder, 4)
    found = answers(engine, [asked(draw=draw, max_tokens=60) for draw in range(12)])
    tokens_in = len(TOKENIZER.prompt("Add 12 and 30."))
    assert [answer.tokens_in for answer in found] == [tokens_in] * 12
    assert sorted(answer.tokens_cached for answer in found) == [0] + [tokens_in] * 11
    for answer in found:
        out = answer.tokens_out or 0
        drawn = engine.net.flops(tokens_in, tokens_in + out)
        assert answer.flops == drawn + (0 if answer.tokens_cached else engine.net.flops(0, tokens_in))
        assert drawn > 2 * engine.net.parameters * out
    assert {answer.usd for answer in found} == {None}


def test_flops_are_bounded_before_anything_is_loaded(folder: Path) -> None:
    net, most = Pocket(folder, 1).net, flops_per_token(f"pocket:{folder}", Endpoint())
    assert most == net.flops(net.shape.context - 1, net.shape.context)
    assert 2.0 * net.parameters < most


def test_an_answer_cut_at_max_tokens_is_a_failure_with_its_bill(folder: Path) -> None:
    found = answers(Pocket(folder, 16), [asked(draw=draw, max_tokens=3) for draw in range(40)])
    cut = [answer for answer in found if isinstance(answer, Failure)]
    assert 0 < len(cut) < 40 and {answer.kind for answer in cut} == {"truncated"}
    assert {answer.tokens_out for answer in cut} == {3} and all(answer.flops for answer in cut)


def test_a_problem_that_leaves_no_room_is_a_failure_and_the_others_are_answered(folder: Path) -> None:
    found = answers(Pocket(folder, 4), [asked("many " * 600), asked(max_tokens=80), asked(max_tokens=512)])
    assert [isinstance(answer, Failure) and answer.kind == "terminal" for answer in found] == [True, False, False]


def test_an_answer_ends_where_the_context_does(folder: Path) -> None:
    engine = Pocket(folder, 8)
    tokens_in = len(TOKENIZER.prompt(("many " * 490).strip()))
    found = answers(engine, [asked("many " * 490, draw=draw) for draw in range(8)])
    cut = [answer for answer in found if isinstance(answer, Failure)]
    assert cut and {answer.tokens_out for answer in cut} == {512 - tokens_in}
    assert "end of the model's context of 512" in cut[0].message


def test_a_choice_is_drawn_from_its_options_only(folder: Path) -> None:
    options = ("12", "The answer is 42.", "zebra & Ω")
    requests = [asked(draw=draw, constraint=Choice(options), max_tokens=40) for draw in range(60)]
    found = said(answers(Pocket(folder, 16), requests))
    assert set(found) == set(options)


def test_logprobs_come_with_the_likeliest_alternatives(folder: Path) -> None:
    engine = Pocket(folder, 4)
    answer = answers(engine, [asked(logprobs=3, temperature=0, max_tokens=200)])[0]
    assert isinstance(answer, Reply) and answer.logprobs is not None
    assert len(answer.logprobs) == (answer.tokens_out or 0) - 1
    for one in answer.logprobs:
        assert one.top[0] == (one.token, one.logprob) and len(one.top) == 3
        assert [value for _, value in one.top] == sorted((value for _, value in one.top), reverse=True)


def test_requests_that_nobody_awaits_are_dropped(folder: Path) -> None:
    engine = Pocket(folder, 2)
    for ticket in range(4):
        engine.add(ticket, asked(draw=ticket, max_tokens=60))
    engine.drop([0, 3])
    found: dict[int, Answer] = {}
    while len(found) < 2:
        found |= engine.step()
    assert sorted(found) == [1, 2] and engine.step() == []


def test_answers_are_kept_under_the_content_of_the_weights(folder: Path, tmp_path: Path) -> None:
    same, other = write(tmp_path / "a" / "tiny"), write(tmp_path / "b" / "tiny", rng_seed=1)
    names = [open_pocket(f"pocket:{place}", Endpoint()).address for place in (folder, same, other)]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("pocket:tiny@") and str(tmp_path) not in names[2]


def test_what_the_ledger_owns_is_not_asked_again(folder: Path, tmp_path: Path) -> None:
    requests = [asked(draw=draw, max_tokens=40) for draw in range(6)]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        first = list(open_model(f"pocket:{folder}", ledger=ledger).generate(requests))
        again = list(open_model(f"pocket:{folder}", ledger=ledger).generate(requests))
    assert said(again) == said(first) and all(answer.is_cached for answer in again)


def test_an_address_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pocket model"):
        open_model("pocket:enormous")
    engine = open_pocket(f"pocket:{write_llama(tmp_path / 'other', 40)}", Endpoint())
    with pytest.raises(ConfigError, match="no pocket model of this version"):
        engine._open()
    assert not engine.is_loaded


def test_a_sampled_batch_is_as_likely_as_the_model_says(folder: Path) -> None:
    engine = Pocket(folder, 64)
    found = answers(engine, [asked(draw=draw, max_tokens=1, temperature=0.8) for draw in range(3000)])
    logits = engine.net.logits(TOKENIZER.prompt("Add 12 and 30."))[-1].astype(float) / 0.8
    chance = np.exp(logits - logits.max())
    chance /= chance.sum()
    ended = np.mean([isinstance(answer, Reply) for answer in found])
    assert ended == pytest.approx(chance[TOKENIZER.eos], abs=4 * np.sqrt(chance[TOKENIZER.eos] / 3000))
