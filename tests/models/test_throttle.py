from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.models.retry import Retry
from seedbed.models.throttle import Throttle
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

ASK = Request((("user", "hello"),))


class Counting:
    """A wire that counts what is in flight; `is_limited(number)` says which requests get a 429."""

    address = "counting:"

    def __init__(self, is_limited: Callable[[int], bool] = lambda number: False) -> None:
        self.is_limited = is_limited
        self.sent = self.in_flight = self.most = 0

    async def send(self, request: Request) -> Reply | Retryable:
        number, self.sent = self.sent, self.sent + 1
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            self.in_flight -= 1
        return Retryable("429", is_rate_limit=True) if self.is_limited(number) else Reply("good")

    async def close(self) -> None:
        """Nothing is open."""


def send_all(throttle: Throttle | Retry, count: int) -> list[Reply | Failure | Retryable]:
    async def together() -> list[Reply | Failure | Retryable]:
        return list(await asyncio.gather(*(throttle.send(ASK) for _ in range(count))))

    return asyncio.run(together())


@given(st.integers(1, 40), st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_no_more_than_the_limit_are_ever_in_flight_and_the_room_is_used(concurrency: int, count: int) -> None:
    wire = Counting()
    assert len(send_all(Throttle(wire, concurrency), count)) == count
    assert wire.most == min(concurrency, count) and wire.in_flight == 0


def test_sporadic_429s_slow_nothing() -> None:
    dice = random.Random(0)
    throttle = Throttle(Counting(lambda number: dice.random() < 0.03), 16)
    send_all(throttle, 5_000)
    assert throttle.limit == 16


def test_many_429s_halve_the_limit_and_calm_brings_it_back() -> None:
    wire = Counting(lambda number: number < 1_000)
    throttle = Throttle(wire, 64)
    send_all(throttle, 1_000)
    assert throttle.limit == 1
    send_all(throttle, 2_000)
    assert throttle.limit == 64


def test_an_endpoint_that_only_says_too_fast_still_gets_requests_one_at_a_time() -> None:
    wire = Counting(lambda number: True)
    throttle = Throttle(wire, 8)
    assert len(send_all(throttle, 600)) == 600
    assert throttle.limit == 1


def test_a_request_that_waits_before_its_next_try_holds_no_room() -> None:
    seen_while_waiting: list[int] = []

    async def sleep(seconds: float) -> None:
        seen_while_waiting.append(throttle._in_flight)

    throttle = Throttle(Counting(lambda number: number == 0), 1)
    assert send_all(Retry(throttle, 3, sleep=sleep), 1) == [Reply("good")]
    assert seen_while_waiting == [0]


class Crashing(Counting):
    async def send(self, request: Request) -> Reply | Retryable:
        raise OSError("gone")


def test_a_wire_that_raises_gives_its_room_back() -> None:
    throttle = Throttle(Crashing(), 1)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            asyncio.run(throttle.send(ASK))
    throttle.wire = Counting()
    assert send_all(throttle, 5) == [Reply("good")] * 5


@given(st.integers(1, 5), st.lists(st.integers(0, 29), max_size=30), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_cancelled_requests_leave_no_room_behind(concurrency: int, cancelled: list[int], when: int) -> None:
    async def run() -> None:
        wire = Counting()
        throttle = Throttle(wire, concurrency)
        tasks = [asyncio.create_task(throttle.send(ASK)) for _ in range(30)]
        for _ in range(when):
            await asyncio.sleep(0)
        for index in cancelled:
            tasks[index].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert throttle._in_flight == 0 and not throttle._waiting
        assert await asyncio.wait_for(throttle.send(ASK), 5) == Reply("good")

    asyncio.run(run())


def test_one_throttle_serves_one_event_loop_after_another() -> None:
    throttle = Throttle(Counting(), 2)
    for _ in range(3):
        assert len(send_all(throttle, 20)) == 20
