"""The student for extractive questions: the encoder with a head that marks where the answer starts and ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import ConfigError, DataError
from seedbed.students.batching import reading_batches
from seedbed.students.checkpoint import device, fixed_arithmetic, need_torch, open_checkpoint, states_of
from seedbed.students.contract import Examples, TextRow, checked_rows, checked_training, read_card, write_card
from seedbed.students.encoder import load_head, save_parts, with_head
from seedbed.students.settings import ReaderSettings
from seedbed.students.spans import Span, Windows, answer_starts, best_span, slide, token_targets
from seedbed.students.tuning import fine_tune


class ReaderStudent:
    """Answers a question with a piece of the context, word for word. Rows are (context, question).

    Every question is taken to have an answer: it cannot say that there is none.

    Args:
        settings: See `ReaderSettings`.
        labels: Must be empty; there so that all students are opened alike.
    """

    def __init__(self, settings: ReaderSettings | None = None, labels: Sequence[str] = ()) -> None:
        self.settings = settings or ReaderSettings()
        self.labels = tuple(labels)
        if self.labels:
            raise ConfigError("a reader has no labels", f"{self.labels[:5]}", "use `linear`, `embedding` or `encoder`")

    @property
    def classes_(self) -> list[str]:
        """Empty: answers are spans, not labels."""
        return []

    def fit(
        self,
        X: Sequence[TextRow],
        y: Sequence[str],
        *,
        sample_weight: ArrayLike | None = None,
        select: Examples | None = None,
        rng_seed: int = 0,
        starts: Sequence[int] | None = None,
    ) -> Self:
        """Learn from the checkpoint, keeping the epoch with the best word overlap on `select`; see `Student.fit`.

        Args:
            starts: (n,) offset of each answer in its context; None takes the first occurrence.

        Raises:
            DataError: Answers that are not in their context; the message says how many.
        """
        need_torch()
        import torch

        rows, weight = checked_training(X, y, sample_weight)
        _need_pairs(rows)
        offsets = answer_starts(rows, y, starts)
        with fixed_arithmetic(rng_seed):
            self.tokenizer_, backbone = open_checkpoint(self.settings.checkpoint)
            self.parts_ = with_head(backbone, 2).to(device())
            windows = self._windows(rows)
            lengths = windows.encoded.lengths()
            targets = torch.from_numpy(token_targets(windows, offsets, y)).to(device())
            weights = torch.from_numpy(weight[windows.row].astype(np.float32)).to(device())

            def loss_of(batch: NDArray[np.int64]) -> Any:
                scores = self._scores(windows, batch, int(lengths[batch].max()))
                losses = torch.nn.functional.cross_entropy(scores, targets[batch], reduction="none").mean(1)
                return (losses * weights[batch]).mean()

            self.select_scores_ = fine_tune(
                self.parts_,
                lengths,
                loss_of,
                None if select is None else lambda: self._overlap(select),
                settings=self.settings,
                rng_seed=rng_seed,
            )
        return self

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) answers, each a piece of its context, word for word."""
        return [span.text for span in self.predict_spans(X)]

    def predict_spans(self, X: Sequence[TextRow]) -> list[Span]:
        """(n,) answers with their place and confidence."""
        import torch

        rows = checked_rows(X)
        if not rows:
            return []
        _need_pairs(rows)
        windows = self._windows(rows)
        scored: list[list[Any]] = [[] for _ in rows]
        self.parts_.to(device())
        with fixed_arithmetic(), torch.inference_mode():
            for part, filled, width in reading_batches(windows.encoded.lengths()):
                scores = self._scores(windows, filled, width).double().cpu().numpy()
                for i, window in enumerate(part):
                    scored[windows.row[window]].append((scores[i, :, 0], scores[i, :, 1], windows.offsets[window]))
        chosen = self.settings
        return [
            best_span(row[0], parts, max_answer=chosen.max_answer, n_best=chosen.n_best)
            for row, parts in zip(rows, scored, strict=True)
        ]

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """Always refuses: spans have no columns. `confidence` gives the share of the predicted span.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("a reader has no label probabilities", f"{len(X)} rows", "use `confidence`")

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) share in [0, 1] of the predicted span among the n best."""
        return np.array([span.confidence for span in self.predict_spans(X)])

    def _windows(self, rows: list[TextRow]) -> Windows:
        return slide(self.tokenizer_, rows, self.settings.max_length, self.settings.stride)

    def _scores(self, windows: Windows, batch: NDArray[np.int64], width: int) -> Any:
        """(batch, tokens, 2) start and end scores; padding cannot be chosen."""
        tensors = windows.encoded.batch(batch, width, device())
        states = states_of(self.parts_["encoder"], tensors).float()
        scores = self.parts_["head"](self.parts_["dropout"](states))
        return scores.masked_fill(tensors["attention_mask"].unsqueeze(-1) == 0, -1e4)

    def _overlap(self, select: Examples) -> float:
        # Smoother than exact match, which on a few hundred rows moves by luck.
        return float(np.mean([_shared_words(a, b) for a, b in zip(self.predict(select[0]), select[1], strict=True)]))

    def save(self, folder: Path) -> None:
        """Write safetensors, the tokenizer's files and JSON."""
        write_card(folder, self.settings)
        save_parts(self.parts_, self.tokenizer_, folder)

    @classmethod
    def load(cls, folder: Path) -> ReaderStudent:
        """Read what `save` wrote."""
        student = cls(ReaderSettings.model_validate(read_card(folder)["settings"]))
        student.tokenizer_, backbone = open_checkpoint(str(folder / "encoder"))
        student.parts_, student.select_scores_ = load_head(with_head(backbone, 2), folder), []
        return student

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "parts_"):
            self.parts_.cpu()  # so that a machine without this accelerator can read the pickle
        return dict(self.__dict__)


def _need_pairs(rows: list[TextRow]) -> None:
    if len(rows[0]) != 2:
        raise DataError("a reader's rows are (context, question)", f"{len(rows[0])} fields", "give both fields")


def _shared_words(answer: str, gold: str) -> float:
    """Harmonic mean of the shares of shared words, in [0, 1]."""
    a, b = (Counter(re.findall(r"\w+", text.lower())) for text in (answer, gold))
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else float(answer == gold)
