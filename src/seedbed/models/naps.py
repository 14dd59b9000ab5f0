"""Waits that can be ended early, all at once."""

from __future__ import annotations

import asyncio


class Naps:
    """Whoever waits here comes back after its time, or sooner when all are woken. Serves one loop after another."""

    def __init__(self) -> None:
        self._asleep: set[asyncio.Future[None]] = set()

    async def take(self, seconds: float | None) -> None:
        """Wait so many seconds; None is until woken."""
        loop = asyncio.get_running_loop()
        alarm = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, _ring, alarm)
        self._asleep.add(alarm)
        try:
            await alarm
        finally:
            self._asleep.discard(alarm)
            if timer is not None:
                timer.cancel()

    def wake_all(self) -> None:
        """End every wait now."""
        for alarm in self._asleep:
            _ring(alarm)


def _ring(alarm: asyncio.Future[None]) -> None:
    if not alarm.done():
        alarm.set_result(None)
