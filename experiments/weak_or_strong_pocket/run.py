"""Weak or strong teacher at equal FLOPs: `python experiments/weak_or_strong_pocket/run.py all`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import polars as pl

from seedbed.estimate import Estimate, gain_over_seeds, mean_over_seeds, mean_t
from seedbed.models import open_model
from seedbed.prepare import prepare
from seedbed.recipe import load_recipe
from seedbed.request import Reply
from seedbed.run import run_recipe
from seedbed.synthesis import solving
from seedbed.synthesis.drafts import Sampling
from seedbed.verification.solutions import check_solutions

HERE = Path(__file__).parent
FOUND = HERE / "results" / "found.json"
RUNS = Path("runs/weak_or_strong_pocket")
RECIPE = HERE / "recipe.yaml"

PARADIGMS = {"distillation": "pocket:base", "self-improvement": "pocket:weak", "weak-to-strong": "pocket:strong"}
BUDGETS = {"low": 1, "high": 5}
"""Draws of each problem that the budget buys from the strong model."""
RNG_SEEDS = 5
STEPS, BATCH = 200, 16
"""Optimiser steps of every student, whatever its pool, and rows of each."""
RATES = (3e-4, 1e-3)
"""Peak learning rates that `tune` tries, on problems that nothing is reported on."""
TEACHERS = ("weak", "strong")


@dataclass(frozen=True)
class Arm:
    """One student trained on one pool."""

    teacher: str
    pool: str
    """low or high: equal FLOPs; number: as many draws of each problem as `high` buys from the strong model;
    unchecked: `high`, with wrong answers kept; own: nothing is sampled, the checkpoint is scored as it is."""
    paradigm: str
    rng_seed: int

    @property
    def name(self) -> str:
        """Also the folder."""
        return f"{self.paradigm}-{self.pool}-{self.teacher}-{self.rng_seed}"


def arms() -> Iterator[Arm]:
    """All of them; what the main question needs comes first."""
    for rng_seed in range(RNG_SEEDS):
        for paradigm in PARADIGMS:
            for pool in BUDGETS:
                yield from (Arm(teacher, pool, paradigm, rng_seed) for teacher in TEACHERS)
    for rng_seed in range(RNG_SEEDS):
        for pool in ("number", "unchecked"):
            yield from (Arm(teacher, pool, "distillation", rng_seed) for teacher in TEACHERS)


def overrides(arm: Arm, flops: dict[str, float], lr: float) -> list[str]:
    """What makes the recipe this arm's."""
    accept = "all" if arm.pool == "unchecked" else "correct"
    if arm.pool == "number":
        much = f"samples: {BUDGETS['high']}"
    else:
        much = f"budget: {{flops: {flops['low' if arm.pool == 'low' else 'high']!r}}}"
    sample = f"{{verb: sample, strategy: {arm.teacher}, {much}, accept: {accept}}}"
    return [
        f"name={arm.name}",
        f"rng_seed={arm.rng_seed}",
        f"student={{kind: lm, checkpoint: '{PARADIGMS[arm.paradigm]}', steps: {STEPS}, batch: {BATCH}, lr: {lr}}}",
        f"steps.0={sample}",
    ]


def run_arm(arm: Arm, flops: dict[str, float], rates: dict[str, float]) -> dict[str, Any]:
    """Run one arm, or find it done; the pool in numbers, and which test rows its student has right."""
    started = time.process_time()
    recipe = load_recipe(RECIPE, overrides(arm, flops, rates[arm.paradigm]))
    # One ledger per rng seed: arms of one seed share their draws, and two processes rarely meet.
    result = run_recipe(recipe, RUNS / arm.name, ledger=RUNS / f"seed-{arm.rng_seed}.sqlite")
    answers = pl.read_parquet(RUNS / arm.name / "predictions" / "evaluate-1.parquet").filter(pl.col("split") == "test")
    return {
        "arm": arm.name,
        "sampling": result["sampling"],
        "trained_on": result["stages"][0]["trained_on"],
        "correct": "".join(str(int(right)) for right in answers["correct"]),
        "cpu_s": round(time.process_time() - started, 1),
    }


def flops_of_budgets() -> dict[str, float]:
    """What so many draws of every problem cost from the strong model: measured once, the same for all arms."""
    found = {}
    for name, draws in BUDGETS.items():
        changes = [f"name=flops-{name}", f"steps=[{{verb: sample, strategy: strong, samples: {draws}}}]"]
        made = run_recipe(load_recipe(RECIPE, changes), RUNS / f"flops-{name}", ledger=RUNS / "seed-0.sqlite")
        found[name] = made["sampling"]["spent"]
    return found


def untuned(address: str) -> str:
    """Which test rows a checkpoint has right before any training, greedily, as zeros and ones."""
    prepared = prepare(load_recipe(RECIPE), lambda _event: None)
    test = prepared.gold.test.open("final evaluation")
    sampling = Sampling(temperature=0.0, max_tokens=128)
    asked = solving.requests(prepared.task, test["problem"].to_list(), [0] * test.height, sampling)
    replies = open_model(address).generate(asked)
    texts = [reply.text if isinstance(reply, Reply) else None for reply in replies]
    right = check_solutions(prepared.task, texts, test["answer"].to_list())
    return "".join(str(int(one.correct)) for one in right)


def tune(workers: int) -> None:
    """Share of right answers after each learning rate, on the strong teacher's pool; `all` takes the best."""
    found = start()
    tried = [(paradigm, lr) for paradigm in PARADIGMS for lr in RATES]
    with ProcessPoolExecutor(workers, max_tasks_per_child=1) as pool:
        scores = list(pool.map(partial(score_rate, flops=found["flops"]), tried))
    for (paradigm, lr), score in zip(tried, scores, strict=True):
        found["tuned"].setdefault(paradigm, {})[str(lr)] = score
    print(found["tuned"])
    save(found)


def score_rate(tried: tuple[str, float], flops: dict[str, float]) -> float:
    """Share of right answers of one student at one learning rate, on problems of a gold of their own."""
    paradigm, lr = tried
    arm = Arm("strong", "high", paradigm, RNG_SEEDS)
    recipe = load_recipe(RECIPE, [*overrides(arm, flops, lr), "gold.rng_seed=99", f"name=tune-{lr}-{arm.name}"])
    run_recipe(recipe, RUNS / recipe.name, ledger=RUNS / "tune-strong.sqlite")
    answers = pl.read_parquet(RUNS / recipe.name / "predictions" / "evaluate-1.parquet")
    return float(answers.filter(pl.col("split") == "test")["correct"].mean())  # type: ignore[arg-type]  # not empty


def start() -> dict[str, Any]:
    """What is known, with the budgets and the untuned checkpoints measured if they were not."""
    found = load()
    if "flops" not in found:
        found |= {"flops": flops_of_budgets(), "untuned": {a: untuned(a) for a in PARADIGMS.values()}}
        found |= {"tuned": {}, "arms": {}}
        save(found)
    return found


def load() -> dict[str, Any]:
    """What is known so far."""
    return json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}


def save(found: dict[str, Any]) -> None:
    """Everything found, with what it takes to find it again."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    head = {
        "command": "python experiments/weak_or_strong_pocket/run.py all",
        "commit": commit.stdout.strip(),
        "versions": {package: version(package) for package in ("numpy", "polars", "torch", "transformers")},
        "rng_seeds": list(range(RNG_SEEDS)),
    }
    FOUND.parent.mkdir(exist_ok=True)
    FOUND.write_text(json.dumps({**found, **head}, indent=1) + "\n", encoding="utf-8")


def run_all(workers: int) -> None:
    """Every arm that is not done yet, `workers` at a time; what is found is kept after each."""
    found = start()
    rates = {paradigm: float(max(tried, key=tried.get)) for paradigm, tried in found["tuned"].items()}
    left = [arm for arm in arms() if arm.name not in found["arms"]]
    with ProcessPoolExecutor(workers, max_tasks_per_child=1) as pool:
        for one in pool.map(partial(run_arm, flops=found["flops"], rates=rates), left):
            found["arms"][one.pop("arm")] = one
            save(found)
            print(list(found["arms"])[-1], f"{100 * np.mean(right(one)):.1f} % right, {one['cpu_s']} CPU s", flush=True)


def right(found: dict[str, Any]) -> np.ndarray:
    """(n,) 1.0 where a test row was answered right."""
    return np.array([float(mark) for mark in found["correct"]])


def read() -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """(paradigm, pool, teacher) to what was found, one per rng seed; only seeds that both teachers have."""
    known = load().get("arms", {})
    found: dict[tuple[str, str, str], dict[int, dict[str, Any]]] = {}
    for arm in arms():
        if arm.name in known:
            found.setdefault((arm.paradigm, arm.pool, arm.teacher), {})[arm.rng_seed] = known[arm.name]
    both = {}
    for (paradigm, pool, teacher), runs in found.items():
        other = found.get((paradigm, pool, "strong" if teacher == "weak" else "weak"), {})
        both[paradigm, pool, teacher] = [runs[seed] for seed in sorted(runs.keys() & other.keys())]
    return both


def points(found: Estimate, sign: str = "") -> str:
    """Per cent, or points with a sign, with the interval."""
    return f"{100 * found.value:{sign}.1f} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"


def over_seeds(values: list[float]) -> Estimate:
    """Mean of one number per rng seed, with Student's t over the seeds."""
    return mean_t(values)


def pool_table(found: dict[tuple[str, str, str], list[dict[str, Any]]]) -> list[str]:
    """What each teacher's pool holds."""
    lines = [
        "| pool | teacher | draws a problem | solved, % | right solutions a problem | right by wrong steps, % |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for pool in (*BUDGETS, "number"):
        for teacher in TEACHERS:
            runs = found.get(("distillation", pool, teacher), [])
            if len(runs) > 1:
                each = [run["sampling"] for run in runs]
                draws = np.mean([one["outcome"]["draws"] / one["problems"] for one in each])
                solved = over_seeds([one["outcome"]["coverage"]["value"] for one in each])
                unique = over_seeds([one["outcome"]["unique"]["value"] for one in each])
                wrong = over_seeds([one["outcome"]["false_positives"]["value"] for one in each])
                cells = [
                    pool,
                    teacher,
                    f"{draws:.1f}",
                    points(solved),
                    f"{unique.value:.2f} [{unique.low:.2f}, {unique.high:.2f}]",
                ]
                lines.append("| " + " | ".join([*cells, points(wrong)]) + " |")
    return lines


def student_table(found: dict[tuple[str, str, str], list[dict[str, Any]]]) -> list[str]:
    """What students of either pool have right, and the paired gain of the weak model's pool over the strong one's."""
    lines = [
        "| paradigm | student | pool | untuned, % | weak, % | strong, % | gain of the weak, points | seeds |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for paradigm, checkpoint in PARADIGMS.items():
        for pool in (*BUDGETS, "number", "unchecked"):
            weak, strong = (found.get((paradigm, pool, teacher), []) for teacher in TEACHERS)
            if len(weak) > 1:
                scores = [np.stack([right(run) for run in runs]) for runs in (weak, strong)]
                before = right({"correct": load()["untuned"][checkpoint]})
                cells = [paradigm, f"`{checkpoint}`", pool, f"{100 * before.mean():.1f}"]
                cells += [points(mean_over_seeds(one)) for one in scores]
                cells += [points(gain_over_seeds(scores[1], scores[0]), "+"), str(len(weak))]
                lines.append("| " + " | ".join(cells) + " |")
    return lines


def write_tables(*, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are there already."""
    found = read()
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- table: begin -->")
    _, _, tail = rest.partition("<!-- table: end -->")
    lines = ["", "### Pools", "", *pool_table(found), "", "### Students", "", *student_table(found), ""]
    fresh = f"{head}<!-- table: begin -->\n" + "\n".join(lines) + f"\n<!-- table: end -->{tail}"
    if check:
        return int(fresh != text)
    readme.write_text(fresh, encoding="utf-8")
    return 0


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["tune", "all", "table"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.what == "tune":
        tune(args.workers)
    elif args.what == "all":
        run_all(args.workers)
    return write_tables(check=args.check)


if __name__ == "__main__":
    sys.exit(main())
