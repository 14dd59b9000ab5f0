"""Who waits for the answer to an intent: a process, told apart from a later one of the same number, or a batch."""

from __future__ import annotations

import os
from pathlib import Path


def is_running(owner: str) -> bool:
    """True while whoever owns an intent still waits for its answer: a process that runs, or a batch at a service."""
    if owner.startswith("batch:"):
        return True  # until the batch's results are taken, which clears the owner
    process = owner.partition("/")[0]
    return bool(process) and process == process_name(int(process.partition(":")[0]))


def process_name(pid: int) -> str:
    """Names a running process so that a later one with the same number is told apart; empty when there is none."""
    try:
        os.kill(pid, 0)
        # The start time is field 22; the name in field 2 may hold blanks and brackets.
        return f"{pid}:{Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()[19]}"
    except ProcessLookupError:
        return ""
    except (PermissionError, FileNotFoundError):
        return f"{pid}:"
