"""Stop a run that gets nowhere, with the reason, before every row of it has failed for nothing."""

from __future__ import annotations

import asyncio

from seedbed.errors import EndpointRefused
from seedbed.models.naps import Naps
from seedbed.models.wire import Retryable, Wire
from seedbed.request import Failure, Reply, Request

_FEW = 5
"""Faults in a row below which nothing is concluded."""
_DOUBT_S = 1.0
"""Silence that looks like an outage, so that only one request at a time goes out to see. Short, because a service that
fails fast uses up all tries of a row within ten seconds."""
_UNREACHABLE_S = 3.0
"""How long a server that never answered may refuse connections. Long enough for one that is just being restarted."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
"""Between two requests sent to see whether the endpoint is back; doubled from one to the next."""

_CHECK_ADDRESS = "check that the server runs, and the scheme (http or https), the host and the port of the address"
_COME_BACK = "see whether the service is up, then run the same command again: nothing that was answered is asked again"


class Breaker:
    """A wire that ends the run when for `stall_s` seconds nothing but passing faults came back.

    A retry layer alone would try every row `attempts` times against a service that is down, and leave a million rows
    failed. Here the rows wait: after a second without any answer and more faults in a row than requests in flight,
    one request at a time goes out to see, less and less often. Any answer at all, also a refusal of one row, opens
    the way for everybody. A few rows that always fail among others that are answered never come this far.

    A server that never answered and cannot even be connected to is reported within seconds: most often its address is
    wrong or it was not started.

    Args:
        wire: What is asked; below a retry layer, so that every try is seen.
        stall_s: Longest time, in seconds, without any answer.

    Source:
        Nygard 2018, Release It!, 2nd edition (circuit breaker). Differs: time without an answer decides, not a share of
        faults, and the requests wait instead of failing.
    """

    def __init__(self, wire: Wire, stall_s: float) -> None:
        self.wire = wire
        self.stall_s = stall_s
        self._in_flight = 0
        self._faults, self._first_fault_at = 0, 0.0
        self._only_unreachable = True
        """Until the first answer: every fault was a connection that could not be made."""
        self._in_doubt = self._is_probing = False
        self._pause_s = _FIRST_PAUSE_S
        self._tripped: EndpointRefused | None = None
        self._turns, self._pauses = Naps(), Naps()

    @property
    def address(self) -> str:
        """The address of the wire below."""
        return self.wire.address

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once; in doubt only when it is its turn.

        Raises:
            EndpointRefused: Nothing but faults came back for too long. The last fault itself is returned to whoever met
                it, because it may have been billed.
        """
        is_probe = self._in_doubt and await self._turn()
        if self._tripped is not None:
            raise self._tripped
        self._in_flight += 1
        try:
            answer = await self.wire.send(request)
            if isinstance(answer, Retryable):
                self._went_wrong(answer)
                if is_probe:
                    await self._pause()
            elif self._faults or self._only_unreachable:
                self._answered()
            return answer
        finally:
            self._in_flight -= 1
            if is_probe:
                self._is_probing = False
                self._turns.wake_all()

    async def close(self) -> None:
        """Close the wire below. What went wrong may be mended before the next request."""
        self._faults, self._in_doubt, self._tripped = 0, False, None
        await self.wire.close()

    async def _turn(self) -> bool:
        while self._in_doubt and self._tripped is None:
            if not self._is_probing:
                self._is_probing = True
                return True
            await self._turns.take(None)
        return False

    async def _pause(self) -> None:
        if self._in_doubt and self._tripped is None:
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, _LONGEST_PAUSE_S)
            await self._pauses.take(min(pause_s, self.stall_s / 4))

    def _answered(self) -> None:
        self._faults, self._only_unreachable, self._in_doubt = 0, False, False
        self._pause_s = _FIRST_PAUSE_S
        self._wake_all()

    def _wake_all(self) -> None:
        self._turns.wake_all()
        self._pauses.wake_all()

    def _went_wrong(self, fault: Retryable) -> None:
        now = asyncio.get_running_loop().time()
        if not self._faults:
            self._first_fault_at = now
        self._faults += 1
        self._only_unreachable &= fault.is_unreachable
        silent_s = now - self._first_fault_at
        if self._faults < _FEW or self._tripped is not None:
            return
        if self._only_unreachable and silent_s >= min(_UNREACHABLE_S, self.stall_s):
            self._trip("nothing answers at this address", self._where(fault), _CHECK_ADDRESS)
        elif silent_s >= self.stall_s:
            seen = f"{self._faults} faults in a row in {silent_s:.0f} s; the last: {fault.message}"
            self._trip("the endpoint has stopped answering", seen, _COME_BACK)
        elif self._faults >= self._in_flight and silent_s >= min(_DOUBT_S, self.stall_s / 4):
            self._in_doubt = True

    def _where(self, fault: Retryable) -> str:
        return f"{self.address}: {fault.message}, {self._faults} times and never an answer"

    def _trip(self, problem: str, seen: str, fix: str) -> None:
        self._tripped = EndpointRefused(problem, seen, fix)
        self._wake_all()
