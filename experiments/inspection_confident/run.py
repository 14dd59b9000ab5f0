"""Confident learning and CROWDLAB, ours beside cleanlab's. See README.md for what and why.

PEER_PYTHON peer.py (in an environment with cleanlab 2.9)      python run.py measure      python run.py table [--check]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import numpy as np  # noqa: E402
from sets import CROWD_SEEDS, KS, NOISE_SEEDS, REVIEWED, crowd, judged, noisy, reviewed  # noqa: E402

RESULTS = HERE / "results"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def measure() -> None:
    """Flags, precision, seconds and crowd labels, on what peer.py reads too."""
    from seedbed.inspection.confident import find_label_issues, self_confidence

    sets = {}
    for name in REVIEWED:
        given, p, bad = reviewed(name)
        flagged = find_label_issues(given, p).flagged
        order = np.argsort(self_confidence(given, p), kind="stable")
        sets[name] = {**judged(flagged, order, bad), "rows": np.flatnonzero(flagged).tolist()}
    noise = [timed(*noisy(seed)) for seed in NOISE_SEEDS]
    million = timed(*noisy(0, n=1_000_000))
    seeds = {"noise": list(NOISE_SEEDS), "crowd": list(CROWD_SEEDS)}
    made = {"sets": sets, "noise": noise, "million": million, "crowd": [labelled(seed) for seed in CROWD_SEEDS]}
    save("ours", {"rng_seeds": seeds, **made})


def timed(true: np.ndarray, given: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """Precision, recall and CPU seconds on planted noise."""
    from seedbed.inspection.confident import find_label_issues

    start = time.process_time()
    flagged = find_label_issues(given, p).flagged
    spent = time.process_time() - start
    hit = float((flagged & (given != true)).sum())
    return {"precision": hit / float(flagged.sum()), "recall": hit / float((given != true).sum()), "cpu_s": spent}


def labelled(rng_seed: int) -> dict[str, Any]:
    """CROWDLAB on one simulated crowd, with majority and the classifier alone beside it."""
    from seedbed.inspection.confident import crowdlab
    from seedbed.inspection.votes import Votes

    true, said, p = crowd(rng_seed)
    votes = Votes.of_columns(np.where(said < 0, -2, said), p.shape[1])
    found = crowdlab(votes, p)
    majority = (votes.counts + 1e-3 * p).argmax(axis=1)
    return {
        "accuracy": float((found.consensus == true).mean()),
        "majority": float((majority == true).mean()),
        "classifier": float((p.argmax(axis=1) == true).mean()),
        "quality": found.quality.round(6).tolist(),
    }


def tables() -> str:
    """The README's tables, made from results/*.json and from nothing else."""
    ours, peer = (json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("ours", "cleanlab"))
    blocks = ["### Labels that people reviewed", _rows(_reviewed(ours, peer))]
    blocks += ["### Planted noise, a tenth of the labels", _rows(_noise(ours, peer))]
    blocks += [f"### Three votes a row, {len(ours['crowd'])} simulated crowds: accuracy, %", _rows(_crowd(ours, peer))]
    return "\n\n".join(blocks) + "\n"


def _reviewed(ours: dict[str, Any], peer: dict[str, Any]) -> Iterator[list[str]]:
    yield ["set", "by", "flagged", "flagged by both", "reviewed", "confirmed, %", *(f"of first {k}" for k in KS)]
    for name in REVIEWED:
        both = len(set(ours["sets"][name]["rows"]) & set(peer["sets"][name]["rows"]))
        for by, found in (("ours", ours["sets"][name]), ("cleanlab", peer["sets"][name])):
            first = [f"{100 * found['first'][str(k)]:.1f}" if str(k) in found["first"] else "" for k in KS]
            share = _share(found["confirmed"], found["reviewed"])
            yield [name, by, str(found["flagged"]), str(both), str(found["reviewed"]), share, *first]


def _share(successes: int, n: int) -> str:
    from seedbed.estimate import wilson

    one = wilson(successes, n)
    return f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def _noise(ours: dict[str, Any], peer: dict[str, Any]) -> Iterator[list[str]]:
    yield ["rows x classes", "by", "precision, %", "recall, %", "CPU s"]
    for by, found in (("ours", ours), ("cleanlab", peer)):
        means = {key: fmean(one[key] for one in found["noise"]) for key in ("precision", "recall", "cpu_s")}
        for rows, one in (
            (f"100,000 x 10, mean of {len(found['noise'])}", means),
            ("1,000,000 x 10", found["million"]),
        ):
            yield [rows, by, f"{100 * one['precision']:.1f}", f"{100 * one['recall']:.1f}", f"{one['cpu_s']:.2f}"]


def _crowd(ours: dict[str, Any], peer: dict[str, Any]) -> Iterator[list[str]]:
    from seedbed.estimate import mean_t

    yield ["method", "accuracy", "over majority", "mean quality it says"]
    majority = np.array([one["majority"] for one in ours["crowd"]])
    columns = {
        "majority": majority,
        "classifier": np.array([one["classifier"] for one in ours["crowd"]]),
        "CROWDLAB, ours": np.array([one["accuracy"] for one in ours["crowd"]]),
        "CROWDLAB, cleanlab": np.array([one["accuracy"] for one in peer["crowd"]]),
    }
    for name, found in columns.items():
        over = [100 * (found - majority)] if name != "majority" else []
        gain = [_mean(mean_t(each)) for each in over] or [""]
        side = {"CROWDLAB, ours": ours, "CROWDLAB, cleanlab": peer}.get(name)
        said = [100 * fmean(one["quality"]) for one in side["crowd"]] if side else []
        yield [name, _mean(mean_t(100 * found)), *gain, _mean(mean_t(said)) if said else ""]
    pairs = list(zip(ours["crowd"], peer["crowd"], strict=True))
    apart = max(float(np.abs(np.subtract(a["quality"], b["quality"])).max()) for a, b in pairs)
    below = sum(one["accuracy"] < one["majority"] for one in ours["crowd"])
    yield ["largest difference of any row's quality", f"{100 * apart:.1f}", "", ""]
    yield ["crowds where CROWDLAB (ours) is under majority", str(below), "", ""]


def _mean(one: Any) -> str:
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _rows(lines: Iterator[list[str]]) -> str:
    head, *rest = lines
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rest))


def write_table(*, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are already there."""
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    made = f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.split(END)[1]}"
    if check:
        if made != text:
            print(f"{readme.name} and results/*.json differ: run `python run.py table`", file=sys.stderr)
        return int(made != text)
    readme.write_text(made, encoding="utf-8")
    return 0


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    root = HERE.parents[1]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    paths = ["src/seedbed/inspection/confident.py", HERE / "run.py", HERE / "sets.py"]
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    header = {
        "command": "python " + " ".join([f"experiments/{HERE.name}/run.py", *sys.argv[1:]]),
        "commit": (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed"),
        "versions": {"python": sys.version.split()[0], **{name: version(name) for name in ("numpy", "scipy")}},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps({**header, **found}) + "\n", encoding="utf-8")


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
