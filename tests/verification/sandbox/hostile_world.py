"""A host worth attacking, and the battery run against it. Standard library and the sandbox only, see `attacks`."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.verification.sandbox import attacks

from seedbed.verification.sandbox import Job, Limits, Sandbox, available_levels, seccomp, syscalls

SECRET_NAME, SECRET = "SEEDBED_TEST_API_KEY", "canary-7c1f"
PTRACE, PROCESS_VM_READV = {"x86_64": (101, 310), "aarch64": (117, 270)}.get(platform.machine(), (0, 0))


@contextlib.contextmanager
def world(folder: Path) -> Iterator[dict[str, object]]:
    """Servers that answer, a file that can be written, a process that can be killed, a secret that can be seen."""
    canary = folder / "canary"
    canary.write_text("secret of the host", encoding="utf-8")
    canary.chmod(0o666)
    folder.chmod(0o777)
    keep = ctypes.create_string_buffer(SECRET.encode())
    with contextlib.ExitStack() as stack:
        tcp, udp, unix, abstract = (
            stack.enter_context(socket.socket(family, kind))
            for family, kind in [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)]
            + [(socket.AF_UNIX, socket.SOCK_STREAM)] * 2
        )
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "unix"))
        (folder / "unix").chmod(0o777)
        abstract.bind(f"\0seedbed-{os.getpid()}-{folder.name}")
        for server in (tcp, unix, abstract):
            server.listen()
        victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        os.environ[SECRET_NAME] = SECRET
        stack.callback(os.environ.pop, SECRET_NAME, None)
        yield {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": str(folder / "unix"),
            "abstract": abstract.getsockname().decode(),
            "canary": str(canary),
            "folder": str(folder),
            "parent": os.getpid(),
            "victim": victim.pid,
            "address": ctypes.addressof(keep),
            "executable": os.path.realpath(sys.executable),
            "home": str(Path.home()),
            "repository": str(Path(seccomp.__file__)),
            "secret_name": SECRET_NAME,
            "ptrace": PTRACE,
            "process_vm_readv": PROCESS_VM_READV,
            "allowed": sorted(allowed_numbers()),
            "is_x86": platform.machine() == "x86_64",
            **{name: syscalls.NUMBER[name] for name in ("unshare", "clone", "mount", "umount2", "pivot_root", "prctl")},
        }


def allowed_numbers() -> set[int]:
    """System calls that the filter lets through, at least with some arguments."""
    names = {*seccomp.ALLOWED, *seccomp.conditions(1)}
    return {syscalls.NUMBER[name] for name in names if name in syscalls.NUMBER}


def written(attack: str, world: dict[str, object]) -> str:
    """The source of an attack on this world."""
    found: str = {**attacks.AGAINST_THE_HOST, **attacks.AGAINST_THE_KERNEL}[attack].format(**world)
    return attacks.PRELUDE + found


def battery(folder: Path) -> dict[str, dict[str, str]]:
    """Run every attack at every level that can be had: what each printed, by level."""
    seen: dict[str, dict[str, str]] = {}
    with world(folder) as host:
        for level, why_not in available_levels().items():
            if why_not:
                seen[level] = {"not available": why_not}
                continue
            names = [*attacks.AGAINST_THE_HOST, *attacks.AGAINST_THE_KERNEL]
            with Sandbox(level=level, workers=1) as box:
                outcomes = box.run([Job(written(name, host)) for name in names], Limits(cpu_s=2, wall_s=20))
                seen[level] = {
                    name: f"{outcome.status} {outcome.why} {outcome.stdout}"
                    for name, outcome in zip(names, outcomes, strict=True)
                }
    return seen


if __name__ == "__main__":
    print(json.dumps(battery(Path(sys.argv[1]))))
