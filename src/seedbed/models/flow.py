"""One call of `generate`, inside its loop: what is owned is handed out, the rest is reserved, noted and sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seedbed.budget import Worst
from seedbed.errors import BoundaryError, EndpointRefused
from seedbed.ledger import FLUSH_S, Intent
from seedbed.ledger.batches import refuse_if_left
from seedbed.models import booking
from seedbed.models.booking import NOTHING, Answer, Flight, Judged, Room, judged
from seedbed.models.channel import Channel, Closed
from seedbed.models.feed import Feed
from seedbed.models.structured import RE_ASK_BYTES, Checked, check, re_ask
from seedbed.models.wire import Retryable
from seedbed.request import Failure, FailureKind, Reply, Request

if TYPE_CHECKING:
    from seedbed.models.window import Window

LEAVING_S = 5.0
"""How long a caller who stops taking answers waits for those in flight; later ones stay on the books as in doubt."""
ANOTHER_ASKS_S = 0.02
"""How often the ledger is looked at for an answer that another process is waiting for."""
_ANY = 1 << 60
_MANY = 16
"""Answers that share a commit; a kill loses fewer."""


class Flow:
    """Keeps as many requests in flight as the window has slots, whatever any one of them does.

    A request goes through three places: `_fresh` (its worst case is reserved), `_queue` (its intent is committed, many
    with one write), and a worker (it was sent). The queue holds half as many as there are slots, so that a slot
    that becomes free is taken at once and the ledger is written once for many.
    """

    def __init__(self, window: Window, channel: Channel, feed: Feed, step: str) -> None:
        self._window, self._channel, self._feed, self._step = window, channel, feed, step
        self._ledger = window.ledger
        self._room = Room(window.budget, step, window.address)
        self._scope = window.budget.scope if window.budget else ""
        self._fresh: list[Flight] = []
        self._queue: deque[tuple[Flight, bool]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._asked: set[str] = set()
        self._echoes: dict[str, list[int]] = {}
        self._landed = asyncio.Event()
        self._flushing: asyncio.TimerHandle | None = None
        self._wake_at = _ANY

    async def run(self) -> None:
        """Ask everything; whatever ends it, what is in flight is waited for and recorded."""
        self._channel.open(on_close=self._leave)
        self._feed.open()
        number = 0
        try:
            while chunk := await self._feed.take():
                number = await self._chunk(chunk, number)
                self._commit()
            while self._open:
                await self._one_lands()
            self._stop_if_told()
        except Closed:
            self._stop_if_told()
        finally:
            self._feed.close()
            unsent = [(flight, False) for flight in self._fresh] + list(self._queue)
            self._fresh, self._queue = [], deque()
            try:
                await self._land()
                self._give_back(unsent)
            finally:
                await self._window.wire.close()
                self._channel.leave()

    @property
    def _open(self) -> int:
        return len(self._workers) + len(self._queue) + len(self._fresh)

    async def _chunk(self, chunk: list[Request], number: int) -> int:
        address = self._window.address
        texts = [booking.spelled(request) for request in chunk]
        keys = [request.key(address, text) for request, text in zip(chunk, texts, strict=True)]
        known, used = self._ledger.lookup(keys, self._scope) if self._ledger else ({}, set())
        owned: list[str] = []
        # What is in flight when the chunk is looked up counts as if it stood in the chunk.
        seen = set(self._asked)
        try:
            for request, text, key in zip(chunk, texts, keys, strict=True):
                if self._channel.is_stopped or self._channel.is_full(number):
                    self._commit()
                    await self._channel.wait_for_room(number)
                if key in self._asked and self._ledger:
                    # Asked for twice: the second gets the answer of the first.
                    self._echoes.setdefault(key, []).append(number)
                    number += 1
                    continue
                if key in seen and self._ledger:
                    known |= self._ledger.lookup([key], self._scope)[0]
                is_new = key not in used and key not in seen
                seen.add(key)
                if (answer := known.get(key)) is None:
                    worst = self._window.tariff.worst_case(request, is_new=is_new)
                    await self._plan(Flight(number, request, text, key, worst))
                else:
                    if is_new:
                        await self._reserve(self._window.tariff.owned(request, answer))
                        owned.append(key)
                    await self._hand_out(Flight(number, request, text, key, NOTHING), answer)
                number += 1
        finally:
            if self._ledger and owned:
                self._ledger.use(self._scope, owned, step=self._step)
        return number

    # -- on the way out ------------------------------------------------------------------------------------------------

    async def _hand_out(self, flight: Flight, answer: Answer) -> None:
        """Give an owned answer to the caller; one that misses its constraint first has its re-ask looked up or sent."""
        constraint = flight.request.constraint
        if constraint is None or not isinstance(answer, Reply):
            self._channel.put(flight.number, answer)
        elif (checked := check(constraint, answer.text)).kind != "invalid":
            self._channel.put(flight.number, booking.meeting(answer, checked))
        elif second := await self._owned_re_ask(re_ask(flight.request, answer.text, checked.problem)):
            final = booking.after_re_ask(answer, checked.problem, *judged(constraint, second))
            self._channel.put(flight.number, final)
        else:
            await self._plan(replace(flight, owned=answer))

    async def _owned_re_ask(self, request: Request) -> Answer | None:
        """The answer to a re-ask, where it is owned: then a replay needs no room in the budget."""
        if self._ledger is None:
            return None
        key = request.key(self._window.address)
        known, used = self._ledger.lookup([key], self._scope)
        answer = known.get(key)
        if answer is not None and key not in used:
            await self._reserve(self._window.tariff.owned(request, answer))
            self._ledger.use(self._scope, [key], step=self._step)
        return answer

    async def _plan(self, flight: Flight) -> None:
        """Reserve a request's worst case as soon as there is a place for it and the budget has room."""
        slots = self._window.slots()
        ahead = slots // 2 if self._ledger else 0
        if self._open >= slots + ahead:
            await self._open_falls_to(slots if ahead else slots - 1)
        if flight.request.constraint is not None:
            again = self._window.tariff.worst_case(flight.request, more_bytes=RE_ASK_BYTES)
            flight = replace(flight, spare=await self._reserve(flight.worst, again))
        else:
            await self._reserve(flight.worst)
        self._fresh.append(flight)
        self._asked.add(flight.key)

    async def _reserve(self, worst: Worst, spare: Worst | None = None) -> Worst | None:
        """Wait until the worst case fits; only when nothing is left to settle is it too much.

        Returns:
            `spare` where that fitted too. It is waited for as well, and forgone only when nothing is left to settle.
        """
        while not self._room.try_reserve(worst, spare):
            if not self._open:
                if spare is not None and self._room.try_reserve(worst):
                    return None
                raise self._room.exceeded(worst)
            await self._one_lands()
        return spare

    def _commit(self) -> None:
        """Note what is reserved as intents, and send what there are slots for. Called before every wait, so that the
        requests of one moment share one commit."""
        if self._fresh:
            flights, self._fresh = self._fresh, []
            mine = self._intend([flight for flight in flights if flight.owned is None])
            self._queue.extend((flight, mine is None or flight.key in mine) for flight in flights)
        if self._queue:
            self._start()

    def _intend(self, flights: Sequence[Flight]) -> set[str] | None:
        """Keys that may be sent; None, which is all of them, without a ledger."""
        if self._ledger is None:
            return None
        address = self._window.address
        intents = [
            Intent(it.key, it.canonical, address, it.worst.usd, it.worst.tokens, it.worst.flops) for it in flights
        ]
        return self._ledger.intend(self._scope, intents, step=self._step)

    def _start(self) -> None:
        slots = self._window.slots()
        while self._queue and len(self._workers) < slots:
            worker = asyncio.create_task(self._work(self._queue.popleft()))
            self._workers.add(worker)
            worker.add_done_callback(self._left)

    async def _work(self, first: tuple[Flight, bool]) -> None:
        """Fly one request after the other, as long as the queue holds some and there is a slot: a task for each would
        cost more than a row's whole way through the ledger."""
        flight, is_mine = first
        while True:
            try:
                await self._fly(flight, is_mine)
            finally:
                self._asked.discard(flight.key)
            if not self._queue or self._channel.is_stopped or len(self._workers) > self._window.slots():
                return
            flight, is_mine = self._queue.popleft()
            if self._open <= self._wake_at:
                self._landed.set()

    # -- in flight -----------------------------------------------------------------------------------------------------

    async def _fly(self, flight: Flight, is_mine: bool) -> None:
        try:
            if flight.owned is not None:
                answer, checked = judged(flight.request.constraint, flight.owned)
            else:
                answer, checked = await (self._send(flight) if is_mine else self._wait_for_another(flight))
        except BaseException:
            self._room.release(flight.spare)
            raise
        if flight.request.constraint is not None:
            answer = await self._meet(flight, answer, checked)
        self._channel.put(flight.number, answer)
        for number in self._echoes.pop(flight.key, ()):
            self._channel.put(number, replace(answer, is_cached=True))

    async def _send(self, flight: Flight, *, is_re_ask: bool = False) -> Judged:
        try:
            answer, reserved = await self._answer(flight)
        except EndpointRefused:
            if self._ledger:
                self._ledger.withdraw(self._scope, flight.key)
            self._room.release(flight.worst)
            raise
        except BaseException:  # also a cancellation: whoever comes next must not wait for this one
            if self._ledger:
                self._ledger.abandon(flight.key)
            raise
        _, checked = judged(flight.request.constraint, answer)
        if self._ledger:
            word = booking.in_a_word(checked, is_re_ask=is_re_ask)
            self._flush_soon(self._ledger.settle(flight.key, answer, checked=word))
        self._room.settle(reserved, answer, usd=answer.usd)
        return answer, checked

    async def _answer(self, flight: Flight) -> tuple[Answer, Worst]:
        """The answer, and what is still reserved for it. A lost try stays spent; the next one needs room of its own."""
        answer = await self._window.wire.send(flight.request)
        lost = 0
        while isinstance(answer, Retryable):
            lost += 1
            if self._ledger:
                self._ledger.lose(flight.key)
            why = f"{answer.message} (lost {lost} times)"
            again = replace(flight.worst, is_new=False)
            if lost < self._window.tries:
                if self._room.try_reserve(again):
                    answer = await self._window.wire.send(flight.request)
                    continue
                why += "; the budget has no room for another try"
            kind: FailureKind = "terminal" if answer.is_unreadable and lost == self._window.tries else "exhausted"
            return self._window.tariff.finished(Failure(kind, why)), NOTHING
        return self._window.tariff.finished(answer), flight.worst

    async def _wait_for_another(self, flight: Flight, *, is_re_ask: bool = False) -> Judged:
        """Use the answer that another process has or waits for; send the request when that process is gone."""
        assert self._ledger is not None
        pause_s = ANOTHER_ASKS_S
        try:
            while self._ledger.is_taken(flight.key) or not self._intend([flight]):
                self._stop_if_told()
                if found := self._ledger.lookup([flight.key], self._scope)[0].get(flight.key):
                    self._ledger.use(self._scope, [flight.key], step=self._step)
                    self._room.settle(flight.worst, found, usd=0.0)
                    return judged(flight.request.constraint, found)
                refuse_if_left(self._ledger, flight.key)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 25 * ANOTHER_ASKS_S)
        except BaseException:
            self._room.release(flight.worst)
            raise
        return await self._send(flight, is_re_ask=is_re_ask)

    async def _meet(self, flight: Flight, answer: Answer, checked: Checked | None) -> Answer:
        """The answer as it meets its constraint: at once, with what stood around it taken off, or after one re-ask."""
        if isinstance(answer, Failure) or checked is None:
            self._room.release(flight.spare)
            return answer
        if checked.kind != "invalid":
            self._room.release(flight.spare)
            return booking.meeting(answer, checked)
        if flight.spare is None:
            return booking.malformed(answer, f"{checked.problem}; the budget has no room to ask again")
        request = re_ask(flight.request, answer.text, checked.problem)
        text = request.canonical()
        key = request.key(self._window.address, text)
        again = await self._ask_again(Flight(flight.number, request, text, key, flight.spare))
        return booking.after_re_ask(answer, checked.problem, *again)

    async def _ask_again(self, flight: Flight) -> Judged:
        if self._ledger is None:
            return await self._send(flight, is_re_ask=True)
        known, used = self._ledger.lookup([flight.key], self._scope)
        if flight.key in used:
            # Counted before a restart: only the count is given back.
            self._room.release(replace(NOTHING, is_new=True))
            flight = replace(flight, worst=replace(flight.worst, is_new=False))
        if (answer := known.get(flight.key)) is None:
            return await self._wait_for_another(flight, is_re_ask=True)
        self._ledger.use(self._scope, [flight.key], step=self._step)
        self._room.settle(flight.worst, answer, usd=0.0)
        return judged(flight.request.constraint, answer)

    # -- on the way back -----------------------------------------------------------------------------------------------

    def _left(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._channel.fail(error)
            self._feed.close()
            self._wake_at = _ANY
        elif self._queue and not self._channel.is_stopped:
            self._start()
        if self._open <= self._wake_at:
            self._landed.set()

    async def _one_lands(self) -> None:
        """Return once one more request was settled, or raise what stopped one."""
        await self._open_falls_to(self._open - 1)

    async def _open_falls_to(self, most: int) -> None:
        self._commit()
        while not self._channel.is_stopped and self._open > most:
            self._landed.clear()
            self._wake_at = most
            await self._landed.wait()
        self._wake_at = _ANY
        self._stop_if_told()

    def _stop_if_told(self) -> None:
        if self._channel.failure is not None:
            raise self._channel.failure
        if self._channel.is_closed:
            raise Closed

    def _leave(self) -> None:
        self._feed.close()
        self._landed.set()

    # -- at the end ----------------------------------------------------------------------------------------------------

    def _give_back(self, unsent: Sequence[tuple[Flight, bool]]) -> None:
        """What was reserved or noted and never sent."""
        for flight, is_mine in unsent:
            self._room.release(flight.worst)
            self._room.release(flight.spare)
            if is_mine and self._ledger and flight.owned is None:
                self._ledger.withdraw(self._scope, flight.key)
        if self._ledger:
            self._ledger.flush()

    async def _land(self) -> None:
        """Wait for what is in flight, since it is paid for; a caller who went away waits only a little."""
        if self._workers:
            patience = LEAVING_S if self._channel.is_closed else None
            _, late = await asyncio.wait(self._workers, timeout=patience)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _flush_soon(self, waiting: int) -> None:
        """Commit what was settled after a moment, or when many wait, unless the next intents do so first."""
        if waiting >= _MANY:
            self._flush()
        elif self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._ledger is not None:
            try:
                self._ledger.flush()
            except BoundaryError as error:  # a full disk: nothing further can be kept, so nothing further is sent
                self._channel.fail(error)
                self._feed.close()
                self._landed.set()
