"""A batch that rows join and leave: draws of one prompt share its prefill, waiting rows replace those that are done."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from seedbed.errors import BoundaryError
from seedbed.models.hf_checkpoint import Checkpoint
from seedbed.models.hf_memory import Memory, Prefix, Reader
from seedbed.models.hf_sampling import Paths, allowed, choose, only, uniforms, walk
from seedbed.models.in_process import Answer
from seedbed.request import Choice, Failure, Reply, Request, TokenLogprob

PREFILL_TOKENS = 8192
"""Most tokens, padding included, of prompts that are read in one go."""
PADDING = 64
"""Tokens of padding that cost less than going through the model once more; above, a quarter of the prompts' tokens."""
KEPT_TOKENS = 4096
"""Tokens of recently read prompts that are kept for their later draws: half a GB for a model of 7 billion."""
REFILL = 4
"""Waiting rows join once one place in so many is free: a prefill for every row that ends would stop all others."""
MEMORY_SHARE = 0.8
"""Of a GPU's free memory, what keys and values may take; the rest is for what comes up in between."""

Prompt = tuple[int, ...]


class _Row:
    """A request in work."""

    __slots__ = ("choices", "logprobs", "paths", "prompt", "read", "request", "started", "ticket", "tokens", "uniforms")

    def __init__(self, ticket: int, request: Request, prompt: Prompt, choices: Paths) -> None:
        self.ticket, self.request, self.prompt, self.choices = ticket, request, prompt, choices
        self.started, self.uniforms = time.perf_counter(), uniforms(request)
        self.restart()

    def restart(self) -> None:
        """From the prompt on; the same numbers give the same tokens."""
        self.paths, self.read = self.choices, 0
        self.tokens: list[int] = []
        self.logprobs: list[TokenLogprob] = []

    @property
    def longest(self) -> int:
        """Tokens it may come to."""
        return len(self.prompt) + self.request.max_tokens


class Transformer:
    """Answers requests with a model in this process, token by token for all rows of a batch.

    What is counted: `tokens_in` is the whole prompt, template included; `tokens_cached` all of it where another draw
    had it read; `tokens_out` every token drawn, also the one that ended the answer; `flops` 2 per active parameter and
    token, of `tokens_in - tokens_cached + tokens_out`. Padding, and what was done twice for want of memory, is not
    counted.

    Log-probabilities are those of the model itself, before temperature, `top_p` and constraint. The token that ends an
    answer is not among them, as with hosted models. Of a checkpoint's own generation settings the ends and suppressed
    tokens hold; recommended temperatures, top_k and repetition penalties do not: the request says how to sample.

    A `Choice` is enforced: only tokens that lead to one of its options can be drawn. Other constraints are not.

    Args:
        checkpoint: The loaded model.
        room: Most rows in a batch; halved whenever the device's memory does not do.

    Source:
        Yu et al. 2022, Orca: A Distributed Serving System for Transformer-Based Generative Models, OSDI (rows join and
        leave between two tokens). Differs: one batch padded on the left, in place of attention row by row.
        Bansal et al. 2024, Smaller, Weaker, Yet Better, arXiv:2408.16737 (sampling costs 2 FLOPs per parameter and
        token). Differs: prompts count as well, once per prefill.
    """

    def __init__(self, checkpoint: Checkpoint, room: int) -> None:
        self.checkpoint, self.room = checkpoint, room
        self.reader = Reader(checkpoint.model)
        self._memory = Memory()
        self._waiting: OrderedDict[int, _Row] = OrderedDict()
        self._joining: list[_Row] = []
        self._rows: list[_Row] = []
        self._done: list[tuple[int, Answer]] = []
        self._kept: OrderedDict[Prompt, Prefix] = OrderedDict()

    def add(self, ticket: int, request: Request) -> None:
        """See `Engine.add`. What the model can never answer is answered by the next step."""
        try:
            prompt = self.checkpoint.encode(request.messages)
            choices = self._choices(request)
        except BoundaryError as error:
            self._done.append((ticket, Failure("terminal", f"{error.problem}: {error.seen}")))
            return
        row, most = _Row(ticket, request, prompt, choices), self.checkpoint.context
        if most is not None and row.longest > most:
            seen = f"{len(prompt)} tokens of prompt and max_tokens={request.max_tokens}"
            self._done.append((ticket, Failure("terminal", f"{seen} do not fit the model's {most} tokens")))
        elif not prompt:
            self._done.append((ticket, Failure("terminal", "the prompt has no tokens")))
        else:
            self._waiting[ticket] = row

    def drop(self, tickets: Sequence[int]) -> None:
        """See `Engine.drop`."""
        for ticket in tickets:
            self._waiting.pop(ticket, None)
        gone = set(tickets)
        self._stay([number for number, row in enumerate(self._rows) if row.ticket not in gone])

    def step(self) -> list[tuple[int, Answer]]:
        """See `Engine.step`."""
        import torch

        with torch.inference_mode():
            # By then the error is gone, and with it the frames that hold on to memory.
            if shortage := self._try(torch.cuda.OutOfMemoryError):
                self._halve(shortage)
        done, self._done = self._done, []
        return done

    def _try(self, too_little: type[Exception]) -> str:
        """One step; what the device said when its memory did not do."""
        try:
            free = self.room - len(self._rows)
            if self._waiting and (not self._rows or free * REFILL >= self.room):
                self._admit(free)
            if self._rows:
                self._write()
        except too_little as error:
            return str(error) or type(error).__name__
        return ""

    def _halve(self, shortage: str) -> None:
        """Begin again with half as many rows; one that is too much alone will never be answered."""
        rows = self._joining + self._rows
        self._memory, self._joining, self._rows = Memory(), [], []
        self._kept.clear()
        self.reader.tidy()
        if len(rows) == 1:
            seen = f"{len(rows[0].prompt)} tokens of prompt and max_tokens={rows[0].request.max_tokens}"
            message = f"the device's memory does not do for one request alone ({seen}): {shortage[:300]}"
            self._done.append((rows[0].ticket, Failure("terminal", message)))
            return
        self.room = max(1, len(rows) // 2)
        for row in reversed(rows):
            row.restart()
            self._waiting[row.ticket] = row
            self._waiting.move_to_end(row.ticket, last=False)

    # -- rows come -----------------------------------------------------------------------------------------------------

    def _admit(self, free: int) -> None:
        """Read the prompts of waiting rows, draw the first token of each, and let those join that go on."""
        import torch

        limit = self.reader.most_cells(self._memory, MEMORY_SHARE)
        waiting = islice(self._waiting.values(), free)
        count = fitting([row.longest for row in self._rows], [row.longest for row in waiting], limit)
        by_prompt: dict[Prompt, list[_Row]] = {}
        for row in list(islice(self._waiting.values(), count)):
            by_prompt.setdefault(row.prompt, []).append(row)
            del self._waiting[row.ticket]
        self._joining = rows = [row for of_one in by_prompt.values() for row in of_one]
        prefixes = self._read(by_prompt)
        going = self._draw(rows, torch.stack([prefixes[row.prompt].logits for row in rows]))
        self._joining = [rows[number] for number in going]
        if self._joining:
            counts = Counter(row.prompt for row in self._joining)
            self._memory.join([prefixes[prompt] for prompt in counts], list(counts.values()))
        self._rows, self._joining = self._rows + self._joining, []

    def _read(self, by_prompt: dict[Prompt, list[_Row]]) -> dict[Prompt, Prefix]:
        """Each prompt's prefix, from the last ones or from the model; the first draw pays for what had to be read."""
        prefixes = {prompt: self._kept[prompt] for prompt in by_prompt if prompt in self._kept}
        for prompt in by_prompt.keys() - prefixes.keys():
            by_prompt[prompt][0].read = len(prompt)
        for group in groups([prompt for prompt in by_prompt if prompt not in prefixes]):
            prefixes |= zip(group, self.reader.read(group), strict=True)
        for prompt in by_prompt:
            self._keep(prompt, prefixes[prompt])
        return prefixes

    def _keep(self, prompt: Prompt, prefix: Prefix) -> None:
        if prompt not in self._kept and len(prompt) <= KEPT_TOKENS:
            self._kept[prompt] = prefix.alone()
            while sum(map(len, self._kept)) > KEPT_TOKENS:
                self._kept.popitem(last=False)
        elif prompt in self._kept:
            self._kept.move_to_end(prompt)

    def _choices(self, request: Request) -> Paths:
        """What the answer may be, as tokens; nothing where the tokenizer cannot say one of the options."""
        if not isinstance(request.constraint, Choice):
            return ()
        choices = tuple(self.checkpoint.option(text) for text in request.constraint.options)
        said = [self.checkpoint.decode(tokens).strip() for tokens in choices]
        return choices if all(choices) and said == [text.strip() for text in request.constraint.options] else ()

    # -- rows go on ----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """One more token for every row in the batch."""
        import torch

        device = self.reader.device
        tokens = torch.tensor([[row.tokens[-1]] for row in self._rows], device=device)
        positions = torch.tensor([[len(row.prompt) + len(row.tokens) - 1] for row in self._rows], device=device)
        logits = self.reader.forward(tokens, self._memory.grow(), positions, self._memory.cache)
        self._stay(self._draw(self._rows, logits))

    def _stay(self, numbers: Sequence[int]) -> None:
        """Let all other rows of the batch go."""
        if len(numbers) < len(self._rows):
            self._rows = [self._rows[number] for number in numbers]
            self._memory.keep(numbers)

    def _draw(self, rows: Sequence[_Row], raw: Any) -> list[int]:
        """Give every row its next token; the numbers of the rows that are not done with it."""
        import torch

        logits = self._masked(rows, raw)
        asked = np.array([(row.request.temperature, row.request.top_p) for row in rows], dtype=np.float32)
        temperature, top_p = torch.from_numpy(asked).to(logits.device).T
        numbers = torch.tensor([row.uniforms[len(row.tokens)] for row in rows], dtype=torch.float64)
        tokens = choose(logits, temperature, top_p, numbers.to(logits.device)).tolist()
        self._note(rows, raw, tokens)
        return [number for number, row in enumerate(rows) if self._goes_on(row, tokens[number])]

    def _masked(self, rows: Sequence[_Row], raw: Any) -> Any:
        """The logits without suppressed tokens, and for a choice with only those that lead to an option."""
        bound = [number for number, row in enumerate(rows) if row.paths]
        if not bound and not self.checkpoint.suppressed:
            return raw
        logits = raw.clone()
        logits[:, list(self.checkpoint.suppressed)] = float("-inf")
        for number in bound:
            logits[number] = only(raw[number], allowed(rows[number].paths, self.checkpoint.ends))
        return logits

    def _note(self, rows: Sequence[_Row], raw: Any, tokens: Sequence[int]) -> None:
        """Write down the log-probabilities of the tokens of the rows that ask for them."""
        asking = [number for number, row in enumerate(rows) if row.request.logprobs is not None]
        if not asking:
            return
        sure, piece = raw[asking].log_softmax(-1), self.checkpoint.piece
        most = max(rows[number].request.logprobs or 0 for number in asking)
        values, indices = (found.tolist() for found in sure.topk(min(most, sure.shape[-1])))
        for at, number in enumerate(asking):
            row, token = rows[number], tokens[number]
            pairs = zip(indices[at], values[at], strict=True)
            top = tuple((piece(other), value) for other, value in islice(pairs, row.request.logprobs))
            row.logprobs.append(TokenLogprob(piece(token), float(sure[at, token]), top))

    def _goes_on(self, row: _Row, token: int) -> bool:
        """Add a token; False when that was the last one."""
        row.tokens.append(token)
        if row.paths and (left := walk(row.paths, token)):
            # With one option left and all of it said, the end need not be drawn.
            row.paths, has_ended = left, left == ((),)
            whole = len(row.tokens)
        else:
            has_ended, whole = token in self.checkpoint.ends, len(row.tokens) - 1
        if has_ended:
            self._done.append((row.ticket, self._reply(row, whole)))
        elif len(row.tokens) >= row.request.max_tokens:
            self._done.append((row.ticket, self._cut(row)))
        else:
            return True
        return False

    # -- rows are done -------------------------------------------------------------------------------------------------

    def _reply(self, row: _Row, whole: int) -> Reply:
        """The answer, which is the first `whole` tokens."""
        return Reply(
            self.checkpoint.decode(row.tokens[:whole]),
            tokens_in=len(row.prompt),
            tokens_out=len(row.tokens),
            seconds=time.perf_counter() - row.started,
            model=self.checkpoint.name,
            tokens_cached=len(row.prompt) - row.read,
            flops=self._flops(row),
            logprobs=None if row.request.logprobs is None else tuple(row.logprobs[:whole]),
        )

    def _cut(self, row: _Row) -> Failure:
        return Failure(
            "truncated",
            "the answer stopped at max_tokens",
            tokens_in=len(row.prompt),
            tokens_out=len(row.tokens),
            seconds=time.perf_counter() - row.started,
            tokens_cached=len(row.prompt) - row.read,
            flops=self._flops(row),
        )

    def _flops(self, row: _Row) -> float:
        return float(self.checkpoint.flops_per_token * (row.read + len(row.tokens)))


def groups(prompts: Sequence[Prompt]) -> Iterator[list[Prompt]]:
    """Prompts to be read together: of similar length, so that little padding goes with them."""
    group: list[Prompt] = []
    for prompt in sorted(prompts, key=len):
        read = sum(map(len, group)) + len(prompt)
        cells = len(prompt) * (len(group) + 1)  # sorted, so the newcomer sets the width
        if group and (cells > PREFILL_TOKENS or cells - read > max(PADDING, read / 4)):
            yield group
            group = []
        group.append(prompt)
    if group:
        yield group


def fitting(running: Iterable[int], waiting: Iterable[int], most_cells: float) -> int:
    """How many of the waiting rows may join, in their order, so that the batch fits if all get as long as they may.

    Args:
        running: Most tokens of each row in the batch.
        waiting: Most tokens of each row that waits.
        most_cells: Tokens, padding included, that memory has room for.

    Returns:
        A number of rows; at least 1 where none is running, since a row alone must be tried.
    """
    lengths = list(running)
    rows, longest, count = len(lengths), max(lengths, default=0), 0
    for length in waiting:
        longest = max(longest, length)
        if (rows + count + 1) * longest > most_cells and rows + count:
            break
        count += 1
    return count
