"""From an iterator of requests to the loop: read ahead a little, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator

from seedbed.models.channel import Closed
from seedbed.request import Request

CHUNK = 128
"""Most requests that are read ahead, and most that are looked up in the ledger by one query. More at a time made
Python's garbage collector look at all of them: with 256, it took a tenth of a request's CPU."""


class Feed:
    """Requests as they come. An iterator that takes its time, or waits for an answer, holds up nothing in flight."""

    def __init__(self, requests: Iterator[Request]) -> None:
        self._requests = requests
        self._changed = threading.Condition()
        self._read: deque[Request] = deque()
        self._is_over = self._is_closed = False
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Event | None = None

    def open(self) -> None:
        """Start reading; called once, inside the loop that takes."""
        self._loop, self._waiter = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=self._work, name="seedbed-feed", daemon=True).start()

    async def take(self) -> list[Request]:
        """All that was read since the last time, at least one; empty at the end.

        Raises:
            Closed: Nothing more is wanted.
            BaseException: What the iterator raised, after everything it gave before was taken.
        """
        assert self._waiter is not None
        while True:
            with self._changed:
                if self._is_closed:
                    raise Closed
                if self._read:
                    taken = list(self._read)
                    self._read.clear()
                    self._changed.notify()
                    return taken
                if self._is_over:
                    break
                self._waiter.clear()
            await self._waiter.wait()
        if self._error is not None:
            raise self._error
        return []

    def close(self) -> None:
        """Called in the loop: nothing more is wanted. An iterator that is busy is left alone; its thread ends with its
        next request."""
        with self._changed:
            self._is_closed, self._loop = True, None
            self._changed.notify()
        if self._waiter is not None:
            self._waiter.set()

    def _work(self) -> None:
        try:
            for request in self._requests:
                with self._changed:
                    while len(self._read) >= CHUNK and not self._is_closed:
                        self._changed.wait()
                    if self._is_closed:
                        return
                    self._read.append(request)
                    if len(self._read) == 1:
                        self._tell()
        except BaseException as caught:  # noqa: BLE001 - handed to the caller's thread, which raises it
            self._error = caught
        with self._changed:
            self._is_over = True
            self._tell()

    def _tell(self) -> None:
        if self._loop is not None and self._waiter is not None:
            self._loop.call_soon_threadsafe(self._waiter.set)
