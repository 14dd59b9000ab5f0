"""The model contract: requests go in, one `Reply` or `Failure` each comes out, in the same order."""

from __future__ import annotations

import hashlib
import json
import json.encoder
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from seedbed.errors import ConfigError

Message = tuple[Literal["system", "user", "assistant"], str]
"""Role and content."""

FailureKind = Literal["refused", "truncated", "malformed", "terminal", "exhausted"]
"""Why a request has no good answer.

refused: the endpoint declined for content (content filter, `refusal`).
truncated: the answer hit `max_tokens` and is not whole.
malformed: the answer does not meet the request's constraint, nor does the one to the re-ask that said why.
terminal: the endpoint will never answer this request (400, 404, 413, 422), or its answer is unreadable.
exhausted: every try met a passing fault (429, 5xx, timeout, lost connection); a later run may ask again.
"""

_ROLES = ("system", "user", "assistant")
_quoted = json.encoder.encode_basestring
_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer must be JSON that satisfies a JSON Schema (draft 2020-12)."""

    text: str
    """The schema, as JSON. Make one with `JsonSchema.of`."""
    name: str = "answer"
    """Letters, digits, _ and -; some servers show it to the model."""

    @classmethod
    def of(cls, schema: Mapping[str, Any] | type[BaseModel], name: str = "answer") -> JsonSchema:
        """From a schema as plain data or from a pydantic model; key order, which a model may follow, is kept."""
        if isinstance(schema, str):
            raise ConfigError("a schema comes as a mapping or a pydantic model", schema[:200], "json.loads it first")
        plain = schema if isinstance(schema, Mapping) else schema.model_json_schema()
        return cls(_canonical(plain), name)


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer must be one of these texts."""

    options: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a single text, which would be read as its letters."""
        if isinstance(self.options, str):
            raise ConfigError("a choice needs its options", repr(self.options)[:200], 'e.g. Choice(("yes", "no"))')


@dataclass(frozen=True, slots=True)
class Regex:
    """The whole answer must match a regular expression (Python's `re`; servers know the common part of it)."""

    pattern: str


Constraint = JsonSchema | Choice | Regex


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
    seed: int | None = None
    """Sent to servers that take one; most promise nothing. Without it nothing is sent, whatever `rng_seed` is."""
    logprobs: int | None = None
    """Ask for the log-probability of each token of the answer and of so many alternatives beside it, 0 to 20."""
    constraint: Constraint | None = None
    """What the answer must look like: enforced by servers that can, checked always."""
    slots: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    """What the prompt was made from (verb, label, context, ...). Not part of the identity: the messages already
    say it. Only the recorded model reads it, to find the reply somebody's LLM once gave to the same question."""

    def __post_init__(self) -> None:
        """Refuse what no model can be asked.

        Raises:
            ConfigError: Messages that are not pairs of a role and a text, or a setting out of its range.
        """
        messages: tuple[Any, ...] = self.messages or ((),)
        for message in messages:
            is_pair = isinstance(message, tuple | list) and len(message) == 2
            if not is_pair or message[0] not in _ROLES or not isinstance(message[1], str):
                fix = 'e.g. Request((("user", "Write a film review."),)); roles are system, user and assistant'
                raise ConfigError("a message is a role and a text", f"{message!r}"[:200], fix)
        if self.max_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            seen = f"max_tokens {self.max_tokens}, temperature {self.temperature}, top_p {self.top_p}"
            raise ConfigError(
                "such a request cannot be answered", seen, "max_tokens from 1, temperature from 0, top_p in (0, 1]"
            )
        if self.constraint is not None and not isinstance(self.constraint, JsonSchema | Choice | Regex):
            seen = f"{self.constraint!r}"[:200]
            raise ConfigError(
                "such a constraint is not known", seen, "use JsonSchema.of(...), Choice((...)) or Regex(...)"
            )

    def canonical(self) -> str:
        """The question as JSON with one spelling: what is hashed, and what the ledger keeps."""
        said = ",".join(f'["{role}",{_quoted(content)}]' for role, content in self.messages)
        text = (
            f'{{"messages":[{said}],"draw":{self.draw},"rng_seed":{self.rng_seed},'
            f'"temperature":{float(self.temperature)!r},"top_p":{float(self.top_p)!r},"max_tokens":{self.max_tokens}'
        )
        if self.seed is not None:
            text += f',"seed":{self.seed}'
        if self.logprobs is not None:
            text += f',"logprobs":{self.logprobs}'
        if self.constraint is not None:
            text += f',"constraint":{_canonical(_constraint(self.constraint))}'
        return text + "}"

    @classmethod
    def from_canonical(cls, text: str) -> Request:
        """The question that `canonical()` spelled; without its slots, which are not part of it."""
        plain = json.loads(text)
        constraint = plain.pop("constraint", None)
        plain["messages"] = tuple((role, content) for role, content in plain["messages"])
        return cls(**plain, constraint=None if constraint is None else _constraint_of(*constraint))

    def key(self, address: str, canonical: str | None = None) -> str:
        """Identity of this question when put to the model at `address`: 32 hexadecimal digits.

        Args:
            address: What `open_model` was given.
            canonical: What `canonical()` gave, where the caller needs it too.
        """
        text = f"{address}\n{canonical or self.canonical()}"
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _constraint(constraint: Constraint) -> list[str]:
    if isinstance(constraint, JsonSchema):
        return ["json_schema", constraint.text, constraint.name]
    return ["choice", *constraint.options] if isinstance(constraint, Choice) else ["regex", constraint.pattern]


def _constraint_of(kind: str, *parts: str) -> Constraint:
    if kind == "json_schema":
        return JsonSchema(*parts)
    return Choice(parts) if kind == "choice" else Regex(*parts)


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer."""

    token: str
    logprob: float
    """Natural logarithm of its probability, at most 0."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place and their logprobs, likeliest first."""


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
    tokens_cached: int = 0
    """Of `tokens_in`, those the endpoint read from its own prompt cache, at its lower price."""
    flops: float | None = None
    """Floating-point operations it took, where the model's size is known: 2 per parameter and token."""
    logprobs: tuple[TokenLogprob, ...] | None = None
    """One per token of the answer, where they were asked for and the endpoint gave them."""
    checked: Literal["", "valid", "salvaged", "repaired"] = ""
    """How the answer came to meet the request's constraint: at once; after what stood around the JSON was taken off;
    after one re-ask. Empty where there was no constraint."""


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
    tokens_cached: int = 0
    flops: float | None = None


class Model(Protocol):
    """Anything that answers requests."""

    @property
    def address(self) -> str:
        """What `open_model` was given; part of the identity of every reply."""
        ...

    def generate(self, requests: Iterable[Request], *, step: str = "") -> Iterator[Reply | Failure]:
        """Answer each request, in order, with bounded memory however many there are.

        Args:
            requests: Any number of them, also endless; read no further ahead than the window needs.
            step: Name of the step that asks, such as `extrapolate-2`: the ledger books what it costs there, and the
                budget may hold a cap for it.

        Raises:
            BudgetExceeded: The next request could cost more than is left. Everything sent before it was yielded.
            EndpointRefused: Every further request would be refused (key, credit, unknown model).
        """
        ...
