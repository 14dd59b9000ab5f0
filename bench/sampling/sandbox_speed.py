"""Programs per second through the sandbox, at every level that this machine can build.

python bench/sampling/sandbox_speed.py                    writes results/sandbox_speed.json
python bench/sampling/sandbox_speed.py --programs 100 --repeats 2 --out -

Every program is a function of about ten lines that is loaded, called three times, and whose answers are compared. The
levels take turns, `repeats` times each. Beside them stands what isolates nothing: a new interpreter for each program.
Processor time is that of the programs' processes and of this one; a zygote's own, about a millisecond for each fork, is
not in it. Starting the sandbox is measured apart. The machine may be busy: the load average is in the results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from seedbed.estimate import mean_t
from seedbed.verification.programs import Program, Returns, run_tests
from seedbed.verification.sandbox import Level, Sandbox, available_levels

HERE = Path(__file__).resolve().parent

SOURCE = """
from collections import Counter

def most_common_words(text, n):
    words = [word.strip(".,!?").lower() for word in text.split()]
    counts = Counter(word for word in words if word)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(word, count) for word, count in ranked[:n]]

# program {number}
"""
TESTS = (
    Returns("most_common_words", ("a b a. c", 1), [("a", 2)]),
    Returns("most_common_words", ("The cat, the hat!", 2), [("the", 2), ("cat", 1)]),
    Returns("most_common_words", ("", 3), []),
)


def in_sandbox(level: Level, programs: int, workers: int) -> tuple[float, float, float]:
    """Seconds that tests of so many programs took, all of which must pass; of processor time; and to start."""
    opened = time.perf_counter()
    with Sandbox(level=level, workers=workers) as sandbox:
        batch = [Program(SOURCE.format(number=number), TESTS) for number in range(programs)]
        own, start = time.process_time(), time.perf_counter()
        results = run_tests(batch, sandbox=sandbox)
        seconds, own = time.perf_counter() - start, time.process_time() - own
    assert all(result.status == "passed" and result.sealed for result in results)
    return seconds, own + sum(result.cpu_s for result in results), start - opened


def new_interpreters(programs: int, workers: int) -> tuple[float, float, float]:
    """The same with a process each and no wall at all."""
    calls = "\n".join(f"print({test.function}(*{test.arguments!r}))" for test in TESTS)
    command = [os.path.realpath(sys.executable), "-I", "-S", "-c"]

    def run(number: int) -> None:
        subprocess.run([*command, SOURCE.format(number=number) + calls], check=True, capture_output=True)

    before, start = processor_s(), time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(run, range(programs)))
    return time.perf_counter() - start, processor_s() - before, 0.0


def processor_s() -> float:
    """Of this process and of all that ended beneath it."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def estimates(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Means with their intervals, and every run."""
    found: dict[str, Any] = {}
    for name in ("programs_per_s", "cpu_ms", "start_s"):
        mean = mean_t([run[name] for run in runs])
        found[name] = {"value": mean.value, "low": mean.low, "high": mean.high, "n": len(runs)}
    return {**found, "runs": list(runs)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2 * len(os.sched_getaffinity(0)))
    parser.add_argument("--out", default=str(HERE / "results" / "sandbox_speed.json"))
    asked = parser.parse_args()
    few = max(20, asked.programs // 10)
    cases: dict[str, tuple[int, Callable[[], tuple[float, float, float]]]] = {
        level: (asked.programs, partial(in_sandbox, level, asked.programs, asked.workers))
        for level, why_not in available_levels().items()
        if not why_not
    }
    cases["a new interpreter each, no isolation"] = few, lambda: new_interpreters(few, asked.workers)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(asked.repeats):
        for name, (programs, measure) in cases.items():
            load, nice = os.getloadavg()[0], os.nice(0)
            seconds, processor, start = measure()
            per_s, ms = programs / seconds, 1000 * processor / programs
            runs[name].append(
                {"programs_per_s": per_s, "cpu_ms": ms, "start_s": start, "load_average": load, "niceness": nice}
            )
            print(f"{name:40} {per_s:6.0f} per s  {ms:5.1f} ms of processor time each  load {load:.1f}", flush=True)
    found = {
        "command": " ".join(["python", *sys.argv]).replace(str(HERE.parents[1]) + "/", ""),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": len(os.sched_getaffinity(0)),
        "workers": asked.workers,
        "programs": asked.programs,
        "user": "root" if os.getuid() == 0 else "ordinary",
        "not_available": {level: why for level, why in available_levels().items() if why},
        "results": {name: estimates(found) for name, found in runs.items()},
    }
    if asked.out == "-":
        print(json.dumps(found, indent=1))
        return
    Path(asked.out).parent.mkdir(exist_ok=True)
    Path(asked.out).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
