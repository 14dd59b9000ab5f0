"""Which isolation this machine can build. Not asked but tried: a level counts when a hostile program was held by it."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path
from typing import Literal

from seedbed.errors import ConfigError
from seedbed.verification.sandbox import syscalls
from seedbed.verification.sandbox.landlock import abi
from seedbed.verification.sandbox.launch import Zygote
from seedbed.verification.sandbox.limits import Job, Limits

Level = Literal["bubblewrap", "namespaces", "landlock"]
LEVELS: tuple[Level, ...] = ("bubblewrap", "namespaces", "landlock")
"""Best first. `bubblewrap`: the program of that name builds the outer wall. `namespaces`: we build it ourselves.
`landlock`: no namespaces to be had (most containers); Landlock keeps files, the filter on system calls the rest. There
names, sizes and owners of the host's files can be seen, not their content. The filter is part of every level."""

FIX = (
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces above 0; in a "
    "container: --security-opt seccomp=unconfined), or run Linux 6.2 or newer with Landlock enabled (lsm=landlock,...)"
)

_ATTEMPTS = """
import os, socket
def held(attempt):
    try:
        attempt()
    except OSError:
        return True
    return False
def spawn():
    if os.fork() == 0:
        os._exit(0)
open("own", "w").write("the temporary folder must work")
"""


def _trial(canary: Path) -> Job:
    attempts = ("socket.socket", "spawn", f"lambda: open({str(canary)!r})", f"lambda: open({str(canary)!r}, 'w')")
    return Job(_ATTEMPTS, asked=tuple(("value", f"held({attempt})") for attempt in attempts))


def why_not(level: Level) -> str:
    """Why this machine cannot isolate at a level; empty where it can."""
    if sys.platform != "linux" or not syscalls.NUMBER:
        return f"{sys.platform} on this processor has no filter of ours; Linux on {' and '.join(syscalls.MACHINES)} has"
    if level == "landlock" and abi() < 3:
        return f"Landlock here is version {abi()}; from 3 on (Linux 6.2) it also keeps files from being emptied"
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder, "canary")
        canary.write_text("not for a program", encoding="utf-8")
        try:
            zygote = Zygote(level)
        except (ConfigError, OSError) as error:
            return getattr(error, "seen", "") or str(error)
        try:
            tried = zygote.run(_trial(canary), Limits())
        except ConfigError as error:
            return error.seen
        finally:
            zygote.close()
    if [answer.value for answer in tried.answers] != [True] * 4 or tried.status != "done":
        return f"a trial program was not held: {tried.status} {tried.why} {[answer.value for answer in tried.answers]}"
    return ""


@functools.cache
def available_levels() -> dict[Level, str]:
    """Every level, best first, with why it cannot be had here; empty for those that can. Tried once per process."""
    return {level: why_not(level) for level in LEVELS}


@functools.cache
def active_level() -> Level:
    """The level at which programs run on this machine: the best that holds. Print it where programs are run.

    Raises:
        ConfigError: None holds. Then no program runs; there is no level "none".
    """
    reasons: dict[Level, str] = {}
    for level in LEVELS:
        reasons[level] = why_not(level)
        if not reasons[level]:
            return level
    seen = "; ".join(f"{level}: {reason}" for level, reason in reasons.items())
    raise ConfigError("no sandbox can be built here, and generated programs run in nothing less", seen, FIX)
