"""Keep the number of requests in flight at what the endpoint bears."""

from __future__ import annotations

import asyncio
from collections import deque

from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_WINDOW = 20
"""Answers looked at before the limit moves. With 3 % sporadic 429s, six in twenty have odds under 1 in 10,000."""
_TOO_MANY = 0.25
"""Share of rate-limited answers in a window above which the limit is halved."""
_RECOVERY = 1.5
"""Growth per window without trouble: from 1 to 64 in eleven windows, where +1 per window would take sixty-three."""


class Throttle:
    """A wire that lets at most `concurrency` requests through at once, and fewer while the endpoint says "too fast".

    A single 429 slows only its own request (the retry layer above waits, holding no slot here). Many in one window
    halve the limit; a calm window raises it by half. The limit never falls below one, so requests always move.

    Args:
        wire: What is asked; each of its 429s must be visible here, so no layer that retries may sit between.
        concurrency: Most requests in flight, at least 1.

    Source:
        Chiu and Jain 1989, Analysis of the increase and decrease algorithms for congestion avoidance. Differs: grows
        by a factor, because a request costs seconds and windows are few.
    """

    def __init__(self, wire: Wire, concurrency: int) -> None:
        self.wire = wire
        self.concurrency = concurrency
        self._limit = float(concurrency)
        self._in_flight = 0
        # Plain futures instead of asyncio.Semaphore: a semaphore stays bound to the first event loop it waited in.
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers = 0
        self._limited = 0

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    @property
    def limit(self) -> int:
        """Most requests in flight right now, from 1 to `concurrency`."""
        return int(self._limit)

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once, as soon as there is room."""
        await self._enter()
        try:
            answer = await self.wire.send(request)
            self._learn(isinstance(answer, Retryable) and answer.is_rate_limit)
            return answer
        finally:
            self._leave()

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    async def _enter(self) -> None:
        if not self._waiting and self._in_flight < self.limit:
            self._in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting = deque(other for other in self._waiting if other is not turn)
            else:
                # The slot was handed over in the same moment as the cancellation: pass it on.
                self._leave()
            raise

    def _leave(self) -> None:
        self._in_flight -= 1
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def _learn(self, is_rate_limit: bool) -> None:
        self._answers += 1
        self._limited += is_rate_limit
        # Two windows' worth of the limit, so that answers to requests sent before the last change do not decide alone.
        if self._answers < max(_WINDOW, 2 * self.limit):
            return
        if self._limited > _TOO_MANY * self._answers:
            self._limit = max(1.0, self._limit / 2)
        else:
            self._limit = min(float(self.concurrency), self._limit * _RECOVERY)
        self._answers = self._limited = 0
