from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.models import virtual_time
from tests.models.pretend import ASK, TOO_FAST, Pretend, work_off

from seedbed.errors import EndpointRefused
from seedbed.models.breaker import Breaker
from seedbed.models.throttle import Throttle
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply

DOWN = Retryable("503: down")
REFUSED = Retryable("the connection failed (ClientConnectorError)", is_unreachable=True)
Answer = Reply | Failure | Retryable


def run_all(wire: Pretend, count: int, *, attempts: int = 6, stall_s: float = 600.0) -> tuple[list[Any], float]:
    """What became of so many requests through the whole stack, and the seconds it took."""

    async def timed() -> tuple[list[Any], float]:
        return await work_off(Throttle(wire, 16), count, attempts, stall_s), virtual_time.now()

    return virtual_time.run(timed())


async def ask_until_refused(breaker: Breaker) -> None:
    """One request every second."""
    while True:
        await breaker.send(ASK)
        await asyncio.sleep(1)


def between(start_s: float, end_s: float) -> Callable[[float, int], bool]:
    """Refuse everything in this time."""
    return lambda now, _others: start_s <= now < end_s


def test_an_endpoint_that_falls_silent_pauses_the_run_with_the_reason_and_fails_hardly_a_row() -> None:
    wire = Pretend(between(1, 1e9), DOWN)
    found, took_s = run_all(wire, 2_000)
    good = sum(isinstance(it, Reply) for it in found)
    refused = [it for it in found if isinstance(it, EndpointRefused)]
    exhausted = [it for it in found if isinstance(it, Failure)]
    assert good == wire.count["answered"] > 200
    assert len(exhausted) < 30 and len(found) < 2_000
    assert "503: down" in refused[0].seen and "in a row in 6" in refused[0].seen and refused[0].fix
    assert 600 < took_s < 700


def test_an_outage_that_ends_in_time_costs_hardly_a_row() -> None:
    wire = Pretend(between(1, 301), DOWN)
    found, took_s = run_all(wire, 2_000)
    assert not [it for it in found if isinstance(it, EndpointRefused)]
    assert sum(isinstance(it, Failure) for it in found) < 60
    assert took_s < 301 + 60


def test_while_in_doubt_one_request_at_a_time_goes_out_less_and_less_often() -> None:
    wire = Pretend(between(1, 1e9), DOWN)
    run_all(wire, 2_000)
    late = [at for at in wire.refused_at if at > 120]
    assert 10 < len(late) < 40
    assert all(later - sooner > 1 for sooner, later in pairwise(late))


def test_a_few_rows_that_always_fail_among_good_ones_are_exhausted_rows() -> None:
    dice = random.Random(1)
    wire = Pretend(lambda _now, _others: dice.random() < 0.6, DOWN)
    found, _ = run_all(wire, 3_000, attempts=4, stall_s=2.0)
    assert {type(it) for it in found} == {Reply, Failure}


def test_the_last_rows_of_a_run_may_all_fail_without_a_pause() -> None:
    found, _ = run_all(Pretend(lambda *_: True, DOWN), 3, attempts=6)
    assert [it.kind for it in found] == ["exhausted"] * 3


def test_slow_answers_are_not_silence() -> None:
    """Sixteen in flight take a minute each while a few others fail at once: nobody is held back."""

    class Slow(Pretend):
        async def send(self, request: Any) -> Answer:
            if self.in_flight >= 12:
                return DOWN
            self.in_flight += 1
            await asyncio.sleep(60)
            self.in_flight -= 1
            return Reply("good")

    found, took_s = run_all(Slow(), 36, attempts=100, stall_s=90)
    assert found == [Reply("good")] * 36 and took_s < 400


@pytest.mark.parametrize("fault", [DOWN, TOO_FAST, Retryable("no answer within 5 s", 0.5, may_be_billed=True)])
def test_every_kind_of_fault_counts(fault: Retryable) -> None:
    breaker = Breaker(Pretend(lambda *_: True, fault), 10.0)

    async def until_it_trips() -> float:
        with pytest.raises(EndpointRefused, match="stopped answering"):
            await ask_until_refused(breaker)
        return virtual_time.now()

    assert 10 < virtual_time.run(until_it_trips()) < 20


def test_a_server_that_was_never_there_is_reported_within_seconds_by_its_address() -> None:
    found, took_s = run_all(Pretend(lambda *_: True, REFUSED), 500)
    refused = [it for it in found if isinstance(it, EndpointRefused)]
    assert refused and took_s < 12 and len(found) < 500
    assert "pretend:" in refused[0].seen and "ClientConnectorError" in refused[0].seen and "port" in refused[0].fix


def test_a_server_that_is_being_restarted_gets_the_patience_of_any_outage() -> None:
    wire = Pretend(between(1, 60), REFUSED)
    found, _ = run_all(wire, 1_000)
    assert not [it for it in found if isinstance(it, EndpointRefused)]


def test_what_stopped_one_run_is_forgotten_for_the_next() -> None:
    wire = Pretend(between(0, 15), REFUSED)
    breaker = Breaker(wire, 600.0)

    async def twice() -> Answer:
        with pytest.raises(EndpointRefused):
            await ask_until_refused(breaker)
        await breaker.close()
        await asyncio.sleep(20)
        return await breaker.send(ASK)

    assert virtual_time.run(twice()) == Reply("good") and wire.is_closed


def test_a_cancelled_request_leaves_the_way_open_for_the_next() -> None:
    wire = Pretend(between(0, 30), DOWN)
    breaker = Breaker(wire, 100.0)

    async def cancel_some() -> Answer:
        while not breaker._in_doubt:
            await breaker.send(ASK)
            await asyncio.sleep(1)
        tasks = [asyncio.create_task(breaker.send(ASK)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in tasks[:4]:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(30)
        return await breaker.send(ASK)

    assert virtual_time.run(cancel_some()) == Reply("good")
