"""What leaves the program: a number with its interval, or a test with the counts behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seedbed.errors import DataError


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, how many rows stand behind it, and how the interval was made."""

    value: float
    low: float
    high: float
    n: int
    method: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.low <= self.high and self.n >= 0):
            raise DataError(
                "an estimate needs a finite value and an interval in order",
                f"value {self.value}, low {self.low}, high {self.high}, n {self.n}",
                "look for NaN among the scores it was made from",
            )

    @property
    def is_clear(self) -> bool:
        """True when the interval excludes zero: for a gain, its sign is known."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return format(self, "")

    def __format__(self, spec: str) -> str:
        """Format all three numbers alike; `f"{gain:+.1%}"` shows points with a sign."""
        spec = spec or ".3f"
        value, low, high = (format(number, spec) for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}] (n={self.n}, {self.method})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back without loss."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Estimate:
        """Read what `to_dict` wrote.

        Raises:
            DataError: A key is missing or unknown, or a value has another type.
        """
        try:
            return cls(
                value=float(found["value"]),
                low=float(found["low"]),
                high=float(found["high"]),
                n=int(found["n"]),
                method=str(found["method"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError("this is not an estimate", f"{found!r}", "give value, low, high, n and method") from error


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Whether two students differ at all on the same rows."""

    gained: int
    """Rows that only the second student has right."""
    lost: int
    """Rows that only the first student has right."""
    n: int
    p_value: float
    """Two-sided; small when a split this uneven would be a surprise between equally good students."""
    method: str = "mcnemar mid-p"
