import json
import os
import platform
import subprocess
import sys

import pytest

from seedbed.errors import ConfigError
from seedbed.verification.sandbox import LEVELS, Limits, active_level, available_levels

POOR_MACHINE = """
import ctypes, json, platform, struct, sys
from seedbed.verification.sandbox import syscalls

refused = json.loads(sys.argv[1])
lines = [(0x20, 0, 0, 0)]
for name in refused:
    lines += [(0x15, 0, 1, syscalls.NUMBER[name]), (0x06, 0, 0, 0x00050001)]
number = syscalls.NUMBER
flags = [(0x20, 0, 0, 16), (0x45, 0, 1, 0x7E020000), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
if "unshare" in refused:
    lines += [(0x15, 0, 1, number["clone3"]), (0x06, 0, 0, 0x00050026), (0x15, 0, len(flags), number["clone"]), *flags]
lines.append((0x06, 0, 0, 0x7FFF0000))
code = b"".join(struct.pack("=HBBI", *line) for line in lines)
buffer = ctypes.create_string_buffer(code, len(code))
syscalls.call("prctl", 38, 1, 0, 0, 0)
syscalls.call("seccomp", 1, 0, struct.pack("=HxxxxxxQ", len(lines), ctypes.addressof(buffer)))

from seedbed.verification.programs import run_program
from seedbed.verification.sandbox import active_level
print(active_level())
print(run_program("print(6 * 7)").stdout)
"""
"""A machine that refuses some system calls, as containers do: a filter over a whole process."""


def on_a_machine_without(*refused: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", POOR_MACHINE, json.dumps(refused)]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_active_level_is_the_first_that_can_be_had() -> None:
    assert active_level() == next(level for level in LEVELS if not available_levels()[level])


def test_without_namespaces_landlock_holds_programs() -> None:
    if available_levels()["landlock"]:
        pytest.skip(available_levels()["landlock"])
    done = on_a_machine_without("unshare")
    assert done.stdout.split() == ["landlock", "42"], done.stderr


def test_where_nothing_can_be_had_no_program_runs_and_the_way_out_is_named() -> None:
    done = on_a_machine_without("unshare", "landlock_create_ruleset")
    assert done.stdout == ""
    assert "ConfigError: no sandbox can be built here" in done.stderr
    assert "fix:  allow user namespaces" in done.stderr
    assert "landlock: Landlock here is version 0" in done.stderr


def test_where_the_filter_cannot_be_installed_no_program_runs() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the filter of this test allows seccomp once only by its own installation")
    done = on_a_machine_without("pidfd_open")
    assert done.stdout == ""
    assert "ConfigError: no sandbox can be built here" in done.stderr


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="cpu_s must be more than 0"):
        Limits(cpu_s=0)
