"""From many waiting requests to one model in this process: a thread that feeds an engine and hands its answers out.

An engine takes requests at any time and answers each when it is done, so a long answer holds up nothing but its own
place in the batch.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from seedbed.errors import BoundaryError, ConfigError, EndpointRefused, SeedbedError, boundary
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure
GATHER_S = 0.002
"""Before the first step of a batch: how long to wait, again and again, while more requests keep coming."""


class Engine(Protocol):
    """A loaded model that works on many requests at once. Only one thread at a time uses it."""

    room: int
    """Most requests in one batch; it is worth waiting a moment for so many."""

    def add(self, ticket: int, request: Request) -> None:
        """Take a request; its answer comes out of a later `step` under the same ticket."""
        ...

    def drop(self, tickets: Sequence[int]) -> None:
        """Stop working on requests that nobody waits for any more."""
        ...

    def step(self) -> list[tuple[int, Answer]]:
        """Do the next bit of work, about one token for every request in the batch; returns what was finished."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A caller of `send` and where to tell it."""

    request: Request
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]


class InProcess:
    """A wire to an engine that is opened by the first request, so that a run whose answers are all owned loads nothing.

    The thread lives while there is work. The engine, and the memory of its model, live as long as the wire.

    Args:
        address: What names the model's answers.
        open_engine: Loads the model; called once, in the thread.
    """

    def __init__(self, address: str, open_engine: Callable[[], Engine]) -> None:
        self.address = address
        self._open = open_engine
        self._engine: Engine | None = None
        self._tickets = itertools.count()
        self._lock = threading.Lock()
        self._inbox: dict[int, _Waiting] = {}
        self._thread: threading.Thread | None = None

    @property
    def is_loaded(self) -> bool:
        """True once a request has loaded the model."""
        return self._engine is not None

    async def send(self, request: Request) -> Answer:
        """The model's answer.

        Raises:
            EndpointRefused: The model cannot be loaded, or broke in a way that no request explains.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        with self._lock:
            self._inbox[next(self._tickets)] = _Waiting(request, loop, future)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="seedbed-in-process", daemon=True)
                self._thread.start()
        return await future

    async def close(self) -> None:
        """Nothing to give back: requests that nobody awaits are dropped by the thread, which ends without work."""

    def _work(self) -> None:
        running: dict[int, _Waiting] = {}
        try:
            with boundary(f"running {self.address}", "serve the model, and give the server's address instead"):
                self._serve(running)
        except SeedbedError as error:
            with self._lock:
                running |= self._inbox
                self._inbox, self._thread, self._engine = {}, None, None
            self._tell(list(running.values()), _refusal(error))

    def _serve(self, running: dict[int, _Waiting]) -> None:
        if self._engine is None:
            self._engine = self._open()
        engine = self._engine
        while self._fetch(engine, running):
            answers = engine.step()
            self._tell([running.pop(ticket) for ticket, _ in answers], [answer for _, answer in answers])
            if gone := [ticket for ticket, waiting in running.items() if waiting.future.cancelled()]:
                engine.drop(gone)
                for ticket in gone:
                    del running[ticket]

    def _fetch(self, engine: Engine, running: dict[int, _Waiting]) -> bool:
        """Hand new requests to the engine; False, and the thread is over, when there is nothing to do."""
        if not running:
            self._gather(engine.room)
        with self._lock:
            new, self._inbox = self._inbox, {}
            if not new and not running:
                self._thread = None
                return False
        running |= new
        for ticket, waiting in new.items():
            engine.add(ticket, waiting.request)
        return True

    def _gather(self, room: int) -> None:
        """Requests of one moment come one after the other: starting with the first alone would cost it a prefill."""
        seen, pause = 0, threading.Event()
        while seen < len(self._inbox) < room:
            seen = len(self._inbox)
            pause.wait(GATHER_S)

    @staticmethod
    def _tell(waiting: Sequence[_Waiting], answers: Sequence[Answer] | SeedbedError) -> None:
        """One wake-up per loop, however many answers there are."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Answer | SeedbedError]]] = {}
        for number, one in enumerate(waiting):
            answer = answers if isinstance(answers, SeedbedError) else answers[number]
            by_loop.setdefault(one.loop, []).append((one.future, answer))
        for loop, pairs in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, pairs)


def need(extra: str, *packages: str) -> None:
    """Refuse early where a package is not installed; nothing is imported.

    Args:
        extra: What to give to pip, such as `seedbed[torch]`.
        packages: Names to import.

    Raises:
        ConfigError: One of them is missing.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError("an in-process model needs an extra", f"not installed: {missing}", f"pip install '{extra}'")


def _refusal(error: SeedbedError) -> SeedbedError:
    """What broke the engine would break it again, and nothing was billed."""
    if type(error) is not BoundaryError:
        return error
    return EndpointRefused(error.problem, error.seen, error.fix)


def _resolve(pairs: Sequence[tuple[asyncio.Future[Answer], Answer | SeedbedError]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue
        if isinstance(answer, SeedbedError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
