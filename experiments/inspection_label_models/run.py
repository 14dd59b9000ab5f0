"""Label models on recorded votes, and the README's table. See README.md for what and why.

python run.py crowd    python run.py functions    python run.py few    python run.py repair    python run.py scale
python run.py table [--check]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import numpy as np  # noqa: E402
from sets import (  # noqa: E402
    CHOSEN_ON,
    FUNCTIONS,
    HELD_OUT,
    crowd,
    functions,
    log_loss,
    marks,
    solutions,
    some_votes,
)
from tables import write_tables  # noqa: E402

from seedbed.estimate import mean_t, share  # noqa: E402
from seedbed.inspection.answers import Answers  # noqa: E402
from seedbed.inspection.label_models import DawidSkene, Glad, Mace, Majority, OneCoin, Tempered  # noqa: E402
from seedbed.inspection.votes import Voter, Votes  # noqa: E402
from seedbed.randomness import stream  # noqa: E402

MODELS = {"majority": Majority, "one coin": OneCoin, "GLAD": Glad, "MACE": Mace, "Dawid-Skene": DawidSkene}
MODELS["tempered"] = Tempered


def run_crowd() -> dict[str, Any]:
    """Every model on every crowd set; nothing is drawn, so there is one number for each."""
    sets: dict[str, Any] = {}
    for name in (*CHOSEN_ON, *HELD_OUT):
        votes, truth = crowd(name)
        found = {}
        for model, make in MODELS.items():
            start = time.process_time()
            log_posterior = make().fit(votes).log_posterior_
            spent = time.process_time() - start
            found[model] = {
                "accuracy": float(marks(log_posterior, truth).mean()),
                "log_loss": log_loss(log_posterior, truth),
                "cpu_s": spent,
            }
        sets[name] = {"chosen_on": name in CHOSEN_ON, "models": found}
    return {"rng_seeds": [], "sets": sets}


def run_functions(seeds: range) -> dict[str, Any]:
    """Labelling functions with no label, and with 50 known rows; marked on the rows that were not known."""
    sets = {}
    for name in FUNCTIONS:
        votes, truth = functions(name)
        none = {model: float(marks(make().fit(votes).log_posterior_, truth).mean()) for model, make in MODELS.items()}
        with_known: dict[str, list[float]] = {model: [] for model in ("Dawid-Skene", "tempered")}
        for rng_seed in seeds:
            order = stream(rng_seed, "known", name).permutation(len(truth))
            known = {int(i): int(truth[i]) for i in order[:50]}
            for model, values in with_known.items():
                log_posterior = MODELS[model]().fit(votes, known=known).log_posterior_
                values.append(float(marks(log_posterior[order[50:]], truth[order[50:]]).mean()))
        sets[name] = {"none": none, "50": {model: mean_t(values).to_dict() for model, values in with_known.items()}}
    return {"rng_seeds": list(seeds), "sets": sets}


def run_few(seeds: range) -> dict[str, Any]:
    """Two held-out crowds at few votes a row: share of the majority's mistakes that each model removes."""
    cells = []
    for name in ("rte", "d_sentiment"):
        votes, truth = crowd(name)
        for asked in (1, 2, 3, 5, 10):
            right: dict[str, list[float]] = {model: [] for model in ("majority", "Dawid-Skene", "tempered")}
            for rng_seed in seeds:
                some = some_votes(votes, asked, rng_seed)
                for model, values in right.items():
                    values.append(float(marks(MODELS[model]().fit(some).log_posterior_, truth).mean()))
            base = np.array(right["majority"])
            gains = {model: mean_t(np.array(values) - base).to_dict() for model, values in right.items()}
            fewer = {model: 1 - float((1 - np.mean(v)) / (1 - base.mean())) for model, v in right.items()}
            accuracy = {model: float(np.mean(values)) for model, values in right.items()}
            cells.append({"set": name, "asked": asked, "accuracy": accuracy, "gain": gains, "fewer": fewer})
    return {"rng_seeds": list(seeds), "cells": cells}


def run_repair() -> dict[str, Any]:
    """Ten weak models on GSM8K: consensus, coverage, and what repairing others' rows does to the good ones."""
    names, gold, table = solutions()
    rate = [np.mean([row[j] == right for row, right in zip(table, gold, strict=True)]) for j in range(len(names))]
    ranked = sorted(range(len(names)), key=lambda j: -rate[j])
    panels = []
    for start in (23, 24):
        panel = ranked[start : start + 10]
        said = [(i, names[j], row[j]) for i, row in enumerate(table) for j in panel if row[j] != ""]
        item, voter, answer = zip(*said, strict=True)
        model = Answers().fit(item, voter, answer)
        found = model.repair(range(len(gold)), [None] * len(gold))
        right = np.array([a == b for a, b in zip(found.value, gold, strict=True)])
        plurality = np.array([plural([row[j] for j in panel], real) for row, real in zip(table, gold, strict=True)])
        precision = np.cumsum(right[np.argsort(-found.p_value, kind="stable")]) / np.arange(1, len(gold) + 1)
        panels.append(
            {
                "first_rank": start + 1,
                "mean": float(np.mean([rate[j] for j in panel])),
                "best": float(rate[panel[0]]),
                "accuracy": share(right).to_dict(),
                "plurality": mean_t(plurality).to_dict(),
                "gain": mean_t(right - plurality).to_dict(),
                "coverage_98": float((np.flatnonzero(precision >= 0.98).max(initial=-1) + 1) / len(gold)),
                "log_loss": float(-np.log(np.clip(np.where(right, found.p_value, 1 - found.p_value), 1e-6, 1)).mean()),
                "any_right": float(np.mean([g in [r[j] for j in panel] for r, g in zip(table, gold, strict=True)])),
                **repaired([j for j in range(len(names)) if j not in panel], table, gold, found),
            }
        )
    return {"rng_seeds": [], "panels": panels}


def plural(answers: list[str], right: str) -> float:
    """1 where the answer given most often is right, shared among those that tie."""
    counts = Counter(answer for answer in answers if answer)
    top = [answer for answer, count in counts.items() if count == max(counts.values())]
    return (right in top) / max(len(top), 1)


def repaired(writers: list[int], table: list[list[str]], gold: list[str], found: Any) -> dict[str, float]:
    """Rows of models outside the panel, changed where the panel holds another answer at 90 % or more."""
    damaged, mended, good, bad = 0, 0, 0, 0
    for j in writers:
        for row, real, value, p in zip(table, gold, found.value, found.p_value, strict=True):
            changed = p >= 0.9 and value != row[j]
            good, bad = good + (row[j] == real), bad + (row[j] != real)
            damaged += changed and row[j] == real
            mended += changed and row[j] != real and value == real
    return {"damaged": damaged / good, "mended": mended / bad, "defects_before": bad / (good + bad)}


def run_scale() -> dict[str, Any]:
    """A million simulated rows of five votes each, by fifty voters on four classes."""
    rng = stream(0, "scale")
    n = 1_000_000
    truth = rng.integers(0, 4, n)
    voter = rng.integers(0, 50, 5 * n)
    is_right = rng.random(5 * n) < rng.uniform(0.5, 0.9, 50)[voter]
    said = np.where(is_right, np.repeat(truth, 5), rng.integers(0, 4, 5 * n))
    votes = Votes(np.repeat(np.arange(n), 5), voter, said, n, 4, tuple(Voter(str(w)) for w in range(50)))
    start = time.process_time()
    model = Tempered().fit(votes)
    spent = time.process_time() - start
    right = float((model.log_posterior_.argmax(axis=1) == truth).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"rng_seeds": [0], "rows": n, "cpu_s": spent, "peak_gb": peak, "accuracy": right}


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    packages = ("numpy", "scipy")
    header = {
        "command": "python " + " ".join([f"experiments/{HERE.name}/run.py", *sys.argv[1:]]),
        "commit": commit(),
        "versions": {"python": sys.version.split()[0], **{one: version(one) for one in packages}},
    }
    text = json.dumps({**header, **found}, indent=1, ensure_ascii=False)
    (HERE / "results" / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def commit() -> str:
    """The commit that was run, marked where what decides the numbers differs from it."""
    root = HERE.parents[1]
    paths = ["src/seedbed/inspection/label_models", "src/seedbed/inspection/answers.py", *HERE.glob("*.py")]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Run one part, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["crowd", "functions", "few", "repair", "scale", "table"])
    parser.add_argument("--seeds", type=int, default=20, help="how many rng seeds (default 20)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_tables(HERE, check=args.check)
    drawn = {"functions": run_functions, "few": run_few}
    still = {"crowd": run_crowd, "repair": run_repair, "scale": run_scale}
    save(
        args.what,
        drawn[args.what](range(args.first, args.first + args.seeds)) if args.what in drawn else still[args.what](),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
