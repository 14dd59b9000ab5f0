"""The zygote: a warm interpreter behind the outer wall that forks one process per program. Also inside.

A fork of a warm interpreter costs a hundredth of starting one. One program runs at a time, and it is over when its last
process is: siblings never meet. The zygote itself never sees a program, its input or what it wrote: it is handed open
descriptors and passes them on. So the memory that the next program starts with holds nothing of the one before.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import tempfile
import time
from typing import Any

from seedbed.verification.sandbox import inside, landlock, seccomp, syscalls, walls

WATCH_S = 0.02
"""How often disk and threads are looked at where no namespace bounds them."""
MOST_FILES = 4096


def main(control: socket.socket, config: dict[str, Any]) -> None:
    """Build the outer wall, say what stands, and fork for each message until the other end closes."""
    level: str = config["level"]
    view: list[str] = config["view"]
    landlock_abi = landlock.abi()
    folder, nobody = walls.TEMPORARY, False
    if level == "landlock":
        nobody = os.geteuid() == 0
        folder = tempfile.mkdtemp(prefix="seedbed-sandbox-")
        os.chmod(folder, 0o711)  # noqa: PTH101, S103  another user must get through it to its own folder
    elif level == "namespaces":
        nobody = walls.enter(view, config["hidden"])
    else:
        walls.enter_within()
    gc.freeze()  # what is warm stays out of every child's collections, so its pages stay shared
    cell = Cell(view, folder, walls.Rights(level != "landlock", nobody, landlock_abi))
    control.send(json.dumps({"ready": True, "landlock_abi": landlock_abi, "nobody": nobody}).encode())
    try:
        cell.serve(control)
    finally:
        if level == "landlock":
            empty(folder)
            os.rmdir(folder)  # noqa: PTH106


class Cell:
    """Where one program at a time runs."""

    def __init__(self, view: list[str], folder: str, rights: walls.Rights) -> None:
        self._view = view
        self._folder = folder
        self._rights = rights
        if rights.has_namespaces:
            seccomp.prepare(pid=1)

    def serve(self, control: socket.socket) -> None:
        """Run what comes until the other end closes."""
        while True:
            message, fds, _, _ = socket.recv_fds(control, 4096, 8)
            if not message:
                return
            if message == b"kill":
                continue  # meant for a program that had just ended
            limits = json.loads(message)
            started = time.monotonic()
            broken, complain = os.pipe()
            pid = self._start(limits, [*fds, complain], control)
            for fd in (*fds, complain):
                os.close(fd)
            answer = self._wait(pid, limits, control)
            answer["seconds"] = time.monotonic() - started
            answer["broken"] = os.read(broken, 1000).decode()
            os.close(broken)
            control.send(json.dumps(answer).encode())

    def _start(self, limits: dict[str, int], fds: list[int], control: socket.socket) -> int:
        place = self._folder if self._rights.has_namespaces else self._fresh_place()
        pid = syscalls.fork(walls.INNER if self._rights.has_namespaces else 0)
        if pid:
            return pid
        try:
            control.detach()
            inside.take(fds)
            walls.confine(limits, place, self._view, self._rights)
            os.close(inside.COMPLAINT)
        except BaseException as error:  # noqa: BLE001  whatever it was, no program may run behind half a wall
            os.write(inside.COMPLAINT, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        return inside.run()

    def _fresh_place(self) -> str:
        place = os.path.join(self._folder, "program")  # noqa: PTH118
        empty(self._folder)
        os.mkdir(place, 0o700)  # noqa: PTH102
        if self._rights.as_nobody:
            os.chown(place, walls.NOBODY, walls.NOBODY)
        return place

    def _wait(self, pid: int, limits: dict[str, int], control: socket.socket) -> dict[str, object]:
        """Wait for the end of a program, or bring it about."""
        watched = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.register(control, select.POLLIN)
        deadline = time.monotonic() + limits["wall_ms"] / 1000
        why = ""
        while not why:
            left = deadline - time.monotonic()
            pause = left if self._rights.has_namespaces else min(left, WATCH_S)
            ready = dict(poll.poll(max(0.0, pause) * 1000))
            if watched in ready:
                break
            if control.fileno() in ready:
                why = "told" if control.recv(16, socket.MSG_PEEK) else "orphan"
            elif left <= 0:
                why = "wall"
            elif not self._rights.has_namespaces:
                why = self._excess(pid, limits)
        if why:
            signal.pidfd_send_signal(watched, signal.SIGKILL)
        os.close(watched)
        _, status, usage = os.wait4(pid, 0)
        cpu_s = usage.ru_utime + usage.ru_stime
        return {"status": status, "why": why, "cpu_s": cpu_s, "peak_bytes": usage.ru_maxrss * 1024}

    def _excess(self, pid: int, limits: dict[str, int]) -> str:
        """What a program has too much of, where nothing but looking bounds it."""
        size, count = used(self._folder)
        if size > limits["disk_bytes"] or count > MOST_FILES:
            return "disk"
        try:
            threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
        except OSError:
            return ""
        return "threads" if threads > limits["threads"] else ""


def used(folder: str) -> tuple[int, int]:
    """Bytes and entries beneath a folder; more than anybody may have where it cannot be read to its end.

    Not `os.walk`: a hostile program makes folders deeper than a path is long or a stack is high, or closes them.
    """
    size = count = 0
    waiting = [folder]
    while waiting and count <= MOST_FILES:
        try:
            for entry in os.scandir(waiting.pop()):
                count += 1
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        except FileNotFoundError:
            continue  # removed while we looked
        except OSError:
            return size, MOST_FILES + 1
    return size, count


def empty(folder: str) -> None:
    """Remove everything beneath a folder, however deep. What lies deep is moved up first, so that no path gets long."""
    moved = 0
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108
                continue
            os.chmod(entry.path, 0o700)  # noqa: PTH101  it may have been made without any right
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # noqa: PTH101  a folder that is moved must be writable itself
                    os.rename(inner.path, f"{folder}/.moved-{moved}")  # noqa: PTH104
                    moved += 1
                else:
                    os.unlink(inner.path)  # noqa: PTH108
            os.rmdir(entry.path)  # noqa: PTH106
