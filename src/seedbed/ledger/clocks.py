"""How long a scope has been asking: seconds that outlive the process."""

from __future__ import annotations

from collections.abc import Mapping

from seedbed.ledger.store import Ledger

_ADD = (
    "INSERT INTO clocks (scope, step, model, seconds) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (scope, step, model) DO UPDATE SET seconds = seconds + excluded.seconds"
)


def add(ledger: Ledger, scope: str, seconds: Mapping[tuple[str, str], float]) -> None:
    """Write down that the clocks went on: (step, model) to seconds since the last time, `("", "")` for the whole."""
    with ledger.writing() as db:
        db.executemany(_ADD, [(scope, step, model, passed) for (step, model), passed in seconds.items()])


def read(ledger: Ledger, scope: str) -> dict[tuple[str, str], float]:
    """(step, model) to seconds so far, over all processes that ever asked under this scope."""
    with ledger.reading() as db:
        found = db.execute("SELECT step, model, seconds FROM clocks WHERE scope = ?", (scope,)).fetchall()
    return {(step, model): seconds for step, model, seconds in found}
