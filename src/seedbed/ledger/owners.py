"""Who waits for the answer to an intent: a process, told apart from a later one of the same number, or a batch."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def is_running(owner: str) -> bool:
    """True while whoever owns an intent still waits for its answer: a process that runs, or a batch at a service."""
    if owner.startswith("batch:"):
        return True  # until the batch's results are taken, which clears the owner
    process = owner.partition("/")[0]
    return bool(process) and process == process_name(int(process.partition(":")[0]))


def process_name(pid: int) -> str:
    """Names a running process so that a later one with the same number is told apart; empty when there is none."""
    with suppress(PermissionError):  # somebody else's process runs all the same
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
    try:
        # The name in field 2 may hold blanks and brackets. The state comes after it, the start time is field 22.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # no such system of files, or it ended a moment ago
        return f"{pid}:"
    # Killed, and its parent has not taken note: it asks for nothing any more.
    return "" if fields[0] in ("Z", "X") else f"{pid}:{fields[19]}"
