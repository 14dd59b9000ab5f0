"""What becomes of each request of a batch that has ended: answered, refused, asked again, or given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import TypeVar

from seedbed.errors import EndpointRefused
from seedbed.ledger.batches import Batch, Held
from seedbed.models.batch_books import Books
from seedbed.models.batch_files import Result, read_results
from seedbed.models.batch_wire import QUEUE_FULL, Fault, Missing, Status, TooLarge
from seedbed.models.booking import Answer
from seedbed.models.formats import Format
from seedbed.models.formats.faults import read_fault
from seedbed.models.wire import Retryable
from seedbed.request import FailureKind, Request

_CHUNK = 500
"""Results that are stored by one commit."""
_WHOLE_FILE = ("model", "url", "endpoint", "file", "window", "quota", "billing")
"""What the code of a fault names when it is not about one line, whatever line it is reported at."""
_MANY = 10
"""A file of so many requests all of whose lines are bad is not a matter of its lines."""

_FIX = "set teacher.endpoint.batch: false"

T = TypeVar("T")


class Intake:
    """Takes the results of batches that have ended.

    Args:
        books: Where answers are stored.
        wire_format: Reads answers; learns which parameters the endpoint refuses.
        tries: How often a request may be in a batch, at least 1.
        folder: For files that were downloaded.
        download: Writes one of the service's files to a path; raises `Missing` where the service has it no more.
    """

    def __init__(
        self, books: Books, wire_format: Format, tries: int, folder: Path, download: Callable[[str, Path], None]
    ) -> None:
        self._books, self._format, self._tries = books, wire_format, tries
        self._folder, self._download = folder, download
        self._first = deepcopy(wire_format)
        self._spoken: dict[str, Format] = {}
        self._next: Batch | None = None
        self._refused: EndpointRefused | None = None

    def sent(self, batch: Batch) -> None:
        """Note how the requests of a batch were put."""
        self._spoken[batch.id] = deepcopy(self._format)

    def take(self, batch: Batch, status: Status) -> list[Batch]:
        """Store everything that a batch gave; what it did not answer goes into new batches.

        Stored answers stay stored when this is stopped in the middle; the next call goes on with the rest.

        Returns:
            Batches to be submitted.

        Raises:
            TooLarge: The service's queue takes no batch of this size now. Nothing was executed, nothing was changed.
            EndpointRefused: Further requests would meet the same, or somebody cancelled the batch. What was answered is
                stored.
        """
        if status.state == "failed":
            return self._failed(batch, status)
        self._next, self._refused, lacks_output = None, None, False
        for file in filter(None, (status.output_file, status.error_file)):
            is_there = self._read(batch, status, file)
            lacks_output |= not is_there and file == status.output_file
        why = "the batch's results are gone" if lacks_output else f"the batch was {status.state} without it"
        # What a completed batch does not mention may have been executed; what an expired one does not was not.
        is_lost = lacks_output or status.state == "completed"
        for page in _chunks(self._books.batches.all_held(batch), _CHUNK):
            fault = Retryable(why, may_be_billed=is_lost)
            self._unanswered(batch, status, [(held, fault) for held in page])
        self._books.batches.over(batch, status.state, status.output_file, status.error_file)
        self._spoken.pop(batch.id, None)
        if self._refused is not None:
            raise self._refused
        return [] if self._next is None else [self._next]

    def gone(self, batch: Batch) -> list[Batch]:
        """The service no longer knows a batch: whatever it held was lost."""
        return self.take(batch, Status(batch.remote, "completed", "", "", (), 0))

    # -- results -------------------------------------------------------------------------------------------------------

    def _read(self, batch: Batch, status: Status, file: str) -> bool:
        """Store the results in one of the service's files; False where the service has it no more."""
        path = self._folder / f"{batch.id}.results"
        try:
            self._download(file, path)
            for results in _chunks(read_results(path), _CHUNK):
                self._store(batch, status, results)
        except Missing:
            return False
        finally:
            path.unlink(missing_ok=True)
        return True

    def _store(self, batch: Batch, status: Status, results: Sequence[Result]) -> None:
        held = self._books.batches.held(batch, [result.key for result in results])
        answered: list[tuple[Held, Answer]] = []
        unanswered: list[tuple[Held, Retryable]] = []
        refused: list[str] = []
        for result in results:
            # The first result of a request counts; what the batch does not hold was answered before, or is not ours.
            if (known := held.pop(result.key, None)) is None:
                continue
            try:
                meant = self._meaning(batch, known, result)
            except EndpointRefused as error:
                self._refused = self._refused or error
                refused.append(known.key)
                continue
            if isinstance(meant, Retryable):
                unanswered.append((known, meant))
            else:
                answered.append((known, meant))
        self._books.settle(batch, answered)
        self._unanswered(batch, status, unanswered)
        self._books.take_back(batch, refused)

    def _meaning(self, batch: Batch, held: Held, result: Result) -> Answer | Retryable:
        if result.status == 0:
            return Retryable(result.content.decode())
        if result.status in (400, 422):
            request = Request.from_canonical(held.request)
            sent = self._spoken.get(batch.id, self._first).body(request)
            self._format.learn(request, result.status, result.content, sent)
            if self._format.body(request) != sent:
                return Retryable("the endpoint refused a parameter, which is put otherwise now")
        return self._format.read(result.status, {}, result.content)[0]

    def _unanswered(self, batch: Batch, status: Status, faults: Sequence[tuple[Held, Retryable]]) -> None:
        again = self._books.owns(batch) and status.state != "cancelled"
        may_go_on = again and batch.tries < self._tries
        for fault in dict.fromkeys(fault for _, fault in faults):
            helds = [held for held, its in faults if its == fault]
            why = f"{fault.message} (in {batch.tries} batches)" if batch.tries > 1 else fault.message
            if fault.may_be_billed:
                kind: FailureKind = "terminal" if fault.is_unreadable and again and not may_go_on else "exhausted"
                helds = self._books.lose(batch, helds, why, again=may_go_on, kind=kind)
            elif not again:
                self._books.take_back(batch, [held.key for held in helds])
            elif not may_go_on:
                self._books.give_up(batch, helds, "exhausted", why)
            if helds and may_go_on:
                self._again(batch, helds)
        if faults and status.state == "cancelled":
            self._refused = self._refused or _cancelled(status)

    def _again(self, batch: Batch, helds: Sequence[Held]) -> None:
        batches = self._books.batches
        if self._next is None:
            self._next = batches.make(batch.scope, batch.step, tries=batch.tries + 1)
        batches.move(batch, [held.key for held in helds], self._next)

    # -- a file that was refused ---------------------------------------------------------------------------------------

    def _failed(self, batch: Batch, status: Status) -> list[Batch]:
        """Nothing of the batch was executed: the lines that are to blame are terminal, the rest goes out again."""
        bad = {fault.line: fault for fault in status.faults if fault.line is not None}
        try:
            for fault in status.faults:
                _refuse_when_hopeless(fault)
            blamed = self._blamed(batch, bad)
            if not bad or len(blamed) == batch.requests >= _MANY:
                seen = status.faults[0].message if status.faults else "the service does not say why"
                raise EndpointRefused("the batch endpoint refuses the whole file", seen, _FIX)
        except EndpointRefused:
            self._books.take_back(batch)
            raise
        if not self._books.owns(batch):
            self._books.take_back(batch)
            return []
        for held, fault in blamed:
            self._books.give_up(batch, [held], "terminal", f"{fault.code}: {fault.message}")
        return self._books.batches.split(batch, max(1, batch.requests), "failed")

    def _blamed(self, batch: Batch, bad: Mapping[int, Fault]) -> list[tuple[Held, Fault]]:
        """The requests that stand in bad lines: the file's lines were what the batch holds, ordered by key."""
        lines = 0
        blamed = []
        for lines, held in enumerate(self._books.batches.all_held(batch), 1):
            if lines in bad:
                blamed.append((held, bad[lines]))
        # After a kill in the midst of this some are gone and the lines count otherwise: the next file finds the others.
        return blamed if lines == batch.requests else []


def _refuse_when_hopeless(fault: Fault) -> None:
    """Raise what a fault means where it would meet every further file too."""
    words = f"{fault.code} {fault.message}".lower()
    if any(phrase in words for phrase in QUEUE_FULL):
        raise TooLarge(fault.message)
    if fault.code == "too_many_tasks":
        raise TooLarge(fault.message, is_for_good=True)
    error = {"error": {"code": fault.code, "message": fault.message}}
    content = f"{fault.code}: {fault.message}".encode()
    for status in (400, 429):
        read_fault(status, {}, error, content, path="/batches")
    if any(word in fault.code.lower() for word in _WHOLE_FILE):
        seen = f"{fault.code}: {fault.message}"
        raise EndpointRefused("the batch endpoint refuses the whole file", seen, _FIX)


def _cancelled(status: Status) -> EndpointRefused:
    return EndpointRefused(
        "a batch was cancelled at the service",
        f"{status.remote}; what it had answered is stored",
        "run the same command again to ask for the rest",
    )


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
