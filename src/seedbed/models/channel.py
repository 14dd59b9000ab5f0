"""From the loop's thread to the caller's: answers in order, a bounded number of them, and the error at the end."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator

from seedbed.request import Failure, Reply

Answer = Reply | Failure


MOST_CHARS = 64 << 20
"""Most text that is kept behind a late answer."""

_MANY = 32
_TELL_S = 0.005
"""The caller's thread is woken for so many answers or after so many seconds: waking it for each costs more CPU than the
rest of an answer's way."""


class Closed(Exception):
    """The caller wants no more answers."""


class Channel:
    """Answers may be put in any order; they are taken in the order of their numbers.

    Memory is flat however slow the caller or the first answer is. A caller who takes nothing has few answers bought in
    advance; an answer that is late, on the other hand, lets many others come in behind it.

    Args:
        near: Most answers that are in order and not yet taken.
        far: Most that are between being asked for and being taken.
    """

    def __init__(self, near: int, far: int) -> None:
        self._near, self._far = near, far
        self._chars = 0
        self._changed = threading.Condition()
        self._waiting: dict[int, Answer] = {}
        self._ready: deque[Answer] = deque()
        self._next = self._taken = 0
        self._error: BaseException | None = None
        self._failure: BaseException | None = None
        self._is_over = self._is_closed = self._is_waiting = self._is_telling = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._space: asyncio.Event | None = None
        self._on_close: Callable[[], None] = lambda: None

    # -- the loop's side -----------------------------------------------------------------------------------------------

    def open(self, on_close: Callable[[], None]) -> None:
        """Called once, inside the running loop; `on_close` is called there when the caller wants no more."""
        self._loop, self._space, self._on_close = asyncio.get_running_loop(), asyncio.Event(), on_close

    def is_full(self, number: int) -> bool:
        """True when answer `number` must wait for the caller to take some."""
        return self._next - self._taken >= self._near or number - self._taken >= self._far or self._chars >= MOST_CHARS

    async def wait_for_room(self, number: int) -> None:
        """Return once answer `number` may be asked for.

        Raises:
            Closed: The caller wants no more.
            BaseException: What `fail` was given.
        """
        assert self._space is not None
        while True:
            with self._changed:
                if self._failure is not None:
                    raise self._failure
                if self._is_closed:
                    raise Closed
                if not self.is_full(number):
                    return
                self._space.clear()
                self._is_waiting = True
            await self._space.wait()

    def put(self, number: int, answer: Answer) -> None:
        """Hand over an answer; the caller sees it once all earlier ones are there."""
        with self._changed:
            if number != self._next:
                self._waiting[number] = answer
                self._chars += _chars(answer)
                return
            self._ready.append(answer)
            self._next += 1
            while self._waiting and self._next in self._waiting:
                later = self._waiting.pop(self._next)
                self._chars -= _chars(later)
                self._ready.append(later)
                self._next += 1
            if len(self._ready) >= _MANY or self._loop is None:
                self._changed.notify()
            elif not self._is_telling:
                self._is_telling = True
                self._loop.call_later(_TELL_S, self._tell)

    def _tell(self) -> None:
        with self._changed:
            self._is_telling = False
            self._changed.notify()

    def leave(self) -> None:
        """Called last, inside the loop: from now on nobody waits for room."""
        with self._changed:
            self._loop = None

    def fail(self, error: BaseException) -> None:
        """An answer will never come: whoever waits for room gets the error instead. The first one counts."""
        with self._changed:
            self._failure = self._failure or error
        if self._space is not None:
            self._space.set()

    @property
    def failure(self) -> BaseException | None:
        """What `fail` was given first."""
        return self._failure

    @property
    def is_stopped(self) -> bool:
        """True when nothing more is to be asked: the caller is gone, or an answer will never come."""
        return self._is_closed or self._failure is not None

    @property
    def is_closed(self) -> bool:
        """True once the caller wants no more."""
        return self._is_closed

    def end(self, error: BaseException | None) -> None:
        """No more answers come; the caller gets the error after the last answer that was in order."""
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify()

    # -- the caller's side ---------------------------------------------------------------------------------------------

    def take(self) -> Iterator[Answer]:
        """Answers in order; ends, or raises, when the other side does."""
        while True:
            with self._changed:
                while not self._ready and not self._is_over:
                    self._changed.wait()
                batch, self._ready = self._ready, deque()
                over, error = self._is_over and not batch, self._error
            if over:
                if error is not None:
                    raise error
                return
            for answer in batch:
                yield answer
                self._taken += 1
            self._make_space()

    def close(self) -> None:
        """Tell the other side that nothing more is wanted."""
        with self._changed:
            self._is_closed = self._is_waiting = True
            if self._loop is not None and not self._is_over:
                self._loop.call_soon_threadsafe(self._on_close)
        self._make_space()

    def _make_space(self) -> None:
        with self._changed:
            if self._loop is None or self._space is None or self._is_over or not self._is_waiting:
                return
            self._is_waiting = False
            self._loop.call_soon_threadsafe(self._space.set)


def _chars(answer: Answer) -> int:
    return len(answer.text) if isinstance(answer, Reply) else len(answer.message)
