"""Which requests are with which batch at a service, and how far each batch has come.

A request in a batch is an intent whose owner is `batch:ID`; it stays the batch's until the results are taken, whatever
happens to the process that submitted it. Each batch has one process that fills, submits and polls it; when that process
is gone the next one claims the batch.
"""

# ruff: noqa: S608 - the queries are put together from the constants of this file
from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import uuid4

from seedbed.errors import EndpointRefused
from seedbed.ledger.owners import is_running
from seedbed.ledger.store import Intent, Ledger
from seedbed.request import Failure

State = Literal["filling", "submitting", "out", "over"]

_COLUMNS = "id, scope, step, state, owner, tries, remote, input_file, requests, made_at, submitted_at"
_HELD = "owner = ? AND owner >= 'batch:' AND owner < 'batch;' AND state = 'asked'"
"""The range repeats the condition of the index, without which SQLite would not use it."""
_KEYS = "key IN (SELECT value FROM json_each(?))"
_LOSE = (
    "INSERT INTO losses (scope, step, model, key, usd, tokens, flops, at) SELECT scope, step, model, key, worst_usd,"
    f" worst_tokens, worst_flops, ? FROM requests WHERE {_HELD} AND {_KEYS}"
)
_WORST = "key, request, worst_usd, worst_tokens, worst_flops"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """One file of requests at a service, or on its way there."""

    id: str
    scope: str
    step: str
    state: State
    owner: str
    tries: int
    """How often its requests will have been in a batch, this one included."""
    remote: str
    """The service's id; empty before it is known."""
    input_file: str
    requests: int
    made_at: float
    """Seconds since 1970, UTC."""
    submitted_at: float | None

    @property
    def holder(self) -> str:
        """What its requests carry as their owner."""
        return f"batch:{self.id}"


@dataclass(frozen=True, slots=True)
class Held:
    """A request that a batch holds, and what it can cost at most."""

    key: str
    request: str
    """Its canonical JSON."""
    usd: float | None
    tokens: int
    flops: float | None


def refuse_if_left(ledger: Ledger, key: str) -> None:
    """Say so where a request is with a batch whose answers nobody will fetch.

    Raises:
        EndpointRefused: A batch holds it, and the process that looked after the batch has ended.
    """
    query = (
        "SELECT b.remote, b.owner FROM requests r JOIN batches b ON r.owner = 'batch:' || b.id"
        " WHERE r.key = ? AND r.state = 'asked'"
    )
    with ledger.reading() as db:
        found = db.execute(query, (key,)).fetchone()
    if found is not None and not is_running(found[1]):
        raise EndpointRefused(
            "a request is with a batch that nobody looks after",
            f"batch {found[0] or '(not submitted)'}",
            "run the same command with teacher.endpoint.batch: true; it takes the answers",
        )


class Batches:
    """The batches of one model in a ledger, as one call of `generate` sees them.

    Args:
        ledger: Where they are kept.
        address: The model's.
    """

    def __init__(self, ledger: Ledger, address: str) -> None:
        self.ledger, self.address = ledger, address
        self._me = f"{ledger.owner}/{uuid4().hex[:8]}"

    # -- whole batches -------------------------------------------------------------------------------------------------

    def make(self, scope: str, step: str, *, tries: int = 1) -> Batch:
        """An empty batch that this call fills."""
        made = Batch(uuid4().hex, scope, step, "filling", self._me, tries, "", "", 0, time.time(), None)
        with self.ledger.writing() as db:
            self._insert(db, made)
        return made

    def claim(self) -> list[Batch]:
        """Unfinished batches that no process looks after; from now on this call does."""
        with self.ledger.reading() as db:
            found = self._unfinished(db)
        if all(is_running(each.owner) for each in found):
            return []
        with self.ledger.writing() as db:
            orphans = [each for each in self._unfinished(db) if not is_running(each.owner)]
            db.executemany("UPDATE batches SET owner = ? WHERE id = ?", [(self._me, each.id) for each in orphans])
        return orphans

    def submitting(self, batch: Batch) -> None:
        """Note that from now on the service may know the batch."""
        self._note(batch, "state = 'submitting'")

    def uploaded(self, batch: Batch, input_file: str) -> None:
        """Note the service's name of the batch's file."""
        self._note(batch, "input_file = ?", input_file)

    def submitted(self, batch: Batch, remote: str, requests: int) -> Batch:
        """Note that the service has the batch, under which id, and how many requests it holds."""
        now = time.time()
        self._note(batch, "state = 'out', remote = ?, requests = ?, submitted_at = ?", remote, requests, now)
        return replace(batch, state="out", remote=remote, requests=requests, submitted_at=now)

    def over(self, batch: Batch, ending: str, output_file: str = "", error_file: str = "") -> None:
        """Note that everything the batch will ever give was taken."""
        with self.ledger.writing() as db:
            self._end(db, batch, ending, output_file, error_file)

    def leave(self) -> None:
        """Let the next call claim what this one looks after."""
        with self.ledger.writing() as db:
            db.execute("UPDATE batches SET owner = '' WHERE owner = ? AND state != 'over'", (self._me,))

    # -- requests ------------------------------------------------------------------------------------------------------

    def add(self, batch: Batch, intents: Sequence[Intent]) -> set[str]:
        """Note that requests are about to be sent with a batch; see `Ledger.intend`."""
        return self.ledger.intend(batch.scope, intents, step=batch.step, owner=batch.holder)

    def holders(self, keys: Sequence[str]) -> dict[str, str]:
        """Who waits for the answer, of those requests that are being asked."""
        query = f"SELECT key, owner FROM requests WHERE {_KEYS} AND state = 'asked' AND owner != ''"
        with self.ledger.reading() as db:
            return dict(db.execute(query, (json.dumps(list(keys)),)).fetchall())

    def questions(self, keys: Sequence[str]) -> dict[str, str]:
        """The canonical JSON of requests."""
        query = f"SELECT key, request FROM requests WHERE {_KEYS}"
        with self.ledger.reading() as db:
            return dict(db.execute(query, (json.dumps(list(keys)),)).fetchall())

    def given_up(self, keys: Sequence[str]) -> dict[str, Failure]:
        """Requests whose every try met a passing fault, which `Ledger.lookup` leaves out."""
        self.ledger.flush()
        query = f"SELECT key, text, usd FROM requests WHERE {_KEYS} AND state = 'exhausted'"
        with self.ledger.reading() as db:
            found = db.execute(query, (json.dumps(list(keys)),)).fetchall()
        return {key: Failure("exhausted", text or "", 0, 0, usd) for key, text, usd in found}

    def held(self, batch: Batch, keys: Sequence[str]) -> dict[str, Held]:
        """Those of the keys that the batch holds."""
        query = f"SELECT {_WORST} FROM requests WHERE {_HELD} AND {_KEYS}"
        with self.ledger.reading() as db:
            found = db.execute(query, (batch.holder, json.dumps(list(keys)))).fetchall()
        return {row[0]: Held(*row) for row in found}

    def all_held(self, batch: Batch) -> Iterator[Held]:
        """Everything the batch holds, ordered by key: the order of the lines in its file."""
        query = f"SELECT {_WORST} FROM requests WHERE {_HELD} AND key > ? ORDER BY key"
        last = ""
        while True:
            with self.ledger.reading() as db:
                page = db.execute(f"{query} LIMIT {_PAGE}", (batch.holder, last)).fetchall()
            for row in page:
                yield Held(*row)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def let_go(self, keys: Iterable[str]) -> None:
        """Take requests whose answers were settled out of their batch; commits the answers along with it."""
        with self.ledger.writing() as db:
            db.executemany("UPDATE requests SET owner = '' WHERE key = ?", [(key,) for key in keys])

    def lose(self, batch: Batch, keys: Sequence[str]) -> None:
        """Note that answers were lost although they may be billed."""
        with self.ledger.writing() as db:
            db.execute(_LOSE, (time.time(), batch.holder, json.dumps(list(keys))))

    def move(self, batch: Batch, keys: Sequence[str], to: Batch) -> None:
        """Put requests of one batch into another."""
        with self.ledger.writing() as db:
            query = f"UPDATE requests SET owner = ?, asked_at = ? WHERE {_HELD} AND {_KEYS}"
            db.execute(query, (to.holder, time.time(), batch.holder, json.dumps(list(keys))))

    def split(self, batch: Batch, most: int, ending: str) -> list[Batch]:
        """Put what a batch holds, which was never executed, into new ones of at most so many requests each."""
        made = []
        query = (
            f"UPDATE requests SET owner = ? WHERE key IN (SELECT key FROM requests WHERE {_HELD} ORDER BY key LIMIT ?)"
        )
        with self.ledger.writing() as db:
            while db.execute(f"SELECT 1 FROM requests WHERE {_HELD} LIMIT 1", (batch.holder,)).fetchone():
                new = Batch(
                    uuid4().hex, batch.scope, batch.step, "filling", self._me, batch.tries, "", "", 0, time.time(), None
                )
                self._insert(db, new)
                db.execute(query, (new.holder, batch.holder, most))
                made.append(new)
            self._end(db, batch, ending)
        return made

    def withdraw(self, batch: Batch, keys: Sequence[str]) -> list[tuple[Held, bool]]:
        """Take requests of a batch back that were not executed and cost nothing.

        Returns:
            Each with whether its use was taken back too. It was not where an earlier try may have been billed: that
            stays on the books, as does the request.
        """
        held = self.held(batch, keys)
        wanted = json.dumps(list(held))
        with self.ledger.writing() as db:
            lost = {key for (key,) in db.execute(f"SELECT DISTINCT key FROM losses WHERE {_KEYS}", (wanted,))}
            never = json.dumps([key for key in held if key not in lost])
            db.execute(f"DELETE FROM requests WHERE {_KEYS}", (never,))
            db.execute(
                "UPDATE requests SET state = 'exhausted', text = 'taken back before it was sent again', owner = '',"
                f" usd = 0, tokens_in = 0, tokens_out = 0 WHERE {_HELD} AND {_KEYS}",
                (batch.holder, json.dumps(sorted(lost))),
            )
        return [(each, key not in lost) for key, each in held.items()]

    # -- inside a transaction ------------------------------------------------------------------------------------------

    def _insert(self, db: sqlite3.Connection, batch: Batch) -> None:
        db.execute(
            "INSERT INTO batches (id, model, scope, step, state, owner, tries, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (batch.id, self.address, batch.scope, batch.step, batch.state, self._me, batch.tries, batch.made_at),
        )

    def _end(
        self, db: sqlite3.Connection, batch: Batch, ending: str, output_file: str = "", error_file: str = ""
    ) -> None:
        db.execute(
            "UPDATE batches SET state = 'over', owner = '', ending = ?, output_file = ?, error_file = ?, over_at = ?"
            " WHERE id = ?",
            (ending, output_file, error_file, time.time(), batch.id),
        )

    def _note(self, batch: Batch, what: str, *values: str | float) -> None:
        with self.ledger.writing() as db:
            db.execute(f"UPDATE batches SET {what} WHERE id = ?", (*values, batch.id))

    def _unfinished(self, db: sqlite3.Connection) -> list[Batch]:
        query = f"SELECT {_COLUMNS} FROM batches WHERE model = ? AND state != 'over' ORDER BY made_at, id"
        return [Batch(*row) for row in db.execute(query, (self.address,))]
