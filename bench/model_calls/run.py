"""Ours, the peers and bare aiohttp against one loopback server, in one pass.

python bench/model_calls/run.py            everything; under 35 minutes; writes results/full.json and README's tables
python bench/model_calls/run.py --quick    a look in under 4 minutes; writes results/quick.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import measure
import tables
from scenarios import FLOOR, FULL, IN_FLIGHT, OURS, SYSTEMS, Scenario, ideal, quick

HERE = Path(__file__).resolve().parent
SHORT_S, LONG_S = 75.0, 240.0
"""Longest one run may take: of 2,000 rows, and of the scenarios marked long."""
FOLDERS = re.compile(r"(?<![\w:/])/(?:[\w.+-]+/)+")
"""What comes before a file's name: another machine has it elsewhere."""


def main() -> None:
    """Run what was asked for, print it as it comes, keep it."""
    args = arguments()
    if args.install:
        subprocess.run([HERE / "install.sh"], check=True, env={**os.environ, "PEERS": str(args.peers)})
    chosen = [each for each in map(quick, FULL) if each] if args.quick else list(FULL)
    if args.scenarios:
        chosen = [each for each in chosen if each.name in args.scenarios.split(",")]
    only = args.only.split(",") if args.only else list(SYSTEMS)
    is_whole = not (args.quick or args.only or args.scenarios)
    out = HERE / "results" / f"{'full' if is_whole else 'quick' if args.quick else 'partial'}.json"
    with server(args.peers) as base, tempfile.TemporaryDirectory(prefix="model-calls-") as work:
        run = Pass(
            base, Path(work), args.peers, only, deadline=time.monotonic() + 60 * args.minutes, repeat=args.repeat
        )
        for scenario in chosen:
            run.scenario(scenario)
            out.parent.mkdir(exist_ok=True)
            out.write_text(json.dumps({**about(args.peers), "runs": run.runs}, indent=1) + "\n", encoding="utf-8")
    kept = json.loads(out.read_text(encoding="utf-8"))
    print("\n" + tables.markdown(kept))
    if is_whole:
        tables.write(HERE / "README.md", kept)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything; peers only in plain and cached")
    parser.add_argument("--only", default="", help="systems, separated by commas: " + ", ".join(SYSTEMS))
    parser.add_argument(
        "--scenarios", default="", help="separated by commas: " + ", ".join(dict.fromkeys(each.name for each in FULL))
    )
    parser.add_argument("--repeat", type=int, default=1, help="as many times the pairs of ours and the floor")
    parser.add_argument("--minutes", type=float, default=31.0, help="runs not begun by then are left out, and say so")
    parser.add_argument("--install", action="store_true", help="make the environments of the peers first (3 GB)")
    default = os.environ.get("PEERS") or Path.home() / ".cache" / "seedbed-bench"
    parser.add_argument("--peers", type=Path, default=Path(default), help="where the environments of the peers are")
    return parser.parse_args()


@contextmanager
def server(peers: Path) -> Iterator[str]:
    """The server in a process of its own; gives its address. One port for the whole pass: stores remember it."""
    python = peers / "server" / "bin" / "python"
    command = [str(python) if python.exists() else sys.executable, str(HERE / "server.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


@dataclass
class Pass:
    """One pass over the scenarios."""

    base: str
    work: Path
    peers: Path
    only: list[str]
    deadline: float
    repeat: int = 1
    runs: list[dict[str, Any]] = field(default_factory=list)

    def scenario(self, scenario: Scenario) -> None:
        """Run it on every system, ours and the floor in turn (the order swaps, so that a drift hits both)."""
        chosen = [name for name in scenario.systems if name in self.only]
        pair = [name for name in chosen if name in (OURS, FLOOR)]
        rounds = 1 if scenario.again or scenario.kills else scenario.pairs * self.repeat
        for number in range(rounds):
            for name in pair if number % 2 == 0 else reversed(pair):
                self.system(scenario, name, number)
        for name in chosen:
            if name not in pair:
                self.system(scenario, name, 0)

    def system(self, scenario: Scenario, name: str, number: int) -> None:
        """Run it on one system; whatever goes wrong there becomes part of its row."""
        line: dict[str, Any] = {"scenario": scenario.name, "system": name, "number": number}
        line |= {"rows": scenario.server.rows, "load": os.getloadavg()[0]}
        if why := self.why_not(scenario, name):
            line |= {"ended": why}
        elif scenario.kills:
            line |= self.killed(scenario, name)
        else:
            line |= self.once(scenario, name)
        self.runs.append(line)
        print(tables.line(line), flush=True)

    def why_not(self, scenario: Scenario, name: str) -> str:
        """The reason not to run; empty when there is none."""
        if not Path(self.python(name)).exists():
            return "not installed"
        if time.monotonic() > self.deadline:
            return "left out: the pass had used its time"
        if scenario.again:
            before = [each for each in self.runs if (each["scenario"], each["system"]) == (scenario.again, name)]
            if not before or before[-1]["ended"] != "finished":
                return f"left out: {scenario.again} did not finish"
        return ""

    def once(self, scenario: Scenario, name: str) -> dict[str, Any]:
        """Run a client to its end."""
        folder = self.work / f"{scenario.again or scenario.name}-{SYSTEMS[name].client}"
        if not scenario.again:
            shutil.rmtree(folder, ignore_errors=True)
        self.reset(scenario)
        found = self.client(scenario, name, folder)
        return self.seen(scenario, found, measure.control(self.base, "/stats"))

    def killed(self, scenario: Scenario, name: str) -> dict[str, Any]:
        """Kill a client, run it again in the same folder, and count what it asks again."""
        rng = random.Random(f"{scenario.name} {name}")
        lines = [self.kill_once(scenario, name, rng) for _ in range(scenario.kills if name == OURS else 1)]
        last = {key: value for key, value in lines[-1].items() if key != "kill"}
        worse = next((each["ended"] for each in lines if each["ended"] != "finished"), "finished")
        return {**last, "ended": worse, "kills": [each["kill"] for each in lines]}

    def kill_once(self, scenario: Scenario, name: str, rng: random.Random) -> dict[str, Any]:
        """One kill at a number of answers drawn at random, and the run after it."""
        folder = self.work / f"{scenario.name}-{SYSTEMS[name].client}"
        shutil.rmtree(folder, ignore_errors=True)
        self.reset(scenario)
        at = round(rng.uniform(0.1, 0.9) * scenario.server.rows) if name == OURS else scenario.server.rows // 2
        # A little later than an answer, so that the kill falls anywhere between two of them.
        wait_s = rng.uniform(0, scenario.server.latency_s)

        def instant() -> None:
            measure.control(self.base, f"/when?answered={at}", timeout_s=SHORT_S)
            time.sleep(wait_s)

        first = self.client(scenario, name, folder, kill=instant)
        time.sleep(0.1)  # the server sees the lost connections
        before = measure.control(self.base, "/mark")
        if first.ended != "killed":
            return {**self.seen(scenario, first, before), "kill": None}
        second = self.client(scenario, name, folder)
        after = measure.control(self.base, "/stats")
        kill = {
            "answered": before["answered_at_mark"],
            "in_flight": before["cut_off_at_mark"],
            "asked_again_although_answered": after["asked_again_although_answered"],
            "requests_after": after["asked_since_mark"],
            "delivered_right": second.report.get("right"),
        }
        return {**self.seen(scenario, second, after), "kill": kill}

    def client(
        self, scenario: Scenario, name: str, folder: Path, kill: Callable[[], None] | None = None
    ) -> measure.Measured:
        """Run the client of a system in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [self.python(name), str(HERE / "clients" / SYSTEMS[name].client), "--base", f"{self.base}/v1"]
        command += ["--rows", str(scenario.server.rows), "--in-flight", str(IN_FLIGHT), "--folder", str(folder)]
        command += ["--tolerant"] if scenario.tolerant else []
        limit_s = LONG_S if scenario.long else SHORT_S
        found = measure.run(command, folder, folder / "output.log", limit_s, kill=kill)
        found.tail = FOLDERS.sub("", found.tail)
        return found

    def reset(self, scenario: Scenario) -> None:
        """Begin the server's books anew."""
        measure.control(self.base, "/reset?" + urlencode(asdict(scenario.server)))

    def seen(self, scenario: Scenario, found: measure.Measured, stats: dict[str, Any]) -> dict[str, Any]:
        """A run as it is kept: measured from outside, told by the client, seen by the server."""
        steps = stats.pop("step_s")
        active_s = stats["last_s"] - stats["first_s"]
        until_s = stats["last_new_row_s"] - stats["first_s"]
        best = ideal(scenario.server)
        return {
            **asdict(found),
            "server": stats,
            "active_s": active_s,
            "ideal_active_s": best.active_s,
            "mean_in_flight": stats["slot_seconds"] / active_s if active_s else 0.0,
            "occupancy": stats["slot_seconds_at_last_new_row"] / until_s / IN_FLIGHT if until_s else 0.0,
            "settled_per_s": _settled(steps, scenario.server.rows),
        }

    def python(self, name: str) -> str:
        """The interpreter a system lives in."""
        inside = SYSTEMS[name].environment
        return str(self.peers / inside / "bin" / "python") if inside else sys.executable


def _settled(steps: list[float], rows: int) -> float | None:
    """Answers per second between half and nine tenths of them; None where it never came so far."""
    if len(steps) < 18 or steps[17] <= steps[9]:
        return None
    return 0.4 * rows / (steps[17] - steps[9])


def about(peers: Path) -> dict[str, Any]:
    """What the numbers depend on."""
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    versions = {}
    for name, system in SYSTEMS.items():
        python = peers / system.environment / "bin" / "python" if system.environment else Path(sys.executable)
        if python.exists():
            asked = subprocess.run([python, "-c", code, system.package], capture_output=True, text=True, check=False)
            versions[name] = f"{system.package} {asked.stdout.strip()}"
    git = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(
        [*git[:3], "status", "--porcelain", "--", "../../src"], capture_output=True, text=True, check=False
    )
    return {
        "command": shlex.join(["python", "bench/model_calls/run.py", *sys.argv[1:]]),
        "commit": commit + ("" if not changed.stdout.strip() else " with changes"),
        "when": time.strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "in_flight": IN_FLIGHT,
        "versions": versions,
    }


if __name__ == "__main__":
    main()
