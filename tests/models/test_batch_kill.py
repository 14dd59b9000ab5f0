"""SIGKILL of a process that asks through batch files, at chosen calls to the service and at random moments."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.models.batch_asking import SCOPE, main
from tests.models.batch_server import BatchServer, Line, batch_server, said, wrong
from tests.models.scripted import ask

from seedbed.budget import Budget
from seedbed.ledger import Ledger

ROOT = Path(__file__).parents[2]
COUNT = 200


def moody(prompt: str, times: int, _body: object) -> Line:
    """Every ninth is never answered, every fifth meets a fault once."""
    number = int(prompt.split()[1])
    if number % 9 == 0:
        return wrong(400, "never")
    if times == 0 and number % 5 == 0:
        return wrong(500, "not now")
    return said(f"to {prompt}")


class Reaper:
    """Kills the running process at the n-th call of a kind, before or after the service did what was asked."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.calls: Counter[str] = Counter()
        self.at: tuple[str, str, int] | None = None
        self.hits = 0

    def __call__(self, kind: str, when: str) -> None:
        self.calls[f"{kind} {when}"] += 1
        if self.at is not None and self.at[:2] == (kind, when) and self.process is not None:
            self.at = (kind, when, self.at[2] - 1)
            if self.at[2] <= 0:
                self.at = None
                self.hits += self.process.poll() is None
                self.process.kill()
                self.process.wait()


def start(server: BatchServer, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.models.batch_asking", server.address, str(folder / "ledger.sqlite")]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
    return subprocess.Popen([*command, str(folder / "out.jsonl"), str(COUNT)], cwd=ROOT, env=env)


def owned(server: BatchServer, folder: Path) -> set[str]:
    """Prompts whose answer the ledger holds."""
    asked = [ask(f"question {number}") for number in range(COUNT)]
    keys = {request.key(server.address): request.messages[0][1] for request in asked}
    with Ledger.at(folder / "ledger.sqlite") as ledger:
        found, _ = ledger.lookup(list(keys), SCOPE)
    return {keys[key] for key in found}


def check(server: BatchServer, folder: Path, calm: bytes) -> None:
    """The answers are those of an undisturbed run, and no batch was submitted twice."""
    main(server.address, str(folder / "ledger.sqlite"), str(folder / "out.jsonl"), str(COUNT))
    assert (folder / "out.jsonl").read_bytes() == calm
    assert set(server.billed.values()) <= {0, 1}, "an answer was billed twice"
    submitted = Counter(batch.metadata["seedbed"] for batch in server.batches)
    assert submitted and set(submitted.values()) == {1}, "a batch was submitted twice"
    lines = Counter(line["custom_id"] for batch in server.batches for line in batch.lines)
    assert max(lines.values()) <= 2, "only what met a fault goes out again"
    with Ledger.at(folder / "ledger.sqlite") as ledger:
        spend = Budget(ledger, SCOPE).spend()
        assert (spend.requests, spend.in_doubt) == (COUNT, 0)
        with ledger.reading() as db:
            assert not db.execute("SELECT 1 FROM batches WHERE state != 'over'").fetchall()


def calm_run(folder: Path) -> bytes:
    folder.mkdir()
    with batch_server(moody) as server:
        main(server.address, str(folder / "ledger.sqlite"), str(folder / "out.jsonl"), str(COUNT))
    return (folder / "out.jsonl").read_bytes()


def run_with_kills(tmp_path: Path, instants: list[tuple[str, str, int]]) -> None:
    calm = calm_run(tmp_path / "calm")
    with batch_server(moody) as server:
        reaper = server.on_call = Reaper()
        for instant in instants:
            safe, before = owned(server, tmp_path), Counter(server.executed)
            reaper.at = instant
            reaper.process = start(server, tmp_path)
            reaper.process.wait(60)
            assert not [prompt for prompt in safe if server.executed[prompt] != before[prompt]]
            (tmp_path / "out.jsonl").unlink(missing_ok=True)
        assert reaper.hits == len(instants)
        server.on_call = lambda _kind, _when: None
        check(server, tmp_path, calm)


def test_a_kill_around_a_submit_or_among_results_neither_loses_nor_doubles_anything(tmp_path: Path) -> None:
    run_with_kills(tmp_path, [("upload", "after", 1), ("create", "after", 2), ("content", "after", 2)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "instants",
    [
        [("upload", "before", 1), ("upload", "after", 2), ("upload", "before", 3)],
        [("create", "before", 1), ("list", "before", 1), ("list", "after", 1)],
        [("create", "after", 1), ("list", "after", 1), ("list", "before", 1)],
        [("create", "after", 3), ("create", "after", 1), ("look", "before", 1)],
        [("look", "after", 1), ("look", "before", 3), ("content", "before", 1), ("content", "after", 1)],
        [("content", "after", 3), ("content", "before", 2), ("upload", "after", 1)],
    ],
)
def test_a_kill_at_every_kind_of_call_leaves_the_same_bytes_as_none(
    tmp_path: Path, instants: list[tuple[str, str, int]]
) -> None:
    run_with_kills(tmp_path, instants)


@pytest.mark.slow
def test_kills_at_random_moments_leave_the_same_bytes_as_none(tmp_path: Path) -> None:
    dice, calm = random.Random(7), calm_run(tmp_path / "calm")
    with batch_server(moody) as server:
        for _ in range(12):
            safe, before = owned(server, tmp_path), Counter(server.executed)
            process = start(server, tmp_path)
            calls: list[str] = []
            # The default binds the list of this turn; mypy knows no lambda with a third, defaulted parameter.
            server.on_call = lambda kind, when, into=calls: into.append(f"{kind} {when}")  # type: ignore[misc]
            end = time.monotonic() + 20
            goal = dice.randint(1, 8)
            while len(calls) < goal and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(dice.random() * 0.03)
            process.kill()
            process.wait()
            assert not [prompt for prompt in safe if server.executed[prompt] != before[prompt]]
            (tmp_path / "out.jsonl").unlink(missing_ok=True)
        server.on_call = lambda _kind, _when: None
        check(server, tmp_path, calm)
