"""Pocket models in this process, with numpy alone: `pocket:weak`, `pocket:strong`, `pocket:base` or `pocket:FOLDER`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from seedbed.errors import ConfigError
from seedbed.models.hf_checkpoint import content_name, size_of
from seedbed.models.hf_sampling import Paths, allowed, uniforms, walk
from seedbed.models.in_process import Answer, InProcess
from seedbed.models.wire import Endpoint
from seedbed.pocket import checkpoint
from seedbed.pocket.llama import Floats, Net, Shape
from seedbed.pocket.sampler import Draw, Guide, Sampler, Written
from seedbed.pocket.tokenizer import Tokenizer
from seedbed.request import Choice, Failure, Message, Reply, Request, TokenLogprob


def open_pocket(address: str, settings: Endpoint) -> InProcess:
    """The wire to a pocket model; nothing is loaded before the first request.

    Its own address names the content of the weights, so that answers of weights since trained anew are not taken for
    those of the present ones.

    Args:
        address: `pocket:NAME` or `pocket:FOLDER`.
        settings: `concurrency` is the most rows in a batch: 256 is fast, 16 is not.

    Raises:
        ConfigError: No pocket model is at this address.
    """
    folder = _folder(address)
    named = f"pocket:{folder.resolve().name}@{content_name(folder)}"
    return InProcess(named, lambda: Pocket(folder, settings.concurrency))


def most_flops_per_token(address: str) -> float:
    """The most floating-point operations that one token takes, at the end of a full context; read without loading."""
    folder = _folder(address)
    shape, size = Shape.read(folder), size_of(f"hf:{folder}") or 0
    return float(2 * size + 4 * shape.layers * shape.heads * shape.head * shape.context)


def problem(messages: Sequence[Message]) -> str:
    """What a pocket model reads of a prompt: the text after the last blank line of the last user message.

    It was trained on bare problems; the instruction above is for models that can follow one.
    """
    said = next((text for role, text in reversed(messages) if role == "user"), "")
    lines = said.strip().splitlines()
    blank = max((number for number, line in enumerate(lines) if not line.strip()), default=-1)
    return "\n".join(lines[blank + 1 :]).strip()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request in work."""

    request: Request
    prompt: tuple[int, ...]
    started: float


class Pocket:
    """Answers requests with a pocket model, all rows of a batch at once; an `Engine`.

    Counted as by `hf:`: `tokens_in` is the whole prompt as the model reads it, `tokens_cached` all of it where another
    draw had it read, `tokens_out` every token drawn, also the one that ended the answer. `flops` counts what was read
    and what was drawn, 2 per parameter, and attention on top. A `Choice` is enforced: only tokens that lead to one of
    its options can be drawn. Other constraints are not.

    Args:
        folder: Holds config.json and model.safetensors.
        room: Most rows in a batch.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self.room, self.name = room, folder.name
        self.net, self.tokenizer = Net.load(folder), Tokenizer()
        if self.net.shape.vocabulary < self.tokenizer.size:
            seen = f"{folder} knows {self.net.shape.vocabulary} tokens, the tokenizer {self.tokenizer.size}"
            raise ConfigError("this is no pocket model of this version", seen, "train it again, or give hf:FOLDER")
        self._sampler = Sampler(self.net, room)
        self._asked: dict[int, _Asked] = {}
        self._done: list[tuple[int, Answer]] = []
        self._ends = frozenset(self.net.shape.ends)
        self._encode = lru_cache(maxsize=1024)(self._prompt)

    def _prompt(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        return tuple(self.tokenizer.prompt(problem(messages)))

    def add(self, ticket: int, request: Request) -> None:
        """See `Engine.add`. What the model can never answer is answered by the next step."""
        prompt, most = self._encode(request.messages), self.net.shape.context
        room = most - len(prompt)
        if room < 1:
            seen = f"{len(prompt)} tokens of prompt"
            self._done.append((ticket, Failure("terminal", f"{seen} leave no room for an answer in {most}")))
            return
        self._asked[ticket] = _Asked(request, prompt, time.perf_counter())
        is_watched = request.logprobs is not None
        # A recipe's usual max_tokens is as much as the whole context here: an answer may fill what is left of it.
        numbers, guide = uniforms(request)[:room], self._guide(request)
        self._sampler.add(ticket, Draw(prompt, numbers, request.temperature, request.top_p, guide, is_watched))

    def drop(self, tickets: Sequence[int]) -> None:
        """See `Engine.drop`."""
        self._sampler.drop(tickets)
        for ticket in tickets:
            self._asked.pop(ticket, None)

    def step(self) -> list[tuple[int, Answer]]:
        """See `Engine.step`."""
        for ticket, written in self._sampler.step():
            self._done.append((ticket, self._answer(self._asked.pop(ticket), written)))
        done, self._done = self._done, []
        return done

    def _guide(self, request: Request) -> Guide | None:
        """Which tokens lead to an option of a choice."""
        if not isinstance(request.constraint, Choice):
            return None
        options: Paths = tuple(tuple(self.tokenizer.encode(text.strip())) for text in request.constraint.options)

        def guide(said: Sequence[int]) -> list[int]:
            left = options
            for token in said:
                left = walk(left, token)
            return [] if left == ((),) else allowed(left, self._ends)

        return guide if all(options) else None

    def _answer(self, asked: _Asked, written: Written) -> Answer:
        tokens_in, tokens_out = len(asked.prompt), len(written.tokens)
        flops = self.net.flops(0, written.read) + self.net.flops(tokens_in, tokens_in + tokens_out)
        seconds, cached = time.perf_counter() - asked.started, tokens_in - written.read
        if not written.has_ended:
            why = "the answer stopped at max_tokens"
            if tokens_out < asked.request.max_tokens:
                why = f"the answer reached the end of the model's context of {self.net.shape.context} tokens"
            return Failure("truncated", why, tokens_in, tokens_out, None, seconds, tokens_cached=cached, flops=flops)
        return Reply(
            self.tokenizer.decode(written.tokens[: written.whole]),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            seconds=seconds,
            model=self.name,
            tokens_cached=cached,
            flops=flops,
            logprobs=self._logprobs(asked.request, written),
        )

    def _logprobs(self, request: Request, written: Written) -> tuple[TokenLogprob, ...] | None:
        if request.logprobs is None:
            return None
        pairs = zip(written.tokens[: written.whole], written.logprobs, strict=False)
        return tuple(self._noted(token, sure, request.logprobs) for token, sure in pairs)

    def _noted(self, token: int, sure: Floats, most: int) -> TokenLogprob:
        best = (-sure).argsort(kind="stable")[:most].tolist()
        top = tuple((self._piece(other), min(0.0, float(sure[other]))) for other in best)
        return TokenLogprob(self._piece(token), min(0.0, float(sure[token])), top)

    def _piece(self, token: int) -> str:
        return self.tokenizer.decode([token]) if token < self.tokenizer.size else ""


def _folder(address: str) -> Path:
    name = address.partition(":")[2]
    return checkpoint.folder(name if name in checkpoint.NAMES else str(Path(name).expanduser()))
