"""What a symbolic check says of one trace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirstError:
    """Where a trace first goes wrong, why, and how much of it could be checked at all."""

    step: int | None
    """Number of the first wrong step, from 0; None where nothing wrong was found."""
    reason: str
    """What was stated and what would be right; empty where nothing wrong was found."""
    checked: int
    """Statements that could be recomputed up to and with the first error."""

    @property
    def abstains(self) -> bool:
        """True when nothing could be recomputed: then "no error found" says nothing."""
        return self.step is None and self.checked == 0
