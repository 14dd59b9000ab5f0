"""Trusted rows in three parts: one that may steer, one that may select, and one that stays sealed until the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import polars as pl

from seedbed.errors import DataError
from seedbed.fingerprint import fingerprint
from seedbed.randomness import stream
from seedbed.similarity import normalise
from seedbed.task import Task

Size = int | Literal["rest"]
Log = Callable[[dict[str, Any]], None]

LEAK_CHECK = "leak check"
"""The one purpose that may read the test texts beside the final one; it is not shown their answers."""
ANSWERS = ("label", "answer")


class SealedRows:
    """Test rows that are opened for one purpose; every opening is logged, and nothing else shows a row.

    A test split that is looked at after every change becomes another `select`. So the first purpose it is opened
    for is the only one; a run that was killed may open it again for the same. A leak check may read the texts at
    any time, because copies of test rows must go before anything is trained, and gets them without answers.
    """

    def __init__(self, rows: pl.DataFrame, log: Log, purpose: str | None = None) -> None:
        self.__rows, self.__log, self.__purpose = rows, log, purpose
        self.fingerprint = fingerprint([rows.columns, *(list(map(_text, row)) for row in rows.iter_rows())])
        """Hash of the contents, for the manifest."""

    @property
    def n(self) -> int:
        """Rows inside."""
        return self.__rows.height

    def open(self, why: str) -> pl.DataFrame:
        """The rows, for a purpose that is written to the log.

        Raises:
            DataError: They were opened for another purpose before.
        """
        if why != LEAK_CHECK:
            if self.__purpose not in (None, why):
                raise DataError(
                    "the test rows are sealed: they are opened for one purpose, once the work is done",
                    f"opened for {self.__purpose!r}, now asked for {why!r}",
                    "decide on `select`; for a new question take test rows that nobody has looked at",
                )
            self.__purpose = why
        self.__log({"event": "test opened", "why": why, "rows": self.n, "fingerprint": self.fingerprint})
        return self.__rows.drop(ANSWERS, strict=False) if why == LEAK_CHECK else self.__rows

    def __repr__(self) -> str:
        return f"SealedRows(n={self.n}, fingerprint={self.fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise DataError(
            "sealed rows do not travel", repr(self), "send the fingerprint, or split gold again from its source"
        )


@dataclass(frozen=True)
class Gold:
    """The three parts; no context and no text is in two of them."""

    steer: pl.DataFrame
    """Mistakes on these tell the teacher what to write."""
    select: pl.DataFrame
    """These choose checkpoints and end the rounds."""
    test: SealedRows


def seal(rows: pl.DataFrame, log: Log, *, opened_for: str | None = None) -> SealedRows:
    """Seal test rows that come from a source of their own.

    Args:
        rows: Test rows.
        log: Called with an event at every opening.
        opened_for: The purpose an earlier process of the same run opened them for, if it did.
    """
    return SealedRows(rows, log, opened_for)


def split_gold(
    task: Task,
    frame: pl.DataFrame,
    *,
    steer: Size,
    select: Size,
    test: Size,
    rng_seed: int,
    log: Log = lambda _event: None,
) -> Gold:  # fmt: skip
    """Deal gold rows into steer, select and test, with labels as even as whole contexts allow.

    Rows that share a context, or are the same but for case, space and punctuation, go to the same part: otherwise the
    student is tested on what it was trained on. Sizes are met exactly where whole contexts add up to them; where they
    do not, a context is cut (what is cut off goes nowhere), and if that leaves too few rows, the largest part has
    fewer than asked, by less than one context.

    Args:
        task: Names the fields, the context and the label.
        frame: (n,) gold rows.
        steer, select, test: Rows in each part; "rest" for at most one of them takes what the others leave.
        rng_seed: Decides who goes where; independent of the order of columns, not of the order of rows.
        log: Called with an event when the test part is opened.

    Returns:
        The three parts, rows in their original order.

    Raises:
        DataError: More rows are asked for than there are, a size is negative, or two parts take the rest.
    """
    sizes = {"steer": steer, "select": select, "test": test}
    wanted = _check_sizes(sizes, frame.height)
    together = _together(task, frame)
    strata = frame["label"].to_list() if "label" in frame.columns else [None] * frame.height
    rng = stream(rng_seed, "split gold")
    # The largest part is dealt last: the others are met exactly, and a shortage matters least there.
    order = sorted(wanted, key=lambda part: (sizes[part] == "rest", wanted[part]))
    best: dict[str, list[int]] = {}
    for _ in range(30):
        dealt = _deal(_shuffled(together, strata, rng), {part: wanted[part] for part in order})
        if not best or _total(dealt) > _total(best):
            best = dealt
        if _total(best) == sum(wanted.values()):
            break
    rows = {part: frame[sorted(index)] for part, index in best.items()}
    return Gold(rows["steer"], rows["select"], seal(rows["test"], log))


def _check_sizes(sizes: Mapping[str, Size], available: int) -> dict[str, int]:
    rest = [part for part, size in sizes.items() if size == "rest"]
    fixed = {part: size for part, size in sizes.items() if isinstance(size, int)}
    asked = ", ".join(f"{part} {size}" for part, size in sizes.items())
    if len(rest) > 1 or any(size < 0 for size in fixed.values()):
        raise DataError("gold cannot be split like this", asked, 'give sizes from 0 up, and "rest" at most once')
    total = sum(fixed.values())
    if total > available or (rest and total == available):
        raise DataError(
            "gold has too few rows for this split",
            f"{asked}, together {total}{' and at least one' if rest else ''}; there are {available}",
            f"lower one of them by {total - available + len(rest)} or more, or find more gold",
        )
    return {**fixed, **dict.fromkeys(rest, available - total)}


def _together(task: Task, frame: pl.DataFrame) -> list[list[int]]:
    """Rows that must not be parted, as lists of positions: those of one context, else those of one text."""
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(frame[task.context or task.written].to_list()):
        groups.setdefault(normalise(text), []).append(row)
    return list(groups.values())


def _shuffled(groups: list[list[int]], strata: list[Any], rng: np.random.Generator) -> list[list[int]]:
    """The groups in an order of which every stretch has each label in about its share."""
    of = [Counter(strata[row] for row in group).most_common(1)[0][0] for group in groups]
    place = np.empty(len(groups))
    for label in dict.fromkeys(of):
        members = [index for index, other in enumerate(of) if other == label]
        steps = rng.permutation(len(members))
        place[members] = (steps + rng.random(len(members))) / len(members)
    return [groups[index] for index in np.argsort(place, kind="stable")]


def _deal(groups: list[list[int]], wanted: Mapping[str, int]) -> dict[str, list[int]]:
    dealt: dict[str, list[int]] = {}
    for part, size in wanted.items():
        taken: list[int] = []
        left: list[list[int]] = []
        for group in groups:
            if len(group) <= size - len(taken):
                taken.extend(group)
            else:
                left.append(group)
        if len(taken) < size and left:
            smallest = min(left, key=len)
            left.remove(smallest)
            taken.extend(smallest[: size - len(taken)])
        dealt[part], groups = taken, left
    return dealt


def _total(dealt: Mapping[str, list[int]]) -> int:
    return sum(map(len, dealt.values()))


def _text(value: Any) -> Any:
    if isinstance(value, (list, pl.Series)):
        return [str(item) for item in value]
    return None if value is None else str(value)
