"""Weak or strong teacher on recorded draws, and the README's tables. See README.md for what and why.

python run.py measure      python run.py pilots [--seeds 20]      python run.py replays [--seeds 20]
python run.py table [--check]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import numpy as np  # noqa: E402
from tables import write_tables  # noqa: E402

RESULTS = HERE / "results"
FRACTIONS = {
    "gpt-3.5 or gpt-4": (0.06, 0.15, 1.0),
    "gpt-3.5 or gpt-4, no program": (0.06, 0.15, 1.0),
    "llama-2-13b or gpt-3.5": (0.25, 0.8, 1.6),
    "gsm8k 6b or 175b": (0.1, 0.5, 1.0),
}
"""Budgets, as a share of what one draw of the stronger teacher on every problem costs."""
PILOT_FRACTIONS = {
    "gpt-3.5 or gpt-4": (0.1, 1.0, 1.3),
    "gpt-3.5 or gpt-4, no program": (0.1, 1.0, 1.3),
    "llama-2-13b or gpt-3.5": (0.3, 0.9, 1.2),
}


def measure() -> None:
    """Coverage of every teacher and setting, unbiased, over all 369 problems."""
    import polars as pl
    from recorded import GSM, costs_of, draws, pool_of

    from seedbed.estimate import share
    from seedbed.sampling.coverage import coverage

    found = []
    for name in sorted(draws()["model"].unique()):
        rows = draws().filter(pl.col("model") == name)
        counts = rows.group_by("problem_id", maintain_order=True).agg(pl.len().alias("n"), pl.col("correct").sum())
        n, c = counts["n"].to_numpy(), counts["correct"].to_numpy()
        ks = sorted({1, 5, int(n.max())} & set(range(1, int(n.max()) + 1)))
        found += [{"model": name, "k": k, **coverage(n, c, k).to_dict()} for k in ks]
    gsm = pool_of(GSM).c.astype(bool)
    single = [{"model": name, **share(gsm[:, m]).to_dict()} for m, name in enumerate(GSM)]
    joint = {"both": int(gsm.all(axis=1).sum()), "either": int(gsm.any(axis=1).sum()), "problems": len(gsm)}
    cost = {name: [one.prompt, one.draw] for name, one in costs_of(GSM).items()}
    save("measures", {"rng_seeds": [], "coverage": found, "gsm8k": single, "gsm8k_joint": joint, "gsm8k_flops": cost})


def pilots(seeds: int) -> None:
    """Many pilots of 100 problems: was the better teacher named, and did the forecast of coverage hold?"""
    from recorded import PAIRS, costs_of, pool_of

    from seedbed.sampling.allocate import Charges

    named: list[dict[str, Any]] = []
    forecasts: list[dict[str, Any]] = []
    pools = {title: pool_of(pair) for title, pair in PAIRS.items()}
    for rng_seed in range(seeds):
        for title, pool in pools.items():
            charges = Charges.of(costs_of(PAIRS[title]), most=int(pool.size.max()))
            one_named, one_forecast = one_pilot(title, pool, charges, rng_seed)
            named += one_named
            forecasts += one_forecast
            print(title, rng_seed, [(one["better"], round(one["probability"], 2)) for one in one_named], flush=True)
        save("pilots", {"rng_seeds": list(range(rng_seed + 1)), "named": named, "forecasts": forecasts})


def one_pilot(title: str, pool: Any, charges: Any, rng_seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One pilot: plans for three budgets beside what is true of the rest, and a forecast of its coverage."""
    from seedbed.randomness import stream
    from seedbed.sampling.allocate import State
    from seedbed.sampling.forecast import check_forecast, forecast
    from seedbed.sampling.planner import Planner
    from seedbed.sampling.policies import Fixed
    from seedbed.sampling.replay import Pool, Tape, replay

    order = stream(rng_seed, title).permutation(len(pool.size))
    pilot, rest = order[:100], order[100:]
    few = np.minimum(pool.size.max(axis=0), 5)
    few[few < 5] = 2
    shuffled = pool.shuffled(rng_seed)
    state = Tape(Pool(shuffled.keys[pilot], shuffled.size[pilot])).after(
        State.empty(len(pilot), 2), np.tile(few, (len(pilot), 1))
    )
    others = Pool(pool.keys[rest], pool.size[rest])
    planner = Planner(state, charges, len(rest), rng_seed=rng_seed)
    named = []
    for fraction in PILOT_FRACTIONS[title]:
        budget = fraction * len(rest) * float(charges.prompt[1] + charges.draw[1])
        made = planner.plan(budget, "coverage", play=False)
        real = {}
        for m, name in enumerate(charges.names):
            plan = Fixed.spend(charges, [float(m == i) for i in range(2)], budget, len(rest), rng_seed)
            runs = [replay(others, plan, charges, budget, seed) for seed in range(10)]
            real[name] = float(np.mean([run.coverage for run in runs]))
        said = {name: made.option(f"fixed {name}").forecast for name in charges.names}
        named.append(
            {
                "pair": title,
                "rng_seed": rng_seed,
                "fraction": fraction,
                "better": made.better,
                "probability": made.better_probability,
                "real": real,
                "holds": {name: one.low <= real[name] <= one.high for name, one in said.items()},
                "forecast": {name: one.to_dict() for name, one in said.items()},
            }
        )
    n, c = others.n[:, 0], others.c[:, 0]
    k = int(n.max())
    made = forecast(state.n[:, 0], state.c[:, 0], [k], rng_seed=rng_seed, problems=len(rest))
    check = check_forecast(made, n, c)[0]
    return named, [
        {
            "pair": title,
            "rng_seed": rng_seed,
            "k": k,
            "chosen": made.chosen,
            "actual": check.actual,
            "holds": check.holds,
            "width": check.forecast.high - check.forecast.low,
            "error": check.error,
            "error_by_law": dict(check.error_by_law),
        }
    ]


def replays(seeds: int) -> None:
    """Every plan at several budgets on the recorded pools, under the same orders of draws."""
    from recorded import GSM, PAIRS, costs_of, pool_of

    from seedbed.sampling.allocate import Charges

    cells: list[dict[str, Any]] = []
    for objective, per_request in product(("coverage", "unique"), (False, True)):
        for title, fractions in FRACTIONS.items():
            pair = PAIRS.get(title, GSM)
            # One draw each: every correct solution is unique, and no problem is come back to with the same model.
            if pair != GSM or (objective == "coverage" and not per_request):
                pool, costs = pool_of(pair), costs_of(pair)
                charges = Charges.of(costs, per_request=per_request, most=int(pool.size.max()))
                for fraction in fractions:
                    budget = fraction * len(pool.size) * float(charges.prompt[1] + charges.draw[1])
                    facts = {"pair": title, "per_request": per_request, "objective": objective, "fraction": fraction}
                    cells.append(
                        {**facts, "budget": budget, "plans": one_cell(pool, charges, objective, budget, seeds)}
                    )
                    print(
                        facts, {name: round(plan["value"], 3) for name, plan in cells[-1]["plans"].items()}, flush=True
                    )
                    save("replays", {"rng_seeds": list(range(seeds)), "cells": cells})


def one_cell(pool: Any, charges: Any, objective: Any, budget: float, seeds: int) -> dict[str, dict[str, Any]]:
    """All plans at one budget: their mean over rng seeds, and the paired difference to the best fixed plan."""
    from seedbed.estimate import mean_t
    from seedbed.sampling.allocate import Allocator
    from seedbed.sampling.policies import Cascade, Fixed
    from seedbed.sampling.replay import replay

    P, rates = len(pool.size), pool.rates()
    strong = int(pool.size.min(axis=0)[1])
    makers = {
        "fixed weak": lambda seed: Fixed.spend(charges, [1, 0], budget, P, seed),
        "fixed strong": lambda seed: Fixed.spend(charges, [0, 1], budget, P, seed),
        "uniform": lambda seed: Fixed.spend(charges, [0.5, 0.5], budget, P, seed),
        "cascade": lambda seed: Cascade(charges, (0, 1), (1 if strong == 1 else 4,), seed),
        "adaptive": lambda seed: Allocator(charges, objective, rng_seed=seed),
        "oracle": lambda seed: Allocator(charges, objective, rates, rng_seed=seed),
    }
    runs = {
        name: [replay(pool, make(seed), charges, budget, seed) for seed in range(seeds)]
        for name, make in makers.items()
    }
    values = {
        name: [run.coverage if objective == "coverage" else run.unique for run in of] for name, of in runs.items()
    }
    best = max(("fixed weak", "fixed strong"), key=lambda name: float(np.mean(values[name])))
    found = {}
    for name, of in runs.items():
        per_cost = [
            value * (P if objective == "coverage" else 1) / run.spent
            for value, run in zip(values[name], of, strict=True)
        ]
        found[name] = {
            **(mean_t(values[name]).to_dict()),
            "best_fixed": best,
            "over_best_fixed": mean_t(np.subtract(values[name], values[best])).to_dict(),
            "per_cost": mean_t(per_cost).to_dict(),
            "spent": float(np.mean([run.spent for run in of])),
            "draws": np.mean([run.draws for run in of], axis=0).tolist(),
            "exhausted": float(np.mean([run.exhausted for run in of])),
        }
    return found


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    names = ("numpy", "scipy", "polars")
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
    paths = ["src/seedbed/sampling", *HERE.glob("*.py"), HERE / "prices.yaml"]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Run one part, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "pilots", "replays", "table"])
    parser.add_argument("--seeds", type=int, default=20, help="rng seeds 0, 1, ... (default 20)")
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_tables(HERE, check=args.check)
    if args.what == "measure":
        measure()
    else:
        (pilots if args.what == "pilots" else replays)(args.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
