"""S3 beside its baselines in known worlds. See README.md for the hypothesis and the settings.

python run.py all            every condition and option that is not in results/ yet
python run.py table          write the README's tables from results/*.json (--check only compares)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "src"))

from seedbed.compare import answers_of, compare  # noqa: E402
from seedbed.estimate import gain_over_seeds  # noqa: E402
from seedbed.recipe import Recipe  # noqa: E402
from seedbed.run import run_recipe  # noqa: E402

RESULTS = HERE / "results"
RUNS = HERE.parents[1] / "runs" / "s3_known_world"
RNG_SEEDS = range(10)
ALL = ("s3", "gold", "zerogen", "plain", "goldgen", "progen", "plain+gold", "s3+gold")
CORE = ("s3", "gold", "plain", "plain+gold", "goldgen", "s3+gold")
LEAN = ("s3", "gold", "plain", "plain+gold", "goldgen")

CONDITIONS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "base: 200 steering rows, fidelity 0.9": ({}, ALL),
    "50 steering rows": ({"steer": 50, "select": 50}, CORE),
    "500 steering rows": ({"steer": 500}, CORE),
    "2,000 steering rows": ({"steer": 2000}, CORE),
    "fidelity 0.3": ({"fidelity": 0.3}, LEAN),
    "30 % wrong gold labels": ({"label_noise": 0.3}, LEAN),
    "one look-alike per mistake (as in the paper), 500 steering rows": (
        {"steer": 500, "extrapolate": {"per_mistake": 1}},
        LEAN,
    ),
    "world intents": ({"world": "intents"}, LEAN),
    "world claims": ({"world": "claims"}, LEAN),
}

OPTIONS: dict[str, dict[str, Any]] = {
    "the student's wrong answer in the prompt": {"extrapolate": {"requests": 400, "show_wrong_answer": True}},
    "a rationale in the prompt (paid from the same 400)": {"extrapolate": {"requests": 400, "show_rationale": True}},
    "labels verified (200 look-alikes and their checks)": {
        "extrapolate": {"requests": 200},
        "after": [{"verb": "verify"}],
    },
    "near-duplicates removed": {"after": [{"verb": "deduplicate", "threshold": 0.8}]},
    "additions weigh half (p = 0.5)": {"train": {"additions_share": 0.5}},
    "stop without clear gain": {"stop": True},
}


def recipe(name: str, change: dict[str, Any]) -> Recipe:
    """The base recipe with one thing changed."""
    world = change.get("world", "reviews")
    train = {"verb": "train", **change.get("train", {})}
    look_alikes = {"verb": "extrapolate", **change.get("extrapolate", {"requests": 400})}
    reasons = {} if world == "claims" else {"reasons": 10, "per_row": 2}
    return Recipe.model_validate(
        {
            "name": "".join(c if c.isalnum() else "-" for c in name)[:60].strip("-"),
            "task": f"sim:{world}",
            "gold": {
                "source": f"sim:{world}",
                "rows": 6000,
                "steer": change.get("steer", 200),
                "select": change.get("select", 100),
                "test": 2000,
                "label_noise": change.get("label_noise", 0.0),
            },
            "teacher": f"sim:{world}?fidelity={change.get('fidelity', 0.9)}",
            "student": "linear",
            "steps": [
                {"verb": "synthesise", "requests": 1200, **reasons},
                train,
                {
                    "verb": "repeat",
                    "rounds": 2,
                    "stop_without_gain": change.get("stop", False),
                    "steps": [look_alikes, *change.get("after", []), train],
                },
                {"verb": "evaluate", "shift": False},
            ],
        }
    )


def run_conditions() -> None:
    """Every condition that has no result yet."""
    for name, (change, methods) in CONDITIONS.items():
        made = recipe(name, change)
        file = RESULTS / f"condition-{made.name}.json"
        if not file.exists():
            print(name, flush=True)
            found = compare(made, RUNS / made.name, methods=methods, rng_seeds=RNG_SEEDS)
            write(file, name, found)


def run_options() -> None:
    """Every option beyond the paper, against the base S3 at the same number of requests."""
    base = [correct(recipe("base", {}), seed) for seed in RNG_SEEDS]
    for name, change in OPTIONS.items():
        made = recipe(name, change)
        file = RESULTS / f"option-{made.name}.json"
        if file.exists():
            continue
        print(name, flush=True)
        varied = [correct(made, seed) for seed in RNG_SEEDS]
        gain = gain_over_seeds(np.stack([c for c, _ in base]), np.stack([c for c, _ in varied]))
        requests = float(np.mean([requests for _, requests in varied]))
        write(file, name, {"gain_over_base": gain.to_dict(), "requests": requests, "rng_seeds": list(RNG_SEEDS)})


def correct(made: Recipe, rng_seed: int) -> tuple[np.ndarray, float]:
    """Which test rows the last student has right, and what that took."""
    folder = RUNS / made.name / "s3" / f"seed-{rng_seed}"
    found = run_recipe(made.model_copy(update={"rng_seed": rng_seed}), folder, ledger=RUNS / "ledger.sqlite")
    return answers_of(folder, found, found["stages"][-1]["student"])["correct"].cast(pl.Float64).to_numpy(), found[
        "spend"
    ]["requests"]


def write(file: Path, name: str, found: dict[str, Any]) -> None:
    """One result with what it takes to make it again."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE, check=False
    )
    versions = {package: version(package) for package in ("numpy", "polars", "scikit-learn")}
    head = {
        "what": name,
        "command": "python experiments/s3_known_world/run.py all",
        "commit": commit.stdout.strip(),
        "versions": versions,
    }
    file.write_text(json.dumps({**head, **found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def points(found: dict[str, Any] | None, sign: str = "") -> str:
    """An estimate in points with its interval."""
    if found is None:
        return ""
    low, value, high = (format(100 * found[key], f"{sign}.1f") for key in ("low", "value", "high"))
    return f"{value} [{low}, {high}]"


def tables() -> str:
    """All tables, from the JSON alone."""
    lines: list[str] = []
    for name, (change, _) in CONDITIONS.items():
        file = RESULTS / f"condition-{recipe(name, change).name}.json"
        if file.exists():
            lines += condition_table(name, json.loads(file.read_text(encoding="utf-8")))
    lines += [
        "",
        "### Options beyond the paper, gain over the base S3 at 2,000 requests",
        "",
        "| option | requests | gain, points |",
        "|---|---:|---:|",
    ]
    for name, change in OPTIONS.items():
        file = RESULTS / f"option-{recipe(name, change).name}.json"
        if file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            lines.append(f"| {name} | {found['requests']:.0f} | {points(found['gain_over_base'], '+')} |")
    return "\n".join(lines)


def mean(score: float | dict[str, Any]) -> float:
    """Per cent; the first conditions were written before a stage's score carried its interval."""
    return 100 * (score["value"] if isinstance(score, dict) else score)


def condition_table(name: str, found: dict[str, Any]) -> list[str]:
    """One table like tables 2 and 3 of the paper, and what each round did to the rows."""
    lines = ["", f"### {name}", "", f"{len(found['rng_seeds'])} rng seeds, {found['gold']['test']} test rows.", ""]
    head = "method | rows | requests | test accuracy, % | over plain | over plain+gold | total variation by round"
    lines += [f"| {head} | wrong labels | beats both |"]
    lines += ["|---|---:|---:|---:|---:|---:|---|---:|---|"]
    for method, one in found["methods"].items():
        gains, verdict = found["gains"][method], found["verdicts"].get(method)
        truths = [stage["truth"] for stage in one["stages"] if stage["truth"]]
        variation = " → ".join(f"{truth['total_variation']:.2f}" for truth in truths)
        chance = f" (chance {truths[-1]['total_variation_of_gold']:.2f})" if truths else ""
        wrong = f"{truths[-1]['wrong_labels']:.1%}" if truths else ""
        both = "" if verdict is None else "yes" if not {"plain", "plain+gold"} & set(verdict["not_beaten"]) else "no"
        cells = [method, f"{one['trained_on']:.0f}", f"{one['requests']:.0f}", points(one["test"])]
        cells += [points(gains.get(baseline), "+") for baseline in ("plain", "plain+gold")]
        lines.append("| " + " | ".join([*cells, variation + chance, wrong, both]) + " |")
    stages = found["methods"]["s3"]["stages"]
    rounds = ", ".join(f"{mean(stage['test']):.1f} % at {stage['requests']:.0f} requests" for stage in stages)
    return [*lines, "", f"S3 by round: {rounds}."]


def write_tables(*, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are there already."""
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- table: begin -->")
    _, _, tail = rest.partition("<!-- table: end -->")
    fresh = f"{head}<!-- table: begin -->\n{tables()}\n\n<!-- table: end -->{tail}"
    if check:
        return int(fresh != text)
    readme.write_text(fresh, encoding="utf-8")
    return 0


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["all", "table"])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.what == "all":
        RESULTS.mkdir(exist_ok=True)
        run_conditions()
        run_options()
    return write_tables(check=args.check)


if __name__ == "__main__":
    sys.exit(main())
