"""Every fault at once, at the rates of real endpoints, in no particular order; and where a key may not turn up."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.models.loopback import KEY, Faults, Loopback, serving, text_for

from seedbed.budget import Budget
from seedbed.errors import EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, Reply, Request

COUNT = 600
ALL = Faults(too_fast=0.03, broken=0.02, cut_off=0.02, stalled=0.005, latency_s=0.01)
SETTINGS = Endpoint(concurrency=32, timeout_s=2.5, api_key_env="SEEDBED_TEST_KEY")


@contextmanager
def key(value: str) -> Iterator[None]:
    """The key in its environment variable for the length of a block."""
    os.environ["SEEDBED_TEST_KEY"] = value
    try:
        yield
    finally:
        del os.environ["SEEDBED_TEST_KEY"]


def prompt(number: int) -> str:
    return f"question {number}{' POISON' if number % 50 == 7 else ''}"


def ask(server: Loopback, ledger: Ledger, found: list[Reply | Failure]) -> None:
    """Ask all questions; the answers land in `found` even when the run is stopped."""
    model = open_model(server.address, ledger=ledger, budget=Budget(ledger, "run"), settings=SETTINGS)
    for answer in model.generate(Request((("user", prompt(number)),)) for number in range(COUNT)):
        found.append(answer)  # noqa: PERF402 - extend would lose what came before an error


def files_with(secret: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_with_every_fault_at_once_each_row_has_one_answer_in_order_that_was_paid_once(tmp_path: Path) -> None:
    found: list[Reply | Failure] = []
    with key(KEY), serving(ALL) as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        ask(server, ledger, found)
        spent, asked = ledger.spend("run"), server.requests.total()
        again: list[Reply | Failure] = []
        ask(server, ledger, again)
        assert files_with(KEY, tmp_path) == []
    poisoned = {number for number in range(COUNT) if "POISON" in prompt(number)}
    assert [number for number, answer in enumerate(found) if isinstance(answer, Failure)] == sorted(poisoned)
    assert {answer.kind for answer in found if isinstance(answer, Failure)} == {"terminal"}
    assert all(answer.text == text_for(prompt(i)) for i, answer in enumerate(found) if isinstance(answer, Reply))
    assert set(server.answered.values()) == {1} and len(server.answered) == COUNT - len(poisoned)
    assert asked > COUNT + 20, "there were faults to survive"
    assert server.requests.total() == asked and all(answer.is_cached for answer in again)
    assert (spent.requests, spent.sent) == (COUNT, COUNT)
    assert 0 < spent.in_doubt < asked - COUNT, "a lost answer may be billed, a 429 or a 500 is not"


def test_an_empty_account_pauses_the_run_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    found: list[Reply | Failure] = []
    with key(KEY), Ledger.at(tmp_path / "ledger.sqlite") as ledger, serving(Faults(credit=100)) as server:
        with pytest.raises(EndpointRefused, match="no credit"):
            ask(server, ledger, found)
        assert server.requests.total() < 200
        assert server.answered.total() == 100
        server.answered.clear()
        server.requests.clear()
        found.clear()
        server.faults = Faults()
        ask(server, ledger, found)
    assert len(found) == COUNT
    assert server.answered.total() == COUNT - 100 - sum("POISON" in prompt(number) for number in range(COUNT))


def test_a_wrong_key_pauses_the_run_and_turns_up_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = f"sk-wrong-{KEY}"
    with key(wrong), serving() as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(EndpointRefused, match="refuses the key") as caught:
            ask(server, ledger, [])
        assert files_with(wrong, tmp_path) == []
    out, err = capfd.readouterr()
    assert wrong not in out + err + "".join(traceback.format_exception(caught.value))
