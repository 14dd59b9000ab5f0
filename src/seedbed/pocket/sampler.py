"""Continuous sampling: rows that are done leave the batch at once, and waiting ones take their places.

A row has its own random numbers, one per token, so what it says does not depend on which rows share its batch, as far
as the model's sums do not: these may differ in float32's last digit with the shape of a matrix product, which moves a
token where a random number falls within about 1e-6 of the edge between two.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from seedbed.pocket.cache import Batch, Bunch, Prefix, read
from seedbed.pocket.llama import Flags, Floats, Ints, Net, Room

Guide: TypeAlias = Callable[[Sequence[int]], Collection[int]]
"""From the tokens of an answer so far, those that may come next; none ends the answer."""
Doubles: TypeAlias = NDArray[np.float64]

READ_TOKENS = 1024
"""Tokens of prompts that are read together: more would not stay in a core's cache."""
KEPT_TOKENS = 8192
"""Tokens of recently read prompts that are kept for their later draws: 30 MB for a model of 1 million parameters."""
REFILL = 4
"""Waiting rows join once one place in so many is free: each joining makes the batch fall into more bunches."""
SHARING = 3
"""So many draws of a prompt look at it together; fewer get a copy of it each, and one bunch for all of them."""
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One answer to be written."""

    prompt: tuple[int, ...]
    uniforms: Doubles
    """(most,) numbers in [0, 1), one for each token that the answer may have."""
    temperature: float = 1.0
    top_p: float = 1.0
    guide: Guide | None = None
    is_watched: bool = False
    """Whether the log-probabilities of all tokens are wanted at each place."""


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """An answer."""

    tokens: list[int]
    """The end token included, where there is one."""
    whole: int
    """How many of the tokens are the answer itself."""
    has_ended: bool
    """False where it was cut at its most tokens."""
    read: int
    """Tokens of prompt that were read for this one; 0 where another draw had it read."""
    logprobs: tuple[Floats, ...] = ()
    """Per token, (vocabulary,) natural logarithms of what the model gave each, before temperature and `top_p`."""


class _Row:
    """What only a few rows need, and none of it per token."""

    __slots__ = ("draw", "logprobs", "read", "ticket")

    def __init__(self, ticket: int, draw: Draw) -> None:
        self.ticket, self.draw, self.read = ticket, draw, 0
        self.logprobs: list[Floats] = []


class Sampler:
    """Writes many answers at once. Add draws at any time, and step until all have come back.

    Args:
        net: The model.
        room: Most rows in a batch.

    Source:
        Yu et al. 2022, Orca, OSDI (rows join and leave between two tokens). Juravsky et al. 2024, Hydragen,
        arXiv:2402.05099 (draws of one prompt attend to it in one product). Differs: numpy on one CPU thread; rows that
        joined together form a bunch of equal length, so no row is padded to another's.
    """

    def __init__(self, net: Net, room: int) -> None:
        self.net, self.room = net, room
        self._batch, self._space = Batch(net), Room(net, room)
        self._waiting: OrderedDict[int, _Row] = OrderedDict()
        self._rows: list[_Row | None] = [None] * room
        self._free = list(range(room))[::-1]
        self._kept: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self._done: list[tuple[int, Written]] = []
        self._is_end: Flags = np.zeros(net.shape.vocabulary, np.bool_)
        self._is_end[list(net.shape.ends)] = True
        self._count: Ints = np.zeros(room, np.int64)
        self._most: Ints = np.zeros(room, np.int64)
        self._temperature, self._top_p = np.zeros(room, np.float32), np.ones(room)
        self._odd: Flags = np.zeros(room, np.bool_)
        """Rows with a guide or with log-probabilities, which go through Python one by one."""
        self._uniforms: Doubles = np.zeros((room, 64))
        self._tokens: Ints = np.zeros((room, 64), np.int64)

    def __len__(self) -> int:
        """Answers that are still to come."""
        return len(self._waiting) + self.room - len(self._free)

    def add(self, ticket: int, draw: Draw) -> None:
        """Take a draw, whose answer comes out of a later `step` under the same ticket."""
        self._waiting[ticket] = _Row(ticket, draw)

    def drop(self, tickets: Iterable[int]) -> None:
        """Forget draws that nobody waits for any more."""
        gone = set(tickets)
        for ticket in gone:
            self._waiting.pop(ticket, None)
        tags = self._batch.tags
        dropped = np.array([getattr(self._rows[tag], "ticket", None) in gone for tag in tags], np.bool_)
        if dropped.any():
            self._release(tags[dropped])
            self._batch.keep(~dropped)

    def step(self) -> list[tuple[int, Written]]:
        """One more token for every row in the batch; the answers that were finished."""
        if self._waiting and (len(self._free) == self.room or len(self._free) * REFILL >= self.room):
            self._admit()
        if self._batch.bunches:
            positions = self._batch.grow()
            tags = self._batch.tags
            last = self._tokens[tags, self._count[tags] - 1]
            hidden = self.net.forward(last, positions, self._batch.attend, self._space)
            alive = self._draw(tags, self.net.expect(hidden, self._space))
            if not alive.all():
                self._batch.keep(alive)
        done, self._done = self._done, []
        return done

    # -- rows come -----------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Read the prompts of waiting rows, draw the first token of each, and let those join that go on."""
        by_prompt: dict[tuple[int, ...], list[_Row]] = {}
        for row in list(islice(self._waiting.values(), len(self._free))):
            by_prompt.setdefault(row.draw.prompt, []).append(row)
            del self._waiting[row.ticket]
        prefixes = self._read(by_prompt)
        tags = np.array([self._seat(row) for rows in by_prompt.values() for row in rows])
        owner = np.repeat(np.arange(len(prefixes)), [len(rows) for rows in by_prompt.values()])
        logits = np.stack([prefix.logits for prefix in prefixes])[owner]
        alive = self._draw(tags, logits)
        self._join(tags[alive], owner[alive], prefixes)

    def _join(self, tags: Ints, owner: Ints, prefixes: Sequence[Prefix]) -> None:
        counts = np.bincount(owner, minlength=len(prefixes))
        for number in np.flatnonzero(counts >= SHARING).tolist():
            self._batch.bunches.append(Bunch(self.net, tags[owner == number], [prefixes[number]]))
        alone = counts[owner] < SHARING
        if alone.any():
            self._batch.bunches.append(
                Bunch(self.net, tags[alone], [prefixes[number] for number in owner[alone].tolist()])
            )

    def _read(self, by_prompt: dict[tuple[int, ...], list[_Row]]) -> list[Prefix]:
        """Each prompt's prefix, from the last ones or from the model; the first draw pays for what had to be read."""
        new = [prompt for prompt in by_prompt if prompt not in self._kept]
        for prompt in new:
            by_prompt[prompt][0].read = len(prompt)
        self._kept |= zip(new, read(self.net, new, READ_TOKENS), strict=True)
        for prompt in by_prompt:
            self._kept.move_to_end(prompt)
        found = [self._kept[prompt] for prompt in by_prompt]
        total = sum(map(len, self._kept))
        while total > KEPT_TOKENS:
            total -= len(self._kept.popitem(last=False)[0])
        return found

    def _seat(self, row: _Row) -> int:
        """A free place in the tables for a row; its number."""
        tag, draw = self._free.pop(), row.draw
        most = len(draw.uniforms)
        if most > self._tokens.shape[1]:
            self._uniforms, self._tokens = _grown(self._uniforms, most), _grown(self._tokens, most)
        self._rows[tag], self._count[tag], self._most[tag] = row, 0, most
        self._uniforms[tag, :most] = draw.uniforms
        self._temperature[tag], self._top_p[tag] = draw.temperature, draw.top_p
        self._odd[tag] = draw.guide is not None or draw.is_watched
        return tag

    # -- rows go on ----------------------------------------------------------------------------------------------------

    def _draw(self, tags: Ints, logits: Floats) -> Flags:
        """Give every row its next token; which rows are not done with it."""
        odd: list[int] = np.flatnonzero(self._odd[tags]).tolist()
        watched = self._heed(tags, odd, logits)
        count = self._count[tags]
        tokens = choose(logits, self._temperature[tags], self._top_p[tags], self._uniforms[tags, count])
        self._tokens[tags, count] = tokens
        self._count[tags] = count = count + 1
        ended, full = self._is_end[tokens], count >= self._most[tags]
        whole = count - ended
        for place in odd:
            row = self._row(tags[place])
            if place in watched:
                row.logprobs.append(watched[place])
            if row.draw.guide and not ended[place] and not row.draw.guide(self._said(tags[place])):
                ended[place] = True  # all of it is said, and the end need not be drawn
        done = ended | full
        for place in np.flatnonzero(done).tolist():
            self._finish(tags[place], int(whole[place]), bool(ended[place]))
        if done.any():
            self._release(tags[done])
        return ~done

    def _heed(self, tags: Ints, odd: Sequence[int], logits: Floats) -> dict[int, Floats]:
        """Take from the logits what guides forbid; the log-probabilities before that of the rows that are watched."""
        watched: dict[int, Floats] = {}
        for place in odd:
            draw = self._row(tags[place]).draw
            if draw.is_watched:
                shifted = logits[place] - logits[place].max()
                watched[place] = shifted - np.log(np.exp(shifted).sum())
            if draw.guide:
                allowed = list(draw.guide(self._said(tags[place])))
                kept = logits[place, allowed]
                logits[place] = -np.inf
                logits[place, allowed] = kept
        return watched

    def _row(self, tag: int) -> _Row:
        row = self._rows[tag]
        assert row is not None
        return row

    def _said(self, tag: int) -> list[int]:
        said: list[int] = self._tokens[tag, : self._count[tag]].tolist()
        return said

    # -- rows are done -------------------------------------------------------------------------------------------------

    def _finish(self, tag: int, whole: int, has_ended: bool) -> None:
        row = self._row(tag)
        self._done.append((row.ticket, Written(self._said(tag), whole, has_ended, row.read, tuple(row.logprobs))))

    def _release(self, tags: Ints) -> None:
        for tag in tags.tolist():
            self._rows[tag] = None
            self._free.append(tag)


def choose(logits: Floats, temperature: Floats, top_p: Doubles, uniforms: Doubles) -> Ints:
    """One token per row: the likeliest at temperature 0, else the one a random number falls on.

    Args:
        logits: (rows, vocabulary); overwritten.
        temperature: (rows,) at least 0.
        top_p: (rows,) in (0, 1]; below 1 the fewest likeliest tokens that together reach it are kept.
        uniforms: (rows,) in [0, 1).

    Returns:
        (rows,) token numbers.

    Source:
        Holtzman et al. 2020, The Curious Case of Neural Text Degeneration, arXiv:1904.09751 (top_p). Differs: the
        inverse of the cumulative distribution in place of a generator per batch, so that a row has its own numbers.
    """
    is_greedy = temperature == 0
    likeliest: Ints = logits.argmax(-1)
    if is_greedy.all():
        return likeliest
    logits -= logits[np.arange(len(logits)), likeliest][:, None]
    logits *= (1.0 / np.where(is_greedy, 1.0, temperature)).astype(np.float32)[:, None]
    chances = np.exp(logits, out=logits)
    narrow = np.flatnonzero((top_p < 1) & ~is_greedy)
    if len(narrow):
        chances[narrow] = _nucleus(chances[narrow], top_p[narrow])
    heaped = chances.cumsum(-1, dtype=np.float64)
    found = (heaped <= (uniforms * heaped[:, -1])[:, None]).sum(-1)
    chosen: Ints = np.where(is_greedy, likeliest, np.minimum(found, logits.shape[1] - 1))
    return chosen


def _nucleus(chances: Floats, top_p: Doubles) -> Floats:
    """The chances with all but the fewest likeliest set to 0; of equals at the edge none is."""
    rising = np.sort(chances, -1)
    heaped = rising.cumsum(-1, dtype=np.float64)
    # Counted from below, so that the last one always stays: what is not kept sums to at most 1 - top_p.
    beyond = (heaped <= ((1.0 - top_p) * heaped[:, -1])[:, None]).sum(-1)
    edge = rising[np.arange(len(rising)), np.minimum(beyond, rising.shape[1] - 1)]
    return np.where(chances >= edge[:, None], chances, np.float32(0.0))


def _grown(table: NDArray[_T], width: int) -> NDArray[_T]:
    grown = np.zeros((len(table), width), table.dtype)
    grown[:, : table.shape[1]] = table
    return grown
