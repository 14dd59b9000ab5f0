"""llama.cpp's server on a tiny checkpoint. It closes a connection after a hundred requests and checks no model name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest
from tests.tiny_gguf import CONTEXT, NAME, serving, write_gguf

from seedbed.budget import Budget, Caps
from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Choice, Failure, JsonSchema, Reply, Request

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the server is not installed (extra `test`)"),
]
SETTINGS = Endpoint(concurrency=4, timeout_s=30, usd_per_million_in=1.0, usd_per_million_out=2.0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def address(checkpoint: Path) -> Iterator[str]:
    with serving(checkpoint) as found:
        yield found


def requests(count: int, max_tokens: int = 400) -> list[Request]:
    return [Request((("user", f"write film row {draw}"),), draw=draw, max_tokens=max_tokens) for draw in range(count)]


def test_three_requests_get_three_texts_with_tokens_and_a_price(address: str) -> None:
    replies = list(open_model(address, settings=SETTINGS).generate(requests(3)))
    assert len(replies) == 3
    for reply in replies:
        assert isinstance(reply, Reply) and reply.text.strip() and reply.model == NAME
        assert reply.tokens_in and reply.tokens_out
        # A token is a word or a letter, and the end is one more.
        assert len(reply.text.split()) < reply.tokens_out <= len(reply.text) + 1
        assert reply.usd == pytest.approx((reply.tokens_in + 2 * reply.tokens_out) / 1e6)


def test_five_hundred_requests_outlive_their_connections_and_none_is_asked_twice(address: str, tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(usd=1.0))
        answers = list(open_model(address, ledger=ledger, budget=budget, settings=SETTINGS).generate(requests(500)))
        assert len(answers) == 500 and all(isinstance(answer, Reply) for answer in answers)
        assert len({answer.text for answer in answers if isinstance(answer, Reply)}) > 250
        again = list(open_model(address, ledger=ledger, budget=budget, settings=SETTINGS).generate(requests(500)))
        assert all(answer.is_cached for answer in again)
        assert [getattr(a, "text", None) for a in again] == [getattr(a, "text", None) for a in answers]
        assert budget.spend().requests == 500


def test_an_answer_cut_at_max_tokens_is_a_failure_that_was_billed(address: str) -> None:
    # The first token is never the end, so each answer is cut.
    answers = list(open_model(address, settings=SETTINGS).generate(requests(6, max_tokens=1)))
    assert all(isinstance(answer, Failure) and answer.kind == "truncated" for answer in answers)
    assert all(answer.tokens_out == 1 and answer.usd for answer in answers)


def test_a_prompt_longer_than_the_context_is_a_failure_that_says_so_and_its_neighbours_are_answered(
    address: str,
) -> None:
    long = Request((("user", "x" * 2 * CONTEXT),), max_tokens=400)
    first, second = requests(2)
    answers = list(open_model(address, settings=SETTINGS).generate([first, long, second]))
    assert isinstance(answers[0], Reply) and isinstance(answers[2], Reply)
    assert isinstance(answers[1], Failure) and answers[1].kind == "terminal"
    assert f"({CONTEXT} tokens)" in answers[1].message


def test_a_name_it_does_not_know_is_answered_under_the_name_it_serves(address: str) -> None:
    base = address.partition("#")[0]
    answers = list(open_model(f"{base}#nobody", settings=SETTINGS).generate(requests(1)))
    assert isinstance(answers[0], Reply) and answers[0].model == NAME


def test_a_base_url_without_v1_is_said_at_once(address: str) -> None:
    wrong = address.replace("/v1#", "/v2#")
    with pytest.raises(EndpointRefused, match="no chat-completions endpoint"):
        list(open_model(wrong, settings=SETTINGS).generate(requests(4)))


def test_a_server_that_asks_for_a_key_refuses_a_run_without_it(checkpoint: Path, tmp_path: Path) -> None:
    private = write_gguf(tmp_path / "tiny.gguf")
    assert private.read_bytes() == checkpoint.read_bytes()
    with (
        serving(private, api_key="correct-horse-battery") as address,
        pytest.raises(EndpointRefused, match="refuses the key"),
    ):
        list(open_model(address, settings=SETTINGS).generate(requests(4)))


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_it_speaks_each_format(address: str, api: Literal["chat", "responses", "messages"]) -> None:
    turns = (("user", "write film"), ("assistant", "good film"), ("user", "write another"))
    (reply,) = open_model(address, settings=SETTINGS.model_copy(update={"api": api})).generate([Request(turns)])
    assert isinstance(reply, Reply) and reply.text.strip() and reply.tokens_in and reply.tokens_out


def test_a_choice_and_a_schema_are_honoured_by_a_model_that_knows_neither(address: str) -> None:
    shape = {"type": "object", "properties": {"is_good": {"type": "boolean"}}, "required": ["is_good"]}
    wanted = [Choice(("great film", 'a "bad" one')), JsonSchema.of(shape)]
    asked = [replace(request, constraint=it) for it in wanted for request in requests(4)]
    settings = SETTINGS.model_copy(update={"constraints": "llama.cpp"})
    answers = list(open_model(address, settings=settings).generate(asked))
    assert all(isinstance(it, Reply) and it.checked == "valid" for it in answers)


def test_it_gives_logprobs_and_the_same_answer_to_the_same_seed(address: str) -> None:
    (prompt,) = requests(1)
    asked = [replace(prompt, draw=draw, seed=5, logprobs=2) for draw in range(3)]
    # One after the other: what is computed in one batch with others differs in the last digits.
    found = list(open_model(address, settings=SETTINGS.model_copy(update={"concurrency": 1})).generate(asked))
    replies = [it for it in found if isinstance(it, Reply)]
    assert len({it.text for it in replies[1:]}) == 1 and len(replies) == 3
    tokens = [token for reply in replies for token in reply.logprobs or ()]
    assert tokens and all(it.logprob <= 0 and len(it.top) == 2 for it in tokens)
    assert all("".join(it.token for it in reply.logprobs or ()) == reply.text for reply in replies)


def test_draws_of_one_prompt_may_share_a_request(address: str) -> None:
    (prompt,) = requests(1)
    settings = SETTINGS.model_copy(update={"draws_per_request": 4})
    answers = list(open_model(address, settings=settings).generate(replace(prompt, draw=draw) for draw in range(8)))
    assert all(isinstance(it, Reply) for it in answers)
    assert len({it.text for it in answers if isinstance(it, Reply)}) > 4
    assert 2 <= sum(bool(it.tokens_in) for it in answers) < 8  # the prompt is booked once per request
