"""SIGKILL at random moments of a process that asks, and goes on asking after each restart."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.models.asking import SCOPE, SETTINGS, main, questions
from tests.models.loopback import Faults, Loopback, serving

from seedbed.budget import Budget
from seedbed.ledger import Ledger

ROOT = Path(__file__).parents[2]
MOODY = Faults(too_fast=0.03, broken=0.02, cut_off=0.01, latency_s=0.04)


def start(server: Loopback, folder: Path, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.models.asking", server.address, str(folder / "ledger.sqlite")]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    # PYTHONDONTWRITEBYTECODE: a kill while Python writes its own cache is not what is tested.
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([*command, str(folder / "out.jsonl"), str(count)], cwd=ROOT, env=env)


def kill_after(process: subprocess.Popen[bytes], server: Loopback, answers: int, wait_s: float) -> bool:
    """End the process without warning a moment after the server gave so many more answers; False if it ended first."""
    goal, end = server.answered.total() + answers, time.monotonic() + 30
    while server.answered.total() < goal and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(wait_s)
    was_running = process.poll() is None
    process.kill()
    process.wait()
    return was_running


def owned(folder: Path, server: Loopback, count: int) -> set[str]:
    """Questions whose answer the ledger holds."""
    asked = {request.key(server.address): request.messages[0][1] for request in questions(count)}
    with Ledger.at(folder / "ledger.sqlite") as ledger:
        found, _ = ledger.lookup(list(asked), SCOPE)
    return {asked[key] for key in found}


def run(server: Loopback, folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    main(server.address, str(folder / "ledger.sqlite"), str(folder / "out.jsonl"), str(count))


def run_with_kills(folder: Path, count: int, kills: int) -> None:
    dice, hits = random.Random(count), 0
    with serving() as calm:
        run(calm, folder / "calm", count)
    with serving(MOODY) as server:
        for kill in range(kills):
            safe, before = owned(folder, server, count), dict(server.requests)
            # Every fourth kill lands in the first moments: while Python starts, or while the ledger is opened.
            answers = 0 if kill % 4 == 1 else dice.randint(1, count // kills)
            hit = kill_after(start(server, folder, count), server, answers, dice.random() * (0.01 if answers else 0.4))
            assert [prompt for prompt in safe if server.requests[prompt] != before[prompt]] == []
            assert not hit or not (folder / "out.jsonl").exists()
            (folder / "out.jsonl").unlink(missing_ok=True)
            hits += hit
        assert hits > kills / 2
        safe, before = owned(folder, server, count), dict(server.requests)
        assert safe
        run(server, folder, count)
        assert [prompt for prompt in safe if server.requests[prompt] != before[prompt]] == []
    assert (folder / "out.jsonl").read_bytes() == (folder / "calm" / "out.jsonl").read_bytes()
    twice = server.answered.total() - len(server.answered)
    assert twice <= kills * 2 * SETTINGS.concurrency, "only what was in flight at a kill can be paid for twice"
    with Ledger.at(folder / "ledger.sqlite") as ledger:
        assert Budget(ledger, SCOPE).spend().requests == count


def test_a_killed_process_goes_on_and_never_asks_for_what_it_owns(tmp_path: Path) -> None:
    run_with_kills(tmp_path, count=300, kills=3)


@pytest.mark.slow
def test_twenty_five_kills_of_two_thousand_requests_leave_the_same_bytes_as_none(tmp_path: Path) -> None:
    run_with_kills(tmp_path, count=2_000, kills=25)
