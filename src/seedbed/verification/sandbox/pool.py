"""Runs many programs: a pool of zygotes, each with one program at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType

from seedbed.errors import ConfigError
from seedbed.verification.sandbox.launch import Zygote
from seedbed.verification.sandbox.levels import Level, active_level, why_not
from seedbed.verification.sandbox.limits import Job, Limits, Outcome


class Sandbox:
    """Runs generated programs, isolated from this machine and from each other. A context manager.

    Attributes:
        level: Which isolation is active; print it.
        workers: How many programs run at the same time.
    """

    def __init__(self, *, level: Level | None = None, workers: int | None = None) -> None:
        """Start the zygotes.

        Args:
            level: One of `LEVELS`; the best that this machine can build where none is given.
            workers: Programs at the same time. Two per usable core where not given: a program is handed from process to
                process, and one core's second program runs while the first one waits for that.

        Raises:
            ConfigError: That level, or any, cannot be built here.
        """
        if level is not None and (reason := why_not(level)):
            raise ConfigError(f"no sandbox at level {level}", reason, "leave the level out to use the best there is")
        self.level: Level = level or active_level()
        self.workers = workers or 2 * len(os.sched_getaffinity(0))
        self._free: SimpleQueue[Zygote] = SimpleQueue()
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")
        for zygote in self._threads.map(Zygote, [self.level] * self.workers):
            self._free.put(zygote)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every program and zygote."""
        self._threads.shutdown(cancel_futures=True)
        while not self._free.empty():
            self._free.get().close()

    def run(self, jobs: Sequence[Job], limits: Limits | None = None) -> list[Outcome]:
        """Run programs, as many at once as there are workers.

        Args:
            jobs: The programs.
            limits: What each may use.

        Returns:
            One outcome per job, in the order of the jobs.

        Raises:
            ConfigError: The sandbox could not be closed around a program. It did not run, and no further one will.
        """
        allowed = limits or Limits()
        return list(self._threads.map(lambda job: self._run(job, allowed), jobs))

    def _run(self, job: Job, limits: Limits) -> Outcome:
        zygote = self._free.get()
        try:
            if not zygote.is_alive():
                zygote.close()
                zygote = Zygote(self.level)
            return zygote.run(job, limits)
        finally:
            self._free.put(zygote)
