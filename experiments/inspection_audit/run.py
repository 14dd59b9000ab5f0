"""How many bad rows 400 reads find, and the README's tables. See README.md for what and why.

python run.py develop [--seeds 5]      python run.py redux [--seeds 20]      python run.py table [--check]
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

from seedbed.estimate import mean_t  # noqa: E402
from seedbed.inspection.audit.rate import defect_rate  # noqa: E402
from seedbed.inspection.audit.risk import Evidence, RiskModel  # noqa: E402
from seedbed.inspection.audit.rules import UNIFORM, Goal, Pick, chances, draw  # noqa: E402
from seedbed.randomness import stream  # noqa: E402
from worlds import World, pooled, redux, simulated  # noqa: E402

RESULTS = HERE / "results"
READS, EVERY = 400, 10
"""Rows read, and reads between two fits of the model; the session fits after each."""
DEVELOPED_FROM = 100
"""First rng seed of the worlds on which the rule was made; those reported on MMLU-Redux start at 0."""


def audit(world: World, evidence: Evidence, goal: Goal, rng_seed: int, uniform: float | None) -> list[Pick]:
    """One audit of 400 reads by a reader that is always right."""
    model, rng = RiskModel(evidence), stream(rng_seed, "experiment", goal)
    read, picks = np.zeros(len(world.bad), dtype=bool), list[Pick]()
    for step in range(READS):
        if step % EVERY == 0:
            rows = [pick.row for pick in picks]
            p_bad = model.fit(rows, world.bad[rows]).p_bad
        picks.append(draw(chances(goal, p_bad, read, evidence, uniform), rng))
        read[picks[-1].row] = True
    return picks


def rules(world: World) -> dict[str, tuple[Evidence, Goal, float | None]]:
    """Rules by name: evidence, goal, share of uniform draws."""
    of, given = Evidence.of, world.evidence
    n = given.n_rows
    found: dict[str, tuple[Evidence, Goal, float | None]] = {
        "random": (of(n), "find", 1.0),
        "find": (given, "find", None),
        "find, a fifth uniform": (given, "find", 0.2),
        "find, slices hidden": (of(n, given.log_odds, more=given.more), "find", None),
        "estimate": (given, "estimate", None),
    }
    if given.more.shape[1]:
        found["find, log-odds and slices only"] = (of(n, given.log_odds, given.slices), "find", None)
    return found


def measure(world: World, seeds: range) -> dict[str, Any]:
    """Bad rows found and the rate estimated, by each rule under each rng seed."""
    n, true = len(world.bad), float(world.bad.mean())
    order = np.argsort(-world.evidence.log_odds, kind="stable")
    found: dict[str, Any] = {}
    for name, (evidence, goal, uniform) in rules(world).items():
        started, hits, rates = time.process_time(), [], []
        for rng_seed in seeds:
            picks = audit(world, evidence, goal, rng_seed, uniform)
            bad = world.bad[[pick.row for pick in picks]]
            hits.append(int(bad.sum()))
            rates.append(defect_rate(picks, bad, n))
        found[name] = {
            "found": mean_t(hits).to_dict() if len(set(hits)) > 1 else {"value": float(hits[0])},
            "each": hits,
            "uniform": UNIFORM[goal] if uniform is None else uniform,
            "rate": float(np.mean([rate.value for rate in rates])),
            "width": float(np.mean([rate.high - rate.low for rate in rates])),
            "covers": sum(rate.low <= true <= rate.high for rate in rates),
            "cpu_s": (time.process_time() - started) / len(seeds),
        }
        print(world.name, name, round(float(np.mean(hits)), 1), found[name]["covers"], flush=True)
    return {
        "world": world.name, "n_rows": n, "bad": int(world.bad.sum()), "reads": READS,
        "rank": int(world.bad[order[:READS]].sum()), "rules": found,
    }  # fmt: skip


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    header = {
        "command": "python " + " ".join([f"experiments/{HERE.name}/run.py", *sys.argv[1:]]),
        "commit": commit(),
        "versions": {
            "python": sys.version.split()[0],
            **{name: version(name) for name in ("numpy", "scipy", "polars")},
        },
    }
    text = json.dumps({**header, **found}, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def commit() -> str:
    """The commit that was run, marked where what decides the numbers differs from it."""
    root = HERE.parents[1]
    paths = ["src/seedbed/inspection/audit", *HERE.glob("*.py")]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Run one part, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["develop", "redux", "table"])
    parser.add_argument("--seeds", type=int, default=20, help="rng seeds (default 20)")
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_tables(HERE, check=args.check)
    if args.what == "redux":
        seeds = range(args.seeds)
        save("redux", {"rng_seeds": list(seeds), "worlds": [measure(redux(), seeds)]})
        return 0
    seeds = range(DEVELOPED_FROM, DEVELOPED_FROM + args.seeds)
    first = DEVELOPED_FROM
    worlds = [simulated(first), simulated(first + 1), simulated(first + 2), pooled("gsm", first), pooled("crux", first)]
    save("develop", {"rng_seeds": list(seeds), "worlds": [measure(world, seeds) for world in worlds]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
