from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import pytest
from tests.models import virtual_time

from seedbed.errors import EndpointRefused
from seedbed.models.retry import Retry
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

ASK = Request((("user", "hello"),))
BUSY = Retryable("429: busy", is_rate_limit=True)


class Script:
    """A wire that gives the answers of a list, then repeats the last."""

    address = "script:"

    def __init__(self, answers: Iterable[Reply | Failure | Retryable | Exception]) -> None:
        self.answers = list(answers)
        self.moments: list[float] = []

    @property
    def asked(self) -> int:
        return len(self.moments)

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.moments.append(virtual_time.now())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.answers = []


def ask(wire: Script, attempts: int, draw: float = 1.0) -> tuple[Reply | Failure | Retryable, list[float]]:
    """The answer, and the seconds of every wait."""
    return virtual_time.run(_ask(wire, attempts, draw))


async def _ask(wire: Script, attempts: int, draw: float) -> tuple[Reply | Failure | Retryable, list[float]]:
    answer = await Retry(wire, attempts, rng=lambda: draw).send(ASK)
    moments = [*wire.moments, virtual_time.now()] if isinstance(answer, Retryable) else wire.moments
    return answer, [round(later - sooner, 9) for sooner, later in pairwise(moments)]


def test_a_passing_fault_is_asked_again_until_it_passes() -> None:
    wire = Script([BUSY, BUSY, Reply("good")])
    answer, waits = ask(wire, attempts=6)
    assert answer == Reply("good")
    assert wire.asked == 3 and len(waits) == 2


def test_waits_double_up_to_a_minute() -> None:
    _, waits = ask(Script([BUSY]), attempts=10)
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_draws_from_nothing_to_the_bound() -> None:
    assert ask(Script([BUSY]), attempts=3, draw=0.0)[1] == [0, 0]
    assert ask(Script([BUSY]), attempts=3, draw=0.5)[1] == [0.25, 0.5]


def test_thousands_of_tries_overflow_nothing() -> None:
    assert ask(Script([BUSY]), attempts=2_000)[1][-1] == 60


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.25, 7.25), (0.0, 0.0), (86_400.0, 300.0), (-3.0, 0.0)])
def test_a_wait_named_by_the_server_is_kept_exactly_within_reason(asked_s: float, waited_s: float) -> None:
    _, waits = ask(Script([Retryable("429", retry_after_s=asked_s), Reply("good")]), attempts=2, draw=0.1)
    assert waits == [waited_s]


def test_what_kept_going_wrong_is_said_in_the_end() -> None:
    wire = Script([BUSY, Retryable("503: down")])
    answer, waits = ask(wire, attempts=3)
    assert answer == Failure("exhausted", "503: down (tried 3 times)")
    assert wire.asked == 3 and len(waits) == 2


def test_one_attempt_never_waits() -> None:
    answer, waits = ask(Script([BUSY]), attempts=1)
    assert isinstance(answer, Failure) and waits == []


def test_a_failure_is_an_answer_and_not_asked_again() -> None:
    wire = Script([Failure("terminal", "400: too long"), Reply("never")])
    assert ask(wire, attempts=6)[0] == Failure("terminal", "400: too long")
    assert wire.asked == 1


def test_an_endpoint_that_refuses_every_request_is_asked_once() -> None:
    wire = Script([EndpointRefused("no credit")])
    with pytest.raises(EndpointRefused):
        ask(wire, attempts=6)
    assert wire.asked == 1


def test_a_fault_that_may_be_billed_is_waited_out_and_handed_up() -> None:
    lost = Retryable("no answer within 2 s", may_be_billed=True)
    assert ask(Script([lost]), attempts=6) == (lost, [0.5])


def test_nobody_waits_for_a_try_that_would_meet_what_refuses_every_request() -> None:
    async def run() -> float:
        retry = Retry(Script([Retryable("429", 250.0), Retryable("503", 250.0), EndpointRefused("no credit")]), 6)
        asleep = [asyncio.create_task(retry.send(ASK)) for _ in range(2)]
        await asyncio.sleep(1)
        assert retry.waiting == 2
        with pytest.raises(EndpointRefused):
            await retry.send(ASK)
        await asyncio.wait(asleep)
        assert all(isinstance(task.exception(), EndpointRefused) for task in asleep) and retry.waiting == 0
        return virtual_time.now()

    assert virtual_time.run(run()) == 1


def test_a_refusal_is_forgotten_when_the_run_that_met_it_is_over() -> None:
    async def run() -> Reply | Failure | Retryable:
        wire = Script([EndpointRefused("no credit"), BUSY, Reply("good")])
        retry = Retry(wire, 6)
        with pytest.raises(EndpointRefused):
            await retry.send(ASK)
        answers = list(wire.answers)
        await retry.close()
        wire.answers = answers
        return await retry.send(ASK)

    assert virtual_time.run(run()) == Reply("good")
