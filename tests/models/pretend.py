"""An endpoint in virtual time that refuses as real ones do: above a number in flight, at random, for a while."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from tests.models import virtual_time

from seedbed.errors import EndpointRefused
from seedbed.models.breaker import Breaker
from seedbed.models.retry import Retry
from seedbed.models.throttle import Throttle
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

ASK = Request((("user", "hello"),))
LATENCY_S = 0.05
TOO_FAST = Retryable("429: slow down", 1.0, is_rate_limit=True)


class Pretend:
    """A wire whose answers take 50 ms and whose 429s take 2 ms; `refuses(now, in_flight)` says which it is.

    Args:
        refuses: From the virtual time in seconds and how many others are in flight.
        fault: What a refused request gets.
    """

    address = "pretend:"

    def __init__(
        self, refuses: Callable[[float, int], bool] = lambda _now, _others: False, fault: Retryable = TOO_FAST
    ) -> None:
        self.refuses, self.fault = refuses, fault
        self.in_flight = self.most = 0
        self.count: Counter[str] = Counter()
        self.refused_at: list[float] = []
        self.is_closed = False

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        is_refused = self.refuses(virtual_time.now(), self.in_flight)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await asyncio.sleep(0.002 if is_refused else LATENCY_S)
        finally:
            self.in_flight -= 1
        self.count["refused" if is_refused else "answered"] += 1
        if is_refused:
            self.refused_at.append(virtual_time.now())
            return self.fault
        return Reply("good")

    async def close(self) -> None:
        self.is_closed = True


def at_random(share: float) -> Callable[[float, int], bool]:
    """Refuse this share of requests, whatever is in flight."""
    dice = random.Random(0)
    return lambda _now, _others: dice.random() < share


def above(capacity: int) -> Callable[[float, int], bool]:
    """Refuse whoever finds so many in flight."""
    return lambda _now, others: others >= capacity


async def work_off(throttle: Throttle, count: int, attempts: int = 6, stall_s: float = 600.0) -> list[Any]:
    """What became of so many requests, as many open at once as a window would have; none is begun after a refusal."""
    retry = Retry(Breaker(throttle, stall_s), attempts, rng=random.Random(0).random)
    found, started, landed = list[Any](), 0, asyncio.Event()

    async def one() -> None:
        try:
            found.append(await retry.send(ASK))
        except EndpointRefused as refused:
            found.append(refused)
        landed.set()

    async with asyncio.TaskGroup() as group:
        while started < count and not (found and isinstance(found[-1], EndpointRefused)):
            while started < count and started - len(found) < throttle.limit * 5 // 4 + retry.waiting:
                group.create_task(one())
                started += 1
            landed.clear()
            await landed.wait()
    return found


def seconds(main: Callable[[], Coroutine[Any, Any, Any]]) -> float:
    """How long it takes in virtual time."""

    async def timed() -> float:
        await main()
        return virtual_time.now()

    return virtual_time.run(timed())
