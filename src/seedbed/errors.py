"""What can go wrong, as one tree; what went wrong with a single row is data, not an exception.

    SeedbedError
    ├── ConfigError(ValueError)        a recipe, a task, a flag: nothing was run              exit code 2
    ├── DataError(ValueError)          rows that cannot be read or do not fit the task        exit code 2
    ├── BudgetExceeded(RuntimeError)   the cap was reached; the same command goes on          exit code 4
    └── BoundaryError(RuntimeError)    somebody else's code or server failed                  exit code 1
        └── EndpointRefused            no credit, wrong key: every further request would fail  exit code 4

Every error has three parts: the problem, what was seen, and what to do next. They pickle, so a worker can
send them home.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class SeedbedError(Exception):
    """An error with its way out. `str()` shows all three parts, one per line."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, seen: str = "", fix: str = "") -> None:
        super().__init__(problem, seen, fix)
        self.problem = problem
        self.seen = seen
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.problem]
        if self.seen:
            lines.append(f"  seen: {self.seen}")
        if self.fix:
            lines.append(f"  fix:  {self.fix}")
        return "\n".join(lines)


class ConfigError(SeedbedError, ValueError):
    """The plan is wrong; found before anything ran."""

    exit_code = 2


class DataError(SeedbedError, ValueError):
    """Rows cannot be read, or do not fit the task."""

    exit_code = 2


class BudgetExceeded(SeedbedError, RuntimeError):
    """The next request could cost more than is left. Raise the cap and the same command goes on."""

    exit_code = 4

    def __init__(self, problem: str, seen: str = "", fix: str = "", part: str = "") -> None:
        super().__init__(problem, seen, fix)
        self.part = part
        """Whose cap it is: `steps.NAME`, `models.ADDRESS`, or empty for the one on everything together."""


class BoundaryError(SeedbedError, RuntimeError):
    """Code or a server that is not ours failed."""


class EndpointRefused(BoundaryError):
    """The endpoint would refuse every further request (no credit, wrong key, unknown model). Resumable."""

    exit_code = 4


@contextmanager
def boundary(what: str, fix: str = "") -> Iterator[None]:
    """Attribute whatever escapes from somebody else's code to `what`. The only broad handler in the program."""
    try:
        yield
    except SeedbedError:
        raise
    except Exception as error:
        raise BoundaryError(f"{what} failed", f"{type(error).__name__}: {error}", fix) from error
