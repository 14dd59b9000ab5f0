"""System calls by name on x86-64 and aarch64, through ctypes, because Python has no call for most of what a wall needs.

Like every module of this package whose docstring says "also inside", this one runs in the zygote as well, where there
is nothing but the standard library. Also inside.
"""

from __future__ import annotations

import ctypes
import os
import platform

MACHINES = ("x86_64", "aarch64")
"""The columns of the table below. Elsewhere there is no sandbox: a filter with wrong numbers would be no filter."""

_TABLE = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
lseek 8 62, close 3 57, close_range 436 436, fstat 5 80, newfstatat 262 79, statx 332 291, stat 4 -, lstat 6 -,
access 21 -, faccessat 269 48, faccessat2 439 439, open 2 -, openat 257 56, getdents64 217 61, getdents 78 -,
getcwd 79 17, chdir 80 49, fchdir 81 50, readlink 89 -, readlinkat 267 78, rename 82 -, renameat 264 38,
renameat2 316 276, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, symlink 88 -,
symlinkat 266 36, truncate 76 45, ftruncate 77 46, fallocate 285 47, fsync 74 82, fdatasync 75 83, flock 73 32,
dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59, poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72,
epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd2 290 19, mmap 9 222,
munmap 11 215, mprotect 10 226, mremap 25 216, madvise 28 233, brk 12 214, msync 26 227, rt_sigaction 13 134,
rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigsuspend 130 133, sigaltstack 131 132, nanosleep 35 101, clock_nanosleep 230 115, clock_gettime 228 113,
clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153, getitimer 36 102, setitimer 38 103,
alarm 37 -, pause 34 -, futex 202 98, set_robust_list 273 99, set_tid_address 218 96, rseq 334 293,
gettid 186 178, getpid 39 172, getppid 110 173, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177,
getgroups 115 158, getpgrp 111 -, getpgid 121 155, getsid 124 156, getresuid 118 148, getresgid 120 150,
umask 95 166, uname 63 160, sysinfo 99 179, getrusage 98 165, getrlimit 97 163, setrlimit 160 164,
getrandom 318 278, sched_yield 24 124, exit 60 93, exit_group 231 94, restart_syscall 219 128, arch_prctl 158 -,
membarrier 324 283, sendfile 40 71, copy_file_range 326 285, fadvise64 221 223, getcpu 309 168, wait4 61 260,
waitid 247 95, recvfrom 45 207, sendto 44 206, shutdown 48 210, clone 56 220, clone3 435 435, fcntl 72 25,
ioctl 16 29, prctl 157 167, kill 62 129, tkill 200 130, tgkill 234 131, prlimit64 302 261,
sched_getaffinity 204 123, socketpair 53 199, unshare 272 97, mount 165 40, umount2 166 39, pivot_root 155 41,
capset 126 91, seccomp 317 277, landlock_create_ruleset 444 444, landlock_add_rule 445 445,
landlock_restrict_self 446 446, pidfd_open 434 434
"""
"""Name, number on x86-64, number on aarch64; `-` where that machine never had the call (from the kernel's unistd.h)."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def numbers(machine: str) -> dict[str, int]:
    """Number of each system call that a machine has, by name."""
    column = 1 + MACHINES.index(machine)
    rows = (row.split() for row in _TABLE.replace("\n", " ").split(","))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


NUMBER = numbers(platform.machine()) if platform.machine() in MACHINES else {}
"""The table of the machine that this runs on; empty on another one."""


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make a system call.

    Args:
        name: A name of the table.
        arguments: Up to six; integers go as 64 bits, bytes and buffers as their address.

    Returns:
        What the kernel returned, never negative.

    Raises:
        OSError: The kernel refused, with its errno.
    """
    words = [ctypes.c_ulong(word & 0xFFFFFFFFFFFFFFFF) if isinstance(word, int) else word for word in arguments]
    answer: int = _libc.syscall(NUMBER[name], *words)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return answer


def fork(flags: int) -> int:
    """Fork into the new namespaces that `flags` names; 0 in the child, like `os.fork`.

    The interpreter is told before and after, as `os.fork` does, so that its locks and its random state are right in the
    child. `PyDLL` keeps the interpreter lock through the call: letting go of it and forking in between is a deadlock.
    """
    if not flags:
        return os.fork()
    sigchld = 17
    api = ctypes.pythonapi
    api.PyOS_BeforeFork()
    pid: int = ctypes.PyDLL(None).syscall(NUMBER["clone"], ctypes.c_ulong(flags | sigchld), None, None, None, None)
    if pid == 0:
        api.PyOS_AfterFork_Child()
    else:
        api.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError("clone into new namespaces was refused")
    return pid
