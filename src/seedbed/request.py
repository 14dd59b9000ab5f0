"""The model contract: requests go in, one `Reply` or `Failure` each comes out, in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from seedbed.fingerprint import fingerprint

Message = tuple[Literal["system", "user", "assistant"], str]
"""Role and content."""

FailureKind = Literal["refused", "truncated", "terminal", "exhausted"]
"""Why a request has no good answer.

refused: the endpoint declined for content (content filter, `refusal`).
truncated: the answer hit `max_tokens` and is not whole.
terminal: the endpoint will never answer this request (400, 404, 413, 422), or its answer is unreadable.
exhausted: every try met a passing fault (429, 5xx, timeout, lost connection); a later run may ask again.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. What decides the answer is a field here and is hashed by `key`."""

    messages: tuple[Message, ...]
    draw: int = 0
    """Tells repeated draws of one prompt apart: each draw is its own answer in the ledger."""
    rng_seed: int = 0
    """Which independent replicate asks, so that two rng seeds of one run never share an answer."""
    temperature: float = 0.9
    top_p: float = 1.0
    max_tokens: int = 512
    slots: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    """What the prompt was made from (verb, label, context, ...). Not part of the identity: the messages already
    say it. Only the recorded model reads it, to find the reply somebody's LLM once gave to the same question."""

    def key(self, address: str) -> str:
        """Identity of this question when put to the model at `address`: 32 hexadecimal digits."""
        settings = [float(self.temperature), float(self.top_p), self.max_tokens]
        return fingerprint([address, list(map(list, self.messages)), self.draw, self.rng_seed, settings], digits=32)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    """Price of this answer; None is unknown, which is not free."""
    seconds: float = 0.0
    model: str = ""
    """The model's name as the endpoint returned it."""
    is_cached: bool = False
    """True when the ledger already owned the answer and nothing was sent."""


@dataclass(frozen=True, slots=True)
class Failure:
    """No good answer, and why. A value, so that one bad request never ends a run."""

    kind: FailureKind
    message: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    """A truncated or refused answer is billed all the same."""
    seconds: float = 0.0
    is_cached: bool = False


class Model(Protocol):
    """Anything that answers requests."""

    @property
    def address(self) -> str:
        """What `open_model` was given; part of the identity of every reply."""
        ...

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply | Failure]:
        """Answer each request, in order, with bounded memory however many there are.

        Raises:
            BudgetExceeded: The next request could cost more than is left. Everything sent before it was yielded.
            EndpointRefused: Every further request would be refused (key, credit, unknown model).
        """
        ...
