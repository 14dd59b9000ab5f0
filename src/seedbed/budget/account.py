"""What one scope has used, reservations included, beside its caps."""

from __future__ import annotations

import math
import time

from seedbed.budget.caps import Caps, Worst
from seedbed.ledger import Spend

NEAR = 0.8
"""Share of a cap at which its reader is warned."""


class Clock:
    """Seconds during which at least one call was asking."""

    __slots__ = ("_calls", "_seconds", "_since", "_unwritten")

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds, self._unwritten = seconds, 0.0
        self._calls, self._since = 0, 0.0

    def start(self) -> None:
        """One call more asks."""
        if not self._calls:
            self._since = time.monotonic()
        self._calls += 1

    def stop(self) -> None:
        """One call less asks."""
        self.elapsed()
        self._calls -= 1

    def elapsed(self) -> float:
        """Seconds so far, over all restarts."""
        if self._calls:
            now = time.monotonic()
            self._seconds += now - self._since
            self._unwritten += now - self._since
            self._since = now
        return self._seconds

    def take(self) -> float:
        """Seconds since the last time this was called."""
        self.elapsed()
        taken, self._unwritten = self._unwritten, 0.0
        return taken


class Account:
    """What one scope has used, reservations included, beside its caps."""

    __slots__ = (
        "caps", "clock", "flops", "has_clock", "max_flops", "max_requests", "max_seconds", "max_tokens", "max_usd",
        "near_flops", "near_requests", "near_tokens", "near_usd", "part", "requests", "tokens", "usd", "warned",
    )  # fmt: skip

    def __init__(self, part: str, caps: Caps, spent: Spend, clock: Clock) -> None:
        self.part, self.caps, self.clock = part, caps.own(), clock
        self.usd, self.flops = spent.usd_at_most, spent.flops_at_most
        self.tokens, self.requests = spent.tokens_at_most, spent.requests
        # Sums of many small floats: a hair above the cap is on it.
        self.max_usd, self.max_flops = _hair_above(caps.usd), _hair_above(caps.flops)
        self.max_tokens, self.max_requests = caps.tokens or math.inf, caps.requests or math.inf
        self.has_clock, self.max_seconds = caps.minutes is not None, 60 * (caps.minutes or math.inf)
        self.near_usd, self.near_flops = NEAR * self.max_usd, NEAR * self.max_flops
        self.near_tokens, self.near_requests = NEAR * self.max_tokens, NEAR * self.max_requests
        self.warned: set[str] = set()

    def refuses(self, usd: float, tokens: int, flops: float, *, new: bool) -> str:
        """Name of a cap that a request with this worst case does not fit under; empty where it fits."""
        if self.requests + new > self.max_requests:
            return "requests"
        if self.tokens + tokens > self.max_tokens:
            return "tokens"
        if self.usd + usd > self.max_usd:
            return "usd"
        if self.flops + flops > self.max_flops:
            return "flops"
        if self.has_clock and self.clock.elapsed() >= self.max_seconds:
            return "minutes"
        return ""

    def take_back(self, worst: Worst) -> None:
        """Give a reserved worst case back."""
        self.usd -= worst.usd or 0.0
        self.tokens -= worst.tokens
        self.requests -= worst.is_new
        self.flops -= worst.flops or 0.0

    def take_near(self) -> list[tuple[str, float]]:
        """Names of caps that came near since the last time, and what is used of each."""
        found = [(name, used) for name, used in self.used().items() if used >= NEAR * self.caps[name]]
        new = [(name, used) for name, used in found if name not in self.warned]
        for name, _ in new:
            self.warned.add(name)
            if name != "minutes":
                setattr(self, f"near_{name}", math.inf)
        return new

    def used(self) -> dict[str, float]:
        """What is used or in flight of each quantity that has a cap."""
        amounts = {"usd": self.usd, "tokens": self.tokens, "requests": self.requests, "flops": self.flops}
        return {name: amounts[name] if name in amounts else self.clock.elapsed() / 60 for name in self.caps}

    def tightest(self) -> str:
        """Name of the cap of which most is used."""
        return max(self.used().items(), key=lambda item: item[1] / self.caps[item[0]])[0]

    def seen(self, name: str, worst: Worst) -> str:
        """How much of a cap is used, in words."""
        used, cap = self.used()[name], self.caps[name]
        of = f" by {self.part.partition('.')[2]}" if self.part else ""
        match name:
            case "usd":
                return f"{used:.6f} of {cap} usd spent{of}, the next may cost {worst.usd or 0.0:.6f}"
            case "flops":
                return f"{used:.3g} of {cap:.3g} flops used{of}, the next may take {worst.flops or 0.0:.3g}"
            case "tokens":
                return f"{used} of {cap} tokens used{of}, the next may take {worst.tokens}"
            case "minutes":
                return f"{used:.1f} of {cap} minutes used{of}"
            case _:
                return f"{used} of {cap} requests used{of}"


def _hair_above(cap: float | None) -> float:
    return math.inf if cap is None else cap * (1 + 1e-12) + 1e-12
