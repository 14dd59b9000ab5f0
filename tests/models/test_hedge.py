from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models import virtual_time
from tests.models.pretend import ASK

from seedbed.budget import Budget, Caps
from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models.booking import Tariff
from seedbed.models.hedge import Hedge
from seedbed.models.pace import Pace
from seedbed.models.prices import Price
from seedbed.models.window import Window
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure | Retryable
LOST = Retryable("no answer within 9 s", may_be_billed=True)
BUSY = Retryable("429", is_rate_limit=True)


class Slow:
    """A wire that takes so many seconds for its first send, its second, and so on, the last for all others."""

    address = "slow:"

    def __init__(self, *takes: tuple[float, Answer | Exception]) -> None:
        self.takes = takes
        self.sent_at: list[float] = []
        self.cancelled = 0

    async def send(self, request: Request) -> Answer:
        take_s, answer = self.takes[min(len(self.sent_at), len(self.takes) - 1)]
        self.sent_at.append(virtual_time.now())
        try:
            await asyncio.sleep(take_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is open."""


class Noted:
    """Books that allow every second send, or none, and note what became of them."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.has_room, self.lost, self.spared = has_room, 0, 0

    def may_double(self, _request: Request) -> bool:
        return self.has_room

    def is_lost(self, _request: Request) -> None:
        self.lost += 1

    def is_spared(self, _request: Request) -> None:
        self.spared += 1


def ask(wire: Slow) -> tuple[Answer, float, int]:
    """The answer, when it came, and how many sends were reported as lost, with a second send after 2 s."""
    books = Noted()

    async def once() -> tuple[Answer, float, int]:
        answer = await Hedge(wire, 2.0, books=books).send(ASK)
        return answer, virtual_time.now(), books.lost

    return virtual_time.run(once())


def test_an_answer_in_time_is_asked_for_once() -> None:
    wire = Slow((1.5, Reply("first")))
    assert ask(wire) == (Reply("first"), 1.5, 0) and wire.sent_at == [0]


def test_a_straggler_is_overtaken_and_what_it_may_cost_is_reported() -> None:
    wire = Slow((100, Reply("first")), (1, Reply("second")))
    assert ask(wire) == (Reply("second"), 3.0, 1)
    assert wire.sent_at == [0, 2] and wire.cancelled == 1


def test_the_first_answer_wins_also_when_it_is_the_first_send_s() -> None:
    wire = Slow((3, Reply("first")), (50, Reply("second")))
    assert ask(wire) == (Reply("first"), 3.0, 1) and wire.cancelled == 1


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((30, Reply("first")), (1, BUSY), (Reply("first"), 30.0, 0)),
        ((30, Reply("first")), (1, LOST), (Reply("first"), 30.0, 1)),
        ((5, LOST), (10, Reply("second")), (Reply("second"), 12.0, 1)),
        ((5, LOST), (10, LOST), (LOST, 12.0, 1)),
        ((30, Reply("first")), (1, Failure("terminal", "400")), (Failure("terminal", "400"), 3.0, 1)),
    ],
)
def test_a_fault_of_one_send_does_not_end_the_other(
    first: tuple[float, Answer], second: tuple[float, Answer], expected: tuple[Answer, float, int]
) -> None:
    assert ask(Slow(first, second)) == expected


@pytest.mark.parametrize("takes", [[1.0], [5.0, 1.0], [5.0, 60.0]])
def test_an_endpoint_that_refuses_everything_is_heard_from_either_send(takes: Sequence[float]) -> None:
    wire = Slow(*((take, EndpointRefused("no credit")) for take in takes))
    with pytest.raises(EndpointRefused):
        ask(wire)


def test_a_caller_who_goes_away_leaves_nothing_in_flight() -> None:
    wire = Slow((100, Reply("never")))
    hedge = Hedge(wire, 2.0)

    async def leave() -> None:
        for patience_s in (1.0, 10.0):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hedge.send(ASK), patience_s)

    virtual_time.run(leave())
    assert len(wire.sent_at) == wire.cancelled == 3 and hedge._in_flight == hedge._doubled == 0


def test_an_endpoint_that_is_slow_as_a_whole_is_not_sent_everything_twice() -> None:
    wire = Slow((30, Reply("slow")))
    hedge = Hedge(wire, 2.0)

    async def together() -> None:
        await asyncio.gather(*(hedge.send(ASK) for _ in range(100)))

    virtual_time.run(together())
    assert 100 < len(wire.sent_at) <= 111


def test_a_second_send_waits_for_the_account_s_cap_and_is_no_loss_before_it_went_out() -> None:
    wire = Slow((20, Reply("first")), (1, Reply("second")))
    books = Noted()
    hedge = Hedge(wire, 2.0, books=books)
    pace = Pace(hedge, 2, None)
    hedge.admit = pace.admit

    async def once() -> tuple[Answer, float]:
        return await pace.send(ASK), virtual_time.now()

    assert virtual_time.run(once()) == (Reply("first"), 20.0)
    assert wire.sent_at == [0] and (books.lost, books.spared) == (0, 1)


def test_nothing_is_sent_twice_where_the_budget_has_no_room() -> None:
    wire = Slow((5, Reply("first")), (1, Reply("second")))
    hedge = Hedge(wire, 2.0, books=Noted(has_room=False))

    async def once() -> Answer:
        return await hedge.send(ASK)

    assert virtual_time.run(once()) == Reply("first") and wire.sent_at == [0]


def test_a_second_send_stays_on_the_books_at_its_worst_and_under_the_cap(tmp_path: Path) -> None:
    tariff = Tariff(Price(1.0, 1.0))
    worst = tariff.worst_case(ASK).usd or 0.0
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(usd=2.5 * worst))
        hedge = Hedge(Slow((0.2, Reply("first", 1, 1)), (0.0, Reply("second", 1, 1))), 0.01)
        (answer,) = Window(hedge, 4, ledger, budget, tariff, hedge=hedge).generate([ASK])
        spend = ledger.spend("run")
        assert isinstance(answer, Reply) and answer.text == "second"
        assert spend.in_doubt == 1 and spend.in_doubt_usd == pytest.approx(worst)
        assert spend.paid_usd == pytest.approx(2e-6)
        assert not budget.try_reserve(replace(tariff.worst_case(ASK), usd=1.5 * worst), step="", model="slow")
