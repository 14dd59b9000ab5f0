from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import virtual_time
from tests.models.pretend import ASK, LATENCY_S, TOO_FAST, Pretend, above, at_random, seconds, work_off

from seedbed.models.retry import Retry
from seedbed.models.throttle import Throttle
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request


def send_all(throttle: Throttle | Retry, count: int) -> list[Reply | Failure | Retryable]:
    async def together() -> list[Reply | Failure | Retryable]:
        return list(await asyncio.gather(*(throttle.send(ASK) for _ in range(count))))

    return virtual_time.run(together())


@given(st.integers(1, 40), st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_no_more_than_the_limit_are_ever_in_flight_and_the_room_is_used(concurrency: int, count: int) -> None:
    wire = Pretend()
    assert len(send_all(Throttle(wire, concurrency), count)) == count
    assert wire.most == min(concurrency, count) and wire.in_flight == 0


def test_a_willing_endpoint_gets_everything_at_once_from_the_start() -> None:
    wire = Pretend()
    assert seconds(partial(work_off, Throttle(wire, 64), 2_000)) == pytest.approx(32 * LATENCY_S)


@pytest.mark.parametrize("capacity", [1, 4, 16, 40])
def test_the_limit_of_an_endpoint_is_found_and_its_throughput_used(capacity: int) -> None:
    wire = Pretend(above(capacity))
    took_s = seconds(partial(work_off, Throttle(wire, 64), 2_000))
    assert took_s < 1.1 * 2_000 * LATENCY_S / capacity
    assert wire.count["answered"] == 2_000


def test_a_limit_that_was_found_is_tried_gently() -> None:
    wire = Pretend(above(16))
    took_s = seconds(partial(work_off, Throttle(wire, 64), 20_000))
    at_first = sum(at < 1 for at in wire.refused_at)
    assert at_first < 70 and took_s > 60
    assert len(wire.refused_at) - at_first < 60, "a handful each time, and seldom"


def test_sporadic_429s_slow_only_their_own_requests() -> None:
    wire = Pretend(at_random(0.03))
    plain_s = 10_000 * LATENCY_S / 64
    # A second more is the wait of whoever was refused last.
    assert seconds(partial(work_off, Throttle(wire, 64), 10_000)) < 1.1 * plain_s + 1


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_429s_that_come_whatever_is_in_flight_do_not_starve_the_run(share: float) -> None:
    wire = Pretend(at_random(share))
    plain_s = 8_000 * LATENCY_S / 64 / (1 - share)
    assert seconds(partial(work_off, Throttle(wire, 64), 8_000, attempts=50)) < 2.5 * plain_s + 1


def test_a_limit_that_has_passed_is_left_behind_within_seconds() -> None:
    wire = Pretend(lambda now, others: others >= (8 if now < 5 else 64))
    throttle, limits = Throttle(wire, 64), list[int]()

    async def watch() -> None:
        working = asyncio.create_task(work_off(throttle, 4_000))
        await asyncio.sleep(4.9)
        limits.append(throttle.limit)
        await asyncio.sleep(7)
        limits.append(throttle.limit)
        await working

    virtual_time.run(watch())
    assert limits[0] in (8, 9) and limits[1] == 64


def test_an_endpoint_that_refuses_everything_for_a_while_is_hardly_asked_meanwhile() -> None:
    wire = Pretend(lambda now, _others: 1 <= now < 31)
    throttle = Throttle(wire, 64)
    took_s = seconds(partial(work_off, throttle, 8_000))
    assert wire.count == {"answered": 8_000, "refused": wire.count["refused"]}
    assert wire.count["refused"] < 64 + 40
    assert took_s < 1.25 * (8_000 * LATENCY_S / 64 + 30) and throttle.limit == 64


def test_the_last_slot_is_shut_for_as_long_as_the_server_asks() -> None:
    wire = Pretend(at_random(1.0), Retryable("429", 20.0, is_rate_limit=True))
    throttle = Throttle(wire, 1)
    assert seconds(partial(_one_after_another, throttle, 16)) == pytest.approx(16 * 0.002 + 11 * 20)


async def _one_after_another(throttle: Throttle, count: int) -> None:
    for _ in range(count):
        await throttle.send(ASK)


def test_a_limit_that_no_caller_reaches_is_still_found() -> None:
    wire = Pretend(above(8))
    throttle = Throttle(wire, 1_000)

    async def bursts() -> None:
        for _ in range(4):
            await asyncio.gather(*(throttle.send(ASK) for _ in range(40)))

    virtual_time.run(bursts())
    assert throttle.limit < 12


def test_a_request_that_waits_before_its_next_try_holds_no_room() -> None:
    wire = Pretend(lambda now, _others: now < 0.5)
    throttle = Throttle(wire, 1)
    retry = Retry(throttle, 3)

    async def look() -> None:
        first = asyncio.create_task(retry.send(ASK))
        await asyncio.sleep(0.9)
        assert (throttle._in_flight, retry.waiting) == (0, 1)
        assert await first == Reply("good") and retry.waiting == 0

    virtual_time.run(look())


class Crashing(Pretend):
    async def send(self, request: Request) -> Reply | Failure | Retryable:
        raise OSError("gone")


def test_a_wire_that_raises_gives_its_room_back() -> None:
    throttle = Throttle(Crashing(), 1)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            asyncio.run(throttle.send(ASK))
    throttle.wire = Pretend()
    assert send_all(throttle, 5) == [Reply("good")] * 5


@given(st.integers(1, 5), st.lists(st.integers(0, 29), max_size=30), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_cancelled_requests_leave_no_room_behind(concurrency: int, cancelled: list[int], when: int) -> None:
    async def run() -> None:
        wire = Pretend()
        throttle = Throttle(wire, concurrency)
        tasks = [asyncio.create_task(throttle.send(ASK)) for _ in range(30)]
        await asyncio.sleep(when * LATENCY_S / 2)
        for index in cancelled:
            tasks[index].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert throttle._in_flight == 0 and not throttle._waiting
        assert await asyncio.wait_for(throttle.send(ASK), 5) == Reply("good")

    virtual_time.run(run())


def test_one_throttle_serves_one_event_loop_after_another_and_remembers_the_limit() -> None:
    throttle = Throttle(Pretend(above(4)), 40)
    for _ in range(3):
        assert TOO_FAST in send_all(throttle, 60) or throttle.limit < 12
    assert throttle.limit < 12
