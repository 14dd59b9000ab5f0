"""What is run, on whom, and what a perfect client would take."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from server import Settings

IN_FLIGHT = 64
OURS, FLOOR = "seedbed", "bare aiohttp"
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class System:
    """Something that asks."""

    client: str
    """Its script in clients/."""
    environment: str = ""
    """Its folder under the peers' folder; empty runs in the interpreter of the pass."""
    package: str = ""
    """Its name on PyPI."""


SYSTEMS = {
    FLOOR: System("bare_client.py", package="aiohttp"),
    OURS: System("seedbed_client.py", package="seedbed"),
    "datatrove": System("datatrove_client.py", "datatrove", "datatrove"),
    "curator": System("curator_client.py", "curator", "bespokelabs-curator"),
    "Data Designer": System("datadesigner_client.py", "datadesigner", "data-designer"),
    "SDG Hub": System("sdghub_client.py", "sdghub", "sdg-hub"),
    "distilabel": System("distilabel_client.py", "distilabel", "distilabel"),
}
PEERS = tuple(name for name in SYSTEMS if name not in (OURS, FLOOR))
STORES = (OURS, *PEERS)
"""Everything that keeps what it got; bare aiohttp keeps nothing, so nothing of it can be resumed."""


@dataclass(frozen=True)
class Scenario:
    """One situation."""

    name: str
    question: str
    server: Settings
    systems: tuple[str, ...] = tuple(SYSTEMS)
    pairs: int = 1
    """How often ours and the floor run, in turn; peers run once."""
    again: str = ""
    """The scenario whose folders are run in again."""
    kills: int = 0
    """How often ours is killed and run again; peers once. 0 lets everybody live."""
    tolerant: bool = False
    long: bool = False
    """May take the long time limit."""


def _rows(rows: int, **settings: Any) -> Settings:
    return replace(Settings(rows=rows), **settings)


FULL = (
    Scenario("plain", "What does a request cost?", _rows(2000), pairs=5),
    Scenario("cached", "What does an answer cost that is already owned?", _rows(2000), STORES, again="plain"),
    Scenario("calm", "The measure for the two faults below.", _rows(1000, latency_s=0.8)),
    Scenario("r429", "3 % are refused once with Retry-After: 1.", _rows(1000, latency_s=0.8, share_429=0.03), STORES),
    Scenario("e500", "2 % fail once with 500.", _rows(1000, latency_s=0.8, share_500=0.02), STORES),
    Scenario("long_tail", "1 % take 100 times as long.", _rows(2000, latency_s=0.2, slow_share=0.01)),
    Scenario("capacity", "The server takes 16 at once, 64 are offered.", _rows(2000, capacity=16), STORES),
    Scenario("poison", "0.2 % are never answered.", _rows(1000, poison_share=0.002), STORES, tolerant=True),
    Scenario("kill", "SIGKILL at a random instant, then run again.", _rows(2000), STORES, kills=25),
    Scenario("rows_10k", "Memory and CPU as rows grow.", _rows(10_000), (OURS,)),
    Scenario("rows_100k", "Memory and CPU as rows grow.", _rows(100_000), (FLOOR, OURS), long=True),
    Scenario("rows_20k", "Memory and CPU as rows grow.", _rows(20_000), (FLOOR, OURS), pairs=2, long=True),
    Scenario("cached_20k", "As cached.", _rows(20_000), (OURS,), again="rows_20k", long=True),
    # Last, because a pass that has used its time leaves out what has not begun.
    Scenario("rows_20k", "Memory and CPU as rows grow.", _rows(20_000), PEERS, long=True),
    Scenario("cached_20k", "As cached.", _rows(20_000), PEERS, again="rows_20k", long=True),
)


def quick(scenario: Scenario) -> Scenario | None:
    """A tenth of a scenario, for a look in minutes; peers only where it says what they cost."""
    if scenario.name in ("rows_10k", "rows_100k"):
        return None
    rows = {"plain": 1000, "cached": 1000, "rows_20k": 4000, "cached_20k": 4000, "long_tail": 2000}.get(
        scenario.name, 500
    )
    with_peers = scenario.name in ("plain", "cached")
    systems = scenario.systems if with_peers else tuple(each for each in scenario.systems if each not in PEERS)
    return replace(
        scenario,
        server=replace(scenario.server, rows=rows),
        systems=systems,
        kills=min(scenario.kills, 3),
        pairs=min(scenario.pairs, 3),
    )


@dataclass
class Ideal:
    """What a client without any cost of its own would see: rows in order, a free slot filled at once."""

    active_s: float
    """From the first request to the last answer."""
    last_new_row_s: float
    """From the first request until the last row is asked for the first time; until then every slot is full."""


@dataclass
class _Queue:
    """Rows not yet asked, and rows that wait to be asked again."""

    fresh: deque[int]
    again: list[tuple[float, int]] = field(default_factory=list)

    def pop(self, now: float) -> tuple[float, int, bool]:
        """When the next one can be asked, which, and whether for the first time."""
        if self.again and (self.again[0][0] <= now or not self.fresh):
            ready, row = heapq.heappop(self.again)
            return max(now, ready), row, False
        return now, self.fresh.popleft(), True


def ideal(settings: Settings, in_flight: int = IN_FLIGHT) -> Ideal:
    """Play a scenario through with a client that costs nothing, honours Retry-After and knows the capacity.

    Args:
        settings: Of the server.
        in_flight: Slots the client has.
    """
    slots = min(in_flight, settings.capacity) if settings.capacity else in_flight
    refused, failing = settings.drawn("429", settings.share_429), settings.drawn("500", settings.share_500)
    poisoned, slow = settings.drawn("poison", settings.poison_share), settings.slow_rows()
    queue = _Queue(deque(row for row in range(settings.rows) if row not in poisoned))
    free = [0.0] * slots
    end = last_new = 0.0
    while queue.fresh or queue.again:
        now, row, is_first = queue.pop(heapq.heappop(free))
        last_new = now if is_first else last_new
        if is_first and row in refused:
            heapq.heappush(queue.again, (now + RETRY_AFTER_S, row))
            heapq.heappush(free, now)
            continue
        done = now + settings.latency_s * (settings.slow_factor if row in slow else 1.0)
        if is_first and row in failing:
            heapq.heappush(queue.again, (done, row))
        heapq.heappush(free, done)
        end = max(end, done)
    return Ideal(end, last_new)
