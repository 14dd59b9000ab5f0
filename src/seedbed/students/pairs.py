"""What a linear student must be told about two texts, because it cannot compare them itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedbed.students.ngrams import Tokens, bigrams_of, tokens_of

_NEGATIONS = """
no not n't never none nobody nothing neither nor without cannot can't won't isn't aren't wasn't weren't don't
doesn't didn't hasn't haven't hadn't wouldn't shouldn't couldn't fails failed fail deny denies denied
"""
_NEGATION = frozenset(_NEGATIONS.split())
_NUMBER = re.compile(r"\d[\d.,]*")
_NAME = re.compile(r"(?<=\s)[A-Z]\w+")

PAIR_COLUMNS = (
    "share of the second text's words in the first",
    "share of the first text's words in the second",
    "Jaccard of words",
    "share of the second text's long words in the first",
    "share of the second text's bigrams in the first",
    "longest run of the second text found in the first, as a share",
    "log of the length ratio",
    "log of the second text's length",
    "negated in exactly one",
    "negated in the second only",
    "share of the second text's numbers missing in the first",
    "share of the second text's names missing in the first",
    "the second ends as a question",
)


def pair_features(first: str, second: str) -> list[float]:
    """The numbers named by `PAIR_COLUMNS`, each finite.

    >>> dict(zip(PAIR_COLUMNS, pair_features("He ate.", "He did not eat."), strict=True))["negated in exactly one"]
    1.0
    """
    a, b = tokens_of(first), tokens_of(second)
    words_a, words_b = set(a), set(b)
    shared = words_a & words_b
    long_b = {word for word in words_b if len(word) > 3}
    bigrams_b = set(bigrams_of(b))
    no_a, no_b = bool(words_a & _NEGATION), bool(words_b & _NEGATION)
    return [
        _share(len(shared), len(words_b)),
        _share(len(shared), len(words_a)),
        _share(len(shared), len(words_a | words_b)),
        _share(len(long_b & words_a), len(long_b)),
        _share(len(bigrams_b & set(bigrams_of(a))), len(bigrams_b)),
        _share(_longest_run(a, b), len(b)),
        float(np.log((1 + len(b)) / (1 + len(a)))),
        float(np.log(1 + len(b))),
        float(no_a != no_b),
        float(no_b and not no_a),
        _missing(_NUMBER, first, second),
        _missing(_NAME, first, second),
        float(b[-1:] == ["?"]),
    ]


def compared_words(a: Tokens, b: Tokens) -> list[str]:
    """Each word of the second text, marked + where the first has it too and - where it does not."""
    words = set(a)
    return [("+" if word in words else "-") + word for word in dict.fromkeys(b)]


def pair_matrix(rows: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """(n, len(PAIR_COLUMNS)) features of rows with two fields."""
    return np.array([pair_features(row[0], row[1]) for row in rows]).reshape(len(rows), len(PAIR_COLUMNS))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _missing(pattern: re.Pattern[str], first: str, second: str) -> float:
    wanted, there = set(pattern.findall(second)), set(pattern.findall(first))
    return _share(len(wanted - there), len(wanted))


def _longest_run(a: Tokens, b: Tokens) -> int:
    """Length in tokens of the longest piece of `b` that stands in `a` word for word."""
    places: dict[str, list[int]] = {}
    for i, word in enumerate(a):
        places.setdefault(word, []).append(i)
    best, runs = 0, dict[int, int]()
    for word in b:
        runs = {i: runs.get(i - 1, 0) + 1 for i in places.get(word, ())}
        best = max(best, *runs.values(), 0)
    return best
