"""What a program may use, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from seedbed.errors import ConfigError

Status = Literal["done", "error", "timeout", "memory", "killed"]
"""How a program ended: by itself, with an exception or a code other than 0, out of time, out of memory, or stopped for
using more of something else than it may, a crash included."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run of a program may use; past it the program ends, and everything it started."""

    wall_s: float = 10.0
    """Seconds of wall time. Generous: a busy machine must not make a right program wrong. `cpu_s` is the judge."""
    cpu_s: int = 4
    """Whole seconds of processor time, all threads together: the kernel counts no finer."""
    memory_mb: int = 512
    """Address space, of which the interpreter itself takes about 60."""
    disk_mb: int = 32
    """All files of the temporary folder together."""
    file_mb: int = 16
    """One file."""
    output_kb: int = 1024
    """Output, errors and returned values together."""
    threads: int = 32
    """Threads, the first included. There is no limit on processes: a second one is never allowed."""
    open_files: int = 64

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(
                    f"the sandbox's limit {name} must be more than 0", repr(value), f"set {name} to a number"
                )

    def for_kernel(self) -> dict[str, int]:
        """The limits in the units in which the zygote sets them."""
        mb = 1 << 20
        return {
            "wall_ms": math.ceil(1000 * self.wall_s),
            "cpu_s": math.ceil(self.cpu_s),
            "memory_bytes": self.memory_mb * mb,
            "disk_bytes": self.disk_mb * mb,
            "file_bytes": self.file_mb * mb,
            "threads": self.threads,
            "open_files": self.open_files,
        }


@dataclass(frozen=True)
class Job:
    """A program to run, and what to ask of it afterwards.

    Asked can be `("value", expression)` for the value of an expression in the program's names, and `("do", statement)`
    for a statement's effect. With nothing asked the program ends at its last line.
    """

    source: str
    stdin: str = ""
    asked: tuple[tuple[Literal["value", "do"], str], ...] = ()
    name: str = "__main__"
    """What the program sees as `__name__`. Under another one its `if __name__ == "__main__":` stays quiet."""


@dataclass(frozen=True)
class Answer:
    """What came back for one thing that was asked: a plain value, or why there is none."""

    value: object = None
    why: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a program did."""

    status: Status
    why: str
    """One line: the exception, the signal, the limit; empty where it ended by itself."""
    stdout: str
    stderr: str
    answers: tuple[Answer, ...] = field(default=())
    """In the order asked; fewer than were asked where the program ended before."""
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    """Largest resident memory, of which the interpreter itself takes about 20."""
