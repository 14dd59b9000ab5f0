"""A wire that answers from a script: for tests of what stands around a wire."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure | Retryable


def ask(text: str, draw: int = 0, max_tokens: int = 20) -> Request:
    """A request that says one thing."""
    return Request((("user", text),), draw=draw, max_tokens=max_tokens)


def echo(request: Request) -> Reply:
    """A reply that repeats the question, one token a word."""
    text = request.messages[-1][1]
    return Reply(f"to {text}", len(text.split()), 2)


class Scripted:
    """Answers by a function; counts what was asked and how many at once."""

    def __init__(
        self, answer: Callable[[Request], Answer] = echo, delay: Callable[[Request], float] = lambda _r: 0.0
    ) -> None:
        self.address = "scripted"
        self.asked: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.is_closed = False
        self._answer, self._delay = answer, delay

    async def send(self, request: Request) -> Answer:
        """Answer after the delay the script sets."""
        self.asked[request.messages[-1][1]] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._delay(request))
            return self._answer(request)
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Note it."""
        self.is_closed = True
