"""Replies that somebody's LLM once gave, handed out again to the requests that ask the same."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from seedbed.errors import ConfigError, DataError
from seedbed.fingerprint import fingerprint
from seedbed.request import Failure, Reply, Request
from seedbed.rows import read_table

_NOT_ASKED_FOR = ("reply", "model")

Slots = tuple[str, ...]


class Recorded:
    """A wire to a file of replies: published data can stand in for the teacher that wrote it, at no price.

    Every column but `reply` and `model` names a slot of the prompt (verb, label, context, example, ...); a reply
    answers a request when all of them agree with the request's slots, white space at the ends aside. An empty value
    leaves its slot open; a row that states more slots is tried before one that states fewer. Rows that agree in all
    slots are successive draws.

    Args:
        address: `recorded:FILE`, a file that `read_table` reads.

    Raises:
        ConfigError: Another scheme.
        DataError: The file cannot be read, has no column `reply`, or none that names a slot.
    """

    def __init__(self, address: str) -> None:
        scheme, _, source = address.partition(":")
        if scheme != "recorded" or not source:
            raise ConfigError("no such file of recorded replies", address, "use recorded:FILE.parquet or .jsonl")
        table = read_table(source)
        # Named after its content: when the file changes, what the ledger owns of the old one is not its reply.
        self.address = f"recorded:{Path(source).name}@{fingerprint([table.columns, *map(list, table.rows())])}"
        self._columns = [name for name in table.columns if name not in _NOT_ASKED_FOR]
        if "reply" not in table.columns or not self._columns:
            fix = "one column `reply`, and at least one named after a slot of the prompt, such as label"
            raise DataError("the file holds no recorded replies", f"{source} has columns {table.columns}", fix)
        # One dictionary per set of stated slots: few sets, so a look-up is a handful of hashes.
        self._replies: dict[Slots, dict[Slots, list[Reply]]] = defaultdict(lambda: defaultdict(list))
        for record in table.iter_rows(named=True):
            if record["reply"] is not None:
                self._keep(record)
        self._stated = sorted(self._replies, key=len, reverse=True)

    async def send(self, request: Request) -> Reply | Failure:
        """The recorded reply to this request's slots and draw, or a terminal failure that says which was missing."""
        slots = {name: value.strip() for name, value in request.slots.items()}
        for stated in self._stated:
            values = tuple(slots.get(name, "") for name in stated)
            if found := self._replies[stated].get(values):
                if request.draw < len(found):
                    return found[request.draw]
                return Failure("terminal", f"no recorded reply for draw {request.draw}: the file holds {len(found)}")
        asked = ", ".join(f"{name}={slots[name][:60]!r}" if name in slots else f"no {name}" for name in self._columns)
        return Failure("terminal", f"no recorded reply for {asked}")

    async def close(self) -> None:
        """Nothing is open."""

    def _keep(self, record: dict[str, object]) -> None:
        slots = {name: str(record[name]).strip() for name in self._columns if record[name] is not None}
        slots = {name: value for name, value in slots.items() if value}
        reply = Reply(str(record["reply"]), usd=0.0, model=str(record.get("model") or "recorded"))
        self._replies[tuple(slots)][tuple(slots.values())].append(reply)
