"""The walls: what is built once around a zygote, and what each program is put behind before it runs. Also inside.

Around the zygote, bubblewrap or `enter`: own user, mount, PID, network and IPC namespaces; of the host's files only the
interpreter's, read-only. At the level `landlock` nothing, because a zygote runs only our own code.

Around a program, `confine`: own PID and mount namespace with a fresh temporary folder of limited size (not at the level
`landlock`), another user where we are root, no capability, limits, Landlock, the system call filter.
"""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Sequence
from typing import NamedTuple

from seedbed.verification.sandbox import landlock, seccomp, syscalls

NOBODY = 65534


class Rights(NamedTuple):
    """What the zygote found that it can do."""

    has_namespaces: bool
    as_nobody: bool
    landlock_abi: int


TEMPORARY = "/tmp"  # noqa: S108  the only writable place, and a file system of its own

_NEW_USER, _NEW_MOUNT, _NEW_PID = 0x10000000, 0x00020000, 0x20000000
_NEW_NET, _NEW_IPC, _NEW_UTS = 0x40000000, 0x08000000, 0x04000000
INNER = _NEW_MOUNT | _NEW_PID
"""The namespaces of one program. When its first process ends, the kernel kills all others and unmounts its folder."""

_READ_ONLY, _NO_SETUID, _NO_DEVICE, _NO_EXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_LOCKED = 2 | 4 | 8 | 1024 | 2048 | 1 << 21
"""Flags of a mount that a user namespace may not take away: nosuid, nodev, noexec and the three of atime."""
_DETACH = 2
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_BOUND, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
_SIGKILL = 9


def enter(view: Sequence[str], hidden: Sequence[str]) -> bool:
    """Move this process into namespaces where only `view` is left of the host; returns in a new process, pid 1 there.

    The process that called stays behind to wait, and takes the new one with it when it is killed.

    Args:
        view: Absolute paths of folders that stay visible, read-only.
        hidden: Folders beneath them that are shown empty.

    Returns:
        Whether the user `nobody` can be become: only root may lend a second user to a namespace.

    Raises:
        OSError: The kernel refused a namespace or a mount. What was entered cannot be left: end the process.
    """
    lent = become_owner(_NEW_MOUNT | _NEW_PID | _NEW_NET | _NEW_IPC | _NEW_UTS)
    pid = os.fork()
    if pid:
        os.close(0)  # the control socket: its other end must see the zygote's end, not ours
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
    die_with_parent()
    _show_only(view, hidden)
    return lent


def enter_within() -> None:
    """The same inside bubblewrap, which has built the view: become owner of what a program's own namespaces need."""
    become_owner(_NEW_MOUNT)
    _mount("none", "/proc", "tmpfs", _READ_ONLY)  # was needed up to here, to map the user


def become_owner(namespaces: int) -> bool:
    """Unshare a user namespace together with others, in which this process may then do what root may.

    Returns:
        Whether it holds a second user, `nobody`.
    """
    user, group = os.geteuid(), os.getegid()
    tell, told = _map_from_outside(os.getpid()) if user == 0 else (-1, -1)
    syscalls.call("unshare", _NEW_USER | namespaces)
    if tell >= 0:
        os.write(tell, b"!")
        os.close(tell)
        _, status = os.waitpid(told, 0)
        if status == 0:
            return True
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        _write(f"/proc/self/{name}", line)
    return False


def _map_from_outside(pid: int) -> tuple[int, int]:
    """Fork a process that stays outside and, once told to, maps two users: a namespace cannot do that to itself."""
    ask, tell = os.pipe()
    helper = os.fork()
    if helper:
        os.close(ask)
        return tell, helper
    status = 1
    try:
        os.close(tell)
        os.read(ask, 1)
        for name in ("uid_map", "gid_map"):
            _write(f"/proc/{pid}/{name}", f"0 0 1\n{NOBODY} {NOBODY} 1\n")
        status = 0
    finally:
        os._exit(status)


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    syscalls.call("mount", source.encode(), target.encode(), kind.encode(), flags, options.encode())


def _show_only(view: Sequence[str], hidden: Sequence[str]) -> None:
    """Make a root of nothing but `view` less `hidden` and an empty temporary folder, and leave the old one."""
    _mount("none", "/", "none", _RECURSIVE | _PRIVATE)
    root = "/proc"  # exists everywhere and holds nothing that is shown, so it can be mounted over
    _mount("root", root, "tmpfs", _NO_SETUID | _NO_DEVICE, "size=1m,mode=755")
    for path in view:
        target = root + path
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
        _mount(path, target, "none", _BIND | _RECURSIVE)
        locked = os.statvfs(target).f_flag & _LOCKED
        locked |= 1 << 21 if os.statvfs(target).f_flag & 4096 else 0  # relatime has another number here
        _mount("none", target, "none", _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICE | locked)
    for path in hidden:
        _mount("none", root + path, "tmpfs", _READ_ONLY)
    os.mkdir(root + TEMPORARY)  # noqa: PTH102
    os.mkdir(root + "/.old")  # noqa: PTH102
    os.chdir(root)
    syscalls.call("pivot_root", b".", b".old")
    os.chdir("/")
    syscalls.call("umount2", b"/.old", _DETACH)
    os.rmdir("/.old")  # noqa: PTH106
    _mount("none", "/", "none", _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICE)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    syscalls.call("prctl", _SET_DEATH_SIGNAL, _SIGKILL, 0, 0, 0)


def _fresh_folder(disk_bytes: int) -> None:
    """Mount an empty temporary folder over the last one; it is gone with this process's mount namespace."""
    _mount("tmp", TEMPORARY, "tmpfs", _NO_SETUID | _NO_DEVICE | _NO_EXEC, f"size={disk_bytes},nr_inodes=4096,mode=1777")


def _drop_rights(as_nobody: bool) -> None:
    """Give up every capability for ever, and the user where another is there to be."""
    for capability in range(64):
        try:
            syscalls.call("prctl", _DROP_BOUND, capability, 0, 0, 0)
        except OSError:
            break  # past the last one; or not ours to drop, then there is none to keep either
    if as_nobody:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    version_3 = struct.pack("=Ii", 0x20080522, 0)
    syscalls.call("capset", version_3, bytes(24))
    syscalls.call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    syscalls.call("prctl", _SET_DUMPABLE, 0, 0, 0, 0)
    die_with_parent()  # again: a change of user had cleared it


def _set_limits(limits: dict[str, int], own_user: bool) -> None:
    """Set the kernel's limits on this process.

    Args:
        limits: As the zygote was sent them, see `Limits.for_kernel`.
        own_user: Whether this user of this namespace runs nothing else; the kernel counts threads per user.
    """
    pairs = [
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_s"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ]
    if own_user:
        pairs.append((resource.RLIMIT_NPROC, limits["threads"] + 1))  # the zygote may count too
    for which, value in pairs:
        hard = resource.getrlimit(which)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (allowed, allowed))


def confine(limits: dict[str, int], place: str, readable: Sequence[str], rights: Rights) -> None:
    """Put this process, which is about to run a program, behind its walls. None of them can be taken down again.

    Raises:
        OSError: A wall could not be built; then nothing may run.
    """
    if rights.has_namespaces:
        _fresh_folder(limits["disk_bytes"])
    os.chdir(place)
    rules = landlock.ruleset(readable, [place], rights.landlock_abi) if rights.landlock_abi else -1
    _set_limits(limits, own_user=rights.has_namespaces)
    _drop_rights(rights.as_nobody)
    if rules >= 0:
        landlock.restrict(rules)
    seccomp.install()
