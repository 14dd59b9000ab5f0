"""Starts a zygote at a level and runs jobs through it: the side of the sandbox that is trusted and stays outside."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from seedbed.errors import ConfigError
from seedbed.verification.sandbox.limits import Job, Limits, Outcome
from seedbed.verification.sandbox.outcome import outcome

PACKAGE = "seedbed.verification.sandbox"
INJECTED = ("syscalls", "seccomp", "landlock", "walls", "plain", "inside", "zygote")
"""What runs inside, in the order they need each other. They are sent, not imported: inside there is no seedbed."""

PRELOADED = (  # noqa: SIM905
    "__future__ abc array ast bisect bz2 calendar cmath collections collections.abc contextlib copy csv ctypes "
    "dataclasses datetime decimal encodings.idna enum fcntl fractions functools gc hashlib heapq inspect io "
    "itertools json linecache locale lzma math numbers operator os pprint queue random re resource select shutil "
    "signal socket statistics string struct subprocess tempfile textwrap threading time traceback types typing "
    "unicodedata zlib "
).split()
"""What a program finds already imported. Everything else of the standard library is read when it is imported."""

GRACE_S = 5.0
"""How much longer than the wall time a zygote may take to say that a program is over, before it is taken for dead."""

_BOOT = f"""
import json, socket, sys, types
control = socket.socket(fileno=0)
sent = json.loads(control.recv(1 << 20))
for name in sent["preloaded"]:
    __import__(name)
for name, source in sent["modules"]:
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    parent, _, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, module)
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules["{PACKAGE}.zygote"].main(control, sent)
"""

_LOOK = f"""
import json, sys
for name in {PRELOADED!r}:
    __import__(name)
mapped = {{line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if len(line.split(None, 5)) == 6}}
print(json.dumps({{"path": sys.path, "mapped": sorted(path for path in mapped if path.startswith("/"))}}))
"""

_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PATH": ""}
"""All of it. The hash seed is fixed so that a set is printed in the same order in every run."""
_FLAGS = ("-s", "-S", "-P", "-B", "-X", "utf8")


@functools.cache
def _interpreter() -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The interpreter that a virtual environment stands on, the folders of its standard library, the files it maps."""
    executable = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    done = subprocess.run(  # noqa: S603
        [executable, *_FLAGS, "-c", _LOOK], env=_ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise ConfigError("the sandbox's interpreter does not start", done.stderr[-300:], f"try `{executable} -c pass`")
    seen = json.loads(done.stdout)
    folders = [os.path.realpath(path) for path in seen["path"] if os.path.isdir(path)]  # noqa: PTH112
    top = [path for path in folders if not any(path.startswith(other + "/") for other in folders)]
    return executable, tuple(dict.fromkeys(top)), tuple(seen["mapped"])


def _hidden(view: tuple[str, ...]) -> list[str]:
    """Installed packages lie inside the standard library's folder; they are not the interpreter's own."""
    places = [Path(folder) / name for folder in view for name in ("site-packages", "dist-packages")]
    return [str(place) for place in places if place.is_dir()]


def _command(level: str) -> list[str]:
    executable, view, mapped = _interpreter()
    python = [executable, *_FLAGS, "-c", _BOOT]
    if level != "bubblewrap":
        return python
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise ConfigError("bubblewrap is not installed", "no `bwrap` on PATH", "install the package `bubblewrap`")
    walls = ["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--new-session", "--proc", "/proc"]
    for path in dict.fromkeys((executable, *_loaders(), *_names(mapped), *view)):
        if not any(path.startswith(folder + "/") for folder in view):
            walls += ["--ro-bind", path, path]
    for path in _hidden(view):
        walls += ["--tmpfs", path]
    walls += ["--dir", "/tmp", "--chdir", "/", "--remount-ro", "/"]  # noqa: S108
    return [bwrap, *walls, *python]


def _names(mapped: tuple[str, ...]) -> list[str]:
    """Each mapped file with the links beside it that lead to it: a library is looked up by its short name."""
    found = set(mapped)
    for folder in {os.path.dirname(path) for path in mapped}:  # noqa: PTH120
        found |= {
            entry.path for entry in os.scandir(folder) if entry.is_symlink() and os.path.realpath(entry.path) in mapped
        }
    return sorted(found)


def _loaders() -> list[str]:
    """Where the kernel looks for the dynamic loader; the maps show it under its real name only."""
    names = (
        "/lib64/ld-linux-x86-64.so.2",
        "/lib/ld-linux-aarch64.so.1",
        "/lib/ld-musl-x86_64.so.1",
        "/lib/ld-musl-aarch64.so.1",
    )
    return [name for name in names if Path(name).exists()]


@functools.cache
def _sources() -> list[tuple[str, str]]:
    parts = PACKAGE.split(".")
    packages = [(".".join(parts[: n + 1]), "") for n in range(len(parts))]
    here = Path(__file__).parent
    return packages + [(f"{PACKAGE}.{name}", (here / f"{name}.py").read_text(encoding="utf-8")) for name in INJECTED]


class Zygote:
    """A warm interpreter behind the outer wall. Not for several threads at once."""

    def __init__(self, level: str) -> None:
        """Start one.

        Raises:
            ConfigError: This machine cannot build that wall; says what was refused.
        """
        self.level = level
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                _command(level),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=_ENVIRONMENT,
                cwd="/",
            )
        _, view, _ = _interpreter()
        config = {"level": level, "view": view, "hidden": _hidden(view), "preloaded": PRELOADED, "modules": _sources()}
        hello = b""
        self._control.settimeout(30)
        with contextlib.suppress(OSError):
            self._control.send(json.dumps(config).encode())
            hello = self._control.recv(4096)
        self._control.settimeout(None)
        if not hello:
            self._end()
            said = self._last_words()
            self.close()
            raise ConfigError(
                f"no sandbox at level {level}", said, "`available_levels()` says which there are and why not"
            )
        self.walls: dict[str, Any] = json.loads(hello)

    def _last_words(self) -> str:
        self._errors.seek(0)
        return (
            self._errors.read()[-2000:].decode(errors="replace").strip().rpartition("\n")[2]
            or "it ended without a word"
        )

    def close(self) -> None:
        """End the zygote and everything behind its wall."""
        self._end()
        self._errors.close()

    def _end(self) -> None:
        self._control.close()  # it ends by itself when it sees this; the kill is for one that cannot
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        self._process.kill()
        self._process.wait()

    def is_alive(self) -> bool:
        """Whether it can take another job."""
        return self._process.poll() is None and self._control.fileno() >= 0

    def run(self, job: Job, limits: Limits) -> Outcome:
        """Run one job to its end.

        Raises:
            ConfigError: A wall could not be built for this program, which therefore did not run.
        """
        request = {"source": job.source, "asked": job.asked, "name": job.name}
        with contextlib.ExitStack() as stack:
            pipes = [os.pipe() for _ in range(3)]
            for read, _ in pipes:
                stack.callback(os.close, read)
            given = [_memory_file(job.stdin.encode(errors="replace")), *(write for _, write in pipes)]
            given.append(_memory_file(json.dumps(request).encode()))
            try:
                socket.send_fds(self._control, [json.dumps(limits.for_kernel()).encode()], given)
            except OSError:
                return outcome({"why": "lost"}, [b"", b"", b""], limits)
            finally:
                for fd in given:
                    os.close(fd)
            reply, received = self._collect([read for read, _ in pipes], limits)
        if reply.get("broken"):
            raise ConfigError("the sandbox could not be closed around a program, so it did not run", reply["broken"])
        return outcome(reply, received, limits)

    def _collect(self, pipes: list[int], limits: Limits) -> tuple[dict[str, Any], list[bytes]]:
        """Read what a program writes until the zygote says that it is over, and then what is left in the pipes."""
        parts: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
        room = limits.output_kb * 1024
        reply: dict[str, Any] = {}
        told = False
        for fd in self._readable(pipes, limits.wall_s + GRACE_S):
            if fd == self._control.fileno():
                message = self._control.recv(4096)
                reply = json.loads(message) if message else {"why": "lost"}
                break
            part = os.read(fd, 1 << 16)
            room -= len(part)
            parts[fd].append(part if room >= 0 else b"")
            if room < 0 and not told:
                told = True
                with contextlib.suppress(OSError):  # it may have ended in between
                    self._control.send(b"kill")
        else:
            self._end()
            reply = {"why": "lost"}
        for pipe in pipes:
            os.set_blocking(pipe, False)
            with contextlib.suppress(BlockingIOError):
                while room >= 0 and (part := os.read(pipe, 1 << 16)):
                    room -= len(part)
                    parts[pipe].append(part)
        if room < 0:
            reply["why"] = "output"
        return reply, [b"".join(parts[pipe]) for pipe in pipes]

    def _readable(self, pipes: list[int], seconds: float) -> Iterator[int]:
        """Descriptors that have something to read, until all time is used up; a pipe at its end is left out."""
        poll = select.poll()
        for fd in (*pipes, self._control.fileno()):
            poll.register(fd, select.POLLIN)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for fd, event in poll.poll(left * 1000):
                if event & select.POLLIN or fd == self._control.fileno():
                    yield fd
                else:
                    poll.unregister(fd)


def _memory_file(data: bytes) -> int:
    """A descriptor of a file in memory that holds `data`, at its start."""
    fd = os.memfd_create("seedbed", os.MFD_CLOEXEC)
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
