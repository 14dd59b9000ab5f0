"""First errors of recorded traces, found by recomputing. See README.md for what and why.

python run.py measure            python run.py table [--check]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "src")]
RESULTS = HERE / "results"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
RNG_SEED = 0
"""Decides which half of the traces was worked on and which is reported."""


def data(*parts: str) -> Path:
    """A file of the recorded traces."""
    folder = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data")
    path = folder.joinpath(*parts)
    if not path.exists():
        sys.exit(f"no recorded traces at {path}: set SEEDBED_DATA to the folder that holds inspection/ and gsm8k/")
    return path


def halves(task: str) -> dict[str, list[dict[str, Any]]]:
    """The traces of one task, in a half that was worked on and one that is reported."""
    from seedbed.randomness import stream

    path = data("inspection", "bigbench_mistake", f"{task}.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    order = stream(RNG_SEED, "bigbench mistake halves", task).permutation(len(rows)).tolist()
    cut = len(rows) // 2
    return {"worked on": [rows[at] for at in sorted(order[:cut])], "reported": [rows[at] for at in sorted(order[cut:])]}


def measure() -> None:
    """Exact first errors on both halves, and false alarms on solutions of word problems."""
    from seedbed.inspection.symbolic import arithmetic, dyck

    checks: dict[str, tuple[str, Callable[..., Any]]] = {
        "arithmetic": ("multistep_arithmetic", arithmetic.first_error),
        "arithmetic, calculation only": (
            "multistep_arithmetic",
            lambda question, steps: arithmetic.first_error(question, steps, check_plan=False),
        ),
        "Dyck": ("dyck_languages", dyck.first_error),
    }
    traces = []
    for name, (task, check) in checks.items():
        for half, rows in halves(task).items():
            found = [check(row["input"], row["steps"]) for row in rows]
            traces.append({"check": name, "half": half, **scored(rows, found)})
    save("measures", {"rng_seeds": [RNG_SEED], "traces": traces, "word_problems": word_problems()})


def scored(rows: list[dict[str, Any]], found: list[Any]) -> dict[str, Any]:
    """Exact agreement with the annotated first error, on all, wrong and right traces, and of what kind misses are."""
    from seedbed.estimate import wilson

    pairs = [(row["mistake_index"], one.step) for row, one in zip(rows, found, strict=True)]
    wrong = [(a, b) for a, b in pairs if a is not None]
    right = [(a, b) for a, b in pairs if a is None]
    kinds: Counter[str] = Counter()
    for said, ours in pairs:
        if said != ours:
            kinds[
                "missed" if ours is None else "accused" if said is None else "earlier" if ours < said else "later"
            ] += 1
    # Where the two differ and the answer is wrong though people saw no mistake, the annotation cannot be right.
    doubtful = sum(
        row["mistake_index"] is None and one.step is not None and row["answer"] != row["target"]
        for row, one in zip(rows, found, strict=True)
    )
    return {
        **{
            key: wilson(sum(a == b for a, b in of), len(of)).to_dict()
            for key, of in (("all", pairs), ("wrong", wrong), ("right", right))
        },
        "abstained": sum(one.abstains for one in found),
        "misses": dict(kinds),
        "accused_with_wrong_answer": doubtful,
    }


def word_problems() -> list[dict[str, Any]]:
    """How often solutions of GSM8K are accused: those that people wrote, and those of 44 models with known truth."""
    from seedbed.estimate import wilson
    from seedbed.inspection.symbolic.arithmetic import first_error
    from seedbed.randomness import stream

    lines = data("gsm8k", "test.jsonl").read_text(encoding="utf-8").splitlines()
    written = [re.sub("<<.*?>>", "", json.loads(line)["answer"]).split("\n") for line in lines]
    found = [first_error("", steps) for steps in written]
    made = [
        {
            "what": "written by people (GSM8K test)",
            "accused": wilson(sum(one.step is not None for one in found), len(found)).to_dict(),
            "abstained": wilson(sum(one.abstains for one in found), len(found)).to_dict(),
        }
    ]
    with gzip.open(data("inspection", "zeroeval_gsm", "solutions.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    picked = [rows[at] for at in stream(RNG_SEED, "zeroeval sample").permutation(len(rows))[:6000]]
    cut = [re.split(r"\n+|(?<=\.)\s+", row["reasoning"] or "") for row in picked]
    found = [first_error("", steps) for steps in cut]
    for truth, what in ((True, "by 44 models, answer right"), (False, "by 44 models, answer wrong")):
        some = [one for one, row in zip(found, picked, strict=True) if row["correct"] is truth]
        made.append(
            {
                "what": what,
                "accused": wilson(sum(one.step is not None for one in some), len(some)).to_dict(),
                "abstained": wilson(sum(one.abstains for one in some), len(some)).to_dict(),
            }
        )
    return made


def table() -> str:
    """The README's tables, made from results/*.json and from nothing else."""
    found = json.loads((RESULTS / "measures.json").read_text(encoding="utf-8"))
    blocks = ["### First error, exact index, %", _rows(_traces(found["traces"]))]
    blocks += ["### Solutions of word problems, %", _rows(_words(found["word_problems"]))]
    return "\n\n".join(blocks) + "\n"


def _traces(traces: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield [
        "check",
        "half",
        "all traces",
        "with a mistake",
        "without",
        "missed / accused / earlier / later",
        "abstained",
    ]
    for one in traces:
        kinds = " / ".join(str(one["misses"].get(kind, 0)) for kind in ("missed", "accused", "earlier", "later"))
        cells = [_points(one[key]) for key in ("all", "wrong", "right")]
        yield [one["check"], one["half"], *cells, kinds, str(one["abstained"])]


def _words(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    yield ["solutions", "n", "accused", "nothing to recompute"]
    for one in rows:
        yield [one["what"], str(one["accused"]["n"]), _points(one["accused"]), _points(one["abstained"])]


def _points(one: dict[str, Any]) -> str:
    return f"{100 * one['value']:.1f} [{100 * one['low']:.1f}, {100 * one['high']:.1f}]"


def _rows(lines: Iterator[list[str]]) -> str:
    head, *rest = lines
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rest))


def write_table(*, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are already there."""
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    made = f"{before}{BEGIN}\n\n{table()}\n{END}{rest.split(END)[1]}"
    if check:
        if made != text:
            print(f"{readme.name} and results/*.json differ: run `python run.py table`", file=sys.stderr)
        return int(made != text)
    readme.write_text(made, encoding="utf-8")
    return 0


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
    paths = ["src/seedbed/inspection/symbolic", HERE / "run.py"]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Measure, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "table"])
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_table(check=args.check)
    measure()
    return 0


if __name__ == "__main__":
    sys.exit(main())
