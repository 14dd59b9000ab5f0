"""Ask again after a passing fault, with patience that grows and a limit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_LONGEST_ASKED_S = 300.0
"""A server may ask for a longer wait than we would choose, but a wild number must not park a run for a day."""


class Retry:
    """A wire that asks again after a passing fault, and in the end says what kept going wrong.

    Waits are drawn from 0 to a bound that doubles ("full jitter"), so that requests which failed together do not come
    back together. A wait named by the server is kept exactly: coming earlier only earns the next refusal.

    Args:
        wire: What is asked; a throttle below this layer gets its slot back while a request waits here.
        attempts: Most tries per request, at least 1.
        sleep: Waits the given seconds; a test passes its own.
        rng: Draws from [0, 1). Waits decide no answer, so they need no reproducible stream.

    Source:
        Brooker 2015, Exponential Backoff and Jitter (AWS architecture blog). Differs: Retry-After goes first.
    """

    def __init__(
        self,
        wire: Wire,
        attempts: int,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.wire = wire
        self.attempts = attempts
        self._sleep = sleep
        self._rng = rng

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question until it is answered or `attempts` tries are used up.

        Returns:
            The answer, or a `Failure` of kind `exhausted` with the last fault and the number of tries. `Retryable`,
            after the wait, only for a fault that may have been billed: whoever keeps the books decides on another try.
        """
        tries = 0
        while True:
            answer = await self.wire.send(request)
            if not isinstance(answer, Retryable):
                return answer
            tries += 1
            if tries >= self.attempts and not answer.may_be_billed:
                return Failure("exhausted", f"{answer.message} (tried {tries} times)")
            await self._sleep(self._wait_s(tries, answer))
            if answer.may_be_billed:
                return answer

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    def _wait_s(self, tries: int, fault: Retryable) -> float:
        if fault.retry_after_s is not None:
            return min(max(fault.retry_after_s, 0.0), _LONGEST_ASKED_S)
        # The exponent is bounded first: 2.0**1100 would raise.
        return self._rng() * min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(tries - 1, 16))
