"""Puts a few questions to one endpoint, counts what they cost, and stops at a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from seedbed.models import open_wire
from seedbed.models.address import is_on_http
from seedbed.models.draws import Shared
from seedbed.models.formats.reading import clean
from seedbed.models.http import Http
from seedbed.models.prices import Price, price_of
from seedbed.models.wire import Endpoint, Retryable, Wire
from seedbed.request import Failure, Reply, Request

T = TypeVar("T")
Answer = Reply | Failure | Retryable
LONGEST_S = 60.0
"""Longest wait for one answer: whoever checks an endpoint sits before the screen."""
_LONGEST_PAUSE_S = 15.0
"""Longest wait that an endpoint may ask for before a question is put again."""


class Spent(Exception):
    """The requests that a check may send are used up."""


@dataclass(slots=True)
class Books:
    """What was sent and what it took."""

    most: int
    requests: int = 0
    refused: int = 0
    """Of these, answered with 400 or 422: a parameter is not taken, and the wire goes on without it where it can."""
    tokens_in: int = 0
    tokens_out: int = 0
    unknown_tokens: int = 0
    """Answers that did not say what they took."""
    limits: dict[str, str] = field(default_factory=dict)
    """Headers of the answers that tell a rate limit."""

    def one_more(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            Spent: It would be one too many.
        """
        if self.requests >= self.most:
            raise Spent
        self.requests += 1

    def take(self, answer: Answer) -> None:
        """Count what an answer took."""
        if isinstance(answer, Retryable):
            return
        known = answer.tokens_in is not None and answer.tokens_out is not None
        self.unknown_tokens += not known and not (isinstance(answer, Failure) and answer.kind == "terminal")
        self.tokens_in += answer.tokens_in or 0
        self.tokens_out += answer.tokens_out or 0


class _Watched(Http):
    """The wire that a run would use, with an eye on its headers and every request it sends."""

    def __init__(self, address: str, settings: Endpoint, books: Books) -> None:
        super().__init__(address, settings)
        self._books = books

    async def _post(self, content: bytes) -> tuple[int, Mapping[str, str], bytes]:
        self._books.one_more()
        status, headers, received = await super()._post(content)
        self._books.refused += status in (400, 422)
        for name, value in headers.items():
            if "ratelimit" in name.lower() and len(self._books.limits) < 30:
                self._books.limits[clean(name.lower(), 80)] = clean(value, 80)
        return status, headers, received


class Desk:
    """Where questions are put. One loop for all of them, so that connections are kept.

    Args:
        address: What `open_model` takes.
        settings: Of the endpoint.
        most: Requests that may be sent; trying again counts.

    Raises:
        ConfigError: No model can be at such an address, or its key is missing.
    """

    def __init__(self, address: str, settings: Endpoint, most: int) -> None:
        self.address, self.is_on_http = address, is_on_http(address)
        self.settings = settings.model_copy(update={"timeout_s": min(settings.timeout_s, LONGEST_S)})
        self.price: Price | None = price_of(address, settings)
        self.books = Books(most)
        self.http: Http | None = _Watched(address, self.settings, self.books) if self.is_on_http else None
        self.wire: Wire = self.http or open_wire(address, self.settings)
        self._runner = asyncio.Runner()

    def ask(self, *requests: Request) -> list[Answer]:
        """The answers to questions put at the same moment.

        Raises:
            EndpointRefused: It would refuse every further question like one of these.
            Spent: No more may be sent.
        """
        answers = self._runner.run(self._all(requests))
        for answer in answers:
            for each in answer.each if isinstance(answer, Shared) else (answer,):
                self.books.take(each)
        return answers

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the desk's loop."""
        return self._runner.run(work)

    @property
    def usd(self) -> float | None:
        """What was spent; None where the price is unknown."""
        books = self.books
        if not books.tokens_in + books.tokens_out + books.unknown_tokens:
            return 0.0
        if self.price is None or books.unknown_tokens:
            return None
        return self.price.usd(books.tokens_in, books.tokens_out)

    def close(self) -> None:
        """Give back connections and the loop."""
        self._runner.run(self.wire.close())
        self._runner.close()

    async def _all(self, requests: tuple[Request, ...]) -> list[Answer]:
        found = await asyncio.gather(*map(self._one, requests), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return [each for each in found if not isinstance(each, BaseException)]

    async def _one(self, request: Request) -> Answer:
        if self.http is None:
            self.books.one_more()
        start = time.monotonic()
        answer = await self.wire.send(request)
        wait_s = (answer.retry_after_s or 1.0) if isinstance(answer, Retryable) else 0.0
        if isinstance(answer, Retryable) and answer.is_rate_limit and wait_s <= _LONGEST_PAUSE_S:
            await asyncio.sleep(wait_s)
            start = time.monotonic()
            answer = await self.wire.send(request)
        # A wire in this process does not say how long it took.
        if isinstance(answer, Retryable | Shared) or answer.seconds:
            return answer
        return replace(answer, seconds=time.monotonic() - start)
