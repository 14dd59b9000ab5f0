"""The cheap neural student: a frozen encoder's sentence vectors under a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.students.batching import encode, reading_batches
from seedbed.students.checkpoint import device, fixed_arithmetic, mean_state, need_torch, open_checkpoint, states_of
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
from seedbed.students.settings import EmbeddingSettings

_KEPT: dict[tuple[str | None, int], dict[str, NDArray[np.float32]]] = {}
"""Sentence vectors of this process, by checkpoint and length, then by text."""

_MOST_KEPT = 200_000
"""About 300 MB of vectors of 384 numbers. Emptied when full: a vector does not depend on when it was made."""


class EmbeddingStudent:
    """Each text is read by the frozen encoder once per process; after that a fit takes a fraction of a second.

    For two texts with vectors u and v it sees u, v, |u - v| and u * v. The texts never meet in attention: use
    `encoder` where one must be read in the light of the other.

    Args:
        settings: See `EmbeddingSettings`.
        labels: All label names of the task, the columns of `predict_proba`; empty takes those seen in training.
    """

    def __init__(self, settings: EmbeddingSettings | None = None, labels: Sequence[str] = ()) -> None:
        self.settings = settings or EmbeddingSettings()
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
        c = self.settings.c or (1.0 if len(rows[0]) == 1 else 0.1)
        self.logistic_ = fit_logistic(self._features(rows), target, weight, n_labels=len(self.classes_), c=c)
        return self

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) the most probable label; the first in `classes_` where two tie."""
        return best_labels(self.classes_, self.predict_proba(X))

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n, n_labels) probabilities, columns as in `classes_`."""
        rows = checked_rows(X)
        if not rows:
            return np.zeros((0, len(self.classes_)))
        return self.logistic_.proba(self._features(rows))

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) probability of the predicted label."""
        return best_shares(self.predict_proba(X))

    def _features(self, rows: list[TextRow]) -> NDArray[np.float64]:
        chosen = self.settings
        texts = [text for row in rows for text in row]
        vectors = sentence_vectors(texts, checkpoint=chosen.checkpoint, max_length=chosen.max_length)
        by_field = vectors.reshape(len(rows), len(rows[0]), -1).transpose(1, 0, 2)
        if len(by_field) != 2:
            return np.hstack(list(by_field))
        u, v = by_field
        # Numbers of u and v are near 1 / sqrt(width), so their products are that much smaller again.
        return np.hstack([u, v, np.abs(u - v), u * v * np.sqrt(vectors.shape[1])])

    def save(self, folder: Path) -> None:
        """Write JSON and plain arrays. The encoder is frozen, so it is named and not copied."""
        write_card(folder, self.settings, labels=self.labels, classes=self.classes_)
        head = self.logistic_
        np.savez(
            folder / "arrays.npz",
            allow_pickle=False,
            coefficients=head.coefficients,
            intercepts=head.intercepts,
            seen=head.seen,
        )

    @classmethod
    def load(cls, folder: Path) -> EmbeddingStudent:
        """Read what `save` wrote; the checkpoint must be where it was."""
        card = read_card(folder)
        student = cls(EmbeddingSettings.model_validate(card["settings"]), card["labels"])
        student.classes_ = card["classes"]
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            student.logistic_ = Logistic(
                arrays["coefficients"], arrays["intercepts"], arrays["seen"], len(student.classes_)
            )
        return student


def sentence_vectors(
    texts: Sequence[str], *, checkpoint: str | None = None, max_length: int = 128
) -> NDArray[np.float64]:
    """(n, width) mean of each text's last states, scaled to length 1; read once per process and kept.

    Raises:
        ConfigError: The extra is missing.
    """
    need_torch()
    kept = _KEPT.setdefault((checkpoint, max_length), {})
    wanted = set(texts)
    if len(kept) + len(wanted) > _MOST_KEPT:
        kept.clear()
    new = sorted(wanted - kept.keys())
    if new:
        kept.update(zip(new, _read(new, checkpoint, max_length), strict=True))
    return np.array([kept[text] for text in texts], dtype=np.float64)


@lru_cache(maxsize=2)
def _opened(checkpoint: str | None) -> tuple[Any, Any]:
    return open_checkpoint(checkpoint)


def _read(texts: list[str], checkpoint: str | None, max_length: int) -> NDArray[np.float32]:
    import torch

    tokenizer, encoder = _opened(checkpoint)
    encoder.to(device())
    encoded = encode(tokenizer, [(text,) for text in texts], max_length)
    out = np.zeros((len(texts), encoder.config.hidden_size), dtype=np.float32)
    with fixed_arithmetic(), torch.inference_mode():
        for part, filled, width in reading_batches(encoded.lengths()):
            batch = encoded.batch(filled, width, device())
            pooled = mean_state(states_of(encoder, batch).float(), batch["attention_mask"])
            out[part] = torch.nn.functional.normalize(pooled, dim=1)[: len(part)].cpu().numpy()
    return out
