"""What happens in a program's own process, behind all walls: run it, and send out what was asked for. Also inside.

Everything here shares a process with a program that may be hostile, and is at its mercy: it can be patched, read and
killed. So nothing here knows what a right answer would be, and nothing that it sends can say "passed". It sends values;
they are compared outside.
"""

from __future__ import annotations

import fcntl
import json
import linecache
import os
import random
import sys
import threading
import types
from typing import NoReturn

from seedbed.verification.sandbox import plain

RESULT, JOB, COMPLAINT = 3, 4, 5
NAME = "<program>"
_OUT_OF_MEMORY = b'{"memory": true}\n'


def take(fds: list[int]) -> None:
    """Make a job's descriptors 0 to 5 (input, output, errors, result, job, complaint) and close every other one."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in fds]
    for wanted, fd in enumerate(high):
        os.dup2(fd, wanted, inheritable=False)
    os.closerange(len(fds), 1 << 16)


def report(line: dict[str, object]) -> None:
    """Send one line out; that there is a reader is not our business."""
    data = json.dumps(line).encode() + b"\n"
    try:
        while data:
            data = data[os.write(RESULT, data) :]
    except OSError:
        pass


def run() -> NoReturn:
    """Run the job and end the process; never returns."""
    code = 1
    try:
        job = _read_job()
        _fresh_streams()
        code = _perform(job)
    except MemoryError:
        os.write(RESULT, _OUT_OF_MEMORY)
    except BaseException as error:  # noqa: BLE001  the program's, whatever it is; it must not reach the zygote's frames
        code = _explain(error)
    finally:
        _leave(code)


def _read_job() -> dict[str, object]:
    parts = []
    while part := os.read(JOB, 1 << 16):
        parts.append(part)
    os.close(JOB)
    job: dict[str, object] = json.loads(b"".join(parts))
    return job


def _fresh_streams() -> None:
    sys.stdin = open(0, encoding="utf-8", errors="replace")  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    os.environ.clear()
    os.environ["HOME"] = os.environ["TMPDIR"] = os.getcwd()  # noqa: PTH109
    random.seed(0)  # the same program gives the same answer today and tomorrow


def _perform(job: dict[str, object]) -> int:
    source = str(job["source"])
    asked: list[list[str]] = job["asked"]  # type: ignore[assignment]  # JSON that launch.py wrote
    module = types.ModuleType(str(job["name"]))
    sys.modules[module.__name__] = module
    linecache.cache[NAME] = (len(source), None, source.splitlines(keepends=True), NAME)
    space = module.__dict__
    exec(compile(source, NAME, "exec"), space)  # noqa: S102  this is what all the walls are for
    report({"loaded": True})
    for kind, text in asked:
        report(_answer(kind, text, space))
    return 0


def _answer(kind: str, text: str, space: dict[str, object]) -> dict[str, object]:
    """One thing asked of a program that has been loaded: the value of an expression, or a statement's effect."""
    try:
        if kind == "do":
            exec(compile(text, "<test>", "exec"), space)  # noqa: S102
            return {"done": True}
        value = eval(compile(text, "<test>", "eval"), space)  # noqa: S307
    except MemoryError:
        return {"memory": True}
    except BaseException as error:  # noqa: BLE001
        return {"raised": describe(error)}
    try:
        return {"value": plain.encode(value)}
    except MemoryError:
        return {"memory": True}
    except BaseException as error:  # noqa: BLE001  a value may be of a class of the program's
        return {"odd": describe(error)}


def _explain(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    report({"raised": describe(error)})
    return 1


def describe(error: BaseException) -> str:
    """An exception and the last line of the program that it came through, on one line."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == NAME else line
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line = error.lineno or 0
    try:
        text = str(error)[:300]
    except BaseException:  # noqa: BLE001  the program's own __str__
        text = "(no text)"
    return f"{type(error).__name__}: {text}" + (f" (line {line})" if line else "")


def _leave(code: int) -> NoReturn:
    """Wait for threads as an interpreter does at its end, write what is in a buffer, and go without a clean-up."""
    try:
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # noqa: BLE001  a stream or thread of the program's own making
        code = code or 1
    finally:
        os._exit(code)
