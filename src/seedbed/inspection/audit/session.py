"""An audit as a reader meets it: the next row, a label, a step back; in the end the rate.

The terminal and the web page both drive this, and a script may.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate
from seedbed.fingerprint import fingerprint
from seedbed.inspection.audit.exchange import Entry
from seedbed.inspection.audit.queue import Drawn, Queue, Reading, Turn, disputes, standing
from seedbed.inspection.audit.rate import defect_rate
from seedbed.inspection.audit.risk import Evidence, Floats, RiskModel
from seedbed.inspection.audit.rules import Goal, Pick, chances, draw
from seedbed.randomness import stream

BLOCK = 50
"""Labels after which the belief that steadies the rate is learned again; before the first there is none."""


@dataclass(frozen=True)
class Plan:
    """Settings of an audit."""

    goal: Goal = "estimate"
    second: float = 0.15
    """Share of rows that are read twice, drawn at random, in [0, 1]."""
    gap: int = 20
    """First readings between a row's first reading and its second by the same reader, who would remember it."""
    uniform: float | None = None
    """Share of draws that ignore all evidence; None takes the goal's own."""
    rng_seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.second <= 1:
            raise ConfigError("the share of second readings is a fraction", f"{self.second}", "use 0.1 to 0.2")


@dataclass(frozen=True, slots=True)
class Asked:
    """A row that a reader is shown."""

    row: str
    place: int
    turn: Turn
    """Not for the reader's eyes: who knows that a row is read again looks twice."""


@dataclass(frozen=True)
class Outcome:
    """What an audit has found."""

    rate: Estimate | None
    """Share of bad rows among all rows that can be decided; None before the first label of a drawn row."""
    read: int
    bad: int
    skipped: int
    waiting: int
    """Rows that were drawn and not read; before the last one read they count as skipped."""
    disputed: int


@dataclass
class Audit:
    """The rows, the rule and the queue together."""

    ids: Sequence[str]
    """(N,) one id for each row, all different."""
    evidence: Evidence
    queue: Queue
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        if len(self.ids) != self.evidence.n_rows or len(set(self.ids)) != len(self.ids):
            seen = f"{len(self.ids)} ids, {len(set(self.ids))} different, evidence for {self.evidence.n_rows}"
            raise DataError("one id for each row, all different", seen, "leave the id column out")
        self._model = RiskModel(self.evidence)
        self._fitted: tuple[tuple[tuple[int, str], ...], Floats] | None = None

    def next(self, reader: str, *, adjudicate: bool = False) -> Asked | None:
        """The row this reader reads now: one left unread, one due for its second reading, or a newly drawn one.

        Args:
            reader: Who reads.
            adjudicate: Show rows whose two readings differ instead.

        Returns:
            None when nothing is left.
        """
        with self.queue.transaction():
            readings = self.queue.readings()
            if adjudicate:
                return self._dispute(readings)
            if unread := self.queue.unread(reader):
                if unread.shown_to != reader:
                    self.queue.take_over(unread.row, reader)
                return Asked(unread.row, unread.place, "first")
            again = self._second(reader, readings)
            return again or self._draw(reader)

    def hand_out(self, count: int, reader: str) -> list[Asked]:
        """Draw many rows at once, to be read elsewhere; rows that are waiting for this reader come first."""
        with self.queue.transaction():
            readings = self.queue.readings()
            had = {one.row for one in readings}
            asked = [
                Asked(one.row, one.place, "first")
                for one in self.queue.draws()
                if one.row not in had and one.shown_to == reader
            ][:count]
            while len(asked) < count and (one := self._draw(reader)):
                asked.append(one)
        return asked

    def take(self, entries: Sequence[Entry], *, who: str = "import") -> int:
        """Keep readings made elsewhere: all of them, or none where one cannot be kept.

        A row that this queue never drew comes in as the file says it was drawn, if the queue is still empty;
        otherwise its label teaches the model and counts in no rate. Readings that are here already are passed over.

        Args:
            entries: What `exchange.read` found.
            who: To whom rows are shown that come without a reading.

        Returns:
            Readings kept.

        Raises:
            DataError: A row that is not among the rows of this audit, or whose place differs; a turn that is taken.
        """
        places = {row: place for place, row in enumerate(self.ids)}
        with self.queue.transaction():
            drawn = {one.row for one in self.queue.draws()}
            is_new = not drawn
            had = {(one.row, one.reader, one.label, one.turn) for one in self.queue.readings()}
            kept = 0
            for entry in sorted(entries, key=lambda one: one.draw.step if one.draw else math.inf):
                if entry.row not in places or (entry.draw and entry.draw.place != places[entry.row]):
                    seen = f"row {entry.row}" + (f", place {entry.draw.place}" if entry.draw else "")
                    raise DataError(
                        "a label for a row that this audit does not have", seen, "import it beside its rows"
                    )
                if entry.row not in drawn:
                    self._bring(entry, places[entry.row], is_new, who)
                    drawn.add(entry.row)
                said = entry.reading
                if said and (said.row, said.reader, said.label, said.turn) not in had:
                    self.queue.record(said)
                    kept += 1
        return kept

    def _bring(self, entry: Entry, place: int, is_new: bool, who: str) -> None:
        pick = entry.draw.pick if entry.draw and is_new else None
        goal = entry.draw.goal if entry.draw and pick else None
        reader = entry.reading.reader if entry.reading else who
        self.queue.add_draw(entry.row, pick or Pick(place, math.nan, 0, math.nan), goal, reader)

    def entries(self, fields: Sequence[Mapping[str, str]], *, asked: Sequence[Asked] | None = None) -> list[Entry]:
        """What `exchange.write` writes: all readings, or with `asked` these rows without any reading.

        Args:
            fields: (N,) what a reader sees of each row.
            asked: Rows to be read elsewhere. Their chances stay in the queue: a likely row would show by them.
        """
        if asked is not None:
            return [Entry(one.row, fields[one.place]) for one in asked]
        draws = {one.row: one for one in self.queue.draws()}
        said: dict[str, list[Reading]] = {row: [] for row in draws}
        for one in self.queue.readings():
            said[one.row].append(one)
        made = []
        for row, drawn in draws.items():
            readings: list[Reading | None] = [*said[row]] or [None]
            made += [Entry(row, fields[drawn.place], drawn, one) for one in readings]
        return made

    def record(self, asked: Asked, reading: Reading) -> None:
        """Keep a label of the row that was shown."""
        self.queue.record(replace(reading, row=asked.row, turn=asked.turn))

    def undo(self, reader: str) -> Reading | None:
        """Take back the reader's last label; that row comes next."""
        return self.queue.undo(reader)

    def p_bad(self) -> Floats:
        """(N,) belief after all labels that stand."""
        said = standing(self.queue.readings())
        known = [(one.place, said[one.row]) for one in self.queue.draws() if one.row in said]
        key = tuple((place, label) for place, label in known if label != "skip")
        if self._fitted is None or self._fitted[0] != key:
            belief = self._model.fit([place for place, _ in key], [label == "bad" for _, label in key])
            self._fitted = (key, belief.p_bad)
        return self._fitted[1]

    def outcome(self) -> Outcome:
        """What was found so far, with the rate of all rows."""
        readings = self.queue.readings()
        said = standing(readings)
        labels = list(said.values())
        return Outcome(
            self._rate(said),
            len(labels),
            labels.count("bad"),
            labels.count("skip"),
            sum(one.row not in said for one in self.queue.draws()),
            len(disputes(readings)),
        )

    def _rate(self, said: Mapping[str, str]) -> Estimate | None:
        drawn = [one for one in self.queue.draws() if one.pick is not None]
        while drawn and drawn[-1].row not in said:
            drawn.pop()
        labels = [said.get(one.row, "skip") for one in drawn]
        if not any(label != "skip" for label in labels):
            return None
        picks = [one.pick for one in drawn if one.pick is not None]
        bad, readable = [label == "bad" for label in labels], [label != "skip" for label in labels]
        expected = self._expected(picks, np.array(bad), np.array(readable))
        return defect_rate(picks, bad, len(self.ids), readable=readable, expected=expected)

    def _expected(
        self, picks: Sequence[Pick], bad: np.ndarray, readable: np.ndarray
    ) -> list[tuple[int, Floats]] | None:
        """Beliefs from the labels before each block. Not where rows were skipped: a belief covers those too."""
        if not readable.all():
            return None
        rows = np.array([pick.row for pick in picks])
        starts = range(BLOCK, len(picks), BLOCK)
        return [(start, self._model.fit(rows[:start], bad[:start]).p_bad) for start in starts]

    def _draw(self, reader: str) -> Asked | None:
        drawn = self.queue.draws()
        read = np.zeros(len(self.ids), dtype=bool)
        read[[one.place for one in drawn]] = True
        if read.all():
            return None
        plan = self.plan
        odds = chances(plan.goal, self.p_bad(), read, self.evidence, plan.uniform)
        pick = draw(odds, stream(plan.rng_seed, "audit", len(drawn)))
        self.queue.add_draw(self.ids[pick.row], pick, plan.goal, reader)
        return Asked(self.ids[pick.row], pick.row, "first")

    def _second(self, reader: str, readings: Sequence[Reading]) -> Asked | None:
        first = [one for one in readings if one.turn == "first"]
        again = {one.row for one in readings if one.turn == "second"}
        for number, one in enumerate(first):
            late = one.reader != reader or len(first) - 1 - number >= self.plan.gap
            if late and one.row not in again and self.is_read_twice(one.row):
                return Asked(one.row, self._place(one.row), "second")
        return None

    def is_read_twice(self, row: str) -> bool:
        """Whether the row is among those with a second reading: decided by its id alone, whatever was said of it."""
        return int(fingerprint([self.plan.rng_seed, "read twice", row], digits=8), 16) < self.plan.second * 16**8

    def _dispute(self, readings: list[Reading]) -> Asked | None:
        found = disputes(readings)
        return Asked(found[0], self._place(found[0]), "adjudicated") if found else None

    def _place(self, row: str) -> int:
        drawn: Drawn = next(one for one in self.queue.draws() if one.row == row)
        return drawn.place
