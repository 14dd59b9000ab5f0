"""Token ids of rows, cut into batches that waste little padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

READ_ROWS = 16
"""Rows in every batch that is only read."""

_WIDTHS = 16
"""Batches that are only read have a width that is a multiple of this many tokens."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of n rows, not padded."""

    ids: list[list[int]]
    types: list[list[int]] | None
    """Which of the two texts each token is from; None where the checkpoint does not ask."""
    pad: int

    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each row."""
        return np.array([len(row) for row in self.ids], dtype=np.int64)

    def batch(self, rows: Sequence[int] | NDArray[np.int64], width: int, device: Any) -> dict[str, Any]:
        """Padded tensors of some rows, as an encoder takes them."""
        import torch

        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for i, row in enumerate(rows):
            n = len(self.ids[row])
            ids[i, :n], mask[i, :n] = self.ids[row], 1
            if self.types is not None:
                types[i, :n] = self.types[row]
        named = {"input_ids": ids, "attention_mask": mask} | ({} if self.types is None else {"token_type_ids": types})
        return {name: torch.from_numpy(values).to(device) for name, values in named.items()}


def encode(tokenizer: Any, rows: Sequence[tuple[str, ...]], max_length: int) -> Encoded:
    """Token ids of rows with one field or two, the longer field cut first."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if len(columns) > 2:  # an encoder knows two texts; further fields follow the second
        columns = [columns[0], [" ".join(rest) for rest in zip(*columns[1:], strict=True)]]
    found = tokenizer(*columns, truncation=True, max_length=max_length)
    return Encoded(found["input_ids"], found.get("token_type_ids"), tokenizer.pad_token_id or 0)


def training_batches(lengths: NDArray[np.int64], batch: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Every row once, in random batches of rows of similar length.

    Sorting inside chunks of 50 batches leaves the batches nearly random and cuts most of the padding.
    """
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(order), 50 * batch):
        chunk = order[start : start + 50 * batch]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
    return [batches[i] for i in rng.permutation(len(batches))]


def reading_batches(lengths: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64], int]]:
    """Every row once, in batches of one shape per width: (rows, rows filled up to `READ_ROWS`, width).

    The shape of a matrix product decides how it is added up. With a fixed shape the last bits of a row do not
    depend on which rows it is read with, so a student that is resumed or cached predicts the same.
    """
    widths = -(-lengths // _WIDTHS) * _WIDTHS
    out = []
    for width in np.unique(widths):
        rows = np.flatnonzero(widths == width)
        for start in range(0, len(rows), READ_ROWS):
            part = rows[start : start + READ_ROWS]
            out.append((part, np.resize(part, READ_ROWS), int(width)))
    return out
