"""The keys and values of a batch whose rows come and go: prompts are read once, copied to their draws, cut when done.

All rows end in the same column and are padded on the left, so a row's tokens stand together whatever its length is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt that the model has read."""

    layers: tuple[tuple[Any, Any], ...]
    """Per layer the (heads, tokens, width) keys and values."""
    logits: Any
    """(vocabulary,) float32 logits of the token that comes next."""

    @property
    def length(self) -> int:
        """Tokens of the prompt."""
        return int(self.layers[0][0].shape[-2])

    def alone(self) -> Prefix:
        """A copy that does not keep the batch alive which it was read in."""
        return Prefix(tuple((keys.clone(), values.clone()) for keys, values in self.layers), self.logits.clone())


class Reader:
    """Puts tokens through a model and counts them.

    Args:
        model: A transformers causal language model that keeps keys and values.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = model.device
        known = signature(model.forward).parameters
        self._takes_positions = "position_ids" in known
        self._options = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self.tokens_read = self.tokens_padded = 0
        """Tokens that went through the model, and padding that went with prompts."""
        self._cell_bytes = 0
        """Bytes of keys and values per token; 0 before anything was read."""

    def most_cells(self, memory: Memory, share: float) -> float:
        """Tokens, padding included, that the keys and values of a batch may have; only a GPU sets a limit.

        Args:
            memory: The batch's, which counts as free.
            share: Of the free memory, in (0, 1].
        """
        import torch

        if self.device.type != "cuda" or not self._cell_bytes:
            return float("inf")
        rows, columns = memory.shape
        # What torch reserved and does not use is free for us, although the driver counts it as taken.
        unused = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        free = float(torch.cuda.mem_get_info(self.device)[0] + unused)
        return share * (free / self._cell_bytes + rows * columns)

    def tidy(self) -> None:
        """Give memory that is not used back to the device."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def forward(self, tokens: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """(rows, vocabulary) float32 logits after the last column; `cache` grows by the tokens."""
        options = dict(self._options)
        if self._takes_positions:
            options["position_ids"] = positions
        output = self.model(
            input_ids=tokens, attention_mask=mask, past_key_values=cache, use_cache=True, return_dict=True, **options
        )
        return output.logits[:, -1].float()

    def read(self, prompts: Sequence[Sequence[int]]) -> list[Prefix]:
        """Put prompts of similar length through the model together."""
        import torch
        from transformers import DynamicCache

        longest = max(map(len, prompts))
        tokens = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for number, prompt in enumerate(prompts):
            tokens[number, longest - len(prompt) :] = torch.tensor(prompt)
            mask[number, longest - len(prompt) :] = 1
        tokens, mask = tokens.to(self.device), mask.to(self.device)
        cache = DynamicCache()
        logits = self.forward(tokens, mask, (mask.cumsum(-1) - 1).clamp(min=0), cache)
        read = sum(map(len, prompts))
        self.tokens_read += read
        self.tokens_padded += tokens.numel() - read
        self._cell_bytes = sum(it[0, :, 0].nbytes for layer in cache.layers for it in (layer.keys, layer.values))
        starts = [longest - len(prompt) for prompt in prompts]
        return [
            Prefix(tuple((it.keys[row, :, start:], it.values[row, :, start:]) for it in cache.layers), logits[row])
            for row, start in enumerate(starts)
        ]


class Memory:
    """Keys, values and mask of the rows in a batch."""

    def __init__(self) -> None:
        self.cache: Any = None
        self.mask: Any = None
        """(rows, columns) 1 for a token, 0 for padding."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (0, 0) if self.mask is None else tuple(self.mask.shape)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows, and the columns that none of the rest needs."""
        import torch

        if not rows:
            self.cache = self.mask = None
            return
        index = torch.tensor(rows, device=self.mask.device)
        mask = self.mask[index]
        start = int(mask.any(0).long().argmax())
        self.mask = mask[:, start:]
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[index, :, start:], layer.values[index, :, start:]

    def join(self, prefixes: Sequence[Prefix], counts: Sequence[int]) -> None:
        """Add rows: each prefix so many times, in this order, after the rows that are there."""
        from transformers import DynamicCache

        rows, columns = self.shape
        longest = max(columns, *(prefix.length for prefix in prefixes))
        total = rows + sum(counts)
        cache = DynamicCache()
        for number, pair in enumerate(prefixes[0].layers):
            old = (None, None) if self.cache is None else _pair(self.cache.layers[number])
            parts = [prefix.layers[number] for prefix in prefixes]
            made = [
                _stacked(total, longest, old[side], [part[side] for part in parts], counts) for side in range(len(pair))
            ]
            cache.update(*made, number)
        mask = prefixes[0].layers[0][0].new_zeros(total, longest).long()
        if rows:
            mask[:rows, longest - columns :] = self.mask
        for prefix, count in zip(prefixes, counts, strict=True):
            mask[rows : rows + count, longest - prefix.length :] = 1
            rows += count
        self.cache, self.mask = cache, mask

    def grow(self) -> Any:
        """(rows, columns + 1) the mask with one more token in every row."""
        import torch

        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        return self.mask


def _pair(layer: Any) -> tuple[Any, Any]:
    return layer.keys, layer.values


def _stacked(rows: int, columns: int, old: Any, parts: Sequence[Any], counts: Sequence[int]) -> Any:
    """(rows, heads, columns, width): the old rows, then each part so many times, all ending in the last column."""
    heads, _, width = parts[0].shape
    made = parts[0].new_zeros(rows, heads, columns, width)
    row = 0
    if old is not None:
        row = len(old)
        made[:row, :, columns - old.shape[-2] :] = old
    for part, count in zip(parts, counts, strict=True):
        made[row : row + count, :, columns - part.shape[-2] :] = part
        row += count
    return made
