"""One call of `generate` through a batch endpoint: what is owned is handed out, the rest goes into files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from seedbed.budget import Worst
from seedbed.errors import BoundaryError
from seedbed.ledger import Intent
from seedbed.ledger.batches import Batch
from seedbed.models.batch_books import Books
from seedbed.models.batch_desk import Desk, Limits
from seedbed.models.batch_files import Order, Place
from seedbed.models.batch_repairs import Repairs
from seedbed.models.booking import Answer
from seedbed.models.structured import check_constraint
from seedbed.request import Request

CHUNK = 256
"""Requests that are looked up in the ledger by one query."""
_FRAME = 500
"""Bytes that a line of a file has beside its request, generously: a file that turns out too large is split."""


class Asked(NamedTuple):
    """A request whose worst case is reserved."""

    intent: Intent
    worst: Worst


class BatchFlow:
    """Reads requests into files until the budget, the files or the requests end; hands answers out in order.

    Args:
        books: The ledger and the budget.
        desk: Submits the files and takes their results.
        limits: Of files.
        folder: For the order of the requests.
    """

    def __init__(self, books: Books, desk: Desk, limits: Limits, folder: Path) -> None:
        self._books, self._desk, self._limits = books, desk, limits
        self._order = Order(folder / "order")
        self._repairs = Repairs(books)
        self._unread: deque[Request] = deque()
        self._is_over = False
        self._refused: Worst | None = None
        """The worst case that the budget had no room for just now."""
        self._filling: Batch | None = None
        self._count = self._size = 0
        self._elsewhere: dict[str, Asked] = {}
        """Requests that somebody else is asking: another process, or another run's batch."""

    def run(self, requests: Iterator[Request]) -> Iterator[Answer]:
        """Answer everything, in order."""
        self._desk.pick_up()
        while True:
            has_room = self._ask_again()
            yield from self._read(requests)
            yield from self._ready()
            if self._is_over and not len(self._order):
                return
            if self._desk.has_work or self._count or self._elsewhere:
                self._turn()
            else:
                self._go_on_without(has_room)
            self._refused = None

    def close(self) -> None:
        """Leave what is at the service to the next call, and take everything else back."""
        for asked in self._elsewhere.values():
            self._books.room().release(asked.worst)
        if self._filling is not None:
            self._desk.enqueue(self._filling)
        self._order.close()
        self._desk.close()

    # -- requests ------------------------------------------------------------------------------------------------------

    @property
    def _is_idle(self) -> bool:
        """Whether no more requests are read for now."""
        ahead = self._limits.at_once * self._limits.requests
        return self._is_over or self._refused is not None or len(self._order) >= ahead

    def _read(self, requests: Iterator[Request]) -> Iterator[Answer]:
        """Read requests as long as there are files to put them in; yields what is owned and next in order."""
        while not self._is_idle and not self._desk.is_full:
            chunk = [self._unread.popleft() for _ in range(min(CHUNK, len(self._unread)))]
            chunk += islice(requests, CHUNK - len(chunk))
            self._is_over = not chunk
            for request in chunk:
                if request.constraint is not None:
                    check_constraint(request.constraint)
            places = self._plan(chunk)
            self._unread.extendleft(reversed(chunk[len(places) :]))
            yield from self._at_once(places)

    def _at_once(self, places: Sequence[Place]) -> Iterator[Answer]:
        """Append requests to the order; those at its very front that are owned need not go through it."""
        self._order.extend(places)
        if places and places[0].was_owned and len(self._order) == len(places):
            yield from self._ready()

    def _plan(self, chunk: Sequence[Request]) -> list[Place]:
        """Reserve and note what must be asked; returns where each request stands, up to the first that does not fit."""
        texts = [request.canonical() for request in chunk]
        keys = [request.key(self._books.address, text) for request, text in zip(chunk, texts, strict=True)]
        known, used = self._books.ledger.lookup(keys, self._books.scope)
        pending = self._pending(keys)
        places: list[Place] = []
        owned: list[str] = []
        fresh: dict[str, Asked] = {}
        for request, text, key in zip(chunk, texts, keys, strict=True):
            answer, is_new = known.get(key), key not in used
            if answer is not None and is_new:
                worst = self._books.tariff.owned(request, answer)
                owned.append(key)
            elif answer is None and key not in pending:
                worst = self._books.tariff.worst_case(request, is_new=is_new)
                usd, tokens = worst.usd, worst.tokens
                fresh[key] = Asked(Intent(key, text, self._books.address, usd, tokens, worst.flops), worst)
            else:
                worst = None
            if worst is not None and not self._books.room().try_reserve(worst):
                self._refused = worst
                fresh.pop(key, None)
                owned = [each for each in owned if each != key]
                break
            used.add(key)
            pending.add(key)
            places.append(Place(key, answer is not None, request.constraint is not None))
        self._books.ledger.use(self._books.scope, owned, step=self._books.step)
        self._put(fresh)
        return places

    def _pending(self, keys: Sequence[str]) -> set[str]:
        """Requests that this call waits for already."""
        mine = self._desk.holders() | ({self._filling.holder} if self._filling else set())
        found = self._books.batches.holders(keys).items() if mine else ()
        return {key for key, holder in found if holder in mine} | (self._elsewhere.keys() & set(keys))

    def _put(self, fresh: dict[str, Asked]) -> None:
        """Put requests into the file that is being filled, and into the next one when that is full."""
        batches = self._books.batches
        while fresh:
            filling = self._filling = self._filling or batches.make(self._books.scope, self._books.step)
            fitting = []
            for key, asked in fresh.items():
                size = self._size + len(asked.intent.request.encode("utf-8", "surrogatepass")) + _FRAME
                if self._count and (self._count >= self._limits.requests or size > self._limits.size):
                    break
                fitting.append(key)
                self._count, self._size = self._count + 1, size
            mine = batches.add(filling, [fresh[key].intent for key in fitting])
            for key in fitting:
                asked = fresh.pop(key)
                if key not in mine:
                    self._elsewhere[key] = asked
            self._count -= len(fitting) - len(mine)
            if fresh:
                self._hand_over()

    def _hand_over(self) -> None:
        if self._filling is not None and self._count:
            self._desk.enqueue(self._filling)
            self._filling, self._count, self._size = None, 0, 0

    def _ask_again(self) -> bool:
        """Put the re-asks of answers that missed their constraint into files, before any new request; False where the
        budget had no room for all of them."""
        while self._refused is None and (chunk := self._repairs.next(CHUNK)):
            self._repairs.placed(self._plan(chunk))
        return self._refused is None

    # -- answers -------------------------------------------------------------------------------------------------------

    def _ready(self) -> Iterator[Answer]:
        """The answers that are next in order, as far as they have come."""
        while head := self._order.head(CHUNK):
            answers = self._answers(head)
            for place in head:
                if (answer := answers.get(place.key)) is None:
                    return
                self._order.drop()
                yield answer if place.was_owned or not answer.is_cached else replace(answer, is_cached=False)

    def _answers(self, places: Sequence[Place]) -> dict[str, Answer]:
        """Those that have come, as the caller gets them."""
        found = self._repairs.answers([place.key for place in places])
        # An answer that another process got counts once it is booked.
        found = {key: answer for key, answer in found.items() if key not in self._elsewhere}
        return self._repairs.met(found, {place.key for place in places if place.is_constrained}, self._elsewhere)

    def _look_for_repairs(self) -> None:
        """Find answers that miss their constraint early, so that their re-asks share a file."""
        for places in self._order.scan(CHUNK):
            if constrained := [place for place in places if place.is_constrained]:
                self._answers(constrained)

    def _go_on_without(self, has_room: bool) -> None:
        """Nothing is left that could settle.

        Args:
            has_room: Whether the budget had room for all re-asks.

        Raises:
            BudgetExceeded: And the budget had no room for the next request.
        """
        if not has_room:
            # The row is malformed then, which says why; the next request may be smaller.
            self._repairs.no_room()
        elif self._refused is not None:
            raise self._books.room().exceeded(self._refused)
        elif self._is_idle and not self._repairs.is_waiting:
            key = self._order.head(1)[0].key
            raise BoundaryError("an answer is no longer in the ledger", f"request {key}", "run the same command again")

    # -- time ----------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Move everything on by one step; wait a while where nothing moved."""
        changed = self._desk.pick_up()
        changed |= self._ask_elsewhere()
        if self._is_idle:
            self._hand_over()
        came_back = self._desk.turn()
        if came_back:
            self._look_for_repairs()
        if not changed and not came_back:
            self._desk.wait()

    def _ask_elsewhere(self) -> bool:
        """Book answers that others got by now; take over what they gave up."""
        waiting, before = list(self._elsewhere), len(self._elsewhere)
        for start in range(0, len(waiting), CHUNK):
            keys = waiting[start : start + CHUNK]
            known = self._books.ledger.lookup(keys, self._books.scope)[0]
            self._books.ledger.use(self._books.scope, list(known), step=self._books.step)
            for key, answer in known.items():
                self._books.room().settle(self._elsewhere.pop(key).worst, answer, usd=0.0)
            self._put({key: self._elsewhere.pop(key) for key in keys if key not in known})
        return len(self._elsewhere) < before
