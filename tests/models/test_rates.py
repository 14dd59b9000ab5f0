"""The layers about speed together, in the stack of `open_model`, against a real server on loopback."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from tests.models.scripted import ask
from tests.models.scripted_server import Answer, ScriptedServer, error, said, scripted_server

from seedbed.budget import Budget
from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, Reply


def ask_all(server: ScriptedServer, count: int, settings: Endpoint, ledger: Ledger | None = None) -> list[str]:
    """The answers to so many prompts, in words."""
    budget = None if ledger is None else Budget(ledger, "run")
    model = open_model(server.address, ledger=ledger, budget=budget, settings=settings)
    answers = model.generate(ask(str(number)) for number in range(count))
    return [answer.text if isinstance(answer, Reply) else answer.kind for answer in answers]


def test_an_endpoint_with_room_for_sixteen_is_asked_for_little_more_by_sixty_four() -> None:
    refused = 0

    def script(prompt: str, _times: int, _body: object) -> Answer:
        nonlocal refused
        if server.in_flight > 16:
            refused += 1
            return error(429, "at capacity", retry_after_ms="20")
        return Answer(body=said(prompt).body, wait_s=0.005)

    with scripted_server(script) as server:
        assert ask_all(server, 1_000, Endpoint(concurrency=64)) == [str(number) for number in range(1_000)]
    assert refused < 300


def test_nothing_at_an_address_is_said_at_once_with_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1#tiny"
    model = open_model(address, settings=Endpoint(stall_s=0.2, attempts=20))
    with pytest.raises(EndpointRefused, match="nothing answers") as caught:
        list(model.generate(map(ask, "abcdefgh")))
    assert address in caught.value.seen and "ClientConnectorError" in caught.value.seen


def test_a_server_that_goes_down_pauses_the_run_and_nothing_is_lost_or_paid_twice(tmp_path: Path) -> None:
    is_up = True

    def script(prompt: str, _times: int, _body: object) -> Answer:
        return said(prompt) if is_up and int(prompt) < 60 else error(503, "down for maintenance", retry_after_ms="30")

    settings = Endpoint(concurrency=8, stall_s=0.4, attempts=100)
    with scripted_server(script) as server, Ledger.at(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(EndpointRefused, match="stopped answering") as caught:
            ask_all(server, 400, settings, ledger)
        assert "503: down for maintenance" in caught.value.seen and "faults in a row" in caught.value.seen
        assert sum(server.answered.values()) == 60
        server.script = lambda prompt, _times, _body: said(prompt)
        assert ask_all(server, 400, settings, ledger) == [str(number) for number in range(400)]
    assert set(server.answered.values()) == {1}


def test_rows_that_always_fail_are_exhausted_rows_while_others_are_answered() -> None:
    def script(prompt: str, _times: int, _body: object) -> Answer:
        return error(500, "boom", retry_after_ms="1") if int(prompt) % 10 == 3 else said(prompt)

    with scripted_server(script) as server:
        found = ask_all(server, 200, Endpoint(concurrency=8, stall_s=5, attempts=3))
    assert found == ["exhausted" if number % 10 == 3 else str(number) for number in range(200)]


def test_a_cap_per_minute_is_kept() -> None:
    start = time.monotonic()
    with scripted_server() as server:
        ask_all(server, 100, Endpoint(concurrency=32, requests_per_minute=6_000))
    # A bucket of 0.6 s worth is 60; the other 40 come at 99 a second.
    assert time.monotonic() - start > 0.35


def test_a_straggler_is_overtaken_when_that_is_asked_for() -> None:
    def script(prompt: str, times: int, _body: object) -> Answer:
        return Answer(body=said("late").body, wait_s=30.0 if prompt == "7" and times == 0 else 0.0)

    start = time.monotonic()
    with scripted_server(script) as server:
        ask_all(server, 20, Endpoint(concurrency=4, hedge_after_s=0.1))
        assert server.asked["7"] == 2
    assert time.monotonic() - start < 10


def test_with_one_attempt_a_fault_is_a_failure_at_once() -> None:
    with scripted_server(lambda *_: error(503, "down")) as server:
        found = list(open_model(server.address, settings=Endpoint(attempts=1)).generate([ask("a")]))
    assert [answer.kind for answer in found if isinstance(answer, Failure)] == ["exhausted"]
