from __future__ import annotations

import asyncio
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import virtual_time
from tests.models.pretend import ASK

from seedbed.models.pace import Bucket, Pace
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure | Retryable


class Billing:
    """A wire that notes when it was asked and gives the same answer every time, after a second."""

    address = "billing:"

    def __init__(self, answer: Answer = Reply("good", 20, 80)) -> None:  # noqa: B008 - a frozen value
        self.answer = answer
        self.moments: list[float] = []

    async def send(self, request: Request) -> Answer:
        self.moments.append(virtual_time.now())
        await asyncio.sleep(1.0)
        return self.answer

    async def close(self) -> None:
        """Nothing is open."""


def send_all(pace: Pace, count: int, request: Request = ASK) -> float:
    """Seconds until so many requests, all open at once, were answered."""

    async def together() -> float:
        await asyncio.gather(*(pace.send(request) for _ in range(count)))
        return virtual_time.now()

    return virtual_time.run(together())


def most_in_a_minute(moments: list[float]) -> int:
    return max(bisect_left(moments, start + 60) - number for number, start in enumerate(moments))


@pytest.mark.parametrize("cap", [1, 7, 60, 500, 6_000])
def test_no_minute_sees_more_requests_than_the_cap_and_nearly_all_of_it_is_used(cap: int) -> None:
    wire = Billing()
    took_s = send_all(Pace(wire, cap, None), 3 * cap if cap < 5_000 else cap)
    assert most_in_a_minute(wire.moments) <= cap
    assert took_s < 1.03 * (180 if cap < 5_000 else 60) + 2


@given(st.integers(1, 100_000), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3_000)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_minute_gives_more_units_than_the_cap_beyond_the_one_request_that_overdraws(
    cap: int, wants: list[tuple[float, float]]
) -> None:
    bucket, now, taken = Bucket(cap, 0.0), 0.0, list[tuple[float, float]]()
    for pause, units in wants:
        now += pause
        now += bucket.wait_s(units, now)
        bucket.take(units)
        taken.append((now, units))
    for number, (start, _) in enumerate(taken):
        within = [units for at, units in taken[number:] if at < start + 60]
        assert sum(within) <= cap + max(within) + 1e-3


def test_tokens_are_estimated_at_first_and_what_answers_really_use_is_learned() -> None:
    request = Request((("user", "x" * 64),), max_tokens=800)
    wire = Billing()  # 100 of about 820 estimated tokens
    # 6,000 answers of 100 tokens need ten minutes at 60,000 a minute; at the first estimate it would be eighty.
    assert send_all(Pace(wire, None, 60_000), 6_000, request) < 1.1 * 600
    minutes = [sum(start <= at < start + 60 for at in wire.moments) for start in range(0, 540, 60)]
    assert max(minutes) * 100 < 1.05 * 60_000


def test_answers_longer_than_estimated_are_paid_back() -> None:
    pace = Pace(Billing(Reply("good", 5_000, 5_000)), None, 60_000)
    assert send_all(pace, 60) > 0.9 * 600 - 60


def test_what_was_turned_away_costs_no_tokens() -> None:
    request = Request((("user", "x"),), max_tokens=1_000)
    pace = Pace(Billing(Retryable("429", is_rate_limit=True)), None, 60_000)

    async def one_after_another() -> float:
        for _ in range(120):
            await pace.send(request)
        return virtual_time.now()

    assert virtual_time.run(one_after_another()) < 130


def test_both_caps_hold_and_the_tighter_one_decides() -> None:
    wire = Billing(Reply("good", 1, 511))
    assert send_all(Pace(wire, 6_000, 51_200), 300) == pytest.approx(180, rel=0.1)
    wire = Billing(Reply("good", 1, 1))
    assert send_all(Pace(wire, 60, 10_000_000), 180) == pytest.approx(180, rel=0.05)


def test_a_request_larger_than_the_cap_goes_out_all_the_same_and_the_next_waits() -> None:
    wire = Billing(Reply("good", 1_000, 0))
    send_all(Pace(wire, None, 600), 3, Request((("user", "x" * 4_000),), max_tokens=1))
    assert wire.moments[0] == 0 and wire.moments[1] == pytest.approx(101, rel=0.02)


def test_a_cancelled_request_holds_nobody_up() -> None:
    pace = Pace(Billing(), 60, None)

    async def run() -> float:
        tasks = [asyncio.create_task(pace.send(ASK)) for _ in range(10)]
        await asyncio.sleep(0.5)
        for task in tasks[1:9]:
            task.cancel()
        await asyncio.wait(tasks)
        return virtual_time.now()

    assert virtual_time.run(run()) < 3


def test_one_pace_serves_one_event_loop_after_another() -> None:
    pace = Pace(Billing(), 6_000, None)
    for _ in range(3):
        with asyncio.Runner() as runner:
            runner.run(_quick(pace))


async def _quick(pace: Pace) -> None:
    await asyncio.gather(*(pace.admit(ASK) for _ in range(62)))
