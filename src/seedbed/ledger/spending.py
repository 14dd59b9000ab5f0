"""What a ledger's requests came to, by run, step, model or day. Only reads, also while a run writes."""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from seedbed.errors import BoundaryError, ConfigError, DataError
from seedbed.ledger.owners import is_running
from seedbed.ledger.schema import VERSION

By = Literal["run", "step", "model", "day"]
Name = tuple[str, ...]

_PAID_BY: dict[By, str] = {
    "run": "scope AS a, '' AS b",
    "step": "scope AS a, step AS b",
    "model": "model AS a, '' AS b",
    "day": "date(asked_at, 'unixepoch') AS a, '' AS b",
}
"""How a line is named in `requests`; in `losses` the time has another name."""
_USED_BY: dict[By, str] = {
    "run": "scope AS a, '' AS b FROM uses",
    "step": "scope AS a, step AS b FROM uses",
    "model": "r.model AS a, '' AS b FROM uses JOIN requests r USING (key)",
    "day": "date(r.asked_at, 'unixepoch') AS a, '' AS b FROM uses JOIN requests r USING (key)",
}
"""The same for `uses`, which knows no model and no day."""
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(slots=True)
class Line:
    """What one run, step, model or day came to. What was used counts owned answers too; all else is what it paid."""

    name: Name
    """One part, or run and step."""
    used: int = 0
    """Requests used; one that two runs used counts in both."""
    sent: int = 0
    """Requests paid for: `answers` of every state, `waiting` and `unanswered` together."""
    answers: Counter[str] = field(default_factory=Counter)
    """Of `sent`: how many by state (reply, refused, truncated, malformed, terminal, exhausted)."""
    waiting: int = 0
    """Of `sent`: on its way; a running process, or a batch, waits for its answer."""
    unanswered: int = 0
    """Of `sent`: nobody waits any more, and no answer was recorded; it may be billed all the same."""
    lost: int = 0
    """Tries beside these whose answer never came although it may be billed."""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    unknown_tokens: int = 0
    """Answers whose endpoint did not say what they took."""
    usd: float = 0.0
    """As far as prices are known."""
    unknown_price: int = 0
    """Answers whose price is unknown, which is not free."""
    in_doubt_usd: float = 0.0
    """What `waiting`, `unanswered` and `lost` can cost at most, as far as prices are known."""
    flops: float = 0.0
    """As far as it is known."""
    unknown_flops: int = 0
    """Answers whose floating-point operations are unknown."""
    median_s: float | None = None
    """Seconds a reply took; half of them took longer."""
    p95_s: float | None = None
    """Seconds a reply took; one in twenty took longer."""
    first_at: float = math.inf
    """When the earliest of `sent` was last asked, in seconds since 1970."""
    checked: Counter[str] = field(default_factory=Counter)
    """Replies to constrained requests: how many by how they met the constraint."""

    @property
    def in_doubt(self) -> int:
        """Answers that were never recorded and may be billed."""
        return self.unanswered + self.lost

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        plain = asdict(self) | {"first_at": self.first_at if self.sent else None}
        return plain | {"name": list(self.name), "answers": dict(self.answers), "checked": dict(self.checked)}


@dataclass(frozen=True, slots=True)
class Spending:
    """The lines of one view of a ledger, and what they add up to."""

    by: By
    lines: tuple[Line, ...]
    total: Line

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"by": self.by, "lines": [line.to_dict() for line in self.lines], "total": self.total.to_dict()}


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads: one snapshot, whatever a run writes meanwhile.

    Raises:
        ConfigError: There is no such file, it is no ledger, or another version wrote it. Nothing is created.
        DataError: The file is damaged.
        BoundaryError: It cannot be read now.
    """
    # Opened for writing, which it never does: only then are the WAL's two files removed again at the end.
    with connected(path) as db:
        db.execute("PRAGMA query_only=ON")
        db.execute("BEGIN")
        yield db


@contextmanager
def connected(path: Path, *, timeout_s: float = 60, alone: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection to a ledger that exists, with SQLite's errors put into words; see `reading`.

    Args:
        path: The file.
        timeout_s: How long to wait for others.
        alone: Refuse while anybody else has it open, and keep them out.
    """
    if not path.is_file():
        fix = "give the file a run wrote: `seedbed ledger FOLDER/ledger.sqlite`, where FOLDER holds the runs"
        raise ConfigError("there is no ledger", str(path), fix)
    db = None
    try:
        # Polars reads from threads of its own, one at a time.
        place = f"{path.absolute().as_uri()}?mode=rw"
        db = sqlite3.connect(place, timeout_s, isolation_level=None, check_same_thread=False, uri=True)
        if alone:
            # In WAL mode whoever has the file open holds a shared lock on it, also between two writes.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            _no_ledger(path, db, version)
        yield db
    except sqlite3.Error as error:
        raise in_words(path, error) from error
    finally:
        if db is not None:
            db.close()


def in_words(path: Path, error: sqlite3.Error) -> BoundaryError | DataError:
    """What an error of SQLite means for who asked."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        fix = "wait until its run is over, or stop it, and give the same command again"
        return BoundaryError("another process is using the ledger", str(path), fix)
    if code == sqlite3.SQLITE_NOTADB:
        return DataError("the file is no ledger", f"{path}: {error}", "give the ledger.sqlite that a run wrote")
    if code == sqlite3.SQLITE_CORRUPT:
        fix = "keep the file and save what can be read: `sqlite3 FILE .recover | sqlite3 saved.sqlite`"
        return DataError("the ledger is damaged", f"{path}: {error}", fix)
    return BoundaryError("the ledger cannot be read", f"{path}: {error}", "check the disk's room and the file's rights")


def _no_ledger(path: Path, db: sqlite3.Connection, version: int) -> None:
    if version == 0 and not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchone():
        raise ConfigError("the file is no ledger", str(path), "give the ledger.sqlite that lies beside the runs")
    fix = f"this program reads version {VERSION}; use the version of the program that wrote it"
    raise ConfigError("the ledger was written by another version", f"{path}: version {version}", fix)


def read_spending(path: Path, by: By = "run") -> Spending:
    """What was used and paid, a line for each run, step, model or day.

    Args:
        path: The ledger's file; it may be written to meanwhile.
        by: What a line stands for. A day is one of UTC, that of the last time a request was asked.

    Returns:
        Lines, and their total: every count of it is the sum over the lines.

    Raises:
        ConfigError, DataError, BoundaryError: See `reading`.
    """
    lines: defaultdict[Name, Line] = defaultdict(lambda: Line(()))
    times: defaultdict[Name, array[float]] = defaultdict(lambda: array("d"))
    paid, lost = _PAID_BY[by], _PAID_BY[by].replace("asked_at", "at")
    with reading(path) as db:
        for name, row in _named(db, by, _PAID.format(who=paid)):
            _add_paid(lines[name], *row)
        for name, (count,) in _named(db, by, _USED.format(who=_USED_BY[by])):
            lines[name].used = count
        for name, (count, usd) in _named(db, by, _LOST.format(who=lost)):
            lines[name].lost = count
            lines[name].in_doubt_usd += usd
        for name, (seconds,) in _named(db, by, _TIMES.format(who=paid)):
            times[name].append(seconds or 0.0)
    for name, line in lines.items():
        line.name = name
        line.median_s, line.p95_s = _quantiles(times[name])
    total = _total(lines.values())
    total.median_s, total.p95_s = _quantiles(*times.values())
    return Spending(by, tuple(_in_order(lines)), total)


_PAID = """
    SELECT state, checked, count(*), total(tokens_in), total(tokens_out), total(tokens_cached),
        total(state != 'asked' AND (tokens_in IS NULL OR tokens_out IS NULL)),
        total(usd), total(state != 'asked' AND usd IS NULL), total(CASE WHEN state = 'asked' THEN worst_usd END),
        total(flops), total(state != 'asked' AND flops IS NULL),
        min(asked_at), CASE WHEN state = 'asked' THEN owner ELSE '' END AS holder, {who}
    FROM requests GROUP BY a, b, state, checked, holder
"""
_USED = "SELECT count(*), {who} GROUP BY a, b"
_LOST = "SELECT count(*), total(usd), {who} FROM losses GROUP BY a, b"
_TIMES = "SELECT seconds, {who} FROM requests WHERE state = 'reply'"


def _named(db: sqlite3.Connection, by: By, query: str) -> Iterator[tuple[Name, tuple[Any, ...]]]:
    for *row, a, b in db.execute(query):
        yield ((a, b) if by == "step" else (a,)), tuple(row)


def _quantiles(*times: array[float]) -> tuple[float | None, float | None]:
    """Median and 95th percentile, each a value that occurred."""
    import numpy as np

    found = np.concatenate(times) if times else np.empty(0)
    if not found.size:
        return None, None
    median, p95 = np.quantile(found, [0.5, 0.95], method="inverted_cdf")
    return float(median), float(p95)


def _add_paid(line: Line, state: str, checked: str, count: float, *rest: Any) -> None:
    """Add all requests of one state that met their constraint in one way."""
    *tokens, usd, unpriced, worst_usd, flops, uncounted, first_at, holder = rest
    line.first_at = min(line.first_at, first_at)
    line.sent += int(count)
    if state == "asked" and is_running(holder):
        line.waiting += int(count)
    elif state == "asked":
        line.unanswered += int(count)
    else:
        line.answers[state] += int(count)
    if checked:
        line.checked[checked] += int(count)
    for name, value in zip(("tokens_in", "tokens_out", "tokens_cached", "unknown_tokens"), tokens, strict=True):
        setattr(line, name, getattr(line, name) + int(value))
    line.usd += usd
    line.unknown_price += int(unpriced)
    line.in_doubt_usd += worst_usd
    line.flops += flops
    line.unknown_flops += int(uncounted)


def _total(lines: Iterable[Line]) -> Line:
    total = Line(("total",))
    summed = [each.name for each in fields(Line) if each.name not in ("name", "median_s", "p95_s", "first_at")]
    for line in lines:
        for name in summed:
            setattr(total, name, getattr(total, name) + getattr(line, name))
        total.first_at = min(total.first_at, line.first_at)
    return total


def _in_order(lines: Mapping[Name, Line]) -> list[Line]:
    """As they came: runs by their first request, and the steps of a run by theirs."""
    began: dict[str, float] = {}
    for line in lines.values():
        began[line.name[0]] = min(began.get(line.name[0], math.inf), line.first_at)
    return sorted(lines.values(), key=lambda line: (began[line.name[0]], line.name[0], line.first_at, line.name))
