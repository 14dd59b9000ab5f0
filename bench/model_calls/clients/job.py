"""What every client is told and what it reports. Runs in each peer's environment, so only the standard library.

A client is a script: it asks every prompt of its job, keeps its own store in `folder` (run again in the same folder, it
resumes in whatever way the system under test does), and ends with `report`, which prints one line for `measure.py`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

REPORT = "REPORT "
FILLER = "Say which trade-offs matter when training data for a small model is written by a large one, and why. " * 3


class Job:
    """The command line of a client.

    rows: how many prompts; in_flight: how many to keep open; base: address of the server, ending in /v1; folder: where
    the system under test keeps its store; tolerant: some prompts are never answered, so switch on what lets the
    system go on without them, where it has such a switch.
    """

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--rows", type=int, required=True)
        parser.add_argument("--in-flight", type=int, required=True)
        parser.add_argument("--base", required=True)
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--tolerant", action="store_true")
        args = parser.parse_args()
        self.rows: int = args.rows
        self.in_flight: int = args.in_flight
        self.base: str = args.base
        self.folder: Path = args.folder
        self.is_tolerant: bool = args.tolerant
        self.ready_cpu_s: float | None = None

    def prompts(self) -> Iterator[str]:
        """The same prompts for everybody, each with its row number; about sixty words."""
        for row in range(self.rows):
            yield f"[row {row:08d}] Write one examination question about topic {row % 97}. {FILLER}"

    def ready(self) -> None:
        """Everything is imported and set up; the next thing is the first request."""
        self.ready_cpu_s = time.process_time()

    def checked(self, answers: Iterable[str | None]) -> dict[str, int]:
        """How many answers were delivered, hold the number of their own row, and are empty; consumed one by one."""
        delivered = right = empty = 0
        for row, text in enumerate(answers):
            delivered += 1
            empty += text is None
            right += text is not None and text.startswith(f"[row {row:08d}]")
        return {"delivered": delivered, "right": right, "empty": empty}

    def report(self, **counts: Any) -> None:
        """Print the line that `measure.py` reads, last thing before the end."""
        cpu_s = time.process_time()
        counts |= {"ready_cpu_s": self.ready_cpu_s, "running_cpu_s": cpu_s - (self.ready_cpu_s or 0.0)}
        print(REPORT + json.dumps(counts), flush=True)


def row_of(prompt: str) -> int:
    """The row number a prompt carries."""
    return int(prompt[5:13])


def in_row_order(answers: dict[int, str | None], rows: int) -> Iterator[str | None]:
    """The answers of a system that returns a table with rows missing: None where it has none."""
    for row in range(rows):
        yield answers.get(row)
