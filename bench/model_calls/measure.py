"""Run one client in a process of its own and measure it from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPORT = "REPORT "
LOOK_S = 0.2
"""How often memory is looked at. Reading it costs a stop of the client in the kernel, so not more often."""
TAIL = 2500
"""Characters kept of the output of a client that failed."""


@dataclass
class Measured:
    """One run of one client."""

    wall_s: float
    """From the start of the process to its end, imports included."""
    cpu_s: float
    """User and system time of the process and of the children it waited for."""
    peak_mb: float
    """Most memory of the process tree at one moment (proportional set size)."""
    exit_code: int
    ended: str
    """finished, failed, killed (by the kill scenario) or timed out."""
    report: dict[str, Any] = field(default_factory=dict)
    """What the client said about itself; empty when it did not get so far."""
    tail: str = ""
    """The end of its output when it failed."""


def control(base: str, path: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """Ask the server's control side; `base` ends without a slash."""
    with urllib.request.urlopen(f"{base}{path}", timeout=timeout_s) as response:
        found: dict[str, Any] = json.load(response)
        return found


def run(command: list[str], folder: Path, log: Path, timeout_s: float, *, kill: Callable[[], None] | None) -> Measured:
    """Run a client to its end.

    Args:
        command: Of the client.
        folder: Its working directory; also its home, so that no peer reads or writes a user's settings.
        log: Gets its output.
        timeout_s: After so long the whole tree is killed.
        kill: Returns at the instant the tree is to be killed; None lets it live.
    """
    start = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env=environment(folder), start_new_session=True
        )
    watch = _Watch(process.pid, timeout_s)
    if kill is not None:
        threading.Thread(target=watch.kill_when, args=(kill,), daemon=True).start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - start
    watch.stop()
    exit_code = process.returncode = os.waitstatus_to_exitcode(status)
    report, tail = _read(log)
    ended = watch.why or ("finished" if exit_code == 0 and report else "failed")
    return Measured(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=max(watch.peak_kb, 0) / 1024,
        exit_code=exit_code,
        ended=ended,
        report=report,
        tail="" if ended in ("finished", "killed") else tail,
    )


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's but PATH: no keys, no proxies, no caches; peers are told not to call home."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OPENAI_API_KEY": "none",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DO_NOT_TRACK": "1",
        "TELEMETRY_ENABLED": "0",
        "POSTHOG_DISABLED": "1",
        "NEMO_TELEMETRY_ENABLED": "false",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


class _Watch:
    """Looks at the memory of a process tree, and ends the tree when it is time."""

    def __init__(self, pid: int, timeout_s: float) -> None:
        self.peak_kb, self.why = 0, ""
        self._pid, self._until = pid, time.monotonic() + timeout_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Called when the first process has ended; ends what it left behind."""
        self._is_over.set()
        self._thread.join()
        _end_group(self._pid)

    def kill_when(self, instant: Callable[[], None]) -> None:
        """Kill the tree when `instant` returns, unless it has ended by then."""
        try:
            instant()
        except OSError:
            return
        if not self._is_over.is_set():
            self._kill("killed")

    def _look(self) -> None:
        while not self._is_over.wait(LOOK_S):
            self.peak_kb = max(self.peak_kb, sum(_pss_kb(pid) for pid in _tree(self._pid)))
            if time.monotonic() > self._until:
                self._kill("timed out")
                return

    def _kill(self, why: str) -> None:
        self.why = self.why or why
        below = _tree(self._pid)
        _end_group(self._pid)
        # A child that left the group (a resource tracker, a manager) must not go on asking.
        for pid in below[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, at = [pid], 0
    while at < len(found):
        try:
            for path in Path(f"/proc/{found[at]}/task").iterdir():
                found += [int(child) for child in (path / "children").read_text().split()]
        except OSError:
            pass  # it ended while we looked
        at += 1
    return found


def _pss_kb(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # it ended while we looked
    return 0


def _read(log: Path) -> tuple[dict[str, Any], str]:
    """What the client reported, and the end of its output."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    report: dict[str, Any] = {}
    for line in lines:
        if line.startswith(REPORT):
            report = json.loads(line.removeprefix(REPORT))
    tail = "\n".join(line for line in lines if line.strip() and not line.startswith(REPORT))[-TAIL:]
    return report, tail
