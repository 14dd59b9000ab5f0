"""The student that needs no extra: TF-IDF of words and characters under a logistic regression."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from seedbed.students.contract import (
    Examples,
    TextRow,
    best_labels,
    best_shares,
    checked_rows,
    checked_training,
    label_indices,
    read_card,
    write_card,
)
from seedbed.students.logistic import Logistic, fit_logistic
from seedbed.students.ngrams import FieldFeatures, TfIdf, term_counts, tokens_of
from seedbed.students.pairs import compared_words, pair_matrix
from seedbed.students.settings import LinearSettings


class LinearStudent:
    """Learns which words and characters go with which label; trains in a second, so it can be trained often.

    A pair of texts also gets numbers about its overlap, without which no linear model can compare two texts.
    It reads no word order beyond two words: use `encoder` where that decides.

    Args:
        settings: See `LinearSettings`.
        labels: All label names of the task, the columns of `predict_proba`; empty takes those seen in training.
    """

    def __init__(self, settings: LinearSettings | None = None, labels: Sequence[str] = ()) -> None:
        self.settings = settings or LinearSettings()
        self.labels = tuple(labels)

    def fit(
        self,
        X: Sequence[TextRow],
        y: Sequence[str],
        *,
        sample_weight: ArrayLike | None = None,
        select: Examples | None = None,  # noqa: ARG002 - the solver converges: there is no checkpoint to choose
        rng_seed: int = 0,  # noqa: ARG002 - it starts at zero: there is nothing to draw
    ) -> Self:
        """Learn from scratch; see `Student.fit`."""
        rows, weight = checked_training(X, y, sample_weight)
        self.classes_, target = label_indices(y, self.labels)
        self.n_fields_ = len(rows[0])
        self.fields_ = [FieldFeatures(self.settings.max_features) for _ in range(self.n_fields_)]
        self.compared_ = TfIdf(self.settings.max_features)
        self.center_, self.scale_ = np.zeros(0), np.ones(0)
        features = self._features(rows, learn=True)
        c = self.settings.c or (3.0 if self.n_fields_ == 1 else 0.3)
        self.logistic_ = fit_logistic(features, target, weight, n_labels=len(self.classes_), c=c)
        return self

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) the most probable label; the first in `classes_` where two tie."""
        return best_labels(self.classes_, self.predict_proba(X))

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n, n_labels) probabilities, columns as in `classes_`."""
        rows = checked_rows(X)
        if not rows:
            return np.zeros((0, len(self.classes_)))
        return self.logistic_.proba(self._features(rows, learn=False))

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) probability of the predicted label."""
        return best_shares(self.predict_proba(X))

    def _features(self, rows: list[TextRow], *, learn: bool) -> sparse.csr_matrix:
        tokens = [[tokens_of(row[i]) for row in rows] for i in range(self.n_fields_)]
        blocks: list[Any] = [
            block.fit(texts) if learn else block.transform(texts)
            for block, texts in zip(self.fields_, tokens, strict=True)
        ]
        if self.n_fields_ == 2:
            compared = [compared_words(a, b) for a, b in zip(*tokens, strict=True)]
            if learn:
                blocks.append(self.compared_.fit(*term_counts(compared, None)))
            else:
                blocks.append(self.compared_.weigh(term_counts(compared, self.compared_.vocabulary_)[0]))
            dense = pair_matrix(rows)
            if learn:
                self.center_ = dense.mean(axis=0)
                self.scale_ = np.maximum(dense.std(axis=0), 1e-6)
            blocks.append(sparse.csr_matrix((dense - self.center_) / self.scale_))
        return sparse.csr_matrix(sparse.hstack(blocks))

    def save(self, folder: Path) -> None:
        """Write JSON and plain arrays: loading them runs no code."""
        write_card(folder, self.settings, labels=self.labels, classes=self.classes_, n_fields=self.n_fields_)
        blocks = self._blocks()
        vocabularies = json.dumps([list(block.vocabulary_) for block in blocks], ensure_ascii=False)
        (folder / "vocabularies.json").write_text(vocabularies, encoding="utf-8")
        arrays = {f"idf{i}": block.idf_ for i, block in enumerate(blocks)}
        head = self.logistic_
        np.savez(
            folder / "arrays.npz",
            allow_pickle=False,
            coefficients=head.coefficients,
            intercepts=head.intercepts,
            seen=head.seen,
            center=self.center_,
            scale=self.scale_,
            **arrays,
        )

    @classmethod
    def load(cls, folder: Path) -> LinearStudent:
        """Read what `save` wrote."""
        card = read_card(folder)
        student = cls(LinearSettings.model_validate(card["settings"]), card["labels"])
        student.classes_, student.n_fields_ = card["classes"], card["n_fields"]
        student.fields_ = [FieldFeatures(student.settings.max_features) for _ in range(student.n_fields_)]
        student.compared_ = TfIdf(student.settings.max_features)
        vocabularies = json.loads((folder / "vocabularies.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            for i, (block, terms) in enumerate(zip(student._blocks(), vocabularies, strict=True)):
                block.vocabulary_ = {term: column for column, term in enumerate(terms)}
                block.idf_ = arrays[f"idf{i}"]
            student.center_, student.scale_ = arrays["center"], arrays["scale"]
            student.logistic_ = Logistic(
                arrays["coefficients"], arrays["intercepts"], arrays["seen"], len(student.classes_)
            )
        return student

    def _blocks(self) -> list[TfIdf]:
        return [block for one in self.fields_ for block in (one.words, one.characters)] + [self.compared_]
