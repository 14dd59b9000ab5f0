"""CPU seconds and memory of coverage, diversity, all laws and a forecast, from one line per draw.

python bench/sampling/measures_speed.py                   10,000 problems x 1,000 draws; writes results/
python bench/sampling/measures_speed.py --problems 500    a look
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy

from seedbed.sampling.coverage import count_draws, coverage_curve
from seedbed.sampling.diversity import count_unique, diversity_curve
from seedbed.sampling.forecast import forecast
from seedbed.sampling.laws import LAWS

HERE = Path(__file__).resolve().parent
TARGET_CPU_S, TARGET_MIB = 10.0, 1024.0


def pool(problems: int, draws: int, rng_seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Problem index, correctness and key of every draw; some 30 different solutions per problem, few of them usual."""
    rng = np.random.default_rng(rng_seed)
    chance = rng.beta(0.4, 0.7, problems) * (rng.random(problems) > 0.08)
    problem = np.repeat(np.arange(problems, dtype=np.int32), draws)
    correct = np.empty(problems * draws, dtype=bool)
    key = np.empty(problems * draws, dtype=np.uint64)
    for at in range(problems):
        mine = slice(at * draws, (at + 1) * draws)
        correct[mine] = rng.random(draws) < chance[at]
        # Hashes, so that their order says nothing about how often they come.
        key[mine] = rng.integers(1 << 63, size=31, dtype=np.uint64)[np.minimum(rng.geometric(0.15, draws), 30)]
    return problem, correct, key


def main() -> None:
    """Make the pool, measure each part, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=1_000)
    args = parser.parse_args()
    problem, correct, key = pool(args.problems, args.draws, rng_seed=0)
    before_mib = peak_mib()
    cpu_s: dict[str, float] = {}

    @contextmanager
    def measured(part: str) -> Iterator[None]:
        start = time.process_time()
        yield
        cpu_s[part] = round(time.process_time() - start, 3)
        print(f"{part:45s} {cpu_s[part]:7.3f} CPU s")

    ks = np.unique(np.geomspace(1, args.draws, 40).round().astype(int)).tolist()
    with measured("count draws"):
        n, c = count_draws(problem, correct, args.problems)
    with measured("count unique solutions"):
        counts, of = count_unique(problem, key, correct)
    with measured(f"coverage at {len(ks)} k"):
        covered = coverage_curve(n, c, ks)
    with measured(f"diversity at {len(ks)} k"):
        found = diversity_curve(n, counts, of, ks)
    for law in LAWS:
        with measured(law.name):
            law().fit(n, c)
    with measured("forecast with intervals, all laws"):
        made = forecast(n, c, [10 * args.draws], rng_seed=0)
    total, memory = round(sum(cpu_s.values()), 3), round(peak_mib(), 1)
    print(f"{'total':45s} {total:7.3f} CPU s, peak {memory:.0f} MiB, of which the pool {before_mib:.0f}")
    print(f"coverage {covered[-1]}\ndiversity {found[-1]}\nforecast {made.kind[0]}")
    out = HERE / "results" / "measures_speed.json"
    if (args.problems, args.draws) != (10_000, 1_000):
        out = out.with_name("measures_speed_quick.json")
    out.parent.mkdir(exist_ok=True)
    kept = {
        "command": f"python bench/sampling/measures_speed.py --problems {args.problems} --draws {args.draws}",
        "rng_seed": 0,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "cpu_s": cpu_s,
        "total_cpu_s": total,
        "peak_mib": memory,
        "pool_alone_peak_mib": round(before_mib, 1),
        "target": {"cpu_s": TARGET_CPU_S, "mib": TARGET_MIB, "met": total < TARGET_CPU_S and memory < TARGET_MIB},
        "coverage_at_most_draws": covered[-1].to_dict(),
        "diversity_at_most_draws": found[-1].to_dict(),
    }
    out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
