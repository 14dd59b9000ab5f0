"""Which text is nearly which other text: an answer with its reason for every row, so that the caller can decide.

Similarity is the share of shingles (short runs of characters or words) that two texts have in common, counted
exactly: no hashing, so that a match can be shown to somebody and the same rows always give the same answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from seedbed.errors import DataError

Shingles = Literal["characters", "words"]

RUN = 5
"""Characters in a shingle: about a word, so that a changed word costs a few shingles and a changed order few."""
CELLS = 6_000_000
"""Cells of a block of the comparison: at most 50 MB, whatever the number of texts."""


@dataclass(frozen=True, slots=True)
class Match:
    """The most similar other text."""

    index: int
    """Its position in `texts`, or in `against` where that was given."""
    similarity: float
    """Shared shingles divided by all shingles of the two (Jaccard), in (0, 1]; higher is more alike."""
    is_exact: bool
    """The same text but for case, spaces and punctuation."""


def normalise(text: str) -> str:
    """The text without what does not make it another text: case, punctuation, spaces, compatibility forms.

    >>> normalise("It's  GREAT!")
    'it s great'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", folded).split())


def nearest(
    texts: Sequence[str], against: Sequence[str] | None = None, *, shingles: Shingles = "characters"
) -> list[Match | None]:
    """For each text the most similar earlier one, or the most similar in `against`; exact search.

    Cost grows with the product of the two sizes: 20,000 sentences among themselves take seconds, a million do not.

    Args:
        texts: (n,) texts to look up.
        against: (m,) texts to look them up in; None compares each with those before it, so the first of a family
            has no match and is the one to keep.
        shingles: "characters" also catches typos; "words" is for texts whose spelling can be trusted.

    Returns:
        (n,) the match, the lowest index where several are as similar; None where nothing is shared.

    Raises:
        DataError: One of the texts is missing.
    """
    mine = _normalised(texts, "texts")
    theirs = mine if against is None else _normalised(against, "against")
    first: dict[str, int] = {}
    for index, text in enumerate(theirs):
        first.setdefault(text, index)
    limit = np.arange(len(mine)) if against is None else np.full(len(mine), len(theirs))
    found = _most_similar(mine, theirs, limit, shingles)
    return [
        Match(first[text], 1.0, is_exact=True) if first.get(text, limit[row]) < limit[row] else match
        for row, (text, match) in enumerate(zip(mine, found, strict=True))
    ]


def near_duplicates(
    texts: Sequence[str],
    *,
    against: Sequence[str] | None = None,
    threshold: float = 0.7,
    shingles: Shingles = "characters",
) -> list[Match | None]:
    """For each text the earlier one (or the one in `against`) that it nearly copies, or None.

    The text itself stays with the caller: a row that is set aside can then say which row it copies, and another
    threshold can be tried on the answers of `nearest` without comparing again.

    Args:
        texts: (n,) texts to judge.
        against: (m,) texts that must not be copied; None compares each with those before it.
        threshold: Lowest similarity that counts as a copy, in (0, 1].
        shingles: See `nearest`.

    Returns:
        (n,) the most similar match at or above the threshold.

    Raises:
        DataError: One of the texts is missing, or the threshold is outside (0, 1].

    >>> [bool(match) for match in near_duplicates(["A fine film.", "a fine  film", "Dull and long."])]
    [False, True, False]
    """
    if not 0 < threshold <= 1:
        raise DataError("a similarity threshold lies above 0 and up to 1", f"{threshold}", "0.7 finds light edits")
    return [
        match if match is not None and (match.is_exact or match.similarity >= threshold) else None
        for match in nearest(texts, against, shingles=shingles)
    ]


def _normalised(texts: Sequence[str], name: str) -> list[str]:
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError("a text is missing", f"{name}[{index}] is {text!r}", "fill or drop rows without text")
    return [normalise(text) for text in texts]


def _pieces(text: str, shingles: Shingles) -> set[str]:
    if not text:
        return set()
    if shingles == "words":
        words = text.split()
        return {*words, *(f"{left} {right}" for left, right in pairwise(words))}
    # The spaces at both ends keep a word's edge apart from its middle, and let short texts have a shingle.
    padded = f" {text} "
    return {padded[start : start + RUN] for start in range(max(1, len(padded) - RUN + 1))}


def _table(texts: list[str], known: dict[str, int], shingles: Shingles) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Which text has which shingle, and how many each has; `known` numbers the shingles and grows."""
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns.extend(sorted(known.setdefault(piece, len(known)) for piece in _pieces(text, shingles)))
        ends.append(len(columns))
    indices, indptr = np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32)
    table = sparse.csr_array((np.ones(len(columns), np.float32), indices, indptr), shape=(len(texts), len(known)))
    return table, np.diff(indptr).astype(np.float64)


def _most_similar(
    mine: list[str], theirs: list[str], limit: NDArray[np.intp], shingles: Shingles
) -> Iterator[Match | None]:
    known: dict[str, int] = {}
    others, other_sizes = _table(theirs, known, shingles)
    table, sizes = (others, other_sizes) if mine is theirs else _table(mine, known, shingles)
    lookup = sparse.csr_array((others.data, others.indices, others.indptr), shape=(len(theirs), len(known))).T.tocsr()
    step = max(1, CELLS // max(1, len(theirs)))
    for start in range(0, len(mine), step):
        stop = min(start + step, len(mine))
        yield from _block(table[start:stop] @ lookup, sizes[start:stop], other_sizes, limit[start:stop])


def _block(
    shared: sparse.csr_array, sizes: NDArray[np.float64], other_sizes: NDArray[np.float64], limit: NDArray[np.intp]
) -> Iterator[Match | None]:
    """Compare some texts with all others, from the shingles each pair shares."""
    for row in range(shared.shape[0]):
        span = slice(shared.indptr[row], shared.indptr[row + 1])
        candidates, common = shared.indices[span], shared.data[span]
        likeness = common / (sizes[row] + other_sizes[candidates] - common)
        likeness[candidates >= limit[row]] = 0
        best = likeness.max(initial=0)
        # A sparse product has its columns in no order, so the lowest index is asked for by name.
        yield Match(int(candidates[likeness == best].min()), float(best), is_exact=False) if best > 0 else None
