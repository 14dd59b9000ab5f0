"""Requests of one moment are worked on together, answers find their callers, and a broken engine tells everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from seedbed.errors import ConfigError, EndpointRefused
from seedbed.models.in_process import Answer, InProcess
from seedbed.request import Reply, Request


class Echo:
    """Repeats a request's draw after as many steps as it says; notes how many were in work at each step."""

    room = 8

    def __init__(self) -> None:
        self.left: dict[int, int] = {}
        self.draws: dict[int, int] = {}
        self.sizes: list[int] = []
        self.dropped: list[int] = []

    def add(self, ticket: int, request: Request) -> None:
        if request.draw < 0:
            raise RuntimeError("the engine broke")
        self.left[ticket], self.draws[ticket] = request.max_tokens, request.draw

    def drop(self, tickets: Sequence[int]) -> None:
        self.dropped += tickets
        for ticket in tickets:
            del self.left[ticket]

    def step(self) -> list[tuple[int, Answer]]:
        self.sizes.append(len(self.left))
        self.left = {ticket: left - 1 for ticket, left in self.left.items()}
        done = [ticket for ticket, left in self.left.items() if left <= 0]
        for ticket in done:
            del self.left[ticket]
        return [(ticket, Reply(str(self.draws[ticket]))) for ticket in done]


def ask(draw: int, steps: int = 3) -> Request:
    return Request((("user", "x"),), draw=draw, max_tokens=steps)


def test_requests_of_one_moment_share_the_first_step_and_each_gets_its_own_answer() -> None:
    echo, wires = Echo(), []

    async def main() -> list[Answer]:
        wires.append(InProcess("test:echo", lambda: echo))
        return await asyncio.gather(*(wires[0].send(ask(draw, 1 + draw % 3)) for draw in range(8)))

    assert [getattr(answer, "text", "") for answer in asyncio.run(main())] == list("01234567")
    assert echo.sizes[0] == 8


def test_the_engine_is_opened_once_and_serves_one_loop_after_another() -> None:
    opened: list[Echo] = []

    def open_echo() -> Echo:
        opened.append(Echo())
        return opened[-1]

    wire = InProcess("test:echo", open_echo)
    assert not wire.is_loaded
    for draw in range(3):
        assert asyncio.run(wire.send(ask(draw))) == Reply(str(draw))
    assert len(opened) == 1 and wire.is_loaded


def test_what_breaks_the_engine_reaches_everybody_who_waits_and_the_next_one_starts_anew() -> None:
    wire = InProcess("test:echo", Echo)

    async def main() -> list[Answer | BaseException]:
        return await asyncio.gather(*(wire.send(ask(draw)) for draw in (0, 1, -1)), return_exceptions=True)

    found = asyncio.run(main())
    assert [type(error) for error in found] == [EndpointRefused] * 3
    assert "the engine broke" in str(found[0])
    assert asyncio.run(wire.send(ask(5))) == Reply("5")


def test_a_model_that_cannot_be_opened_says_why_to_all() -> None:
    def refuse() -> Echo:
        raise ConfigError("this model will not do", "seen", "fix")

    with pytest.raises(ConfigError, match="will not do"):
        asyncio.run(InProcess("test:none", refuse).send(ask(0)))


def test_a_request_that_nobody_waits_for_is_dropped() -> None:
    echo = Echo()
    wire = InProcess("test:echo", lambda: echo)

    async def main() -> Answer:
        endless = asyncio.create_task(wire.send(ask(0, 10**9)))
        while not echo.sizes:
            await asyncio.sleep(0.001)
        endless.cancel()
        return await wire.send(ask(1, 5))

    assert asyncio.run(main()) == Reply("1")
    assert echo.dropped == [0]
