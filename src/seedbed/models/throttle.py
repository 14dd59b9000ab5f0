"""Keep the number of requests in flight at what the endpoint bears."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_MEMORY = 20
"""Answers the share of 429s is an average over (exponentially weighted)."""
_CHANCE = 0.25
"""Share of 429s that costs nobody a slot. Six in a row from nothing are above it; 3 % at random are not."""
_DOUBT = 0.15
"""Share that is assumed when the limit is tried higher: three 429s then end the trial, not six."""
_MOST_CHANCE = 0.5
"""Above this, fewer requests are sent whatever else is known: most of them are refused."""
_EVIDENCE = 40
"""Answers at half the limit that tell whether fewer requests in flight are refused less often."""
_HELPED = 0.6
"""When half as many in flight leave more than this of the share that was refused, the refusals are not about us."""
_NO_SHARE = 0.01
_FIRST_REST_S = 1.0
_LONGEST_REST_S = 30.0
"""How long the limit rests after a cut before it is tried again; doubled each time it is still there."""
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 60.0
"""How long the last slot is kept shut after a 429 that named no time; doubled from one 429 to the next."""


class Throttle:
    """A wire that lets at most `concurrency` requests through at once, and fewer while the endpoint says "too fast".

    A single 429 slows only its own request (the retry layer above waits, holding no slot here). When they come close
    together, each takes one slot away, so a burst leaves exactly the requests that were let in: the limit of the
    endpoint is found by the first burst. Seen over a round of requests that is a multiplicative cut, by the share that
    was refused. After a rest the limit is tried one above; every round that goes well doubles the step, so a limit that
    has passed is left behind in a few rounds, and one that still stands costs a handful of 429s every half minute.
    With one slot left, a 429 keeps that slot shut for the time the server named.

    It starts at the full concurrency, because that is found to be too much within one answer, while a slow start would
    cost every endpoint several.

    Args:
        wire: What is asked; each of its 429s must be visible here, so no layer that retries may sit between.
        concurrency: Most requests in flight, at least 1.

    Source:
        Chiu and Jain 1989, Analysis of the increase and decrease algorithms for congestion avoidance; Alizadeh et al.
        2010, Data Center TCP (a cut in proportion to the share that was marked). Differs: the increase grows while it
        goes well, because a request costs seconds and rounds are few.
    """

    def __init__(self, wire: Wire, concurrency: int) -> None:
        self.wire = wire
        self.concurrency = concurrency
        self.limit = concurrency
        """Most requests in flight right now, from 1 to `concurrency`."""
        self._in_flight = self._most = 0
        # Plain futures instead of asyncio.Semaphore: a semaphore stays bound to the first event loop it waited in.
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._share, self._chance = 0.0, _CHANCE
        self._high: _Count | None = None
        self._low: _Count | None = None
        self._top = concurrency
        self._good = 0
        self._step, self._settled = 1, concurrency
        self._rest_s, self._rests_until = _FIRST_REST_S, 0.0
        self._pause_s = _FIRST_PAUSE_S

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once, as soon as there is room."""
        if self._waiting or self._in_flight >= self.limit:
            await self._turn()
        else:
            self._in_flight += 1
        self._most = max(self._most, self._in_flight)
        sent_in = self._low
        try:
            answer = await self.wire.send(request)
            if isinstance(answer, Retryable):
                if answer.is_rate_limit and (pause_s := self._refused(answer, sent_in)):
                    await asyncio.sleep(pause_s)  # with the only slot in hand, so that nothing is sent meanwhile
            elif self._share or self.limit < self.concurrency:
                self._went_well(sent_in)
            return answer
        finally:
            self._in_flight -= 1
            if self._waiting:
                self._admit()

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting = deque(other for other in self._waiting if other is not turn)
            else:
                # The slot was handed over in the same moment as the cancellation: pass it on.
                self._in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)

    def _refused(self, fault: Retryable, sent_in: _Count | None) -> float:
        """Take note of a 429; the seconds its slot must stay shut."""
        self._share += (1.0 - self._share) / _MEMORY
        self._count(sent_in, is_refused=True)
        if self._share <= self._chance:
            return 0.0
        self._rest()
        if self.limit > 1:
            self._cut()
            return 0.0
        named = fault.retry_after_s
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return pause_s if named is None else min(named, _LONGEST_PAUSE_S)

    def _cut(self) -> None:
        if self._high is None:
            self._top, self._high = self.limit, _Count(refused=1, answers=1)
        # What is in flight may be less than the limit, where the caller asks for less.
        self.limit = max(1, min(self.limit, self._most) - 1)
        if self._low is None and self.limit <= self._top // 2:
            self._low = _Count()

    def _rest(self) -> None:
        if self._step > 1:
            has_grown = self.limit > 1.25 * self._settled + 1
            self._rest_s = _FIRST_REST_S if has_grown else min(2 * self._rest_s, _LONGEST_REST_S)
            self._step = 1
        elif self.limit < 0.75 * self._settled:
            self._rest_s = _FIRST_REST_S
        self._good = 0
        self._rests_until = asyncio.get_running_loop().time() + self._rest_s

    def _went_well(self, sent_in: _Count | None) -> None:
        self._share -= self._share / _MEMORY
        if self._share < _NO_SHARE:
            self._share, self._chance = 0.0, _CHANCE
        self._count(sent_in, is_refused=False)
        if self.limit == self.concurrency:
            return
        self._pause_s = max(_FIRST_PAUSE_S, self._pause_s / 2)
        # A limit that is not reached has not been tried.
        self._good += self._in_flight >= self.limit
        if self._good >= self.limit and asyncio.get_running_loop().time() >= self._rests_until:
            self._grow()

    def _grow(self) -> None:
        self._high = self._low = None
        if self._step == 1:
            self._settled = self.limit
        self._good, self._most = 0, self._in_flight
        self._share = max(self._share, _DOUBT)
        self.limit = min(self.concurrency, self.limit + self._step)
        self._step *= 2
        self._admit()

    def _count(self, sent_in: _Count | None, *, is_refused: bool) -> None:
        """Compare what is refused before the limit was halved and after: is it about our number at all?"""
        if self._high is None or (self._low is not None and sent_in is not self._low):
            return
        count = self._low or self._high
        count.answers += 1
        count.refused += is_refused
        if count is not self._low or count.answers < _EVIDENCE:
            return
        share = count.refused / count.answers
        if share < _MOST_CHANCE and share > _HELPED * self._high.refused / self._high.answers:
            self._chance = min(_MOST_CHANCE, 0.1 + 1.5 * share)
            self.limit = self._top
            self._admit()
        self._high = self._low = None


@dataclass(slots=True)
class _Count:
    """Of the requests sent at one level, how many were refused."""

    refused: int = 0
    answers: int = 0
