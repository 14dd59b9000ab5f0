"""Every request ever sent, its reply, its price. The ledger is the cache: what is paid for is never paid for again.

One SQLite file in WAL mode. `asked` rows are intents: written and committed before a request leaves, so that a
process that is killed leaves a note of what may have been billed. Their worst case counts as spent from then on.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from seedbed.errors import BoundaryError, ConfigError
from seedbed.request import Failure, FailureKind, Reply, Request

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY,
    scope TEXT NOT NULL,          -- the run that paid
    verb TEXT NOT NULL,
    model TEXT NOT NULL,          -- the address
    request TEXT NOT NULL,        -- JSON: messages and sampling; never a key or a header
    state TEXT NOT NULL,          -- asked, reply, refused, truncated, terminal, exhausted
    text TEXT,                    -- the reply, or why there is none
    returned_model TEXT,
    tokens_in INTEGER,
    tokens_out INTEGER,
    usd REAL,                     -- NULL is unknown, which is not free
    worst_usd REAL,
    worst_tokens INTEGER NOT NULL,
    lost INTEGER NOT NULL,        -- times the request was asked without an answer being recorded
    lost_usd REAL NOT NULL,       -- worst case of those times
    seconds REAL,
    asked_at REAL NOT NULL,
    owner TEXT NOT NULL DEFAULT ''  -- who is asking right now; '' when nobody is
);
CREATE TABLE IF NOT EXISTS uses (  -- who used a reply, paid for by them or not; one line however often a run restarts
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS paid_by ON requests (scope);
"""
_VERSION = 1
_FINAL = ("reply", "refused", "truncated", "terminal")
FLUSH_S = 0.01
"""Replies are committed together with the next intents, or after so many seconds: what a kill can lose."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A request that is about to be sent, and what it can cost at most."""

    key: str
    request: Request
    address: str
    usd: float | None
    """None where the price is unknown."""
    tokens: int


@dataclass(frozen=True, slots=True)
class Spend:
    """What a scope used and what it paid. Replies that were already owned are used without being paid for."""

    requests: int
    """Distinct requests used."""
    sent: int
    """Of these, paid for by this scope."""
    tokens_in: int
    tokens_out: int
    tokens_at_most: int
    """All tokens, with the worst case where the endpoint did not say."""
    usd: float | None
    """Price of everything used, whoever paid; None when a price is unknown."""
    paid_usd: float
    """Paid by this scope, as far as prices are known."""
    unknown_price: int
    """Requests whose price is unknown."""
    in_doubt: int
    """Times an answer was lost on its way, or a process ended before it was recorded; it may be billed all the same."""
    in_doubt_usd: float
    """What those can have cost at most."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


class Ledger:
    """One ledger file. Threads may share the object, processes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._settled: list[tuple[str | float | None, ...]] = []
        self._is_closed = False
        self._owner = f"{_process(os.getpid())}/{uuid4().hex[:8]}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            # WAL with NORMAL: a commit costs no fsync, survives a kill of the process, and at worst the last
            # commits before a power cut are lost, never the file.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise ConfigError(
                    "the ledger was written by another version",
                    f"{path}: version {version}",
                    f"this program writes version {_VERSION}; choose another file",
                )
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version={_VERSION}")
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                "the ledger cannot be opened", f"{path}: {error}", "check the folder, its disk and rights"
            ) from error

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator[Ledger]:
        """Open the ledger at a path for a while; it is made if it does not exist."""
        ledger = cls(path)
        try:
            yield ledger
        finally:
            ledger.close()

    def close(self) -> None:
        """Commit and close. What is still being asked may be asked by others from now on. Twice is no error."""
        if not self._is_closed:
            self._is_closed = True
            with self._transaction():
                self._db.execute("UPDATE requests SET owner = '' WHERE state = 'asked' AND owner = ?", (self._owner,))
            self._db.close()

    # -- reading -------------------------------------------------------------------------------------------------------

    def lookup(self, keys: Sequence[str], scope: str) -> tuple[dict[str, Reply | Failure], set[str]]:
        """Answers that are owned, and which of the keys this scope has used before. One query each, for any number."""
        wanted = json.dumps(list(keys))
        self.flush()
        with self._locked():
            found = self._db.execute(
                "SELECT key, state, text, tokens_in, tokens_out, usd, seconds, returned_model FROM requests"
                " WHERE key IN (SELECT value FROM json_each(?)) AND state IN (?, ?, ?, ?)",
                (wanted, *_FINAL),
            ).fetchall()
            used = self._db.execute(
                "SELECT key FROM uses WHERE scope = ? AND key IN (SELECT value FROM json_each(?))", (scope, wanted)
            ).fetchall()
        return {row[0]: _answer(*row[1:]) for row in found}, {key for (key,) in used}

    def spend(self, scope: str) -> Spend:
        """What a scope used and paid so far."""
        self.flush()
        with self._locked():
            used = self._db.execute(
                "SELECT count(*), total(r.scope = u.scope), total(r.tokens_in), total(r.tokens_out),"
                " total(coalesce(r.tokens_in + r.tokens_out, r.worst_tokens)), total(r.usd),"
                " total(r.usd IS NULL AND r.state != 'asked') FROM uses u JOIN requests r USING (key)"
                " WHERE u.scope = ?",
                (scope,),
            ).fetchone()
            paid = self._db.execute(
                "SELECT total(usd), total(lost + (state = 'asked')),"
                " total(lost_usd + CASE WHEN state = 'asked' THEN coalesce(worst_usd, 0) ELSE 0 END)"
                " FROM requests WHERE scope = ?",
                (scope,),
            ).fetchone()
        requests, sent, tokens_in, tokens_out, tokens_at_most, usd, unknown = used
        return Spend(
            requests=int(requests),
            sent=int(sent),
            tokens_in=int(tokens_in),
            tokens_out=int(tokens_out),
            tokens_at_most=int(tokens_at_most),
            usd=None if unknown else float(usd),
            paid_usd=float(paid[0]),
            unknown_price=int(unknown),
            in_doubt=int(paid[1]),
            in_doubt_usd=float(paid[2]),
        )

    # -- writing -------------------------------------------------------------------------------------------------------

    def use(self, scope: str, keys: Sequence[str]) -> None:
        """Note that a scope used answers that were already owned."""
        with self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(scope, key) for key in keys])

    def intend(self, scope: str, intents: Sequence[Intent]) -> set[str]:
        """Note, durably, that requests are about to be sent; what was settled before is committed along with it.

        Returns:
            Keys of those that may be sent. The others are answered by now, or another process is asking for them: look
            them up again in a while. A process that died asks for nothing, so what it left may be asked again.
        """
        wanted = json.dumps([intent.key for intent in intents])
        query = "SELECT key, state, owner FROM requests WHERE key IN (SELECT value FROM json_each(?))"
        with self._transaction():
            taken = {
                key
                for key, state, owner in self._db.execute(query, (wanted,))
                if state in _FINAL or (state == "asked" and _is_running(owner))
            }
            mine = [intent for intent in intents if intent.key not in taken]
            # An intent that was never settled may have been billed: its worst case stays on the books.
            self._db.executemany(
                "INSERT INTO requests (key, scope, verb, model, request, state, worst_usd, worst_tokens, lost,"
                " lost_usd, asked_at, owner) VALUES (?, ?, ?, ?, ?, 'asked', ?, ?, 0, 0, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET lost = lost + (state = 'asked'),"
                " lost_usd = lost_usd + coalesce(CASE WHEN state = 'asked' THEN worst_usd ELSE usd END, 0),"
                " scope = excluded.scope, state = 'asked', worst_usd = excluded.worst_usd, usd = NULL,"
                " asked_at = excluded.asked_at, owner = excluded.owner",
                [self._row(scope, intent) for intent in mine],
            )
            self._db.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(scope, each.key) for each in mine])
        return {intent.key for intent in mine}

    def settle(self, key: str, answer: Reply | Failure) -> None:
        """Store the answer to an intent; durable with the next write or `flush`, so that many share one commit."""
        state = "reply" if isinstance(answer, Reply) else answer.kind
        text = answer.text if isinstance(answer, Reply) else answer.message
        model = answer.model if isinstance(answer, Reply) else None
        with self._lock:
            self._settled.append(
                (state, text, model, answer.tokens_in, answer.tokens_out, answer.usd, answer.seconds, key)
            )

    def lose(self, key: str) -> None:
        """Note that a try ended without its answer although it may be billed."""
        with self._transaction():
            self._db.execute(
                "UPDATE requests SET lost = lost + 1, lost_usd = lost_usd + coalesce(worst_usd, 0) WHERE key = ?",
                (key,),
            )

    def withdraw(self, scope: str, key: str) -> None:
        """Take an intent back that was refused before it could cost anything."""
        with self._transaction():
            self._db.execute("DELETE FROM requests WHERE key = ? AND state = 'asked' AND lost = 0", (key,))
            self._db.execute("DELETE FROM uses WHERE scope = ? AND key = ?", (scope, key))

    def abandon(self, key: str) -> None:
        """Say that nobody waits for the answer any more; the intent stays on the books, since it may be billed."""
        with self._transaction():
            self._db.execute("UPDATE requests SET owner = '' WHERE key = ? AND owner = ?", (key, self._owner))

    def flush(self) -> None:
        """Commit what was settled."""
        if self._settled:
            with self._transaction():
                pass

    def _row(self, scope: str, intent: Intent) -> tuple[str | float | None, ...]:
        request = intent.request
        plain = {
            "messages": request.messages,
            "draw": request.draw,
            "rng_seed": request.rng_seed,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
        }
        text = storable(json.dumps(plain, ensure_ascii=False))
        verb, now = request.slots.get("verb", ""), time.time()
        return (intent.key, scope, verb, intent.address, text, intent.usd, intent.tokens, now, self._owner)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One short write, together with everything settled since the last; whole or not at all."""
        with self._locked():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(
                    "UPDATE requests SET state = ?, text = ?, returned_model = ?, tokens_in = ?, tokens_out = ?,"
                    " usd = ?, seconds = ? WHERE key = ?",
                    self._settled,
                )
                yield
                self._db.execute("COMMIT")
            finally:
                # SQLite rolls back by itself on a full disk; elsewhere it leaves that to us.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            self._settled.clear()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise BoundaryError(
                    "the ledger cannot be written or read",
                    f"{self.path}: {error}",
                    "free disk space or check the file; the same command goes on",
                ) from error


def storable(text: str) -> str:
    """A text that any database and file takes: NUL and lone surrogates become U+FFFD, everything else stays."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _is_running(owner: str) -> bool:
    process = owner.partition("/")[0]
    return bool(process) and process == _process(int(process.partition(":")[0]))


def _process(pid: int) -> str:
    """Names a running process so that a later one with the same number is told apart; empty when there is none."""
    try:
        os.kill(pid, 0)
        # The start time is field 22; the name in field 2 may hold blanks and brackets.
        return f"{pid}:{Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()[19]}"
    except ProcessLookupError:
        return ""
    except (PermissionError, FileNotFoundError):
        return f"{pid}:"


def _answer(  # noqa: PLR0917 - the columns of one query, in its order
    state: str, text: str, tokens_in: int | None, tokens_out: int | None, usd: float | None, seconds: float, model: str
) -> Reply | Failure:
    if state == "reply":
        return Reply(text, tokens_in, tokens_out, usd, seconds, model or "", is_cached=True)
    kind: FailureKind = state  # type: ignore[assignment]
    return Failure(kind, text, tokens_in, tokens_out, usd, seconds, is_cached=True)
