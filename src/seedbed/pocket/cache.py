"""What rows remember: keys and values of prompts, which all draws share, and of what each draw has written so far.

A *bunch* is rows that joined at the same moment, so all have written equally much and no row is padded. Draws of one
prompt look at its keys together: one matrix product in place of one product per row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seedbed.pocket.llama import MASKED, Flags, Floats, Ints, Net, Reading, Room

FIRST = 48
"""Tokens that a bunch has memory for at first; then half as many again, and so on."""
BEARABLE = 40.0
"""Scores up to here go into exp as they are: 2e17 times any value is far from float32's end."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt that was read."""

    keys: Floats
    """(layers, kv_heads, tokens, head)"""
    values: Floats
    logits: Floats
    """(vocabulary,) what may come first."""

    @property
    def length(self) -> int:
        """Tokens."""
        return int(self.keys.shape[2])


class Bunch:
    """Rows that joined together: draws of one prompt, whose prefix they share, or single rows of several prompts.

    Args:
        net: The model.
        tags: (n,) the owner's number of each row.
        prefixes: One, which all rows share, or one per row, which is then copied into the row's own memory, filled up
            on the left to the longest.
    """

    def __init__(self, net: Net, tags: Ints, prefixes: Sequence[Prefix]) -> None:
        self.tags, self.written = tags.copy(), 0
        is_shared = len(prefixes) == 1
        self.prefix = prefixes[0] if is_shared else None
        self.starts: Ints = np.array([prefix.length for prefix in prefixes] * (len(tags) if is_shared else 1))
        self.seen = 0 if is_shared else int(self.starts.max())
        """Columns of the rows' own memory in use."""
        shape = net.shape
        sizes = (shape.layers, len(tags), shape.kv_heads, self.seen + FIRST, shape.head)
        self.keys: Floats = np.empty(sizes, np.float32)
        self.values: Floats = np.empty(sizes, np.float32)
        self.mask: Floats | None = None
        if not is_shared:
            self._copy(prefixes)

    def _copy(self, prefixes: Sequence[Prefix]) -> None:
        mask: Floats = np.zeros((len(prefixes), 1, 1, self.seen), np.float32)
        self.keys[..., : self.seen, :] = self.values[..., : self.seen, :] = 0.0
        for row, prefix in enumerate(prefixes):
            first = self.seen - prefix.length
            self.keys[:, row, :, first : self.seen], self.values[:, row, :, first : self.seen] = (
                prefix.keys,
                prefix.values,
            )
            mask[row, ..., :first] = MASKED
        self.mask = mask if mask.any() else None

    def __len__(self) -> int:
        """Rows."""
        return len(self.tags)

    @property
    def shared(self) -> int:
        """Tokens of the prompt that all rows look at together."""
        return self.prefix.length if self.prefix else 0

    @property
    def width(self) -> int:
        """Columns that the rows look at: prefix, own memory, fillers."""
        return self.shared + self.seen

    def grow(self) -> None:
        """One more token for each row."""
        self.seen, self.written = self.seen + 1, self.written + 1
        if self.seen > self.keys.shape[3]:
            more = self.keys.shape[3] // 2
            self.keys, self.values = (_wider(memory, self.seen - 1, more) for memory in (self.keys, self.values))

    def score(self, layer: int, query: Floats, key: Floats, scores: Floats) -> None:
        """Fill scores (n, kv_heads, share, width) with the products of queries and keys."""
        count, shared = len(self.tags), self.shared
        keys = self.keys[layer, :count]
        keys[:, :, self.seen - 1] = key
        np.matmul(query, keys[:, :, : self.seen].swapaxes(2, 3), out=scores[..., shared:])
        if self.prefix is not None:
            prompt = self.prefix.keys[layer][:, None].swapaxes(2, 3)
            np.matmul(query.transpose(1, 2, 0, 3), prompt, out=scores.transpose(1, 2, 0, 3)[..., :shared])
        elif self.mask is not None:
            scores[..., : self.mask.shape[3]] += self.mask

    def blend(self, layer: int, weights: Floats, value: Floats, out: Floats) -> None:
        """Fill out (n, kv_heads, share, head) with the values, weighted (n, kv_heads, share, width)."""
        count, shared = len(self.tags), self.shared
        values = self.values[layer, :count]
        values[:, :, self.seen - 1] = value
        np.matmul(weights[..., shared:], values[:, :, : self.seen], out=out)
        if self.prefix is not None:
            prompt = self.prefix.values[layer][:, None]
            out += np.matmul(weights.transpose(1, 2, 0, 3)[..., :shared], prompt).transpose(2, 0, 1, 3)

    def keep(self, alive: Flags) -> None:
        """Let the other rows go; the last ones move into their places."""
        count = int(alive.sum())
        holes, movers = np.flatnonzero(~alive[:count]), count + np.flatnonzero(alive[count:])
        if len(holes):
            for memory in (self.keys, self.values):
                memory[:, holes, :, : self.seen] = memory[:, movers, :, : self.seen]
            self.tags[holes], self.starts[holes] = self.tags[movers], self.starts[movers]
            if self.mask is not None:
                self.mask[holes] = self.mask[movers]
        self.tags, self.starts = self.tags[:count], self.starts[:count]
        if self.mask is not None:
            self.mask = self.mask[:count]


class Batch:
    """The bunches that are being written, and their next token at once.

    Args:
        net: The model.
    """

    def __init__(self, net: Net) -> None:
        self.bunches: list[Bunch] = []
        self._shape = net.shape
        self._scores: Floats = np.empty(0, np.float32)
        self._weights: Floats = np.empty(0, np.float32)

    @property
    def tags(self) -> Ints:
        """(rows,) the owner's numbers, in the order in which tokens are given and logits come."""
        return np.concatenate([bunch.tags for bunch in self.bunches]) if self.bunches else np.empty(0, np.int64)

    def grow(self) -> Ints:
        """Make room for one more token in each row; (rows,) its position."""
        for bunch in self.bunches:
            bunch.grow()
        rows, width = sum(map(len, self.bunches)), max(bunch.width for bunch in self.bunches)
        sizes = (rows, self._shape.kv_heads, self._shape.heads // self._shape.kv_heads, width)
        if self._scores.size < (most := int(np.prod(sizes))):
            self._scores, self._weights = np.empty(2 * most, np.float32), np.empty(2 * most, np.float32)
        self._now, self._soft = self._scores[:most].reshape(sizes), self._weights[:most].reshape(sizes)
        self._places: list[tuple[Bunch, slice]] = []
        start = 0
        for bunch in self.bunches:
            self._places.append((bunch, slice(start, start + len(bunch))))
            # Never written by any layer of this token, and MASKED minus the maximum stays MASKED.
            self._now[start : start + len(bunch), ..., bunch.width :] = MASKED
            start += len(bunch)
        return np.concatenate([bunch.starts + bunch.written - 1 for bunch in self.bunches])

    def attend(self, layer: int, query: Floats, key: Floats, value: Floats, out: Floats) -> None:
        """See `Attend`: each row looks at its prompt, at what it wrote and at itself."""
        scores, weights = self._now, self._soft
        for bunch, rows in self._places:
            bunch.score(layer, query[rows], key[rows], scores[rows, ..., : bunch.width])
        sums = _softened(scores, weights)
        for bunch, rows in self._places:
            bunch.blend(layer, weights[rows, ..., : bunch.width], value[rows], out[rows])
        out /= sums

    def keep(self, alive: Flags) -> None:
        """Let the other rows go. The order of those that stay changes: see `tags`."""
        start = 0
        for bunch in self.bunches:
            mine = alive[start : start + len(bunch)]
            start += len(bunch)
            if not mine.all():
                bunch.keep(mine)
        self.bunches = [bunch for bunch in self.bunches if len(bunch)]


def _softened(scores: Floats, weights: Floats) -> Floats:
    """Fill weights with a softmax that is not divided by its sums yet; (..., 1) the sums.

    Taking each row's maximum off first, as is usual, costs as much as all the rest, and scores are small in a trained
    model: it is done only where one of them is beyond what float32 bears.
    """
    ones: Floats = np.ones(scores.shape[-1], np.float32)
    sums: Floats
    if scores.max() < BEARABLE:
        np.exp(scores, out=weights)
        sums = (weights.reshape(-1, len(ones)) @ ones).reshape(*scores.shape[:-1], 1)
        if sums.min() > np.exp(-BEARABLE):
            return sums
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=weights)
    sums = weights.sum(-1, keepdims=True)
    return sums


def _wider(memory: Floats, used: int, more: int) -> Floats:
    sizes = list(memory.shape)
    sizes[3] += more
    wider: Floats = np.empty(sizes, np.float32)
    wider[..., :used, :] = memory[..., :used, :]
    return wider


def read(net: Net, prompts: Iterable[Sequence[int]], most: int) -> list[Prefix]:
    """Each prompt's prefix, several at a time.

    Args:
        net: The model.
        prompts: At least one token each.
        most: Tokens to go through the model together, where more than one prompt does.
    """
    found: list[Prefix] = []
    group: list[Sequence[int]] = []
    for prompt in [*prompts, None]:
        if group and (prompt is None or sum(map(len, group)) + len(prompt) > most):
            reading = Reading(net, group)
            room = Room(net, len(reading.tokens))
            hidden = net.forward(reading.tokens, reading.positions, reading.attend, room)
            last = np.cumsum(reading.lengths) - 1
            found += _prefixes(reading, net.expect(hidden[last], room))
            group = []
        if prompt is not None:
            group.append(prompt)
    return found


def _prefixes(reading: Reading, logits: Floats) -> list[Prefix]:
    """What was read, prompt by prompt, each with memory of its own."""
    starts = np.cumsum([0, *reading.lengths])
    return [
        Prefix(reading.keys[:, :, a:b].copy(), reading.values[:, :, a:b].copy(), one.copy())
        for a, b, one in zip(starts[:-1], starts[1:], logits, strict=True)
    ]
