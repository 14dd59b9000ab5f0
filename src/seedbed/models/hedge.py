"""Ask a second time when an answer takes long, and keep the first one that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

MOST_SENDS = 2
"""Times one request may be sent, and billed: what must be reserved for it, in worst cases."""
_FEW = 10
"""One request in so many may be asked twice at the same time: a hedge against stragglers, not a second load."""

Answer = Reply | Failure | Retryable


class Hedge:
    """A wire that sends a request again when its answer has not come after a while; the first answer wins.

    Off unless asked for, because both may be billed: `on_lost` is told of each send whose answer is not used. It pays
    where one answer in a hundred takes a hundred times as long as the others. When the endpoint as a whole is slow,
    at most a tenth of the requests in flight are doubled.

    Args:
        wire: What is asked; a throttle stands above, so that a request waits for its slot before the clock starts.
        after_s: Seconds until the second send.
        admit: Waited for before the second send; a `Pace` above counts it there.
        on_lost: Called with the request for a send that may be billed and whose answer is not used, before `send`
            returns.

    Source:
        Dean and Barroso 2013, The Tail at Scale, CACM 56(2) (hedged requests).
    """

    def __init__(
        self,
        wire: Wire,
        after_s: float,
        *,
        admit: Callable[[Request], Awaitable[object]] | None = None,
        on_lost: Callable[[Request], None] | None = None,
    ) -> None:
        self.wire, self.after_s = wire, after_s
        self.admit, self.on_lost = admit, on_lost
        self._in_flight = self._doubled = 0

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Answer:
        """Put one question once, or twice when it takes long."""
        self._in_flight += 1
        first = asyncio.ensure_future(self.wire.send(request))
        try:
            await asyncio.wait((first,), timeout=self.after_s)
            if first.done() or _FEW * self._doubled > self._in_flight:
                return await first
            return await self._race(request, first)
        finally:
            self._in_flight -= 1
            first.cancel()  # nothing where it is done; otherwise the caller went away

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    async def _race(self, request: Request, first: asyncio.Future[Answer]) -> Answer:
        self._doubled += 1
        second = _Second(self, request)
        sends = [first, second.task]
        try:
            done, _ = await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
            if all(_is_fault(it) for it in done):  # the other may still answer
                await asyncio.wait(sends)
            used = next((it for it in sends if it.done() and not _is_fault(it)), first)
            self._report(request, [it for it in sends if it is not used], second)
            return used.result()
        finally:
            self._doubled -= 1
            await _stop(sends)

    def _report(self, request: Request, unused: list[asyncio.Future[Answer]], second: _Second) -> None:
        for send in unused:
            was_sent = send is not second.task or second.is_sent
            if was_sent and self.on_lost is not None and _may_be_billed(send):
                self.on_lost(request)


class _Second:
    """The second send of a request, and whether it got as far as being sent."""

    def __init__(self, hedge: Hedge, request: Request) -> None:
        self.is_sent = False
        self.task: asyncio.Future[Answer] = asyncio.ensure_future(self._send(hedge, request))

    async def _send(self, hedge: Hedge, request: Request) -> Answer:
        if hedge.admit is not None:
            await hedge.admit(request)
        self.is_sent = True
        return await hedge.wire.send(request)


def _is_fault(send: asyncio.Future[Answer]) -> bool:
    return send.exception() is None and isinstance(send.result(), Retryable)


def _may_be_billed(send: asyncio.Future[Answer]) -> bool:
    """Also when it is stopped before it ends: the server may go on."""
    if not send.done():
        return True
    if send.exception() is not None:
        return False
    answer = send.result()
    return answer.may_be_billed if isinstance(answer, Retryable) else True


async def _stop(sends: list[asyncio.Future[Answer]]) -> None:
    for send in sends:
        send.cancel()
    await asyncio.gather(*sends, return_exceptions=True)
