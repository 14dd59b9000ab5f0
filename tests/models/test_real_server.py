"""A server nobody here wrote: `transformers serve` on a tiny checkpoint. It ignores `n` and answers 500 on /models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tiny_checkpoint import serving, write_checkpoint

from seedbed.budget import Budget, Caps
from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, Reply, Request

pytestmark = pytest.mark.server
SETTINGS = Endpoint(concurrency=4, timeout_s=60, usd_per_million_in=1.0, usd_per_million_out=2.0)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")) as found:
        yield found


def requests(count: int, max_tokens: int = 64) -> list[Request]:
    return [Request((("user", "write a film row"),), draw=draw, max_tokens=max_tokens) for draw in range(count)]


def test_every_draw_is_answered_in_order_with_tokens_and_price_and_never_asked_again(
    address: str, tmp_path: Path
) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(usd=1.0))
        answers = list(open_model(address, ledger=ledger, budget=budget, settings=SETTINGS).generate(requests(24)))
        replies = [answer for answer in answers if isinstance(answer, Reply)]
        assert len(answers) == 24 and len(replies) >= 20
        assert len({reply.text for reply in replies}) > 10
        assert all(reply.tokens_in and reply.tokens_out and reply.usd and reply.model for reply in replies)
        again = list(open_model(address, ledger=ledger, budget=budget, settings=SETTINGS).generate(requests(24)))
        assert all(answer.is_cached for answer in again)
        assert [getattr(a, "text", None) for a in again] == [getattr(a, "text", None) for a in answers]
        assert budget.spend().requests == 24


def test_an_answer_cut_at_max_tokens_is_a_failure_that_was_billed(address: str) -> None:
    answers = list(open_model(address, settings=SETTINGS).generate(requests(6, max_tokens=1)))
    cut = [answer for answer in answers if isinstance(answer, Failure)]
    assert cut and {answer.kind for answer in cut} == {"truncated"}
    assert all(answer.tokens_out == 1 and answer.usd for answer in cut)


def test_a_name_the_server_does_not_serve_is_a_failure_that_says_it(address: str) -> None:
    base = address.partition("#")[0]
    answers = list(open_model(f"{base}#nobody/nothing", settings=SETTINGS).generate(requests(1)))
    assert isinstance(answers[0], Failure) and "nobody/nothing" in answers[0].message


def test_a_base_url_without_v1_is_said_at_once(address: str) -> None:
    wrong = address.replace("/v1#", "/v2#")
    with pytest.raises(EndpointRefused, match="no chat-completions endpoint"):
        list(open_model(wrong, settings=SETTINGS).generate(requests(4)))
