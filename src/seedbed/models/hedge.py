"""Ask a second time when an answer takes long, and keep the first one that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from seedbed.ledger import Ledger
from seedbed.models.booking import Room, Tariff
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_FEW = 10
"""One request in so many may be asked twice at the same time: a hedge against stragglers, not a second load."""

Answer = Reply | Failure | Retryable


class Books(Protocol):
    """Who keeps the budget: a second send may be billed like the first."""

    def may_double(self, request: Request) -> bool:
        """Set the worst case of a second send aside; False, and nothing is sent, where the budget has no room."""
        ...

    def is_lost(self, request: Request) -> None:
        """The answer to one of two sends is not used and may be billed; called before `send` returns."""
        ...

    def is_spared(self, request: Request) -> None:
        """One of two sends cost nothing."""
        ...


class Hedge:
    """A wire that sends a request again when its answer has not come after a while; the first answer wins.

    Off unless asked for, because both may be billed. It pays
    where one answer in a hundred takes a hundred times as long as the others. When the endpoint as a whole is slow,
    at most a tenth of the requests in flight are doubled.

    Args:
        wire: What is asked; a throttle stands above, so that a request waits for its slot before the clock starts.
        after_s: Seconds until the second send.
        admit: Waited for before the second send; a `Pace` above counts it there.
        books: Asked before the second send and told what became of the one that is not used.

    Source:
        Dean and Barroso 2013, The Tail at Scale, CACM 56(2) (hedged requests).
    """

    def __init__(
        self,
        wire: Wire,
        after_s: float,
        *,
        admit: Callable[[Request], Awaitable[object]] | None = None,
        books: Books | None = None,
    ) -> None:
        self.wire, self.after_s = wire, after_s
        self.admit, self.books = admit, books
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
            if self.books is not None and not self.books.may_double(request):
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
            self._report(request, next(it for it in sends if it is not used), second)
            return used.result()
        except asyncio.CancelledError:
            if self.books is not None and second.is_sent:
                self.books.is_lost(request)
            raise
        finally:
            self._doubled -= 1
            await _stop(sends)

    def _report(self, request: Request, unused: asyncio.Future[Answer], second: _Second) -> None:
        if self.books is None:
            return
        was_sent = unused is not second.task or second.is_sent
        if was_sent and _may_be_billed(unused):
            self.books.is_lost(request)
        else:
            self.books.is_spared(request)


class Booked:
    """Second sends on the books of a ledger and a budget.

    Whether there is room for one depends on the moment it is wanted: with a hedge, what is sent near a cap does so too.

    Args:
        address: Of the model, which the key of a request holds.
        tariff: What its tokens cost.
        ledger: Of the model; None where there is none.
        room: Its budget, for the step whose requests they are.
    """

    def __init__(self, address: str, tariff: Tariff, ledger: Ledger | None, room: Room) -> None:
        self._address, self._tariff, self._ledger, self._room = address, tariff, ledger, room

    def may_double(self, request: Request) -> bool:
        """See `Books`."""
        return self._room.try_reserve(self._tariff.worst_case(request, is_new=False))

    def is_lost(self, request: Request) -> None:
        """See `Books`: its worst case stays spent."""
        if self._ledger is not None:
            self._ledger.lose(request.key(self._address))

    def is_spared(self, request: Request) -> None:
        """See `Books`."""
        self._room.release(self._tariff.worst_case(request, is_new=False))


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
