"""What one check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["ok", "no", "unknown", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what was found about an endpoint."""

    check: str
    """What was looked at, such as `max_tokens`."""
    state: State
    """ok; no: it works without this; unknown: could not be told; failed: it cannot be used like this."""
    said: str
    """What was seen."""
    fix: str = ""
    """What to do about it; empty where nothing is to be done."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of a recipe's teacher, that follow from it; those of its endpoint under `endpoint`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)
