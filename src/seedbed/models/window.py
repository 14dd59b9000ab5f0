"""The outermost layer: order, a bounded window, the ledger and the budget around any wire."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial

from seedbed.budget import Budget
from seedbed.ledger import Ledger
from seedbed.models.booking import Answer, Room, Tariff
from seedbed.models.channel import Channel, Closed
from seedbed.models.feed import CHUNK, Feed
from seedbed.models.flow import Flow
from seedbed.models.hedge import Booked, Hedge
from seedbed.models.wire import Wire
from seedbed.request import Model, Request

FAR = 100
"""Times the concurrency that may be asked for behind one late answer: one that takes 100 times as long as the others
holds up nothing."""


class Window:
    """A model: requests in, one answer each in order; a slow answer delays nothing else being sent.

    Args:
        wire: Sends one request; already wrapped in retry and throttle where it needs them.
        concurrency: Most requests in flight. A function where it changes from moment to moment.
        ledger: Owns and keeps every answer; without one answers are not kept.
        budget: Caps, and the scope that uses are booked on; needs a ledger.
        tariff: What the wire's tokens cost, where the wire does not say it.
        tries: How often a request may be sent when each answer was lost although it may be billed, at least 1.
        hedge: The layer of the wire that may send a request twice, where there is one: it then keeps to the budget.
    """

    def __init__(
        self,
        wire: Wire,
        concurrency: int | Callable[[], int],
        ledger: Ledger | None,
        budget: Budget | None,
        tariff: Tariff,
        *,
        tries: int = 3,
        hedge: Hedge | None = None,
    ) -> None:
        self.wire, self.tariff, self.tries, self.hedge = wire, tariff, tries, hedge
        self.ledger, self.budget = ledger, budget
        self.again: Callable[[], Model] | None = None
        """Opens the same model once more, for a second `generate` while the first goes on: connections, and what was
        learnt of the endpoint's limits, belong to one loop. Without it the wire is shared."""
        self._in_use = threading.Lock()
        self.slots: Callable[[], int] = concurrency if callable(concurrency) else partial(int, concurrency)

    @property
    def address(self) -> str:
        """What `open_model` was given."""
        return self.wire.address

    def generate(self, requests: Iterable[Request], *, step: str = "") -> Iterator[Answer]:
        """See `seedbed.request.Model`."""
        if self.again is None:
            yield from self._generate(requests, step)
        elif not self._in_use.acquire(blocking=False):
            yield from self.again().generate(requests, step=step)
        else:
            try:
                yield from self._generate(requests, step)
            finally:
                self._in_use.release()

    def _generate(self, requests: Iterable[Request], step: str) -> Iterator[Answer]:
        slots = self.slots()
        channel, feed = Channel(near=max(4 * slots, CHUNK), far=max(FAR * slots, 4 * CHUNK)), Feed(iter(requests))
        thread = threading.Thread(target=self._run, args=(channel, feed, step), name="seedbed-model", daemon=True)
        thread.start()
        try:
            yield from channel.take()
        finally:
            channel.close()
            thread.join()

    def _run(self, channel: Channel, feed: Feed, step: str) -> None:
        clock = self.budget.asking(step=step, model=self.address) if self.budget else nullcontext()
        try:
            if self.hedge is not None:
                room = Room(self.budget, step, self.address)
                self.hedge.books = Booked(self.address, self.tariff, self.ledger, room)
            with clock:
                asyncio.run(Flow(self, channel, feed, step).run())
            error: BaseException | None = None
        except Closed:
            error = None
        except BaseException as caught:  # noqa: BLE001 - handed to the caller's thread, which raises it
            error = caught
        channel.end(error)
