"""Keep an account's caps on requests and tokens per minute, where they are known."""

from __future__ import annotations

import asyncio

from seedbed.models.draws import Several
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_BYTES_PER_TOKEN = 4
_PER_MESSAGE = 4
"""Tokens a chat template adds around a message."""
_BURST_S = 0.6
_FILL = 0.99
"""A bucket holds 0.6 s worth and is filled at 99 % of the rate, so that no 60 s see more than the cap."""
_INSTANT_S = 1e-6
"""Too short to wait for: rounding leaves such remainders, and no clock moves by them."""
_LEARNED = 1 / 20
"""Weight of an answer in the running share of `max_tokens` that answers use."""


class Bucket:
    """So many units per minute, taken as they are needed, never more than the cap in any minute.

    Args:
        per_minute: The cap, at least 1.
        now: The time in seconds.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self.rate = _FILL * per_minute / 60
        self.size = max(1.0, _BURST_S * per_minute / 60)
        self._held, self._filled_at = self.size, now

    def wait_s(self, units: float, now: float) -> float:
        """Seconds until this many may be taken; more than the bucket holds may be taken when it is full."""
        self._fill(now)
        wait_s = (min(units, self.size) - self._held) / self.rate
        return wait_s if wait_s > _INSTANT_S else 0.0

    def take(self, units: float) -> None:
        """Take them; a negative number gives back. What is owed delays whoever comes next."""
        self._held = min(self.size, self._held - units)

    def _fill(self, now: float) -> None:
        self._held = min(self.size, self._held + (now - self._filled_at) * self.rate)
        self._filled_at = now


class Pace:
    """A wire that sends no more requests and tokens a minute than the account may.

    The tokens of an answer are known only afterwards. Before, a request counts a token for every four bytes of its
    prompt and the share of `max_tokens` that answers have used so far (all of it at first); afterwards the difference
    is given back or taken. Requests wait in the order they came.

    Args:
        wire: What is asked; directly below, so that what passes here is sent at once.
        requests_per_minute: Cap; None is none.
        tokens_per_minute: Cap on tokens in and out together; None is none.
    """

    def __init__(self, wire: Wire, requests_per_minute: int | None, tokens_per_minute: int | None) -> None:
        self.wire = wire
        self.requests_per_minute, self.tokens_per_minute = requests_per_minute, tokens_per_minute
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self._share_used = 1.0
        self._line = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once, as soon as the caps allow."""
        estimate = await self.admit(request)
        answer = await self.wire.send(request)
        if self._tokens is not None:
            self._correct(request, estimate, answer)
        return answer

    async def admit(self, request: Request) -> float:
        """Wait until a request may go out, and count it; its estimated tokens."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._open(loop)
        async with self._line:
            # Only now, at the head of the line: the answers that came meanwhile have taught what to expect.
            estimate = self._estimate(request) if self.tokens_per_minute else 0.0
            wants = ((self._requests, 1.0), (self._tokens, estimate))
            while (wait_s := max(it.wait_s(units, loop.time()) if it else 0.0 for it, units in wants)) > 0:
                await asyncio.sleep(wait_s)
            for it, units in wants:
                if it is not None:
                    it.take(units)
        return estimate

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        # A lock belongs to the loop it waited in; what was sent in an earlier loop still counts.
        self._loop, self._line = loop, asyncio.Lock()
        if self.requests_per_minute and self._requests is None:
            self._requests = Bucket(self.requests_per_minute, loop.time())
        if self.tokens_per_minute and self._tokens is None:
            self._tokens = Bucket(self.tokens_per_minute, loop.time())

    def _estimate(self, request: Request) -> float:
        prompt = sum(len(text.encode("utf-8", "surrogatepass")) for _, text in request.messages)
        answers = self._share_used * request.max_tokens * _draws(request)
        return prompt / _BYTES_PER_TOKEN + _PER_MESSAGE * len(request.messages) + answers

    def _correct(self, request: Request, estimate: float, answer: Reply | Failure | Retryable) -> None:
        assert self._tokens is not None
        if isinstance(answer, Retryable):
            if answer.is_rate_limit or answer.is_unreachable:
                self._tokens.take(-estimate)  # it was turned away: no token was read or written
            return
        if answer.tokens_in is None or answer.tokens_out is None:
            return
        self._tokens.take(answer.tokens_in + answer.tokens_out - estimate)
        share_used = min(1.0, answer.tokens_out / (request.max_tokens * _draws(request)))
        self._share_used += _LEARNED * (share_used - self._share_used)


def _draws(request: Request) -> int:
    return request.draws if isinstance(request, Several) else 1
