"""The filter on system calls that a program runs behind: a list of what is allowed, everything else is refused.

What a program computes with is allowed: memory, files, pipes, clocks, threads, signals to itself. Not allowed, and
therefore not reachable however the program tries (ctypes included): sockets to anything, new processes, exec, signals
to others, ptrace and its kin, namespaces, mounts, changing owners or modes, io_uring, bpf, keyrings, perf. Also inside.

Source: seccomp(2), Linux. Differs: the refusal is `EPERM` instead of a kill, so that a program that merely asks
whether it could sees an ordinary Python exception.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

from seedbed.verification.sandbox import syscalls

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # x86-64 kernels answer a second, aliased set of numbers from here on

ALLOWED = (  # noqa: SIM905  a list of 100 lines says no more
    "read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range fstat newfstatat statx stat "
    "lstat access faccessat faccessat2 open openat getdents64 getdents getcwd chdir fchdir readlink readlinkat "
    "rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat symlink symlinkat truncate ftruncate fallocate "
    "fsync fdatasync flock dup dup2 dup3 pipe pipe2 poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait "
    "epoll_pwait eventfd2 mmap munmap mprotect mremap madvise brk msync rt_sigaction rt_sigprocmask rt_sigreturn "
    "rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack nanosleep clock_nanosleep clock_gettime clock_getres "
    "gettimeofday time times getitimer setitimer alarm pause futex set_robust_list set_tid_address rseq gettid "
    "getpid getppid getuid geteuid getgid getegid getgroups getpgrp getpgid getsid getresuid getresgid umask "
    "uname sysinfo getrusage getrlimit setrlimit getrandom sched_yield exit exit_group restart_syscall arch_prctl "
    "membarrier sendfile copy_file_range fadvise64 getcpu wait4 waitid recvfrom sendto shutdown "
).split()

_NEW_NAMESPACES = 0x7E020080  # CLONE_NEW*: cgroup, UTS, IPC, user, PID, net, mount, time
_THREAD = 0x00010000
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
"""F_DUPFD, flags, locks. Not F_SETOWN and F_SETSIG: they send any signal to any process of the same user."""
_IOCTL = (0x5401, 0x5413, 0x5450, 0x5451, 0x541B, 0x5421)
"""TCGETS, TIOCGWINSZ (`isatty` asks), FIONCLEX, FIOCLEX, FIONREAD, FIONBIO. Not TIOCSTI: it types into a terminal."""
_PRCTL = (15, 16)  # PR_SET_NAME, PR_GET_NAME

Instruction = tuple[int, int, int, int]


def _load(argument: int) -> Instruction:
    """Load the low half of an argument of the call: all that are checked here are 32 bits to the kernel too."""
    return (_LOAD, 0, 0, 16 + 8 * argument)


def _return(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


_NO = _return(_ERRNO | _EPERM)


def _only(argument: int, values: tuple[int, ...]) -> list[Instruction]:
    """Allow the call where an argument is one of `values`."""
    lines = [_load(argument)]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), _return(_ALLOW)]
    return [*lines, _NO]


def conditions(pid: int) -> dict[str, list[Instruction]]:
    """Calls that are allowed with some arguments only. Where one names a process, it must be the program itself."""
    threads = [_load(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), _NO, (_ANY_BIT, 0, 1, _THREAD), _return(_ALLOW), _NO]
    # A connected pair of stream sockets is what asyncio wakes itself with; a datagram socket could address others.
    pair = [_load(0), (_EQUAL, 1, 0, 1), _NO, _load(1), (_AND, 0, 0, 0xF), (_EQUAL, 0, 1, 1), _return(_ALLOW), _NO]
    return {
        "clone": threads,
        "clone3": [
            _return(_ERRNO | _ENOSYS)
        ],  # its arguments lie in memory, out of a filter's sight; libc falls back to clone
        "kill": _only(0, (pid,)),
        "tgkill": _only(0, (pid,)),
        "prlimit64": _only(0, (0, pid)),
        "sched_getaffinity": _only(0, (0, pid)),
        "fcntl": _only(1, _FCNTL),
        "ioctl": _only(1, _IOCTL),
        "prctl": _only(0, _PRCTL),
        "socketpair": pair,
    }


def assemble(pid: int, machine: str) -> bytes:
    """The filter as the kernel's bytecode, for a program that is process `pid` in its own eyes."""
    number = syscalls.numbers(machine)
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _ARCHITECTURE[machine]), _return(_KILL), (_LOAD, 0, 0, 0)]
    if machine == "x86_64":
        lines += [(_AT_LEAST, 0, 1, _X32), _NO]
    for name in ALLOWED:
        if name in number:
            lines += [(_EQUAL, 0, 1, number[name]), _return(_ALLOW)]
    for name, block in conditions(pid).items():
        lines += [(_EQUAL, 0, len(block), number[name]), *block]
    return b"".join(struct.pack("=HBBI", *line) for line in [*lines, _NO])


_cache: dict[int, bytes] = {}


def install() -> None:
    """Put this process, for ever, behind the filter. Needs `PR_SET_NO_NEW_PRIVS` before."""
    pid = os.getpid()
    code = _cache.get(pid) or assemble(pid, platform.machine())
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    set_mode_filter = 1
    syscalls.call("seccomp", set_mode_filter, 0, program)


def prepare(pid: int) -> None:
    """Assemble the filter ahead where the pid is known: in a new PID namespace it is always 1."""
    _cache[pid] = assemble(pid, platform.machine())
