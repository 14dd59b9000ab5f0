"""The outermost layer: order, a bounded window, the ledger and the budget around any wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from seedbed.budget import Budget, Worst
from seedbed.errors import ConfigError, EndpointRefused
from seedbed.ledger import FLUSH_S, Intent, Ledger, storable
from seedbed.models.channel import Channel, Closed
from seedbed.models.prices import Price
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, FailureKind, Reply, Request

Answer = Reply | Failure
CHUNK = 256
"""Requests that are looked up in the ledger by one query."""
LEAVING_S = 5.0
"""How long a caller who stops taking answers waits for those in flight; later ones stay on the books as in doubt."""
ANOTHER_ASKS_S = 0.02
"""How often the ledger is looked at for an answer that another process is waiting for."""
PER_MESSAGE = 16
"""Tokens a chat template may add around a message, generously."""


class Window:
    """A model: requests in, one answer each in order; a slow answer delays nothing else being sent.

    Args:
        wire: Sends one request; already wrapped in retry and throttle where it needs them.
        concurrency: Most requests in flight.
        ledger: Owns and keeps every answer; without one answers are not kept.
        budget: Caps, and the scope that uses are booked on; needs a ledger.
        price: Of the wire's tokens, where the wire does not say what an answer cost.
        tries: How often a request may be sent when each answer was lost although it may be billed, at least 1.
    """

    def __init__(
        self,
        wire: Wire,
        concurrency: int,
        ledger: Ledger | None,
        budget: Budget | None,
        price: Price | None,
        *,
        tries: int = 3,
    ) -> None:
        self.wire, self.concurrency, self.price, self.tries = wire, concurrency, price, tries
        self.ledger, self.budget = ledger, budget

    @property
    def address(self) -> str:
        """What `open_model` was given."""
        return self.wire.address

    def generate(self, requests: Iterable[Request], *, step: str = "") -> Iterator[Answer]:
        """See `seedbed.request.Model`."""
        if self.budget is not None and self.budget.usd is not None and self.price is None:
            raise ConfigError(
                "a cap in usd needs a price",
                f"the price of {self.address} is unknown",
                "set teacher.endpoint.usd_per_million_in and usd_per_million_out, or cap requests or tokens",
            )
        channel = Channel(room=max(4 * self.concurrency, CHUNK))
        work = (iter(requests), channel, step)
        thread = threading.Thread(target=self._run, args=work, name="seedbed-model", daemon=True)
        thread.start()
        try:
            yield from channel.take()
        finally:
            channel.close()
            thread.join()

    def _run(self, requests: Iterator[Request], channel: Channel, step: str) -> None:
        try:
            asyncio.run(_Flow(self, channel, step).run(requests))
            error: BaseException | None = None
        except Closed:
            error = None
        except BaseException as caught:  # noqa: BLE001 - handed to the caller's thread, which raises it
            error = caught
        channel.end(error)

    def worst(self, request: Request, *, is_new: bool = True) -> Worst:
        """What a request can cost at most: no tokeniser makes more tokens of a text than it has bytes."""
        tokens_in = sum(len(text.encode("utf-8", "surrogatepass")) + PER_MESSAGE for _, text in request.messages)
        usd = None if self.price is None else self.price.usd(tokens_in, request.max_tokens)
        return Worst(usd, tokens_in + request.max_tokens, is_new)

    def finished(self, answer: Answer) -> Answer:
        """The answer as the ledger keeps it and the caller sees it, so that a replay gives the same bytes."""
        if isinstance(answer, Reply):
            return self._priced(replace(answer, text=storable(answer.text), model=storable(answer.model)))
        return self._priced(replace(answer, message=storable(answer.message)))

    def _priced(self, answer: Answer) -> Answer:
        """With its price, where the wire did not say it and the tokens are known."""
        if isinstance(answer, Failure) and answer.kind in ("terminal", "exhausted") and answer.usd is None:
            return replace(answer, tokens_in=answer.tokens_in or 0, tokens_out=answer.tokens_out or 0, usd=0.0)
        if answer.usd is None and self.price and answer.tokens_in is not None and answer.tokens_out is not None:
            return replace(answer, usd=self.price.usd(answer.tokens_in, answer.tokens_out))
        return answer


@dataclass(frozen=True, slots=True)
class _Flight:
    """A request whose worst case is reserved."""

    number: int
    request: Request
    key: str
    worst: Worst


class _Flow:
    """One call of `generate`, inside its loop."""

    def __init__(self, window: Window, channel: Channel, step: str) -> None:
        self._window, self._channel, self._step = window, channel, step
        self._ledger, self._budget = window.ledger, window.budget
        self._scope = self._budget.scope if self._budget else ""
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._ready: list[_Flight] = []
        self._landed = asyncio.Event()

    async def run(self, requests: Iterator[Request]) -> None:
        """Ask everything; whatever ends it, what is in flight is waited for and recorded."""
        self._channel.open()
        flusher = asyncio.create_task(self._flush_now_and_then())
        number = 0
        try:
            while chunk := list(islice(requests, CHUNK)):
                number = await self._chunk(chunk, number)
            self._launch()
            while self._flying:
                await self._one_lands()
        finally:
            self._release([flight.worst for flight in self._ready])
            await self._land()
            flusher.cancel()
            if self._ledger:
                self._ledger.flush()
            await self._window.wire.close()
            self._channel.leave()

    async def _chunk(self, chunk: list[Request], number: int) -> int:
        self._launch()
        keys = [request.key(self._window.address) for request in chunk]
        known, used = self._ledger.lookup(keys, self._scope) if self._ledger else ({}, set())
        owned: list[str] = []
        # What was in flight when the chunk was looked up is waited for as if it stood in the chunk.
        seen: set[str] = set(self._flying)
        try:
            for request, key in zip(chunk, keys, strict=True):
                if self._channel.is_full(number):
                    self._launch()
                await self._channel.wait_for_room(number)
                if key in seen and self._ledger:
                    # Asked for twice: the second waits for the first and uses its answer.
                    await self._has_landed(key)
                    known |= self._ledger.lookup([key], self._scope)[0]
                is_new = key not in used and key not in seen
                seen.add(key)
                if (answer := known.get(key)) is None:
                    await self._plan(number, request, key, is_new=is_new)
                else:
                    if is_new:
                        await self._reserve(Worst(0.0, (answer.tokens_in or 0) + (answer.tokens_out or 0)))
                        owned.append(key)
                    self._channel.put(number, answer)
                number += 1
        finally:
            if self._ledger and owned:
                self._ledger.use(self._scope, owned, step=self._step)
        return number

    async def _plan(self, number: int, request: Request, key: str, *, is_new: bool) -> None:
        """Make a request ready to be sent, as soon as there is a slot and the budget has room."""
        while len(self._flying) + len(self._ready) >= self._window.concurrency:
            await self._one_lands()
        worst = self._window.worst(request, is_new=is_new)
        await self._reserve(worst)
        self._ready.append(_Flight(number, request, key, worst))

    def _launch(self) -> None:
        """Send what is ready. Called before every wait, so that the requests of one moment share one commit."""
        flights, self._ready = self._ready, []
        if not flights:
            return
        mine = self._intend(flights)
        for flight in flights:
            sending = self._send(flight) if mine is None or flight.key in mine else self._wait_for_another(flight)
            name = flight.key if self._ledger else f"{flight.key}-{flight.number}"
            task = self._flying[name] = asyncio.create_task(sending)
            task.add_done_callback(partial(self._done, name))

    def _intend(self, flights: Sequence[_Flight]) -> set[str] | None:
        """Keys that may be sent; None, which is all of them, without a ledger."""
        if self._ledger is None:
            return None
        address = self._window.address
        return self._ledger.intend(
            self._scope,
            [Intent(it.key, it.request.canonical(), address, it.worst.usd, it.worst.tokens) for it in flights],
            step=self._step,
        )

    async def _reserve(self, worst: Worst) -> None:
        """Wait until the worst case fits; only when nothing is left to settle is it too much."""
        while self._budget is not None and not self._budget.try_reserve(worst):
            if not self._flying and not self._ready:
                raise self._budget.exceeded(worst)
            await self._one_lands()

    def _release(self, reserved: Iterable[Worst]) -> None:
        for worst in reserved if self._budget else ():
            assert self._budget is not None
            self._budget.release(worst)

    async def _send(self, flight: _Flight) -> None:
        try:
            answer, reserved = await self._answer(flight)
        except EndpointRefused:
            if self._ledger:
                self._ledger.withdraw(self._scope, flight.key)
            self._release([flight.worst])
            raise
        except BaseException:  # also a cancellation: whoever comes next must not wait for this one
            if self._ledger:
                self._ledger.abandon(flight.key)
            raise
        if self._ledger:
            self._ledger.settle(flight.key, answer)
        self._land_one(replace(flight, worst=reserved), answer, usd=answer.usd)

    async def _answer(self, flight: _Flight) -> tuple[Answer, Worst]:
        """The answer, and what is still reserved for it. A try that may have been billed stays spent at its worst, and
        room for another one is reserved before it is asked again."""
        again, lost = replace(flight.worst, is_new=False), 0
        while isinstance(answer := await self._window.wire.send(flight.request), Retryable):
            lost += 1
            if self._ledger:
                self._ledger.lose(flight.key)
            why = f"{answer.message} (lost {lost} times)"
            if lost < self._window.tries:
                if self._budget is None or self._budget.try_reserve(again):
                    continue
                why += "; the budget has no room for another try"
            kind: FailureKind = "terminal" if answer.is_unreadable and lost == self._window.tries else "exhausted"
            return self._window.finished(Failure(kind, why)), Worst(0.0, 0, is_new=False)
        return self._window.finished(answer), flight.worst

    async def _wait_for_another(self, flight: _Flight) -> None:
        """Use the answer that another process has or waits for; send the request when that process is gone."""
        assert self._ledger is not None
        while not self._intend([flight]):
            if found := self._ledger.lookup([flight.key], self._scope)[0].get(flight.key):
                self._ledger.use(self._scope, [flight.key], step=self._step)
                self._land_one(flight, found, usd=0.0)
                return
            await asyncio.sleep(ANOTHER_ASKS_S)
        await self._send(flight)

    def _land_one(self, flight: _Flight, answer: Answer, *, usd: float | None) -> None:
        if self._budget:
            known = answer.tokens_in is not None and answer.tokens_out is not None
            tokens = (answer.tokens_in or 0) + (answer.tokens_out or 0) if known else None
            self._budget.settle(flight.worst, usd=usd, tokens=tokens)
        self._channel.put(flight.number, answer)

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        del self._flying[name]
        self._landed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._channel.fail(error)

    async def _one_lands(self) -> None:
        """Return once one more request was settled, or raise what stopped one."""
        self._launch()
        self._landed.clear()
        await self._landed.wait()
        if self._channel.failure is not None:
            raise self._channel.failure

    async def _has_landed(self, key: str) -> None:
        self._launch()
        while key in self._flying:
            await self._one_lands()

    async def _land(self) -> None:
        """Wait for what is in flight, since it is paid for; a caller who went away waits only a little."""
        if self._flying:
            patience = LEAVING_S if self._channel.is_closed else None
            _, late = await asyncio.wait(self._flying.values(), timeout=patience)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _flush_now_and_then(self) -> None:
        while self._ledger:
            await asyncio.sleep(FLUSH_S)
            self._ledger.flush()
