"""Ask again after a passing fault, with patience that grows and a limit."""

from __future__ import annotations

import random
from collections.abc import Callable

from seedbed.errors import EndpointRefused
from seedbed.models.naps import Naps
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_LONGEST_ASKED_S = 300.0
"""A server may ask for a longer wait than we would choose, but a wild number must not park a run for a day."""


class Retry:
    """A wire that asks again after a passing fault, and in the end says what kept going wrong.

    Waits are drawn from 0 to a bound that doubles ("full jitter"), so that requests which failed together do not come
    back together. A wait named by the server is kept exactly: coming earlier only earns the next refusal. Once the
    endpoint refuses every request, nobody waits on for a try that would meet the same.

    Args:
        wire: What is asked; a throttle below this layer gets its slot back while a request waits here.
        attempts: Most tries per request, at least 1.
        rng: Draws from [0, 1). Waits decide no answer, so they need no reproducible stream.

    Source:
        Brooker 2015, Exponential Backoff and Jitter (AWS architecture blog). Differs: Retry-After goes first.
    """

    def __init__(self, wire: Wire, attempts: int, *, rng: Callable[[], float] = random.random) -> None:
        self.wire = wire
        self.attempts = attempts
        self.waiting = 0
        """Requests that wait for their next try right now."""
        self._rng = rng
        self._naps = Naps()
        self._refused: EndpointRefused | None = None

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question until it is answered or `attempts` tries are used up.

        Returns:
            The answer, or a `Failure` of kind `exhausted` with the last fault and the number of tries. `Retryable`,
            after the wait, only for a fault that may have been billed: whoever keeps the books decides on another try.

        Raises:
            EndpointRefused: This or another request met what every further one would meet.
        """
        tries = 0
        while True:
            try:
                answer = await self.wire.send(request)
            except EndpointRefused as refused:
                self._refused = refused
                self._naps.wake_all()
                raise
            if not isinstance(answer, Retryable):
                return answer
            tries += 1
            if tries >= self.attempts and not answer.may_be_billed:
                return Failure("exhausted", f"{answer.message} (tried {tries} times)")
            await self._wait(self._wait_s(tries, answer))
            if answer.may_be_billed:
                return answer
            if self._refused is not None:
                raise self._refused

    async def close(self) -> None:
        """Close the wire below. What was refused may be mended before the next request."""
        self._refused = None
        await self.wire.close()

    async def _wait(self, seconds: float) -> None:
        if self._refused is not None:
            return
        self.waiting += 1
        try:
            await self._naps.take(seconds)
        finally:
            self.waiting -= 1

    def _wait_s(self, tries: int, fault: Retryable) -> float:
        if fault.retry_after_s is not None:
            return min(max(fault.retry_after_s, 0.0), _LONGEST_ASKED_S)
        # The exponent is bounded first: 2.0**1100 would raise.
        return self._rng() * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(tries - 1, 16))
