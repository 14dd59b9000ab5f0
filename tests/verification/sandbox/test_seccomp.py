import struct

import pytest

from seedbed.verification.sandbox import seccomp, syscalls


def decide(code: bytes, machine: str, number: int, *arguments: int) -> int:
    """What the kernel would answer: its bytecode, interpreted."""
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *(list(arguments) + [0] * 6)[:6])
    lines = list(struct.iter_unpack("=HBBI", code))
    at, held = 0, 0
    while True:
        what, yes, no, value = lines[at]
        at += 1
        if what == 0x06:
            return value
        if what == 0x20:
            held = struct.unpack_from("=I", data, value)[0]
        elif what == 0x54:
            held &= value
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: held & value != 0}[what]
            at += yes if holds else no


ALLOW, EPERM = 0x7FFF0000, 0x00050001


@pytest.mark.parametrize("machine", syscalls.MACHINES)
def test_the_filter_allows_its_list_and_nothing_else(machine: str) -> None:
    code, number = seccomp.assemble(7, machine), syscalls.numbers(machine)
    named = {number[name] for name in seccomp.ALLOWED if name in number}
    conditional = {number[name] for name in seccomp.conditions(7)}
    for n in range(600):
        if n not in conditional:
            assert decide(code, machine, n) == (ALLOW if n in named else EPERM)
    assert decide(code, machine, 0x40000000 + 1) == EPERM


@pytest.mark.parametrize("machine", syscalls.MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "is_allowed"),
    [
        ("clone", (0x3D0F00,), True),
        ("clone", (17,), False),
        ("clone", (0x3D0F00 | 0x20000000,), False),
        ("kill", (7, 9), True),
        ("kill", (8, 9), False),
        ("kill", (0xFFFFFFFF, 9), False),
        ("tgkill", (8, 8, 9), False),
        ("fcntl", (3, 1030), True),
        ("fcntl", (3, 8, 99), False),
        ("ioctl", (0, 0x5401), True),
        ("ioctl", (0, 0x5412), False),
        ("prlimit64", (0,), True),
        ("prlimit64", (99,), False),
        ("prctl", (15,), True),
        ("prctl", (4, 1), False),
        ("socketpair", (1, 0x80801), True),
        ("socketpair", (1, 2), False),
        ("socketpair", (2, 1), False),
    ],
)
def test_a_call_with_conditions_is_allowed_only_by_them(
    machine: str, name: str, arguments: tuple[int, ...], is_allowed: bool
) -> None:
    answer = decide(seccomp.assemble(7, machine), machine, syscalls.numbers(machine)[name], *arguments)
    assert answer == (ALLOW if is_allowed else EPERM)


def test_the_two_machines_know_the_calls_that_every_wall_needs() -> None:
    for machine in syscalls.MACHINES:
        needed = {"seccomp", "unshare", "mount", "pivot_root", "landlock_restrict_self", "capset", "execve"} - {
            "execve"
        }
        assert needed <= syscalls.numbers(machine).keys()
        assert len(set(syscalls.numbers(machine).values())) == len(syscalls.numbers(machine))
