from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import chain

import pytest
from tests.models.loopback import serving, text_for
from tests.models.scripted_server import Answer, error, said, scripted_server

from seedbed.errors import EndpointRefused
from seedbed.models import Endpoint, open_model
from seedbed.models.draws import JOIN_S, Draws, Several, Shared
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

ASK = Request((("user", "say something"),))
TOGETHER = Endpoint(draws_per_request=4, concurrency=8)


class Script(Wire):
    """A wire that knows `n` and gives the answers it was told to."""

    address = "test:"

    def __init__(self, *answers: Reply | Failure | Retryable) -> None:
        self.answers, self.sent = answers, list[int]()

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        draws = request.draws if isinstance(request, Several) else 1
        self.sent.append(draws)
        await asyncio.sleep(0)
        if draws == 1:
            return Reply(f"alone {request.draw}")
        return self.answers[0] if not isinstance(self.answers[0], Reply) else Shared("", each=self.answers)

    async def close(self) -> None:
        pass


def ask(wire: Wire, *requests: Request, most: int = 4) -> list[Reply | Failure | Retryable]:
    async def all_at_once() -> list[Reply | Failure | Retryable]:
        draws = Draws(wire, most)
        return list(await asyncio.gather(*(draws.send(request) for request in requests)))

    return asyncio.run(all_at_once())


def draws(count: int, request: Request = ASK) -> list[Request]:
    return [replace(request, draw=number) for number in range(count)]


def test_draws_of_one_prompt_share_requests_and_each_has_its_own_answer() -> None:
    with serving() as server:
        model = open_model(server.address, settings=TOGETHER)
        answers = list(model.generate(draws(8)))
    counts = [body.get("n", 1) for body in server.bodies]
    assert sum(counts) == 8 and max(counts) == 4  # how many wait together is the machine's affair
    text = text_for("say something")
    each = [[text, *(f"{text} again {number}" for number in range(1, count))] for count in counts]
    assert sorted(it.text for it in answers if isinstance(it, Reply)) == sorted(chain(*each))
    assert sum(it.tokens_in or 0 for it in answers) == 2 * len(counts)  # the prompt was billed once per request
    assert sum(it.tokens_out or 0 for it in answers) == 16


def test_other_prompts_settings_and_seeds_are_asked_alone() -> None:
    others = [ASK, Request((("user", "other"),)), replace(ASK, temperature=0.1), replace(ASK, rng_seed=1)]
    wire = Script()
    ask(wire, *others, *(replace(ASK, seed=1, draw=number) for number in range(2)))
    assert wire.sent == [1] * 6


def test_an_answer_that_did_not_come_is_asked_for_alone() -> None:
    lost = Retryable("unreadable", may_be_billed=True, is_unreadable=True)
    wire = Script(Reply("a"), lost, Reply("c"))
    answers = ask(wire, *draws(4))
    assert answers == [Reply("a"), Reply("alone 1"), Reply("c"), Reply("alone 3")]
    assert wire.sent == [4, 1, 1]


def test_a_server_that_knows_no_n_is_asked_one_by_one_from_then_on() -> None:
    with scripted_server() as server:
        model = open_model(server.address, settings=TOGETHER)
        answers = list(model.generate(draws(12)))
    assert [it.text for it in answers if isinstance(it, Reply)] == ["to say something"] * 12
    assert server.asked.total() <= 12 and sum(it.tokens_in or 0 for it in answers) == 10 * server.asked.total()


def test_a_server_that_declines_n_is_not_sent_it_again() -> None:
    def one_only(prompt: str, _: int, body: dict[str, object]) -> Answer:
        return error(400, "only one completion choice is allowed") if "n" in body else said(f"to {prompt}")

    with scripted_server(one_only) as server:
        model = open_model(server.address, settings=TOGETHER)
        answers = list(model.generate(draws(4))) + list(model.generate(draws(8)))
    assert all(isinstance(it, Reply) for it in answers) and 12 <= server.asked.total() <= 15


def test_a_prompt_that_is_never_answered_fails_each_draw_and_joins_the_next_prompt_all_the_same() -> None:
    with serving() as server:
        model = open_model(server.address, settings=TOGETHER)
        failures = list(model.generate(draws(4, Request((("user", "POISON"),)))))
        list(model.generate(draws(8)))
    assert [isinstance(it, Failure) and it.kind for it in failures] == ["terminal"] * 4
    assert max(body.get("n", 1) for body in server.bodies[4:]) == 4


@pytest.mark.parametrize("fault", [Retryable("lost", may_be_billed=True), Failure("exhausted", "tried 6 times")])
def test_a_fault_of_the_request_is_a_fault_of_each_draw(fault: Failure | Retryable) -> None:
    wire = Script(fault)
    assert ask(wire, *draws(3)) == [fault] * 3
    assert wire.sent == [3]


class Refusing(Script):
    async def send(self, request: Request) -> Reply | Failure | Retryable:
        await asyncio.sleep(0)
        raise EndpointRefused("no credit")


def test_a_refusal_of_every_request_reaches_whoever_waits() -> None:
    async def both() -> list[object]:
        shared = Draws(Refusing(), 4)
        return list(await asyncio.gather(*(shared.send(it) for it in draws(2)), return_exceptions=True))

    assert [type(it) for it in asyncio.run(both())] == [EndpointRefused] * 2


def test_when_nobody_waits_any_more_the_request_is_given_up() -> None:
    given_up = asyncio.Event()

    class Slow(Script):
        async def send(self, request: Request) -> Reply | Failure | Retryable:
            try:
                await asyncio.sleep(10)
            finally:
                given_up.set()
            return Reply("late")

    async def leave() -> None:
        shared = Draws(Slow(), 4)
        waiting = [asyncio.ensure_future(shared.send(it)) for it in draws(2)]
        await asyncio.sleep(3 * JOIN_S)
        for task in waiting:
            task.cancel()
        await asyncio.wait_for(given_up.wait(), 1)

    asyncio.run(leave())
