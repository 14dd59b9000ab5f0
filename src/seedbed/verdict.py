"""What one inspector thinks of one row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """An opinion with its reason. `p_good` is None when the inspector abstains: unscored is never zero."""

    p_good: float | None
    """Probability in [0, 1] that the row is right."""
    reason: str
    by: str
    """Name of the inspector, such as a model address."""
    evidence: str = ""

    @property
    def is_bad(self) -> bool:
        """True when the inspector thinks the row is more likely wrong than right."""
        return self.p_good is not None and self.p_good < 0.5
