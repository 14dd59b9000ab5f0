"""A known world: it writes gold rows, reads any of its rows back exactly, and so knows the truth about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import polars as pl

from seedbed.models.worlds.grammar import Attributes, Dice, Network
from seedbed.randomness import stream
from seedbed.task import Task

OUTSIDE = "not of this world"
"""The cell of a row that the grammar cannot have written."""


class World(ABC):
    """A probabilistic grammar with hidden attributes. It is a simulation: no row of it was written by a person.

    Because the grammar can be inverted, three things are known exactly that nobody knows about real data: which
    labels are wrong (`truth`), how far a set of rows is from gold (`total_variation`), and what it lacks
    (`missing_tails`).
    """

    name: str
    task: Task
    network: Network
    """The hidden attributes with their gold probabilities."""
    cell_attributes: tuple[str, ...]
    """Attributes whose combination names a coarse cell of the world."""
    fresh_attributes: tuple[str, ...] = ()
    """Attributes that a look-alike for the same context never copies: with them it would say the same again."""

    @abstractmethod
    def write(self, attributes: Mapping[str, str], dice: Dice, context: str | None = None) -> dict[str, str]:
        """A row with exactly these attributes; only the surface (which word of a list) is left to the dice."""

    @abstractmethod
    def read(self, row: Mapping[str, str]) -> Attributes | None:
        """The hidden attributes, from the row's fields alone (never its label); None if not of this world."""

    def pins(self, context: str | None, answer: str) -> Attributes | None:
        """Attributes that every row with this context and answer has; None where there can be no such row."""
        return {**self._given(context), "label": answer} if answer in self.task.labels else None

    def other_answer(self, context: str | None, answer: str, dice: Dice) -> str:  # noqa: ARG002 - worlds of questions need it
        """A wrong answer that could have been right for another row with the same context."""
        return dice.pick([label for label in self.task.labels if label != answer])

    def gold_answer(self, context: str | None, dice: Dice) -> str:
        """An answer as likely as gold has it for this context."""
        return self.network.draw(dice, self._given(context))["label"]

    def possible(self, wanted: Mapping[str, str]) -> Attributes:
        """The wanted attributes without those that gold could never have beside the others, such as a tail of
        another label."""
        kept: Attributes = {}
        for choice in self.network.choices:
            if choice.name not in wanted:
                continue
            table = choice.tables.get("" if choice.parent is None else kept.get(choice.parent, ""))
            if table is None or table.get(wanted[choice.name], 0.0) > 0:
                kept[choice.name] = wanted[choice.name]
        return kept

    def write_context(self, dice: Dice) -> str | None:
        """A real context from the gold distribution; None in a world of single texts."""
        del dice
        return None

    def truth(self, row: Mapping[str, str]) -> str | None:
        """The right label or answer of a row's text; None if the text is not of this world."""
        attributes = self.read(row)
        return None if attributes is None else attributes["label"]

    def gold(self, n: int, rng_seed: int, *, label_noise: float = 0.0) -> pl.DataFrame:
        """Independent rows from the gold distribution.

        Args:
            n: Number of rows.
            rng_seed: Two seeds give independent rows; the first rows of a longer draw are those of a shorter one.
            label_noise: Share of rows, in [0, 1], whose answer is exchanged for a wrong one.

        Returns:
            A frame with exactly the task's columns.
        """
        dice = Dice(stream(rng_seed, "gold", self.name), block=4096)
        noise = Dice(stream(rng_seed, "gold noise", self.name), block=4096)
        target, rows = self.task.target, []
        for _ in range(n):
            context = self.write_context(dice)
            row = self.write(self.network.draw(dice, self._given(context)), dice, context)
            if label_noise and noise.chance(label_noise):
                row[target] = self.other_answer(context, row[target], noise)
            rows.append(row)
        return pl.DataFrame(rows, schema=dict.fromkeys(self.task.columns, pl.String))

    def contexts(self, n: int, rng_seed: int) -> list[str]:
        """Independent real contexts; an empty list in a world of single texts."""
        dice = Dice(stream(rng_seed, "contexts", self.name), block=4096)
        return [text for _ in range(n) if (text := self.write_context(dice)) is not None]

    def _given(self, context: str | None) -> Attributes:
        """Attributes that the context alone decides."""
        del context
        return {}

    # -- how far a set of rows is from gold ------------------------------------------------------------------------

    def cell(self, row: Mapping[str, str]) -> str:
        """Name of the row's cell, such as "hotel/plain/negation"; `OUTSIDE` if it is not of this world."""
        attributes = self.read(row)
        return OUTSIDE if attributes is None else "/".join(attributes[name] for name in self.cell_attributes)

    @cached_property
    def _cells(self) -> dict[str, float]:
        return {"/".join(key): p for key, p in self.network.probabilities(self.cell_attributes).items()}

    def cell_probabilities(self) -> dict[str, float]:
        """Cell to its exact probability under gold; the probabilities sum to 1."""
        return dict(self._cells)

    def cell_counts(self, rows: pl.DataFrame) -> Counter[str]:
        """How many of the rows lie in each cell."""
        return Counter(self.cell(row) for row in rows.select(self.task.fields).iter_rows(named=True))

    def total_variation(self, rows: pl.DataFrame) -> float:
        """Distance between the cells of some rows and the exact gold distribution; 0 is equal, 1 is disjoint.

        A finite sample of gold itself is not at 0: compare with `expected_total_variation`.
        """
        counts = self.cell_counts(rows)
        n = counts.total()
        return 0.5 * sum(abs(counts[cell] / n - self._cells.get(cell, 0.0)) for cell in counts.keys() | self._cells)

    def expected_total_variation(self, n: int, *, rng_seed: int = 0, draws: int = 200) -> float:
        """Mean total variation of `n` rows that really came from gold, by simulation."""
        p = np.array(list(self._cells.values()))
        p /= p.sum()
        counts = stream(rng_seed, "expected total variation", self.name, n).multinomial(n, p, size=draws)
        return float(np.abs(counts / n - p).sum(axis=1).mean() / 2)

    def missing_tails(self, rows: pl.DataFrame, *, at_least: float = 0.002) -> list[tuple[str, float]]:
        """Cells with at least this gold probability that no row lies in, largest first, with that probability."""
        counts = self.cell_counts(rows)
        missing = [(cell, p) for cell, p in self._cells.items() if p >= at_least and counts[cell] == 0]
        return sorted(missing, key=lambda pair: -pair[1])
