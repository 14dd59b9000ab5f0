"""The whole stack of `open_model` against a real server on loopback that misbehaves."""

import json
import time
from collections import Counter
from dataclasses import replace

import pytest
from tests.models.scripted import ask
from tests.models.scripted_server import Answer, error, said, scripted_server

from seedbed.budget import Budget, Caps
from seedbed.errors import BudgetExceeded, EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, Reply

FAST = Endpoint(concurrency=32, timeout_s=2.0)
COUNT = 600


def misbehaving(prompt, times, _body):
    """3 % 429, 2 % 500, one prompt poisoned, some answers cut off, stalled, or never given; each fault once."""
    number = int(prompt)
    if number == 77:
        return error(400, "this prompt is poisoned")
    if times == 0 and number % 33 == 0:
        return error(429, "slow down", Retry_After="0.02")
    if times == 0 and number % 50 == 1:
        return error(500, "boom", Retry_After="0.01")
    if number in (123, 456) and times == 0:
        return Answer(body=said("never whole").body, ending="cut", headers={"Retry-After": "0"})
    if number == 200 and times == 0:
        return Answer(body=said("never ends").body, ending="stalled")
    if number == 300 and times == 0:
        return Answer(ending="hung_up")
    return said(f"row {number}")


def ask_all(server, count, ledger=None, settings=FAST, budget=None):
    """Answers of a model at the server to `count` prompts, the numbers from 0."""
    model = open_model(server.address, ledger=ledger, budget=budget, settings=settings)
    return model.generate(ask(str(i)) for i in range(count))


def test_faults_of_a_server_lose_no_row_and_pay_for_none_twice(tmp_path):
    with scripted_server(misbehaving) as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        found = list(ask_all(server, COUNT, ledger))
        again = list(ask_all(server, COUNT, ledger))
        asked = sum(server.asked.values())
    assert len(found) == COUNT
    assert [type(answer) for answer in found] == [Failure if i == 77 else Reply for i in range(COUNT)]
    assert all(answer.text == f"row {i}" for i, answer in enumerate(found) if i != 77)
    assert found[77].kind == "terminal" and "poisoned" in found[77].message
    assert set(server.answered.values()) - {0} == {1} and sum(server.answered.values()) == COUNT - 1
    assert server.asked["77"] == 1, "a request that will never be answered is asked once, even by a second run"
    assert all(answer.is_cached for answer in again) and asked == sum(server.asked.values())


def test_a_server_that_is_always_down_gives_failures_that_a_later_run_asks_again(tmp_path):
    down = True

    def script(prompt, _times, _body):
        return error(503, "down", Retry_After="0") if down else said(prompt)

    settings = Endpoint(attempts=3)
    with scripted_server(script) as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        found = list(open_model(server.address, ledger=ledger, settings=settings).generate([ask("a"), ask("b")]))
        assert [answer.kind for answer in found] == ["exhausted"] * 2
        assert server.asked == {"a": 3, "b": 3}
        down = False
        found = list(open_model(server.address, ledger=ledger, settings=settings).generate([ask("a"), ask("b")]))
    assert [answer.text for answer in found] == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (error(401, "Incorrect API key provided"), "key"),
        (error(402, "Payment required"), "credit"),
        (error(429, "You exceeded your current quota", code="insufficient_quota"), "credit"),
        (error(400, "Your credit balance is too low"), "credit"),
        (error(404, "The model `tiny` does not exist", code="model_not_found"), "model"),
    ],
)
def test_what_would_hit_every_request_pauses_the_run_at_once_and_keeps_what_was_answered(tmp_path, answer, says):
    refuses = True

    def script(prompt, _times, _body):
        return answer if refuses and int(prompt) >= 40 else said(prompt)

    settings = Endpoint(concurrency=4)
    with scripted_server(script) as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        found = []
        with pytest.raises(EndpointRefused, match=says):
            found.extend(
                open_model(server.address, ledger=ledger, settings=settings).generate(map(ask, map(str, range(500))))
            )
        assert sum(server.asked.values()) < 100, "no further request is sent to an endpoint that refuses them all"
        refuses = False
        found = list(
            open_model(server.address, ledger=ledger, settings=settings).generate(map(ask, map(str, range(500))))
        )
    assert [reply.text for reply in found] == [str(i) for i in range(500)]
    assert set(server.answered.values()) - {0} == {1}, "what was answered before the pause is not paid for again"


def test_what_was_answered_before_the_endpoint_refused_is_handed_out_first(tmp_path):
    def script(prompt, _times, _body):
        return error(401, "no") if prompt == "40" else said(prompt)

    with scripted_server(script) as server:
        replies = ask_all(server, 50, settings=Endpoint(concurrency=4))
        assert [next(replies).text for _ in range(40)] == [str(i) for i in range(40)]
        with pytest.raises(EndpointRefused):
            next(replies)


def test_a_cut_off_or_refused_answer_is_a_failure_with_its_bill():
    answers = {
        "long": said("and so on and", finish="length"),
        "bad": said("", finish="content_filter"),
        "good": said("fine"),
    }
    settings = Endpoint(usd_per_million_in=1.0, usd_per_million_out=10.0)
    with scripted_server(lambda prompt, _times, _body: answers[prompt]) as server:
        found = list(open_model(server.address, settings=settings).generate(map(ask, answers)))
    assert [getattr(answer, "kind", "reply") for answer in found] == ["truncated", "refused", "reply"]
    assert [answer.usd for answer in found] == [pytest.approx((10 * 1.0 + 5 * 10.0) / 1e6)] * 3


def test_an_answer_that_stays_unreadable_is_a_failure_of_its_row_alone():
    def script(prompt, _times, _body):
        return Answer(body=b"<html>oops</html>", headers={"Retry-After": "0"}) if prompt == "1" else said(prompt)

    with scripted_server(script) as server:
        found = list(open_model(server.address, settings=Endpoint(attempts=3)).generate(map(ask, "012")))
    assert [type(answer) for answer in found] == [Reply, Failure, Reply]


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": {"0": {}}, "usage": "lots"}',
        b"\xff\xfe broken",
        b"[" * 100_000,
        b'{"choices": ' + b"9" * 6000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_no_hostile_answer_breaks_a_run(body):
    def script(prompt, _times, _body):
        return Answer(body=body) if prompt == "x" else said(prompt)

    with scripted_server(script) as server:
        found = list(open_model(server.address, settings=Endpoint(attempts=1)).generate(map(ask, "axb")))
    assert [type(answer) for answer in found] == [Reply, Failure, Reply]


def test_usage_that_makes_no_sense_is_unknown_and_not_zero():
    strange = [-1, True, "7", 1e9, None, 10**30]
    bodies = [json.loads(said("x").body) | {"usage": {"prompt_tokens": s, "completion_tokens": s}} for s in strange]

    def script(prompt, _times, _body):
        return Answer(body=json.dumps(bodies[int(prompt)]).encode())

    settings = Endpoint(usd_per_million_in=1, usd_per_million_out=1)
    with scripted_server(script) as server:
        found = list(open_model(server.address, settings=settings).generate(map(ask, map(str, range(len(strange))))))
    assert {(reply.tokens_in, reply.tokens_out, reply.usd) for reply in found} == {(None, None, None)}


def test_a_request_carries_only_parameters_that_every_server_knows():
    bodies = []

    def script(prompt, _times, body):
        bodies.append(body)
        return said(prompt)

    with scripted_server(script) as server:
        list(open_model(server.address).generate([ask("a")]))
    assert (
        set(bodies[0]) == {"model", "messages", "temperature", "top_p", "max_tokens"} and bodies[0]["model"] == "tiny"
    )


def test_a_few_refusals_for_haste_hold_up_only_their_own_requests():
    def script(prompt, times, _body):
        return error(429, "slow down", Retry_After="0.3") if times == 0 and int(prompt) % 33 == 0 else said(prompt)

    with scripted_server(script) as server:
        started = time.perf_counter()
        found = list(open_model(server.address, settings=FAST).generate(map(ask, map(str, range(600)))))
        seconds = time.perf_counter() - started
    assert all(isinstance(answer, Reply) for answer in found)
    # Nineteen waits of 0.3 s one after another would take 5.7 s.
    assert seconds < 4


def test_an_endpoint_with_little_room_is_not_overrun_and_every_row_arrives():
    def script(prompt, _times, _body):
        if server.in_flight > 8:
            return error(429, "at capacity", Retry_After="0.02")
        return Answer(body=said(prompt).body, wait_s=0.004)

    with scripted_server(script) as server:
        settings = Endpoint(concurrency=64, attempts=50)
        found = list(open_model(server.address, settings=settings).generate(map(ask, map(str, range(400)))))
    assert Counter(type(answer) for answer in found) == {Reply: 400}


def test_a_budget_in_usd_holds_against_a_real_server_and_the_run_goes_on_with_a_raised_cap(tmp_path):
    settings = Endpoint(concurrency=64, usd_per_million_in=1e4, usd_per_million_out=1e4)
    paid = (10 + 5) * 1e4 / 1e6

    def run(cap):
        budget = Budget(ledger, "run", Caps(usd=cap))
        found = []
        try:
            for reply in open_model(server.address, ledger=ledger, budget=budget, settings=settings).generate(
                map(ask, map(str, range(60)))
            ):
                found.append(reply.text)  # noqa: PERF401
        except BudgetExceeded:
            pass
        return found

    with (
        scripted_server(lambda prompt, _times, _body: said(prompt)) as server,
        Ledger.at(tmp_path / "l.sqlite") as ledger,
    ):
        first = run(5.0)
        billed = sum(server.answered.values()) * paid
        assert 0 < billed <= 5.0 and first == [str(i) for i in range(len(first))]
        second = run(1000.0)
    assert len(second) == 60 and set(server.answered.values()) == {1}


def test_a_cap_in_usd_holds_when_answers_are_billed_and_lost(tmp_path):
    """Half of the prompts are billed once without their answer arriving; each try costs almost its worst case."""
    settings = Endpoint(concurrency=32, timeout_s=0.3, usd_per_million_in=1.0, usd_per_million_out=1e6)
    cap, billed = 900.0, Counter()

    def script(prompt, times, _body):
        billed[prompt] += 1
        whole = said(prompt, tokens_in=1, tokens_out=20)
        if int(prompt) % 2 and times == 0:
            return replace(whole, ending="hung_up" if int(prompt) % 3 else "cut", headers={"Retry-After": "0"})
        return whole

    with scripted_server(script) as server, Ledger.at(tmp_path / "l.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(usd=cap))
        with pytest.raises(BudgetExceeded):
            list(ask_all(server, 100, ledger, settings, budget))
        spend = budget.spend()
    assert 0.8 * cap < billed.total() * 20.0 <= cap
    assert spend.in_doubt > 10 and spend.paid_usd + spend.in_doubt_usd <= cap


def test_an_answer_that_is_lost_every_time_ends_as_a_failure_that_a_later_run_asks_again(tmp_path):
    with scripted_server(lambda *_: Answer(ending="hung_up")) as server, Ledger.at(tmp_path / "l.sqlite") as ledger:
        found = list(ask_all(server, 1, ledger, Endpoint(attempts=2)))
        assert [answer.kind for answer in found] == ["exhausted"] and server.asked["0"] == 2
        server.script = lambda prompt, _times, _body: said(prompt)
        assert [reply.text for reply in ask_all(server, 1, ledger)] == ["0"]
        assert ledger.spend("").in_doubt == 2
