"""Caps on a run, and on steps and models inside it; a request is let through when it fits under all of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from seedbed.budget.account import Account, Clock
from seedbed.budget.caps import Caps, Worst
from seedbed.errors import BudgetExceeded, ConfigError, SeedbedError
from seedbed.ledger import Ledger, Spend, clocks

TICK_S = 0.5
"""How often the clocks are written down: what a kill can lose of them."""


class Budget:
    """Caps on a scope of the ledger, and on steps and models inside it.

    A request belongs to everything together, to its step (by name and by verb) and to its model: it is let through
    when its worst case fits under the caps of all of them, and is then reserved in all.

    `requests`, `tokens` and `flops` cap what is *used*, owned answers included, so that two methods at the same cap had
    the same help; `usd` caps what is *paid*. Requests are let through in order, and one that does not fit waits until
    those in flight have settled for less than their worst case: which requests are sent depends on the replies alone,
    not on timing, unless minutes are capped.

    What was spent before is read back from the ledger once, here: two processes that share a scope at the same time do
    not see each other's spend.

    Args:
        ledger: Where the scope's spend so far is read from.
        scope: Usually a run.
        caps: Of everything together.
        steps: Step name (`extrapolate-2`), or a verb for all its executions together, to caps.
        models: Address to caps.
        addresses: Key of `models` to the address that requests are booked under, where the two differ: answers from a
            file or a checkpoint on disk are kept under its content. Warnings and errors name the key.
    """

    def __init__(
        self,
        ledger: Ledger,
        scope: str,
        caps: Caps | None = None,
        *,
        steps: Mapping[str, Caps] | None = None,
        models: Mapping[str, Caps] | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        self.ledger, self.scope, self._lock = ledger, scope, threading.Lock()
        self._warnings: list[dict[str, Any]] = []
        self._reaches: dict[tuple[str, str], _Reach] = {}
        self._keys = {address: key for key, address in (addresses or {}).items()}
        self._clocks = {name: Clock(seconds) for name, seconds in clocks.read(ledger, scope).items()}
        self._accounts = {"": Account("", caps or Caps(), ledger.spend(scope), self._clock("", ""))}
        for name, own in (steps or {}).items():
            spent = ledger.spend(scope, step=name)
            self._accounts[f"steps.{name}"] = Account(f"steps.{name}", own, spent, self._clock(name, ""))
        for name, own in (models or {}).items():
            address = (addresses or {}).get(name, name)
            spent = ledger.spend(scope, model=address)
            self._accounts[f"models.{name}"] = Account(f"models.{name}", own, spent, self._clock("", address))

    def spend(self) -> Spend:
        """What the scope used and paid so far."""
        return self.ledger.spend(self.scope)

    def caps(self, part: str = "") -> dict[str, float]:
        """The caps of a part (`steps.verify`, `models.ADDRESS`; empty for everything together), by name."""
        return self._accounts[part].caps if part in self._accounts else {}

    def warnings(self) -> list[dict[str, Any]]:
        """Events for caps of which four fifths are used or in flight, once each; taken by whoever calls."""
        if not self._warnings:
            return []
        with self._lock:
            found, self._warnings = self._warnings, []
        return found

    def try_reserve(self, worst: Worst, *, step: str = "", model: str = "") -> bool:
        """Set the worst case of a request aside; False, and nothing is set aside, where it does not fit.

        Raises:
            ConfigError: A cap in usd or flops applies and what the request can take of it is unknown.
        """
        reach = self._reaches.get((step, model)) or self._reach(step, model)
        if not reach.accounts:
            return True
        usd, tokens, flops, new = worst.usd, worst.tokens, worst.flops, worst.is_new
        if usd is None:
            if reach.needs_price:
                raise _unpriced(self._keys.get(model, model))
            usd = 0.0
        if flops is None:
            if reach.needs_size:
                raise _unsized(self._keys.get(model, model))
            flops = 0.0
        with self._lock:
            for account in reach.accounts:
                if account.refuses(usd, tokens, flops, new=new):
                    return False
            for account in reach.accounts:
                account.usd += usd
                account.tokens += tokens
                account.flops += flops
                account.requests += new
        return True

    def settle(
        self,
        worst: Worst,
        *,
        usd: float | None,
        tokens: int | None,
        flops: float | None = None,
        step: str = "",
        model: str = "",
    ) -> None:
        """Replace a reserved worst case by what it came to; an unknown amount stays at its worst."""
        reach = self._reaches.get((step, model)) or self._reach(step, model)
        if not reach.accounts:
            return
        more_usd = 0.0 if usd is None else usd - (worst.usd or 0.0)
        more_tokens = 0 if tokens is None else tokens - worst.tokens
        more_flops = 0.0 if flops is None else flops - (worst.flops or 0.0)
        with self._lock:
            for account in reach.accounts:
                account.usd += more_usd
                account.tokens += more_tokens
                account.flops += more_flops
                if (
                    account.usd >= account.near_usd
                    or account.requests >= account.near_requests
                    or account.tokens >= account.near_tokens
                    or account.flops >= account.near_flops
                ):
                    self._warn(account)

    def release(self, worst: Worst, *, step: str = "", model: str = "") -> None:
        """Give back what was reserved for a request that was never sent."""
        with self._lock:
            for account in self._reach(step, model).accounts:
                account.take_back(worst)

    def exceeded(self, worst: Worst, *, step: str = "", model: str = "") -> BudgetExceeded:
        """The error that says which cap the next request does not fit under; of several, the widest."""
        with self._lock:
            accounts = self._reach(step, model).accounts
            amounts = (worst.usd or 0.0, worst.tokens, worst.flops or 0.0)
            found = [(account, name) for account in accounts if (name := account.refuses(*amounts, new=worst.is_new))]
            account, name = found[0] if found else (accounts[0], accounts[0].tightest())
            seen = account.seen(name, worst)
        where = f"budget.{account.part}.{name}" if account.part else f"budget.{name}"
        fix = f"raise {where} and run the same command again"
        return BudgetExceeded("the budget is reached", seen, fix, account.part)

    @contextmanager
    def asking(self, *, step: str = "", model: str = "") -> Iterator[None]:
        """The clocks of everything that the step and the model belong to run while this is open."""
        with self._lock:
            running = [self._clock(*key) for key in _clocks_of(step, model)]
            for clock in running:
                clock.start()
        done = threading.Event()
        ticker = threading.Thread(target=self._tick_until, args=(done,), name="seedbed-clock", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()
            with self._lock:
                for clock in running:
                    clock.stop()
            self._tick()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _reach(self, step: str, model: str) -> _Reach:
        known = self._reaches.get((step, model))
        if known is None:
            # Widest first: what ends everything is named before what ends one step.
            parts = ["", f"models.{self._keys.get(model, model)}", *(f"steps.{name}" for name in _names(step))]
            found = [self._accounts[part] for part in parts if part in self._accounts]
            known = self._reaches[step, model] = _Reach([account for account in found if account.caps])
        return known

    def _clock(self, step: str, model: str) -> Clock:
        return self._clocks.setdefault((step, model), Clock())

    def _warn(self, account: Account) -> None:
        for name, used in account.take_near():
            event = {"event": "budget nearly reached", "part": account.part, "cap": name}
            self._warnings.append({**event, "used": used, "of": account.caps[name]})

    def _tick_until(self, done: threading.Event) -> None:
        while not done.wait(TICK_S):
            try:
                self._tick()
            except SeedbedError:
                return  # a ledger that cannot be written is the asking thread's to report

    def _tick(self) -> None:
        """Write the clocks down."""
        with self._lock:
            passed = {key: seconds for key, clock in self._clocks.items() if (seconds := clock.take()) > 0}
            for account in self._accounts.values():
                if "minutes" in account.caps:
                    self._warn(account)
        if passed:
            clocks.add(self.ledger, self.scope, passed)


class _Reach:
    """The accounts that the requests of one step to one model are booked on."""

    __slots__ = ("accounts", "needs_price", "needs_size")

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = tuple(accounts)
        self.needs_price = any("usd" in account.caps for account in accounts)
        self.needs_size = any("flops" in account.caps for account in accounts)


def _names(step: str) -> list[str]:
    """A step's verb and its name: `extrapolate-2` counts for both."""
    return list(dict.fromkeys(name for name in (step.rpartition("-")[0], step) if name))


def _clocks_of(step: str, model: str) -> list[tuple[str, str]]:
    return [("", ""), *((name, "") for name in _names(step)), *([("", model)] if model else [])]


def _unpriced(model: str) -> ConfigError:
    return ConfigError(
        "a cap in usd needs a price",
        f"the price of {model or 'the model'} is unknown",
        "set teacher.endpoint.usd_per_million_in and usd_per_million_out, or cap requests or tokens",
    )


def _unsized(model: str) -> ConfigError:
    return ConfigError(
        "a cap in flops needs the model's size",
        f"the size of {model or 'the model'} is unknown",
        "set teacher.endpoint.parameters_billion, or cap requests or tokens",
    )
