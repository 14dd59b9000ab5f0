"""A loopback server in a thread of its own: what every kind of test server needs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web


@contextmanager
def in_thread(start: Callable[[], Awaitable[Any]], shut: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    """Await `start` in a new loop that then runs on, in a thread, until the block ends and `shut` was awaited there."""
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        await start()
        started.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()
        loop.close()

    async def end() -> None:
        await shut()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextmanager
def served(app: web.Application) -> Iterator[int]:
    """Serve an application until the block ends; the free port it got."""
    # Without cancellation, a stalled request would keep the server from closing.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()

    with in_thread(start, runner.cleanup):
        yield runner.addresses[0][1]
