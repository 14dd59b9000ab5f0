"""The student that reads in context: a transformer encoder, fine-tuned with a classification head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.quiet import quiet
from seedbed.students.batching import Encoded, encode, reading_batches
from seedbed.students.checkpoint import (
    device,
    fixed_arithmetic,
    mean_state,
    need_torch,
    open_checkpoint,
    states_of,
)
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
from seedbed.students.settings import EncoderSettings
from seedbed.students.tuning import fine_tune


class EncoderStudent:
    """Fine-tunes every weight above `frozen_layers`; a pair is read as one sequence, so its texts meet in attention.

    The head sits on the mean of the last states (the way MiniLM was trained), behind dropout.

    Args:
        settings: See `EncoderSettings`.
        labels: All label names of the task, the columns of `predict_proba`; empty takes those seen in training.
    """

    def __init__(self, settings: EncoderSettings | None = None, labels: Sequence[str] = ()) -> None:
        self.settings = settings or EncoderSettings()
        self.labels = tuple(labels)

    def fit(
        self,
        X: Sequence[TextRow],
        y: Sequence[str],
        *,
        sample_weight: ArrayLike | None = None,
        select: Examples | None = None,
        rng_seed: int = 0,
    ) -> Self:
        """Learn from the checkpoint, keeping the epoch with the best accuracy on `select`; see `Student.fit`."""
        need_torch()
        import torch

        rows, weight = checked_training(X, y, sample_weight)
        self.classes_, target = label_indices(y, self.labels)
        self.seen_ = [int(i) for i in np.unique(target[weight > 0])]
        with fixed_arithmetic(rng_seed):
            self.tokenizer_, backbone = open_checkpoint(self.settings.checkpoint)
            self.parts_ = with_head(backbone, len(self.classes_)).to(device())
            encoded = encode(self.tokenizer_, rows, self.settings.max_length)
            targets, weights = (torch.from_numpy(v).to(device()) for v in (target, weight.astype(np.float32)))

            def loss_of(batch: NDArray[np.int64]) -> Any:
                scores = self._scores(encoded, batch, int(encoded.lengths()[batch].max()))
                loss = torch.nn.functional.cross_entropy(scores, targets[batch], reduction="none")
                return (loss * weights[batch]).mean()

            self.select_scores_ = fine_tune(
                self.parts_,
                encoded.lengths(),
                loss_of,
                None if select is None else lambda: self._accuracy(select),
                settings=self.settings,
                rng_seed=rng_seed,
            )
        return self

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) the most probable label; the first in `classes_` where two tie."""
        return best_labels(self.classes_, self.predict_proba(X))

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n, n_labels) probabilities, columns as in `classes_`."""
        import torch

        rows = checked_rows(X)
        out = np.zeros((len(rows), len(self.classes_)))
        if not rows:
            return out
        encoded = encode(self.tokenizer_, rows, self.settings.max_length)
        self.parts_.to(device())
        with fixed_arithmetic(), torch.inference_mode():
            for part, filled, width in reading_batches(encoded.lengths()):
                proba = self._scores(encoded, filled, width).double().softmax(1)
                out[part] = proba[: len(part)].cpu().numpy()
        return out

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) probability of the predicted label."""
        return best_shares(self.predict_proba(X))

    def _scores(self, encoded: Encoded, rows: NDArray[np.int64], width: int) -> Any:
        import torch

        batch = encoded.batch(rows, width, device())
        pooled = mean_state(states_of(self.parts_["encoder"], batch).float(), batch["attention_mask"])
        scores = self.parts_["head"](self.parts_["dropout"](pooled))
        # A label that no row had stays at probability 0, as in every student here.
        unseen = torch.ones(len(self.classes_), dtype=torch.bool, device=scores.device)
        unseen[self.seen_] = False
        return scores.masked_fill(unseen, float("-inf"))

    def _accuracy(self, select: Examples) -> float:
        return float(np.mean([a == b for a, b in zip(self.predict(select[0]), select[1], strict=True)]))

    def save(self, folder: Path) -> None:
        """Write safetensors, the tokenizer's files and JSON."""
        write_card(folder, self.settings, labels=self.labels, classes=self.classes_, seen=self.seen_)
        save_parts(self.parts_, self.tokenizer_, folder)

    @classmethod
    def load(cls, folder: Path) -> EncoderStudent:
        """Read what `save` wrote."""
        card = read_card(folder)
        student = cls(EncoderSettings.model_validate(card["settings"]), card["labels"])
        student.classes_, student.seen_, student.select_scores_ = card["classes"], card["seen"], []
        student.tokenizer_, backbone = open_checkpoint(str(folder / "encoder"))
        student.parts_ = load_head(with_head(backbone, len(student.classes_)), folder)
        return student

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "parts_"):
            self.parts_.cpu()  # so that a machine without this accelerator can read the pickle
        return dict(self.__dict__)


def with_head(backbone: Any, n_out: int) -> Any:
    """The encoder with dropout and a fresh linear head of `n_out` columns, in evaluation mode."""
    import torch

    head = torch.nn.Linear(backbone.config.hidden_size, n_out)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    parts = {"encoder": backbone, "dropout": torch.nn.Dropout(0.1), "head": head}
    return torch.nn.ModuleDict(parts).eval()


def save_parts(parts: Any, tokenizer: Any, folder: Path) -> None:
    """Write `encoder/` as a checkpoint that anybody can open, and the head beside it."""
    from safetensors.torch import save_file

    with quiet():
        tokenizer.save_pretrained(folder / "encoder")
        parts["encoder"].save_pretrained(folder / "encoder")
    save_file({k: v.contiguous().cpu() for k, v in parts["head"].state_dict().items()}, folder / "head.safetensors")


def load_head(parts: Any, folder: Path) -> Any:
    """Put the saved head onto an opened encoder."""
    from safetensors.torch import load_file

    parts["head"].load_state_dict(load_file(folder / "head.safetensors"))
    return parts
