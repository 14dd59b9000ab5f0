"""What every layer between `generate` and the network has in common: ask once, get a value back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seedbed.request import Failure, Reply, Request


@dataclass(frozen=True, slots=True)
class Retryable:
    """A passing fault: the same question may well be answered if asked again. Never leaves the retry layer."""

    message: str
    retry_after_s: float | None = None
    """What the server asked for, in seconds; None when it named no time."""
    is_rate_limit: bool = False
    """The server said "too fast"; the throttle counts these."""
    may_be_billed: bool = False
    """The model may have answered all the same (a timeout, a lost connection, an unreadable answer). The retry layer
    waits and hands these up, because another try may cost once more and the budget must agree first."""
    is_unreadable: bool = False
    """An answer came and made no sense. If it keeps doing so, the request is given up for good."""
    is_unreachable: bool = False
    """No connection could be made: nothing listens there, no such host, no common TLS."""


class Wire(Protocol):
    """One way to put one question. Layers (retry, throttle) are wires around a wire."""

    @property
    def address(self) -> str:
        """What `open_model` was given."""
        ...

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once.

        Raises:
            EndpointRefused: Every further request would be refused (key, credit, unknown model).
        """
        ...

    async def close(self) -> None:
        """Give back connections; called in the loop that sent."""
        ...


class Endpoint(BaseModel):
    """Where requests go and how fast. Never part of a request's identity: the answers do not depend on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | None = None
    """For `openai:` and `anthropic:` addresses; None means OPENAI_BASE_URL or ANTHROPIC_BASE_URL, then the service."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself is never written anywhere. None means
    OPENAI_API_KEY for `openai:` addresses, ANTHROPIC_API_KEY for `anthropic:` ones and no key for every other, so that
    no server gets another's key."""
    api: Literal["chat", "responses", "messages"] | None = None
    """The wire format: OpenAI's chat completions or responses, Anthropic's messages. None is `messages` for
    `anthropic:` addresses and `chat` for every other."""
    constraints: Literal["openai", "vllm", "llama.cpp", "none"] = "openai"
    """How the server is told what an answer must look like: `response_format` with a JSON schema (openai); that and
    choices (llama.cpp); that, choices and regular expressions (vllm); not at all (none). Answers are checked in every
    case."""
    draws_per_request: int = Field(1, ge=1, le=128)
    """Draws of one prompt that may share one request (`n`), where the server takes it: the prompt is billed once."""
    batch: bool = False
    """Send files of requests to the batch endpoint: half the price, an answer within a day."""
    concurrency: int = Field(16, ge=1)
    """Most requests in flight at once."""
    requests_per_minute: int | None = Field(None, ge=1)
    """Cap of the account, where it is known; without it the limit is found by trying."""
    tokens_per_minute: int | None = Field(None, ge=1)
    """The same for prompts and answers together."""
    timeout_s: float = Field(120, gt=0)
    """Longest wait for one answer, in seconds, before it is asked again."""
    attempts: int = Field(6, ge=1)
    """Most tries per request before it is a failure of kind `exhausted`."""
    stall_s: float = Field(600, gt=0)
    """Longest time, in seconds, that every answer may be a fault before the run pauses with the reason."""
    hedge_after_s: float | None = Field(None, gt=0)
    """Ask a second time when an answer takes longer, and keep the first answer; both may be billed. None is never."""
    usd_per_million_in: float | None = Field(None, ge=0)
    usd_per_million_out: float | None = Field(None, ge=0)
    parameters_billion: float | None = Field(None, gt=0)
    """Active parameters of the model, in billions, where its work is to be counted in FLOPs."""
    device: str | None = None
    """Of an in-process model: cpu, cuda, cuda:1; None is the best there is."""

    @model_validator(mode="after")
    def _fit_together(self) -> Endpoint:
        if (self.usd_per_million_in is None) != (self.usd_per_million_out is None):
            raise ValueError("give both `usd_per_million_in` and `usd_per_million_out`, or neither")
        if self.hedge_after_s is not None and self.draws_per_request > 1:
            raise ValueError("`hedge_after_s` asks for one answer again and needs `draws_per_request: 1`")
        return self
