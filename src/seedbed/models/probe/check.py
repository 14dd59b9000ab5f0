"""The checks of an address, in order: each later one only where the earlier ones let it make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from seedbed.errors import BoundaryError, SeedbedError
from seedbed.models.address import is_on_http
from seedbed.models.booking import Tariff
from seedbed.models.formats import format_of
from seedbed.models.prices import price_of
from seedbed.models.probe import questions, reach
from seedbed.models.probe.desk import Desk, Spent
from seedbed.models.probe.finding import Finding
from seedbed.models.wire import Endpoint
from seedbed.rows import read_table

MOST_REQUESTS = 20
"""Requests that are sent at most, tries among them."""


@dataclass(frozen=True, slots=True)
class Most:
    """What a look can cost at most."""

    requests: int
    tokens: int
    usd: float | None
    """None where the price is unknown."""


Question = Callable[[Desk], Finding]
_ALWAYS: dict[str, Question] = {"token counts": questions.usage, "price": questions.price}
_ASKED: dict[str, Question] = {
    "system role": questions.system_role,
    "max_tokens": questions.max_tokens,
    "temperature 0": questions.temperature_zero,
    "seed": questions.seed,
    "n": questions.draws,
    "json_schema": questions.response_format,
    "logprobs": questions.logprobs,
    "speed": questions.speed,
}
_OF_A_SERVER = ("n", "json_schema")
"""In this process draws share a prompt by themselves, and nothing shapes an answer."""


def at_most(address: str, settings: Endpoint) -> Most:
    """What looking at an address can cost at most, reckoned as a run reckons.

    Raises:
        ConfigError: The address or its settings cannot work.
    """
    asked = [request for name in _asks(address) for request in questions.REQUESTS[name]]
    tariff = Tariff(price_of(address, settings))
    # Draws that share a prompt are as long as one answer of so many tokens.
    whole = [replace(each, max_tokens=each.max_tokens * getattr(each, "draws", 1)) for each in asked]
    worst = [tariff.worst_case(each) for each in whole]
    usd = None if tariff.price is None else sum(each.usd or 0.0 for each in worst)
    return Most(MOST_REQUESTS if is_on_http(address) else len(asked), sum(each.tokens for each in worst), usd)


def _asks(address: str) -> list[str]:
    """Names of the checks that ask something."""
    scheme = address.partition(":")[0]
    if scheme == "recorded":
        return []
    if scheme == "sim":
        # It reads the prompts of this program only, and is what it is on purpose.
        return ["answers"]
    return [name for name in questions.REQUESTS if is_on_http(address) or name not in _OF_A_SERVER]


class Check:
    """One look at an address: iterate over what is found, then read what it took and which settings follow.

    Every question goes through the wire that a run would use. Nothing is kept, so the next look asks again.

    Args:
        address: What `open_model` takes.
        settings: Of the endpoint.
    """

    def __init__(self, address: str, settings: Endpoint) -> None:
        self.address, self.settings = address, settings
        self.found: list[Finding] = []
        self.spent: dict[str, Any] = {"requests": 0, "tokens_in": 0, "tokens_out": 0, "usd": 0.0}
        self.is_config = False
        """The address, a setting or the key is at fault, and nothing was asked."""

    def __iter__(self) -> Iterator[Finding]:
        for finding in self._look():
            self.found.append(finding)
            yield finding

    @property
    def is_usable(self) -> bool:
        """Nothing failed."""
        return bool(self.found) and all(each.state != "failed" for each in self.found)

    def teacher(self) -> dict[str, Any]:
        """A recipe's teacher: the model, the settings that were given, and those that follow from what was found."""
        follows: dict[str, Any] = {"model": self.address}
        endpoint: dict[str, Any] = {}
        for each in self.found:
            follows |= {name: value for name, value in each.settings.items() if name != "endpoint"}
            endpoint |= each.settings.get("endpoint", {})
        endpoint |= self.settings.model_dump(exclude_unset=True, exclude_none=True)
        return follows | ({"endpoint": endpoint} if endpoint else {})

    def _look(self) -> Iterator[Finding]:
        scheme = self.address.partition(":")[0]
        try:
            if is_on_http(self.address):
                path = format_of(self.address, self.settings).path
                yield reach.where(self.address, self.settings, path)
                yield reach.key(self.address, self.settings)
            desk = Desk(self.address, self.settings, MOST_REQUESTS)
        except SeedbedError as error:
            self.is_config = True
            yield _failed("key" if self.found else "address", error)
            return
        try:
            if scheme == "recorded":
                yield _recorded(self.address)
            elif desk.is_on_http:
                yield from self._server(desk)
            else:
                yield Finding("address", "ok", desk.wire.address)
                yield from self._questions(desk)
        finally:
            books = desk.books
            self.spent = {name: getattr(books, name) for name in ("requests", "tokens_in", "tokens_out")}
            self.spent["usd"] = desk.usd
            desk.close()

    def _server(self, desk: Desk) -> Iterator[Finding]:
        connection = reach.connection(desk)
        yield connection
        if connection.state != "failed":
            yield reach.listed(desk)
            yield from self._questions(desk)
            if self.is_usable:
                yield reach.rate_limits(desk)

    def _questions(self, desk: Desk) -> Iterator[Finding]:
        first = _put(desk, "answers", questions.answers, needed=True)
        yield first
        if first.state == "failed":
            return
        for name in _asks(desk.address)[1:]:
            yield _put(desk, name, _ASKED[name])
        for name, question in _ALWAYS.items():
            yield _put(desk, name, question)


def _put(desk: Desk, name: str, question: Question, *, needed: bool = False) -> Finding:
    refused = desk.books.refused
    try:
        return _without(desk, question(desk), refused)
    except Spent:
        return Finding(name, "unknown", f"not asked: {MOST_REQUESTS} requests were sent")
    except BoundaryError as error:
        return _failed(name, error) if needed else Finding(name, "no", _line(error), error.fix)


def _without(desk: Desk, finding: Finding, refused_before: int) -> Finding:
    """A parameter that was refused, and left out the second time, is not one that was ignored."""
    is_parameter = finding.check in ("seed", "json_schema", "logprobs")
    if not is_parameter or finding.state == "ok" or desk.books.refused == refused_before:
        return finding
    return replace(finding, state="no", said="the endpoint refuses the parameter")


def _failed(name: str, error: SeedbedError) -> Finding:
    return Finding(name, "failed", _line(error), error.fix)


def _line(error: SeedbedError) -> str:
    return f"{error.problem}: {error.seen}" if error.seen else error.problem


def _recorded(address: str) -> Finding:
    table = read_table(address.partition(":")[2])
    slots = [name for name in table.columns if name not in ("reply", "model")]
    said = f"{table.height:,} replies, told apart by {', '.join(slots)}"
    return Finding("answers", "ok", said, "it answers only what is on file")
