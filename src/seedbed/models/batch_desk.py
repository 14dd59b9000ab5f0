"""Batches in hand: submitted, looked after until they end, picked up again after a kill."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from seedbed.errors import BoundaryError, EndpointRefused
from seedbed.ledger.batches import Batch
from seedbed.models.batch_books import Books
from seedbed.models.batch_files import line_of, write_lines
from seedbed.models.batch_intake import Intake
from seedbed.models.batch_wire import BatchWire, Missing, Passing, Status, TooLarge, Unseen
from seedbed.models.formats import Format
from seedbed.request import Request

_GROWTH = 1.5
"""Of the time between two looks: from 5 to 60 seconds in seven looks."""
_FORGETS_S = 30 * 86400.0
"""After so long a service has deleted a batch's files."""
_UNSEEN_S = 120.0
"""After so long an uploaded file is everywhere at the service; what is missing then are its batches."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large and how many batches may be, how long to wait and how."""

    requests: int = 50_000
    """In one file; OpenAI's limit."""
    size: int = 200_000_000
    """Bytes of one file; OpenAI's limit of 200 MB."""
    at_once: int = 4
    """Batches at the service, or ready to go there; no request beyond them is read."""
    tries: int = 6
    """How often a request may be in a batch."""
    poll_s: float = 5.0
    longest_poll_s: float = 60.0
    """Seconds between two looks at what is out, at first and after a while without news."""
    stall_s: float = 600.0
    """Longest time without any sign of life from the service before the run pauses."""
    sleep: Callable[[float], None] = time.sleep
    """Waits so many seconds."""


class Desk:
    """The batches that one call of `generate` looks after.

    Args:
        books: The ledger and the budget.
        wire: The service.
        wire_format: How requests are put and answers read.
        limits: Of files and waits.
        folder: For files on their way.
        notify: Told, in a line, what goes out and what is left behind.
    """

    def __init__(
        self,
        books: Books,
        wire: BatchWire,
        wire_format: Format,
        limits: Limits,
        folder: Path,
        *,
        notify: Callable[[str], None],
    ) -> None:
        self._books, self._wire, self._format, self._limits, self._folder = books, wire, wire_format, limits, folder
        self._notify = notify
        self._intake = Intake(books, wire_format, limits.tries, folder, self._fetch)
        self._queue: deque[Batch] = deque()
        self._out: dict[str, Batch] = {}
        self._most, self._at_once = limits.requests, limits.at_once
        self._pause, self._stalled = limits.poll_s, 0.0

    @property
    def has_work(self) -> bool:
        """Whether any batch is out or about to go."""
        return bool(self._queue or self._out)

    @property
    def is_full(self) -> bool:
        """Whether no further batch should be filled for now."""
        return len(self._queue) + len(self._out) >= self._limits.at_once

    def holders(self) -> set[str]:
        """How the requests in hand that are on this run's books are signed."""
        return {batch.holder for batch in (*self._queue, *self._out.values()) if self._books.owns(batch)}

    def enqueue(self, batch: Batch) -> None:
        """Take a filled batch, to submit it as soon as the service takes it."""
        self._queue.append(batch)

    def pick_up(self) -> bool:
        """Look after batches that a process left behind; True where there were any."""
        found = self._books.batches.claim()
        for batch in found:
            if batch.state == "out":
                self._out[batch.id] = batch
            elif batch.state == "submitting" and (status := self._patiently(self._finder(batch))) is not None:
                self._is_out(batch, status, sum(1 for _ in self._books.batches.all_held(batch)))
            else:
                # It never reached the service, so nothing is lost by asking anew.
                self._books.take_back(batch)
        return bool(found)

    def turn(self) -> bool:
        """Submit what may go, look at what is out, take what came back; True where anything changed."""
        changed = False
        while self._queue and len(self._out) < self._at_once and self._submit(self._queue.popleft()):
            changed = True
        for batch in list(self._out.values()):
            changed |= self._look_at(batch)
        if changed:
            self._pause = self._limits.poll_s
        return changed

    def wait(self) -> None:
        """Wait a while before the next turn; longer each time nothing changed."""
        self._limits.sleep(self._pause)
        self._pause = min(self._pause * _GROWTH, self._limits.longest_poll_s)

    def close(self) -> None:
        """Leave what is out to the next call, and take back what is not."""
        if self._out:
            count = sum(batch.requests for batch in self._out.values())
            names = ", ".join(batch.remote for batch in self._out.values())
            self._notify(f"{count} requests are with {_batches(len(self._out))} {names}; the same command goes on")
        for batch in self._queue:
            self._books.take_back(batch)
        self._queue.clear()
        self._books.batches.leave()

    # -- out -----------------------------------------------------------------------------------------------------------

    def _submit(self, batch: Batch) -> bool:
        """Send a batch; False where the service has no room for it now."""
        batches, path = self._books.batches, self._folder / f"{batch.id}.jsonl"
        endpoint = f"/v1{self._format.path}"
        try:
            lines = (
                line_of(held.key, Request.from_canonical(held.request), self._format, endpoint)
                for held in batches.all_held(batch)
            )
            count, size = write_lines(lines, path)
            if not count:
                batches.over(batch, "empty")
                return True
            if count > self._most or (size > self._limits.size and count > 1):
                parts = -(-size // self._limits.size)
                self._queue.extendleft(reversed(batches.split(batch, min(self._most, -(-count // parts)), "split")))
                return True
            batches.submitting(batch)
            self._intake.sent(batch)
            file = self._patiently(lambda: self._wire.upload(path, f"seedbed-{batch.id}.jsonl"))
            batches.uploaded(batch, file)
            self._is_out(batch, self._patiently(self._creator(batch, file, endpoint)), count)
            return True
        except TooLarge as limit:
            return self._smaller(batch, limit)
        except EndpointRefused:
            self._books.take_back(batch)
            raise
        finally:
            path.unlink(missing_ok=True)

    def _is_out(self, batch: Batch, status: Status, requests: int) -> None:
        self._out[batch.id] = self._books.batches.submitted(batch, status.remote, requests)
        self._notify(
            f"{requests} requests are with batch {status.remote}, which may take a day; when this is stopped, the same"
            " command goes on"
        )

    def _creator(self, batch: Batch, file: str, endpoint: str) -> Callable[[], Status]:
        find, in_doubt = self._finder(batch), False

        def create() -> Status:
            nonlocal in_doubt
            # An answer that was lost on its way may have been a yes.
            if in_doubt and (found := find()) is not None:
                return found
            in_doubt = True
            try:
                return self._wire.create(file, endpoint, batch.id)
            except Missing as error:  # the uploaded file is not everywhere yet
                in_doubt = False
                raise Unseen(str(error)) from None

        return create

    def _finder(self, batch: Batch) -> Callable[[], Status | None]:
        return lambda: self._wire.find(batch.id, batch.made_at)

    def _smaller(self, batch: Batch, limit: TooLarge) -> bool:
        """Put a batch back that the service does not take: wait for another to end, or make it smaller."""
        batches = self._books.batches
        if not self._books.owns(batch):
            self._books.take_back(batch)
            return True
        held = list(islice(batches.all_held(batch), self._most))
        if limit.is_for_good:
            if len(held) == 1:
                self._books.give_up(batch, held, "terminal", str(limit))
            self._queue.extendleft(reversed(batches.split(batch, max(1, len(held) // 2), "too large")))
            return True
        if self._out:
            self._at_once = len(self._out)
            self._queue.extendleft(batches.split(batch, self._most, "too large"))
            return False
        if self._stalled >= self._limits.stall_s:
            self._books.take_back(batch)
            fix = "wait until other batches have ended, then run the same command again"
            raise EndpointRefused("the batch endpoint's queue is full", str(limit), fix)
        self._most = max(1, len(held) // 2)
        self._queue.extendleft(reversed(batches.split(batch, self._most, "too large")))
        # Somebody else's batches fill the queue: each file that is tried is an upload, so with growing patience.
        wait = min(self._limits.poll_s + self._stalled / 2, self._limits.longest_poll_s)
        self._limits.sleep(wait)
        self._stalled += wait
        return True

    # -- back ----------------------------------------------------------------------------------------------------------

    def _look_at(self, batch: Batch) -> bool:
        try:
            status = self._patiently(lambda: self._wire.look_up(batch.remote))
        except Missing as error:
            if time.time() - batch.made_at < _FORGETS_S:
                fix = "use the key and the base URL of the account that submitted it"
                raise EndpointRefused("the service does not know a batch", str(error), fix) from error
            status = None
        if status is not None and not status.is_over:
            if status.state != "validating":
                self._stalled = 0.0
            return False
        del self._out[batch.id]
        try:
            self._queue.extend(self._intake.take(batch, status) if status else self._intake.gone(batch))
        except TooLarge as limit:
            # Said while validating: the file never ran.
            return self._smaller(batch, limit)
        self._stalled, self._at_once = 0.0, self._limits.at_once
        return True

    def _fetch(self, file: str, to: Path) -> None:
        self._patiently(lambda: self._wire.download(file, to))

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What the service answers, asked until it does.

        Raises:
            BoundaryError: It met passing faults for `stall_s` seconds.
            EndpointRefused: It did not see what was uploaded for that long, or for two minutes.
        """
        waited, pause = 0.0, self._limits.poll_s
        while True:
            try:
                return ask()
            except Passing as fault:
                if isinstance(fault, Unseen) and waited >= min(self._limits.stall_s, _UNSEEN_S):
                    problem = "there is no batch endpoint at this address, or it does not find the uploaded file"
                    raise EndpointRefused(problem, fault.message, "set teacher.endpoint.batch: false") from fault
                if waited >= self._limits.stall_s:
                    fix = "run the same command again later; batches that are out are not lost"
                    raise BoundaryError("the batch endpoint does not answer", fault.message, fix) from fault
                wait = pause if fault.wait_s is None else min(fault.wait_s, 5 * self._limits.longest_poll_s)
            self._limits.sleep(wait)
            waited, pause = waited + max(wait, 0.1), min(2 * pause, self._limits.longest_poll_s)


def _batches(count: int) -> str:
    return "batch" if count == 1 else "batches"
