"""What an operator makes of a text: one defect, where it is, and what stood there before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Candidates = Callable[[str, np.random.Generator], "Iterator[Edit]"]
Check = Callable[[str, str], bool]
"""(original, tampered) -> still right; True throws the candidate away."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text with one known defect."""

    text: str
    was: str
    now: str
    at: int
    """Place in the original text, in characters."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A way to plant one type of defect. It offers edits in random order; who plants takes the first that is real."""

    defect: str
    candidates: Candidates
    needs_check: bool = False
    """True where an edit may leave the row right, as a changed program may still do its job."""


def replaced(text: str, start: int, end: int, now: str) -> Edit:
    """The text with one span replaced."""
    return Edit(text[:start] + now + text[end:], text[start:end], now, start)


def shuffled(rng: np.random.Generator, found: Iterable[T]) -> Sequence[T]:
    """The same in random order."""
    listed = list(found)
    return [listed[at] for at in rng.permutation(len(listed))]
