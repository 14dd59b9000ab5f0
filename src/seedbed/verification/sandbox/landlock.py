"""Landlock: the kernel refuses this process every file that does not lie beneath a named folder. Also inside.

Landlock decides on opening, making and removing. It does not hide: that a file exists, its size and its owner can still
be asked for. Where nothing may be seen at all a mount namespace is needed; this is the wall behind that one, and the
only one on machines that have no namespaces to give.

Source: landlock(7), Linux. Rights of a newer kernel are used where the kernel knows them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from seedbed.verification.sandbox import syscalls

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_WRITE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12
"""Write a file, remove a folder or a file, make a folder, a regular file, a symbolic link. No device, socket, fifo."""
_REFER, _TRUNCATE, _DEVICE_IOCTL = 1 << 13, 1 << 14, 1 << 15
_FILES_OF_ABI_1 = (1 << 13) - 1
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract unix sockets and signals do not leave the domain


def abi() -> int:
    """Version of Landlock that the kernel speaks; 0 where it has none or forbids it."""
    try:
        return syscalls.call("landlock_create_ruleset", None, 0, 1)
    except (OSError, KeyError):
        return 0


def ruleset(readable: Sequence[str], writable: Sequence[str], version: int) -> int:
    """A descriptor of the rules: read beneath `readable`, read and write beneath `writable`, nothing else.

    Made while the folders can still be opened, that is before a change of user.

    Args:
        readable: Existing folders or files.
        writable: Existing folders.
        version: What `abi` said, at least 1.

    Raises:
        OSError: The kernel refused.
    """
    handled = _FILES_OF_ABI_1
    handled |= _REFER if version >= 2 else 0
    handled |= _TRUNCATE if version >= 3 else 0
    handled |= _DEVICE_IOCTL if version >= 5 else 0
    attributes = struct.pack("=Q", handled)
    attributes += struct.pack("=Q", _TCP) if version >= 4 else b""
    attributes += struct.pack("=Q", _SCOPES) if version >= 6 else b""
    rules = syscalls.call("landlock_create_ruleset", attributes, len(attributes), 0)
    for path in readable:
        _allow(rules, path, (_READ_FILE | _READ_DIR) & handled)
    for path in writable:
        _allow(rules, path, (_READ_FILE | _READ_DIR | _WRITE | _REFER | _TRUNCATE) & handled)
    return rules


def restrict(rules: int) -> None:
    """Put this process, for ever, under a ruleset and close it. Needs `PR_SET_NO_NEW_PRIVS` before."""
    syscalls.call("landlock_restrict_self", rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):  # noqa: PTH112  pathlib is not loaded inside
            rights &= ~_READ_DIR
        beneath = 1
        syscalls.call("landlock_add_rule", rules, beneath, struct.pack("=Qi", rights, folder), 0)
    finally:
        os.close(folder)
