"""TF-IDF of words (one and two) and of characters (three to five, inside a word), fast enough for hundreds of fits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_TOKEN = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")

Tokens = list[str]


def tokens_of(text: str) -> Tokens:
    """Lower-cased words and single punctuation marks, in order.

    >>> tokens_of("Don't go, Ann!")
    ["don't", 'go', ',', 'ann', '!']
    """
    return _TOKEN.findall(text.lower())


def bigrams_of(tokens: Tokens) -> list[str]:
    """Neighbouring tokens joined by a blank."""
    return [f"{a} {b}" for a, b in pairwise(tokens)]


def _characters_of(word: str) -> list[str]:
    padded = f" {word} "
    return [padded[i : i + n] for n in (3, 4, 5) for i in range(len(padded) - n + 1)]


def term_counts(
    rows: Sequence[Sequence[str]], vocabulary: dict[str, int] | None
) -> tuple[sparse.csr_matrix, list[str]]:
    """Count terms: (n, terms) and the terms. With a vocabulary, only its terms and in its columns."""
    place: dict[str, int] = vocabulary if vocabulary is not None else defaultdict()
    if isinstance(place, defaultdict):
        place.default_factory = place.__len__
        columns = [[place[term] for term in row] for row in rows]
    else:
        columns = [[place[term] for term in row if term in place] for row in rows]
    lengths = [len(row) for row in columns]
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    indices = np.array([c for row in columns for c in row], dtype=np.int32)
    shape = (len(rows), len(place))
    counted = sparse.csr_matrix((np.ones(len(indices), dtype=np.float64), indices, indptr), shape=shape)
    counted.sum_duplicates()
    return counted, list(place)


@dataclass
class TfIdf:
    """One block of terms, weighted (1 + log count) * idf and scaled to length 1 per row."""

    max_features: int
    vocabulary_: dict[str, int] = field(default_factory=dict)
    idf_: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def fit(self, counted: sparse.csr_matrix, terms: list[str]) -> sparse.csr_matrix:
        """Choose the terms and return (n, kept) features of the counted rows."""
        n = counted.shape[0]
        in_rows = np.bincount(counted.indices, minlength=len(terms))
        # A term of one row says nothing about another, except where there are hardly any rows.
        candidates = np.flatnonzero(in_rows >= (2 if n >= 50 else 1))
        order = np.argsort(-in_rows[candidates], kind="stable")[: self.max_features]
        kept = np.sort(candidates[order])
        self.vocabulary_ = {terms[column]: i for i, column in enumerate(kept)}
        self.idf_ = np.log((1 + n) / (1 + in_rows[kept])) + 1
        return self.weigh(counted[:, kept])

    def weigh(self, counted: sparse.csr_matrix) -> sparse.csr_matrix:
        """(n, kept) features of rows counted in this vocabulary's columns."""
        out = counted.copy()
        out.sort_indices()  # sums run in this order: a row must not depend on the words of other rows
        out.data = (1 + np.log(out.data)) * self.idf_[out.indices]
        lengths = np.sqrt(np.asarray(out.multiply(out).sum(axis=1))).ravel()
        return sparse.csr_matrix(sparse.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ out)


@dataclass
class FieldFeatures:
    """Words and characters of one field.

    Characters are cut inside words only, so each distinct word is cut once and counts of n-grams are the product
    (rows x words) @ (words x n-grams): several times faster than cutting every row, with the same result.
    """

    max_features: int
    words: TfIdf = field(init=False)
    characters: TfIdf = field(init=False)

    def __post_init__(self) -> None:
        self.words, self.characters = TfIdf(self.max_features), TfIdf(self.max_features)

    def fit(self, rows: Sequence[Tokens]) -> sparse.csr_matrix:
        """Learn both vocabularies; (n, d) features."""
        words = self.words.fit(*term_counts([row + bigrams_of(row) for row in rows], None))
        singles, vocabulary = term_counts(rows, None)
        cut, terms = term_counts([_characters_of(word) for word in vocabulary], None)
        characters = self.characters.fit(sparse.csr_matrix(singles @ cut), terms)
        return sparse.csr_matrix(sparse.hstack([words, characters]))

    def transform(self, rows: Sequence[Tokens]) -> sparse.csr_matrix:
        """(n, d) features of other rows."""
        words = self.words.weigh(term_counts([row + bigrams_of(row) for row in rows], self.words.vocabulary_)[0])
        singles, vocabulary = term_counts(rows, None)
        cut, _ = term_counts([_characters_of(word) for word in vocabulary], self.characters.vocabulary_)
        characters = self.characters.weigh(sparse.csr_matrix(singles @ cut))
        return sparse.csr_matrix(sparse.hstack([words, characters]))
