"""Reads what came out of the sandbox. All of it may have been written by a hostile program, so it is only ever data."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from seedbed.verification.sandbox import plain
from seedbed.verification.sandbox.limits import Answer, Limits, Outcome, Status

_ENDED: dict[str, tuple[Status, str]] = {
    "wall": ("timeout", "ran longer than {wall_s:g} s"),
    "output": ("killed", "wrote more than {output_kb} KB"),
    "disk": ("killed", "its files took more than {disk_mb} MB"),
    "threads": ("killed", "started more than {threads} threads"),
    "lost": ("killed", "took the sandbox's own process down with it, or hung it"),
}


def outcome(reply: dict[str, Any], received: list[bytes], limits: Limits) -> Outcome:
    """What a program did, from the zygote's word on how it ended (trusted) and its own output (not).

    Args:
        reply: `why` the zygote ended it, or its wait `status`; processor seconds; peak memory.
        received: What it wrote to output, errors and result.
        limits: What it was allowed.
    """
    answers, said = _answers(received[2])
    status, why = _ending(reply, said, limits)
    return Outcome(
        status,
        why,
        received[0].decode(errors="replace"),
        received[1].decode(errors="replace"),
        tuple(answers),
        seconds=float(reply.get("seconds", 0.0)),
        cpu_s=float(reply.get("cpu_s", 0.0)),
        peak_mb=float(reply.get("peak_bytes", 0)) / (1 << 20),
    )


def _answers(data: bytes) -> tuple[list[Answer], dict[str, str]]:
    """One answer for each line after the first; and what was said about the program as a whole."""
    answers: list[Answer] = []
    said: dict[str, str] = {}
    for line in data.splitlines():
        try:
            read = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(read, dict):
            break
        if "memory" in read:
            said["memory"] = "yes"
            if "loaded" in said:
                answers.append(Answer(why="ran out of memory"))
        elif "loaded" in read:
            said["loaded"] = "yes"
        elif "loaded" in said:
            answers.append(_answer(read))
        elif "raised" in read:
            said["raised"] = str(read["raised"])[:500]
    return answers, said


def _answer(read: dict[str, Any]) -> Answer:
    if "value" in read:
        try:
            return Answer(plain.decode(read["value"]))
        except ValueError as error:
            return Answer(why=str(error))
    if "raised" in read:
        return Answer(why=str(read["raised"])[:500])
    return Answer(why=str(read["odd"])[:500] if "odd" in read else "")


def _ending(reply: dict[str, Any], said: dict[str, str], limits: Limits) -> tuple[Status, str]:
    if reply.get("why") in _ENDED:
        status, text = _ENDED[reply["why"]]
        return status, text.format(**vars(limits))
    ended = int(reply.get("status", 0))
    if os.WIFSIGNALED(ended):
        number = os.WTERMSIG(ended)
        # The limit counts ticks, which on a busy machine run far ahead of the time that is reported afterwards.
        if number in (signal.SIGKILL, signal.SIGXCPU) and float(reply["cpu_s"]) >= limits.cpu_s / 2:
            return "timeout", f"used more than {limits.cpu_s} s of processor time"
        return "killed", f"ended by {signal.Signals(number).name}"
    if "memory" in said:
        return "memory", f"needed more than {limits.memory_mb} MB"
    code = os.waitstatus_to_exitcode(ended)
    if "raised" in said:
        return "error", said["raised"]
    if code:
        return "error", f"exited with code {code}"
    return "done", ""
