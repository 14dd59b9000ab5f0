"""Answers from batches held against their constraints; what misses one is asked for once more, in a later file."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from seedbed.models.batch_books import Books
from seedbed.models.batch_files import Place
from seedbed.models.booking import Answer, both, malformed
from seedbed.models.structured import check, re_ask
from seedbed.request import Constraint, Reply, Request


class Missed(NamedTuple):
    """An answer that misses its constraint, and the request that says so."""

    problem: str
    constraint: Constraint
    again: Request


class Repairs:
    """Which re-asks wait for a file, which are in one, and what a row comes to in the end.

    Only keys are remembered: what a re-ask says follows from the request and the answer, which the ledger has.

    Args:
        books: The ledger; told which requests are re-asks.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._waiting: deque[str] = deque()
        self._asked: set[str] = set()
        self._without: set[str] = set()
        self._paid: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether a re-ask is in no file yet."""
        return bool(self._waiting)

    def next(self, most: int) -> list[Request]:
        """The first re-asks that wait."""
        keys = list(islice(self._waiting, most))
        missed = self._missed(self.answers(keys), keys)
        made = [missed[key].again for key in keys]
        self._books.re_asks.update(again.key(self._books.address) for again in made)
        return made

    def placed(self, places: Sequence[Place]) -> None:
        """Note that the first of those that wait are in a file now, or turned out to be owned."""
        for place in places:
            self._asked.add(self._waiting.popleft())
            if not place.was_owned:
                self._paid.add(place.key)

    def no_room(self) -> None:
        """Note that the budget will never have room for the first that waits."""
        self._without.add(self._waiting.popleft())

    def answers(self, keys: Sequence[str]) -> dict[str, Answer]:
        """Answers as they are stored, of those requests that have one."""
        known: dict[str, Answer] = dict(self._books.ledger.lookup(keys, self._books.scope)[0])
        if len(known) < len(set(keys)):
            known.update(self._books.batches.given_up(keys))
        return known

    def met(
        self, found: dict[str, Answer], constrained: Container[str], elsewhere: Container[str]
    ) -> dict[str, Answer]:
        """Answers as the caller gets them; those left out must wait for a re-ask.

        Args:
            found: Stored answers by key.
            constrained: Keys whose request has a constraint.
            elsewhere: Keys of requests that somebody else asks.
        """
        missed = self._missed(found, [key for key in found if key in constrained])
        again = {key: each.again.key(self._books.address) for key, each in missed.items()}
        seconds = self.answers([again[key] for key in again if key in self._asked])
        for key, each in missed.items():
            if key in self._without:
                found[key] = malformed(found[key], f"{each.problem}; the budget has no room to ask again")
            elif key in self._asked and again[key] in seconds and again[key] not in elsewhere:
                second = replace(seconds[again[key]], is_cached=again[key] not in self._paid)
                found[key] = _row(found[key], second, each)
            else:
                del found[key]
                if key not in self._asked and key not in self._waiting:
                    self._waiting.append(key)
        return found

    def _missed(self, found: dict[str, Answer], keys: Iterable[str]) -> dict[str, Missed]:
        """Answers that miss their constraint; the others become in `found` what meets it."""
        replies = [key for key in keys if isinstance(found.get(key), Reply)]
        questions = self._books.batches.questions(replies) if replies else {}
        missed = {}
        for key in replies:
            request, answer = Request.from_canonical(questions[key]), found[key]
            if request.constraint is None or not isinstance(answer, Reply):
                continue
            checked = check(request.constraint, answer.text)
            if checked.kind == "invalid":
                again = re_ask(request, answer.text, checked.problem)
                missed[key] = Missed(checked.problem, request.constraint, again)
            else:
                found[key] = replace(answer, text=checked.text, checked=checked.kind)
        return missed


def _row(first: Answer, second: Answer, missed: Missed) -> Answer:
    """What a row comes to whose re-ask was answered."""
    if not isinstance(second, Reply):
        return both(first, malformed(second, f"{missed.problem}; asked again: {second.message}"))
    checked = check(missed.constraint, second.text)
    if checked.kind == "invalid":
        return both(first, malformed(second, checked.problem))
    return both(first, replace(second, text=checked.text, checked="repaired"))
