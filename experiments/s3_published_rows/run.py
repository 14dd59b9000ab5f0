"""Train students on published rows, and write the README's tables. See README.md for what and why.

python run.py rte linear|embedding|encoder      python run.py sst2|qnli linear|embedding
python run.py adqa                              python run.py table [--check]

Each (arm, rng seed) is one line of results/cells/*.jsonl, written as it is done; what is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import numpy as np  # noqa: E402
from tables import write_tables  # noqa: E402

from seedbed.estimate import Estimate, gain_over_seeds, mean_over_seeds, mean_t, paired_gain  # noqa: E402

RESULTS = HERE / "results"


def classification(name: str, student: str, rng_seeds: list[int], minutes: float) -> None:
    """Run every missing (arm, rng seed) of one task and student, then write its estimates."""
    import arms
    import published

    data = {"rte": published.rte, "sst2": published.sst2, "qnli": published.qnli}[name]()
    chosen = arms.rivals(data, student) if name != "rte" else arms.rte_arms(data)
    if name == "rte" and student == "encoder":
        chosen = arms.rte_encoder_arms(data)
    cells = Cells(f"{name}_{student}", minutes)
    for rng_seed in rng_seeds:
        draw = arms.deal(data, student, rng_seed)
        for arm, rows_of in chosen.items():
            if cells.is_due(arm, rng_seed):
                started = time.perf_counter()
                rows = rows_of(draw)
                right = arms.correct(draw.fit(rows), data.test)
                cells.add(arm, rng_seed, {"n_train": len(rows), "correct": bits(right)}, started)
    gains = arms.RTE_GAINS if name == "rte" else arms.RIVAL_GAINS
    facts = {"student": arms.STUDENTS[student], "removed": data.removed}
    write_estimates(cells, list(chosen), gains, data.clusters(), {"task": name, **facts})


class Cells:
    """The lines of one results/cells file: what was done survives a kill."""

    def __init__(self, name: str, minutes: float) -> None:
        self.name = name
        self.path = RESULTS / "cells" / f"{name}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self.lines = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        self._end = time.monotonic() + 60 * minutes

    def is_due(self, arm: str, rng_seed: int) -> bool:
        """True when it is neither done nor beyond the time allowed."""
        done = any(line["arm"] == arm and line["rng_seed"] == rng_seed for line in self.lines)
        return not done and time.monotonic() < self._end

    def add(self, arm: str, rng_seed: int, facts: dict[str, Any], started: float) -> None:
        """Write one line and say so."""
        seconds = round(time.perf_counter() - started, 1)
        line = {"arm": arm, "rng_seed": rng_seed, **facts, "seconds": seconds, "commit": commit()}
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        self.lines.append(line)
        print(self.name, arm, rng_seed, f"{seconds} s", flush=True)

    def matrix(self, arm: str, rng_seeds: list[int], key: str = "correct") -> np.ndarray:
        """(seeds, rows) scores of an arm."""
        by_seed = {line["rng_seed"]: line for line in self.lines if line["arm"] == arm}
        return np.array([scores(by_seed[seed][key]) for seed in rng_seeds])

    def complete_seeds(self, arms: list[str]) -> list[int]:
        """Rng seeds under which every arm was run."""
        done = {(line["arm"], line["rng_seed"]) for line in self.lines}
        return sorted({seed for _, seed in done if all((arm, seed) in done for arm in arms)})


def bits(right: np.ndarray) -> str:
    """Right and wrong as a line of 1 and 0, which a diff can show."""
    return "".join("1" if hit else "0" for hit in right)


def scores(kept: str | list[float]) -> list[float]:
    """Scores of a cell: a line of bits, or graded numbers."""
    return [float(c) for c in kept] if isinstance(kept, str) else kept


def mean_of(table: np.ndarray, clusters: list[str] | None) -> Estimate:
    """Mean of (seeds, rows) scores; with one rng seed the interval is over rows only, and its method says so."""
    return mean_over_seeds(table, clusters=clusters) if len(table) > 1 else mean_t(table[0], clusters=clusters)


def gain_of(before: np.ndarray, after: np.ndarray, clusters: list[str] | None) -> Estimate:
    """Mean paired gain of (seeds, rows) scores; as in `mean_of`."""
    if len(before) > 1:
        return gain_over_seeds(before, after, clusters=clusters)
    return paired_gain(before[0], after[0], clusters=clusters)


def write_estimates(
    cells: Cells, arms: list[str], gains: dict[str, tuple[str, ...]], clusters: list[str] | None, facts: dict[str, Any]
) -> None:
    """Write results/<name>.json from the cells."""
    seeds = cells.complete_seeds(arms)
    if not seeds:
        print(f"{cells.name}: no rng seed has all arms yet")
        return
    found = {arm: cells.matrix(arm, seeds) for arm in arms}
    kept = [line for line in cells.lines if line["rng_seed"] in seeds]
    sizes = {arm: [line["n_train"] for line in kept if line["arm"] == arm] for arm in arms}
    compared = [
        {"arm": arm, "against": control, **gain_of(found[control], found[arm], clusters).to_dict()}
        for arm, controls in gains.items()
        for control in controls
        if arm in found and control in found
    ]
    measured = [{"arm": arm, "n_train": sizes[arm], **mean_of(found[arm], clusters).to_dict()} for arm in arms]
    save(cells.name, {**facts, "metric": "accuracy", "rng_seeds": seeds, "arms": measured, "gains": compared})


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    names = ("numpy", "scipy", "scikit-learn", "polars", "torch", "transformers")
    header = {
        "command": "python " + " ".join([f"experiments/{HERE.name}/run.py", *sys.argv[1:]]),
        "commit": commit(),
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in names}},
    }
    text = json.dumps({**header, **found}, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def commit() -> str:
    """The commit that was run, marked where what decides the numbers differs from it."""
    root = HERE.parents[1]
    paths = [f"src/seedbed/{part}" for part in ("students", "estimate", "evaluation", "similarity.py")]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths, *HERE.glob("*.py")], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Run one part, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rte", "sst2", "qnli", "adqa", "table"])
    parser.add_argument("student", nargs="?", default="linear", choices=["linear", "embedding", "encoder"])
    parser.add_argument("--seeds", type=int, default=5, help="rng seeds 0, 1, ... (default 5)")
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after this long")
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_tables(HERE, check=args.check)
    if args.what == "adqa":
        import adqa

        adqa.run(Cells("adqa_reader", args.minutes), list(range(args.seeds)))
    else:
        classification(args.what, args.student, list(range(args.seeds)), args.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
