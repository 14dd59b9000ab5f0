"""The queue of an audit: one SQLite file beside the rows, which a terminal and a page can use at the same time.

SQLite and not a log of lines: two readers may write at once, a kill leaves the whole file as it was before or after a
label, and "this row was read already" is a rule of the file and not of the program. Nothing is ever deleted: a label
that was taken back stays, marked.

Tables: settings (what the audit is of), draws (one line a drawn row, with its chance), readings (one line a label).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.rules import Goal, Pick

Label = Literal["good", "bad", "skip"]
Turn = Literal["first", "second", "adjudicated"]
LABELS: tuple[Label, ...] = get_args(Label)
TURNS: tuple[Turn, ...] = get_args(Turn)
FORMAT = 1
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE draws (step INTEGER PRIMARY KEY, row TEXT NOT NULL UNIQUE, place INTEGER NOT NULL, probability REAL,
                    rows_left INTEGER, least REAL, goal TEXT, shown_to TEXT NOT NULL, shown_at REAL NOT NULL);
CREATE TABLE readings (number INTEGER PRIMARY KEY AUTOINCREMENT, row TEXT NOT NULL REFERENCES draws (row),
                       reader TEXT NOT NULL, label TEXT NOT NULL CHECK (label IN ('good', 'bad', 'skip')),
                       turn TEXT NOT NULL CHECK (turn IN ('first', 'second', 'adjudicated')),
                       seconds REAL, note TEXT, read_at TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX one_reading_a_turn ON readings (row, turn) WHERE undone = 0;
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row that was chosen to be read."""

    step: int
    row: str
    """The row's id."""
    place: int
    """Its place in the file, from 0."""
    pick: Pick | None
    """How it was drawn; None for a row whose label was brought along, which counts in no rate."""
    goal: Goal | None
    shown_to: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader said of one row."""

    row: str
    reader: str
    label: Label
    turn: Turn = "first"
    seconds: float | None = None
    """Between seeing the row and the key; None when unknown."""
    note: str = ""
    read_at: str = ""
    """UTC, ISO 8601; filled in when it is recorded."""


class Queue:
    """What was drawn and what was said, on disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Queue.at(Path(folder) / "q.audit", {"n_rows": 3}) as queue:
    ...     queue.add_draw("b", Pick(1, 0.5, 3, 1.0), "find", "ann")
    ...     queue.record(Reading("b", "ann", "bad", seconds=4.0))
    ...     [(one.row, one.label) for one in queue.readings()]
    [('b', 'bad')]
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db, self.path = connection, path

    @classmethod
    def at(cls, path: Path, settings: Mapping[str, Any], first: Mapping[str, Any] | None = None) -> Queue:
        """Open the queue, or begin it.

        Args:
            path: The file; its folder is made.
            settings: Plain data that says what the audit is of, such as the fingerprint of the rows. A queue that
                was begun with others is not opened: its chances would be those of other rows.
            first: More settings, kept if the queue is begun now; later the ones it was begun with stay.

        Raises:
            ConfigError: The file was begun with other settings.
            DataError: The file is something else.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit: every transaction is written out below. FULL: a label outlives a power cut.
        connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        queue = cls(connection, path)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            with queue.transaction():
                queue._begin(settings, first or {})
        except sqlite3.DatabaseError as error:
            connection.close()
            raise DataError(
                "this file is not the queue of an audit", f"{path}: {error}", "name another file with --queue"
            ) from error
        except ConfigError:
            connection.close()
            raise
        return queue

    def _begin(self, settings: Mapping[str, Any], first: Mapping[str, Any]) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table'").fetchone():
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            lines = [(name, json.dumps(value)) for name, value in {"format": FORMAT, **first, **settings}.items()]
            self._db.executemany("INSERT INTO settings VALUES (?, ?)", lines)
            return
        had = self.settings
        changed = [name for name, value in {"format": FORMAT, **settings}.items() if had.get(name) != value]
        if changed:
            seen = "; ".join(f"{name} was {had.get(name)!r}, is {settings.get(name, FORMAT)!r}" for name in changed)
            raise ConfigError(
                "the queue was begun for other rows or settings",
                f"{self.path}: {seen}",
                "go on with the rows and settings it was begun with, or begin another with --queue FILE",
            )

    def __enter__(self) -> Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; nothing is lost without it."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept, or nothing; no other process draws or reads meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @property
    def settings(self) -> dict[str, Any]:
        """What the queue was begun with."""
        return {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM settings")}

    def add_draw(self, row: str, pick: Pick, goal: Goal | None, reader: str) -> None:
        """Remember that a row was drawn, before anyone sees it: quitting does not draw another.

        Args:
            row: The row's id.
            pick: How it was drawn. A probability of nan says that it was not, and its label was brought along.
            goal: The rule; None for a label that was brought along.
            reader: Who will see it.
        """
        by_chance = pick.probability == pick.probability
        chance = (pick.probability, pick.left, pick.least) if by_chance else (None, None, None)
        line = (row, pick.row, *chance, goal, reader, time.time())
        self._db.execute(
            "INSERT INTO draws (row, place, probability, rows_left, least, goal, shown_to, shown_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            line,
        )

    def take_over(self, row: str, reader: str) -> None:
        """Show a row that somebody left unread to somebody else."""
        self._db.execute("UPDATE draws SET shown_to = ?, shown_at = ? WHERE row = ?", (reader, time.time(), row))

    def record(self, reading: Reading) -> None:
        """Keep one label; it is on disk when this returns.

        Raises:
            DataError: The row was never drawn, or was read in this turn already.
        """
        at = reading.read_at or datetime.now(UTC).isoformat(timespec="seconds")
        line = (reading.row, reading.reader, reading.label, reading.turn, reading.seconds, reading.note or None, at)
        if not self._db.execute("SELECT 1 FROM draws WHERE row = ?", (reading.row,)).fetchone():
            raise DataError(
                "a label for a row that was never drawn", f"row {reading.row}", "draw it, or bring it along"
            )
        try:
            self._db.execute(
                "INSERT INTO readings (row, reader, label, turn, seconds, note, read_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                line,
            )
        except sqlite3.IntegrityError as error:
            raise DataError(
                "this label cannot be kept",
                f"row {reading.row}, {reading.turn} reading, label {reading.label!r}: {error}",
                "a row has one label for each turn; take the other back first",
            ) from error

    def undo(self, reader: str) -> Reading | None:
        """Take back the reader's last label, which stays in the file as undone; None when there is none."""
        with self.transaction():
            last = self._db.execute(
                "SELECT MAX(number) FROM readings WHERE reader = ? AND undone = 0", (reader,)
            ).fetchone()[0]
            if last is None:
                return None
            taken = self._readings("WHERE number = ?", (last,))[0]
            self._db.execute("UPDATE readings SET undone = 1 WHERE number = ?", (last,))
        return taken

    def draws(self) -> list[Drawn]:
        """Every row that was drawn, in order."""
        found = self._db.execute(
            "SELECT step, row, place, probability, rows_left, least, goal, shown_to FROM draws ORDER BY step"
        )
        return [
            Drawn(step, row, place, None if p is None else Pick(place, p, left, least), goal, who)
            for step, row, place, p, left, least, goal, who in found
        ]

    def readings(self) -> list[Reading]:
        """Every label that stands, in the order of reading."""
        return self._readings("WHERE undone = 0", ())

    def undone(self) -> list[Reading]:
        """Every label that was taken back."""
        return self._readings("WHERE undone = 1", ())

    def _readings(self, where: str, values: tuple[object, ...]) -> list[Reading]:
        found = self._db.execute(
            f"SELECT row, reader, label, turn, seconds, note, read_at FROM readings {where} ORDER BY number",  # noqa: S608  # `where` is one of three texts above
            values,
        )
        return [Reading(row, who, label, turn, s, note or "", at) for row, who, label, turn, s, note, at in found]

    def unread(self, reader: str, patience_s: float = 3600.0) -> Drawn | None:
        """The first drawn row without a label that this reader may read.

        Args:
            reader: Who asks.
            patience_s: A row shown to somebody else is theirs for this long.
        """
        since = time.time() - patience_s
        found = self._db.execute(
            "SELECT step FROM draws WHERE NOT EXISTS (SELECT 1 FROM readings WHERE readings.row = draws.row AND "
            "turn = 'first' AND undone = 0) AND (shown_to = ? OR shown_at < ?) ORDER BY step LIMIT 1",
            (reader, since),
        ).fetchone()
        return None if found is None else next(one for one in self.draws() if one.step == found[0])


def standing(readings: list[Reading]) -> dict[str, Label]:
    """The label of each row that counts: the adjudicated one, else the first."""
    found: dict[str, Label] = {}
    for turn in ("first", "adjudicated"):
        found |= {one.row: one.label for one in readings if one.turn == turn}
    return found


def disputes(readings: list[Reading]) -> list[str]:
    """Rows whose two readings differ and that nobody has adjudicated, in the order of reading."""
    said = {turn: {one.row: one.label for one in readings if one.turn == turn} for turn in TURNS}
    first, second = said["first"], said["second"]
    return [
        row for row, label in first.items()
        if second.get(row, label) != label and row not in said["adjudicated"]
    ]  # fmt: skip
