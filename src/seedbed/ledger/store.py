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
from seedbed.ledger.owners import is_running, process_name
from seedbed.ledger.schema import TABLES, VERSION
from seedbed.request import Failure, FailureKind, Reply, TokenLogprob

_FINAL = ("reply", "refused", "truncated", "terminal")
_REUSE = "INSERT OR IGNORE INTO reuses (scope, step, key) SELECT ?, ?, key FROM requests WHERE key = ? AND scope != ?"
_LEAVE = (
    "INSERT OR IGNORE INTO reuses (scope, key, step) SELECT scope, key, step FROM requests WHERE key = ? AND scope != ?"
)
"""A request that another scope asks for again stays a use of the one that asked first."""
_LOSE = (
    "INSERT INTO losses (scope, step, model, key, usd, tokens, flops, at)"
    " SELECT scope, step, model, key, worst_usd, worst_tokens, worst_flops, ? FROM requests"
    " WHERE key = ? AND state = 'asked'"
)
_SETTLE = (
    "UPDATE requests SET state = ?, text = ?, returned_model = ?, tokens_in = ?, tokens_out = ?, tokens_cached = ?,"
    " usd = ?, flops = ?, seconds = ?, logprobs = ?, checked = ? WHERE key = ?"
)
FLUSH_S = 0.02
"""Replies are committed together with the next intents, or after so many seconds: what a kill can lose."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A request that is about to be sent, and what it can cost at most."""

    key: str
    request: str
    """Its canonical JSON."""
    address: str
    usd: float | None
    """None where the price is unknown."""
    tokens: int
    flops: float | None = None
    """None where the model's size is unknown."""


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
    flops: float = 0.0
    """Floating-point operations of everything used, as far as they are known."""
    usd_at_most: float = 0.0
    """What this scope paid, with the worst case where that is unknown or in doubt."""
    flops_at_most: float = 0.0
    """Those of everything used, with the worst case where they are unknown or in doubt."""

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
        self._owner = f"{process_name(os.getpid())}/{uuid4().hex[:8]}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            # WAL with NORMAL: a commit costs no fsync, survives a kill of the process, and at worst the last
            # commits before a power cut are lost, never the file.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            # Pages that many commits touch are then copied into the file once: measured, a third of the time.
            self._db.execute("PRAGMA wal_autocheckpoint=4000")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise ConfigError(
                    "the ledger was written by another version",
                    f"{path}: version {version}",
                    f"this program writes version {VERSION}; choose another file",
                )
            self._db.executescript(TABLES)
            self._db.execute(f"PRAGMA user_version={VERSION}")
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
                "SELECT key, state, text, tokens_in, tokens_out, usd, seconds, returned_model, tokens_cached, flops,"
                " logprobs, scope FROM requests WHERE key IN (SELECT value FROM json_each(?))",
                (wanted,),
            ).fetchall()
            reused = self._db.execute(
                "SELECT key FROM reuses WHERE scope = ? AND key IN (SELECT value FROM json_each(?))", (scope, wanted)
            ).fetchall()
        used = {row[0] for row in found if row[-1] == scope}.union(key for (key,) in reused)
        return {row[0]: _answer(row) for row in found if row[1] in _FINAL}, used

    def spend(self, scope: str, *, step: str | None = None, model: str | None = None) -> Spend:
        """What a scope used and paid so far.

        Args:
            scope: Usually a run.
            step: Only by this step (`verify-2`), or by every step of this verb (`verify`).
            model: Only of the model at this address.
        """
        only = {"scope": scope, "step": step, "steps": f"{step}-*", "model": model}
        self.flush()
        with self._locked():
            used = self._db.execute(
                "SELECT count(*), total(r.scope = u.scope), total(r.tokens_in), total(r.tokens_out),"
                " total(coalesce(r.tokens_in + r.tokens_out, r.worst_tokens)), total(r.usd),"
                " total(r.usd IS NULL AND r.state != 'asked'), total(r.flops), total(coalesce(r.flops, r.worst_flops))"
                " FROM uses u JOIN requests r USING (key) WHERE u.scope = :scope AND (:step IS NULL OR u.step = :step"
                " OR u.step GLOB :steps) AND (:model IS NULL OR r.model = :model)",
                only,
            ).fetchone()
            paid = self._db.execute(
                "SELECT total(usd), total(state = 'asked'), total(CASE WHEN state = 'asked' THEN worst_usd END),"
                " total(coalesce(usd, worst_usd)) FROM requests WHERE scope = :scope AND (:step IS NULL OR step = :step"
                " OR step GLOB :steps) AND (:model IS NULL OR model = :model)",
                only,
            ).fetchone()
            lost = self._db.execute(
                "SELECT count(*), total(usd), total(tokens), total(flops) FROM losses WHERE scope = :scope AND"
                " (:step IS NULL OR step = :step OR step GLOB :steps) AND (:model IS NULL OR model = :model)",
                only,
            ).fetchone()
        requests, sent, tokens_in, tokens_out, tokens_at_most, usd, unknown, flops, flops_at_most = used
        return Spend(
            requests=int(requests),
            sent=int(sent),
            tokens_in=int(tokens_in),
            tokens_out=int(tokens_out),
            tokens_at_most=int(tokens_at_most + lost[2]),
            usd=None if unknown else float(usd),
            paid_usd=float(paid[0]),
            unknown_price=int(unknown),
            in_doubt=int(paid[1] + lost[0]),
            in_doubt_usd=float(paid[2] + lost[1]),
            flops=float(flops),
            usd_at_most=float(paid[3] + lost[1]),
            flops_at_most=float(flops_at_most + lost[3]),
        )

    # -- writing -------------------------------------------------------------------------------------------------------

    def use(self, scope: str, keys: Sequence[str], *, step: str = "") -> None:
        """Note that a scope used answers that were already owned."""
        with self._transaction():
            self._db.executemany(_REUSE, [(scope, step, key, scope) for key in keys])

    def intend(self, scope: str, intents: Sequence[Intent], *, step: str = "", owner: str = "") -> set[str]:
        """Note, durably, that requests are about to be sent; what was settled before is committed along with it.

        Args:
            scope: Who pays.
            intents: What is about to be sent.
            step: The scope's step that asks.
            owner: `batch:ID` where a batch will hold them; this process otherwise.

        Returns:
            Keys of those that may be sent. The others are answered by now, or another process is asking for them: look
            them up again in a while. A process that died asks for nothing, so what it left may be asked again.
        """
        wanted = json.dumps([intent.key for intent in intents])
        query = "SELECT key, state, owner FROM requests WHERE key IN (SELECT value FROM json_each(?))"
        now, owner = time.time(), owner or self._owner
        with self._transaction():
            known = {key: (state, holder) for key, state, holder in self._db.execute(query, (wanted,))}
            taken = {
                key
                for key, (state, holder) in known.items()
                if state in _FINAL or (state == "asked" and is_running(holder))
            }
            mine = [intent for intent in intents if intent.key not in taken]
            # An intent that was never settled may have been billed: its worst case stays on the books of who made it.
            again = [each.key for each in mine if each.key in known]
            self._db.executemany(_LOSE, [(now, key) for key in again])
            self._db.executemany(_LEAVE, [(key, scope) for key in again])
            self._db.executemany("DELETE FROM reuses WHERE scope = ? AND key = ?", [(scope, key) for key in again])
            self._db.executemany(
                "INSERT INTO requests (key, scope, step, model, request, state, worst_usd, worst_tokens, worst_flops,"
                " asked_at, owner) VALUES (?, ?, ?, ?, ?, 'asked', ?, ?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET step = iif(scope = excluded.scope, step, excluded.step),"
                " scope = excluded.scope, state = 'asked', usd = NULL, flops = NULL, tokens_in = NULL,"
                " tokens_out = NULL, worst_usd = excluded.worst_usd, worst_tokens = excluded.worst_tokens,"
                " worst_flops = excluded.worst_flops, asked_at = excluded.asked_at, owner = excluded.owner",
                [
                    (i.key, scope, step, i.address, storable(i.request), i.usd, i.tokens, i.flops, now, owner)
                    for i in mine
                ],
            )
        return {intent.key for intent in mine}

    def settle(self, key: str, answer: Reply | Failure, *, checked: str = "") -> int:
        """Store the answer to an intent; durable with the next write or `flush`, so that many share one commit.

        Args:
            key: The intent's.
            answer: The reply as it came, or why there is none.
            checked: How the reply met its constraint; see the table's column.

        Returns:
            How many answers wait for the next write: what a kill would lose.
        """
        if isinstance(answer, Reply):
            state, text, model, logprobs = "reply", answer.text, answer.model, _packed(answer.logprobs)
        else:
            state, text, model, logprobs = answer.kind, answer.message, None, None
        tokens = (answer.tokens_in, answer.tokens_out, answer.tokens_cached)
        with self._lock:
            self._settled.append(
                (state, text, model, *tokens, answer.usd, answer.flops, answer.seconds, logprobs, checked, key)
            )
            return len(self._settled)

    def lose(self, key: str) -> None:
        """Note that a try ended without its answer although it may be billed."""
        with self._transaction():
            self._db.execute(_LOSE, (time.time(), key))

    def is_taken(self, key: str) -> bool:
        """True while somebody who is running asks for it; cheaper than `intend`, because nothing is written."""
        with self._locked():
            found = self._db.execute("SELECT state, owner FROM requests WHERE key = ?", (key,)).fetchone()
        return found is not None and found[0] == "asked" and is_running(found[1])

    def withdraw(self, scope: str, key: str) -> None:
        """Take an intent back that was refused before it cost anything; one with lost tries may be asked again."""
        mine = "WHERE key = ? AND scope = ? AND state = 'asked'"
        lost = "EXISTS (SELECT 1 FROM losses WHERE losses.key = requests.key)"
        with self._transaction():
            self._db.execute(f"DELETE FROM requests {mine} AND NOT {lost}", (key, scope))  # noqa: S608
            self._db.execute(f"UPDATE requests SET state = 'exhausted', usd = 0 {mine}", (key, scope))  # noqa: S608
            self._db.execute("DELETE FROM reuses WHERE key = ? AND key NOT IN (SELECT key FROM requests)", (key,))

    def abandon(self, key: str) -> None:
        """Say that nobody waits for the answer any more; the intent stays on the books, since it may be billed."""
        with self._transaction():
            self._db.execute("UPDATE requests SET owner = '' WHERE key = ? AND owner = ?", (key, self._owner))

    def flush(self) -> None:
        """Commit what was settled."""
        if self._settled:
            with self._transaction():
                pass

    @property
    def owner(self) -> str:
        """How this process signs its intents."""
        return self._owner

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The database within one short write, for the other files of this package."""
        with self._transaction():
            yield self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database between two writes, for the other files of this package."""
        with self._locked():
            yield self._db

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One short write, together with everything settled since the last; whole or not at all."""
        with self._locked():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_SETTLE, self._settled)
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
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _packed(logprobs: Sequence[TokenLogprob] | None) -> str | None:
    if logprobs is None:
        return None
    return storable(json.dumps([(each.token, each.logprob, each.top) for each in logprobs], ensure_ascii=False))


def _unpacked(text: str | None) -> tuple[TokenLogprob, ...] | None:
    if text is None:
        return None
    return tuple(TokenLogprob(token, logprob, tuple(map(tuple, top))) for token, logprob, top in json.loads(text))


def _answer(row: Sequence[Any]) -> Reply | Failure:
    """From the columns of `lookup`'s query, in their order."""
    _, state, text, tokens_in, tokens_out, usd, seconds, model, cached, flops, logprobs, _ = row
    if state == "reply":
        known = _unpacked(logprobs) if logprobs else None
        return Reply(text, tokens_in, tokens_out, usd, seconds, model or "", True, cached, flops, known)
    kind: FailureKind = state
    return Failure(kind, text, tokens_in, tokens_out, usd, seconds, True, cached, flops)
