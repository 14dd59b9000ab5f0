"""Several draws of one prompt in one request (`n`): the endpoint reads the prompt, and bills it, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial

from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure | Retryable
JOIN_S = 0.01
"""How long a request waits for others like it, beside the second or so that an answer takes; a full one leaves at once.
Requests are read in a thread of their own, so those of one prompt come together but not at one instant."""


@dataclass(frozen=True, slots=True)
class Several(Request):
    """A request for this many answers at once. The layers below pass it on like any other."""

    draws: int = 1

    @classmethod
    def of(cls, request: Request, draws: int) -> Several:
        """So many draws of a request."""
        return cls(**{field.name: getattr(request, field.name) for field in fields(Request)}, draws=draws)


@dataclass(frozen=True, slots=True)
class Shared(Reply):
    """The answers to `Several` draws, in one value; its tokens are those of all of them."""

    each: tuple[Answer, ...] = ()


def together(answers: Sequence[Answer]) -> Shared | Failure | Retryable:
    """One value for the answers of one request, or the one fault that stands for all of them."""
    only = answers[0]
    if all(isinstance(it, Retryable) for it in answers) and isinstance(only, Retryable):
        return only
    if len(answers) == 1 and isinstance(only, Failure) and only.tokens_in is None and only.tokens_out is None:
        return only  # nothing was billed: the request as a whole was declined
    known = [it for it in answers if not isinstance(it, Retryable)]
    tokens_in, tokens_out = _total(it.tokens_in for it in known), _total(it.tokens_out for it in known)
    return Shared("", tokens_in, tokens_out, seconds=known[0].seconds, each=tuple(answers))


def _total(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


class Draws:
    """A wire that joins requests which come together and differ only in their draw number.

    Each still gets an answer of its own, and the tokens of all add up to what was billed. An answer that the server
    did not give, or gave unreadably, is asked for again by itself; a server that declines `n` is not sent it again.
    Requests with a `seed` stay alone: the same seed twice in one request is another question.

    Args:
        wire: What is asked; retries and throttle stand below, so that a joined request waits and counts once.
        most: Draws that may share one request, at least 2.
    """

    def __init__(self, wire: Wire, most: int) -> None:
        self.wire = wire
        self.most = most
        self._open: dict[tuple[object, ...], _Group] = {}
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Answer:
        """Put one question, together with those like it."""
        if self.most < 2 or request.seed is not None:
            return await self.wire.send(request)
        loop = asyncio.get_running_loop()
        prompt = _prompt(request)
        group = self._open.get(prompt)
        if group is None:
            group = self._open[prompt] = _Group(prompt)
            loop.call_later(JOIN_S, self._ask, group)
        turn: asyncio.Future[Answer | None] = loop.create_future()
        group.members.append((request, turn))
        if len(group.members) >= self.most:
            self._ask(group)
        answer = await turn
        if answer is not None:
            return answer
        answer = await self.wire.send(request)
        if group.was_declined and isinstance(answer, Reply):
            self.most = 1  # so it was `n` that the server did not take
        return answer

    async def close(self) -> None:
        """Close the wire below."""
        await self.wire.close()

    def _ask(self, group: _Group) -> None:
        if group.is_asked:
            return
        group.is_asked = True
        if self._open.get(group.prompt) is group:
            del self._open[group.prompt]
        if len(group.members) == 1:
            group.hand_out([])
            return
        task = asyncio.get_running_loop().create_task(self._ask_together(group))
        self._asking.add(task)
        task.add_done_callback(partial(self._done, group))
        group.watch(task)

    async def _ask_together(self, group: _Group) -> None:
        asked = len(group.members)
        answer = await self.wire.send(Several.of(group.members[0][0], asked))
        if isinstance(answer, Shared):
            if len(answer.each) < asked:
                self.most = 1  # it does not know `n`
            group.hand_out([None if isinstance(it, Retryable) else it for it in answer.each])
        elif isinstance(answer, Retryable) or (isinstance(answer, Failure) and answer.kind == "exhausted"):
            group.hand_out([answer] * asked)
        else:
            # The prompt may be the trouble or `n` may be: asked one by one, each gets the answer that is its own.
            group.was_declined = True
            group.hand_out([])

    def _done(self, group: _Group, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        group.end(None if task.cancelled() else task.exception())


class _Group:
    """Requests that are put together, and who waits for their answers."""

    def __init__(self, prompt: tuple[object, ...]) -> None:
        self.prompt = prompt
        self.members: list[tuple[Request, asyncio.Future[Answer | None]]] = []
        self.is_asked = self.was_declined = False

    def hand_out(self, answers: Sequence[Answer | None]) -> None:
        """Give each member its answer; None, or none left, means it asks by itself."""
        for number, (_, turn) in enumerate(self.members):
            if not turn.done():
                turn.set_result(answers[number] if number < len(answers) else None)

    def end(self, error: BaseException | None) -> None:
        """Let whoever still waits meet what stopped the request: an error, or a cancellation."""
        for _, turn in self.members:
            if not turn.done():
                turn.cancel() if error is None else turn.set_exception(error)

    def watch(self, task: asyncio.Task[None]) -> None:
        """Stop asking when nobody waits for an answer any more."""

        def look(_: object) -> None:
            if all(turn.cancelled() for _, turn in self.members):
                task.cancel()

        for _, turn in self.members:
            turn.add_done_callback(look)


def _prompt(request: Request) -> tuple[object, ...]:
    """What requests must have in common to be put together: everything that is asked but the draw number."""
    return (
        request.messages,
        request.rng_seed,
        request.temperature,
        request.top_p,
        request.max_tokens,
        request.logprobs,
        request.constraint,
    )
