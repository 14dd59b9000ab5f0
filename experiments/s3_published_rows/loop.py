"""Run loop.yaml, the S3 loop with a recorded teacher on published RTE rows, through the same code as `seedbed run`.

python experiments/s3_published_rows/loop.py            writes results/rte_loop.json and runs/rte-recorded/report.html
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "src")]

import published  # noqa: E402

from seedbed.recipe import Recipe, load_recipe  # noqa: E402
from seedbed.report import write_report  # noqa: E402
from seedbed.run import run_recipe  # noqa: E402

RNG_SEEDS = range(5)
LABELS = {0: "entailment", 1: "not_entailment"}


def write_replies(folder: Path, data: Path) -> Path:
    """The published extrapolations as recorded replies: what was asked for, and what was written."""
    file = folder / "replies.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for number in (1, 2):
            for line in (data / "rte" / f"extrapolated_round{number}.jsonl").read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                asked = {"context": row["premise"], "label": LABELS[row["label"]], "round": str(number)}
                out.write(json.dumps({**asked, "reply": row["hypothesis"]}, ensure_ascii=False) + "\n")
    return file


def loop_recipe(folder: Path, rng_seed: int) -> Recipe:
    """loop.yaml with its paths put in."""
    data = published.data_folder()
    rte = data / "rte"
    places = [
        f"gold.source={rte / 'gold_train.jsonl'}",
        f"gold.test_source={rte / 'gold_test.jsonl'}",
        f"steps.0.source={rte / 'seed_supergen.jsonl'}",
        f"teacher=recorded:{write_replies(folder, data)}",
        f"rng_seed={rng_seed}",
    ]
    return load_recipe(HERE / "loop.yaml", places)


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """What one run found."""
    asked = [step for step in result["steps"] if step["verb"] == "extrapolate"]
    return {
        "rng_seed": result["rng_seed"],
        "gain": result["gain"],
        "stages": [{"trained_on": stage["trained_on"], "test": stage["test"]} for stage in result["stages"]],
        "rounds": [{"mistakes": step["mistakes"], **step["asked"]} for step in asked],
        "account": result["account"],
    }


def main() -> None:
    """All rng seeds, one JSON file."""
    runs = []
    for rng_seed in RNG_SEEDS:
        folder = ROOT / "runs" / "rte-recorded" / f"seed-{rng_seed}"
        result = run_recipe(loop_recipe(folder.parent, rng_seed), folder)
        write_report(folder)
        runs.append(summary(result))
        print(json.dumps(runs[-1]["rounds"]), runs[-1]["gain"])
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE, check=False
    )
    versions = {package: version(package) for package in ("numpy", "polars", "scikit-learn")}
    head = {"command": "python experiments/s3_published_rows/loop.py", "commit": commit.stdout.strip()}
    found = {**head, "versions": versions, "rng_seeds": list(RNG_SEEDS), "runs": runs}
    (HERE / "results" / "rte_loop.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
