"""Caps that hold: the worst case of a request is reserved before it is sent and settled after."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from seedbed.errors import BudgetExceeded
from seedbed.ledger import Ledger, Spend


@dataclass(frozen=True, slots=True)
class Worst:
    """What one request can cost at most."""

    usd: float | None
    tokens: int
    is_new: bool = True
    """False when this scope counted the request before it was restarted."""


class Budget:
    """A scope of the ledger with caps on what it may use.

    `requests` and `tokens` cap what is *used*, owned replies included, so that two methods at the same cap had the same
    help; `usd` caps what is *paid*. Requests are let through in order, and one that does not fit waits until those in
    flight have settled for less than their worst case: which requests are sent depends on the replies alone, not on
    timing.

    Args:
        ledger: Where the scope's spend so far is read from.
        scope: Usually a run.
        usd, requests, tokens: Caps; None is no cap.
    """

    def __init__(
        self,
        ledger: Ledger,
        scope: str,
        usd: float | None = None,
        requests: int | None = None,
        tokens: int | None = None,
    ) -> None:
        self.ledger, self.scope = ledger, scope
        self.usd, self.requests, self.tokens = usd, requests, tokens
        self._lock = threading.Lock()
        spent = ledger.spend(scope)
        self._usd = spent.paid_usd + spent.in_doubt_usd
        self._requests = spent.requests
        self._tokens = spent.tokens_at_most

    def spend(self) -> Spend:
        """What the scope used and paid so far."""
        return self.ledger.spend(self.scope)

    def try_reserve(self, worst: Worst) -> bool:
        """Set the worst case of a request aside; False, and nothing is set aside, where it does not fit."""
        with self._lock:
            usd, requests, tokens = self._with(worst)
            if self.usd is not None and usd > self.usd + 1e-12:
                return False
            if self.requests is not None and requests > self.requests:
                return False
            if self.tokens is not None and tokens > self.tokens:
                return False
            self._usd, self._requests, self._tokens = usd, requests, tokens
            return True

    def settle(self, worst: Worst, *, usd: float | None, tokens: int | None) -> None:
        """Replace a reserved worst case by what it came to; an unknown amount stays at its worst."""
        with self._lock:
            self._usd += (worst.usd or 0.0 if usd is None else usd) - (worst.usd or 0.0)
            self._tokens += (worst.tokens if tokens is None else tokens) - worst.tokens

    def release(self, worst: Worst) -> None:
        """Give back what was reserved for a request that was never sent."""
        with self._lock:
            self._usd -= worst.usd or 0.0
            self._requests -= worst.is_new
            self._tokens -= worst.tokens

    def exceeded(self, worst: Worst) -> BudgetExceeded:
        """The error that says which cap the next request does not fit under."""
        with self._lock:
            _, requests, tokens = self._with(worst)
            if self.requests is not None and requests > self.requests:
                name, seen = "requests", f"{self._requests} of {self.requests} requests used"
            elif self.tokens is not None and tokens > self.tokens:
                name, seen = "tokens", f"{self._tokens} of {self.tokens} tokens used, the next may take {worst.tokens}"
            else:
                name = "usd"
                seen = f"{self._usd:.6f} of {self.usd} usd spent, the next may cost {worst.usd or 0.0:.6f}"
        return BudgetExceeded("the budget is reached", seen, f"raise budget.{name} and run the same command again")

    def _with(self, worst: Worst) -> tuple[float, int, int]:
        return self._usd + (worst.usd or 0.0), self._requests + worst.is_new, self._tokens + worst.tokens
