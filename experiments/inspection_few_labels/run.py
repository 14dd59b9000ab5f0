"""What a few labels make of unsupervised evidence, and the README's tables. See README.md for what and why.

python run.py llmbar [--seeds 20]     python run.py pooled [--seeds 20]     python run.py judges [--seeds 20]
python run.py own [--seeds 20]        python run.py table [--check]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "src")]

import numpy as np  # noqa: E402
from tables import write_tables  # noqa: E402

RESULTS = HERE / "results"
FAMILIES = ("claude", "gemma", "gemini", "gpt", "llama", "mistral", "mixtral", "phi", "qwen", "reka", "yi", "command")
SAME_MAKER = {"gemini": "gemma", "mixtral": "mistral"}


def llmbar(seeds: int) -> None:
    """Which of two outputs is better, from 65 judges in both orders and 25, 50 or 100 labels."""
    from evidence import llmbar as load

    pairs = load("LLMBar")
    cells = []
    for who, data in (("all judges", pairs), ("without GPT-4", pairs.without("GPT-4"))):
        for n in (25, 50, 100):
            found = [one_draw(data, n, rng_seed) for rng_seed in range(seeds)]
            for method in found[0]:
                scores = {part: [one[method][part] for one in found] for part in found[0][method]}
                cells.append({"judges": who, "labels": n, "method": method, **summary(scores)})
                print(who, n, method, round(cells[-1]["unread"]["value"], 4), flush=True)
            save("llmbar", {"rng_seeds": list(range(seeds)), "cells": cells})


def one_draw(data: Any, n: int, rng_seed: int) -> dict[str, dict[str, float]]:
    """Accuracy of each method on the pairs that were not read, and on all with the read ones right."""
    from evidence import agreement
    from sklearn.linear_model import LogisticRegression

    from seedbed.inspection.correction import correct, family_votes
    from seedbed.inspection.judges import both_orders
    from seedbed.randomness import stream

    said = both_orders(data.original, data.swapped)
    x = agreement(said)
    families, _ = family_votes(said, [name for name, _ in data.judges])
    # Each judge beside its family, on the scale of one family: a prompt may be better than its model's others.
    signed = np.where(said == 1, 1.0, np.where(said == 0, -1.0, 0.0))
    each = signed / np.sqrt(said.shape[1] / families.shape[1])
    read = stream(rng_seed, "few labels", "llmbar").permutation(len(x))[:n]
    known = {int(row): int(data.truth[row]) for row in read}
    wide = np.hstack([families, each])
    stack = LogisticRegression(max_iter=500).fit(families[read], data.truth[read])
    scores = {
        "majority": x,
        "logistic regression on families": stack.decision_function(families),
        "correction, families": correct(x, known, features=families).log_odds,
        "correction, families and sets": correct(x, known, features=families, slices=data.sets).log_odds,
        "correction, families, judges and sets": correct(x, known, features=wide, slices=data.sets).log_odds,
    }
    rest = np.ones(len(x), dtype=bool)
    rest[read] = False
    natural = data.sets == "LLMBar/Natural"
    found = {}
    for method, score in scores.items():
        right = (score > 0) == data.truth
        found[method] = {
            "unread": float(right[rest].mean()),
            "adversarial": float(right[rest & ~natural].mean()),
            "natural": float(right[rest & natural].mean()),
            "all rows": float(np.where(rest, right, True).mean()),
        }
    return found


def pooled(seeds: int) -> None:
    """Which of tens of thousands of LLM-made rows are wrong, from eight weak verifiers and 100 labels."""
    from evidence import pool

    cells = []
    for task in ("gsm", "crux"):
        rows = pool(task)
        inputs = evidence_of(rows)
        for n in (100,):
            found = [one_pool(rows, inputs, n, rng_seed) for rng_seed in range(seeds)]
            for method in found[0]:
                scores = {part: [one[method][part] for one in found] for part in found[0][method]}
                cells.append({"task": task, "rows": len(rows.truth), "labels": n, "method": method, **summary(scores)})
                print(task, n, method, {part: round(cells[-1][part]["value"], 4) for part in scores}, flush=True)
            save("pooled", {"rng_seeds": list(range(seeds)), "cells": cells})


def evidence_of(rows: Any) -> dict[str, Any]:
    """Scores without labels: counting, open answers, and counting with the generator's mean as a prior."""
    from evidence import agreement, open_answers

    from seedbed.inspection.correction import family_votes, group_means

    x = agreement(rows.said)
    generator = group_means(2 * x, rows.generator)
    wide = open_answers(rows)
    return {
        "agreement": x,
        "open answers": wide,
        "agreement with generators": x + generator,
        "generator": generator,
        "scaled": 2 * wide / wide.std(),
        "votes": family_votes(rows.said, rows.panel)[0],
    }


def one_pool(rows: Any, inputs: dict[str, Any], n: int, rng_seed: int) -> dict[str, dict[str, float]]:
    """Ranking and calibration of each method on all rows but those that were read."""
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    from seedbed.inspection.calibration import fit_platt
    from seedbed.inspection.correction import correct
    from seedbed.randomness import stream

    truth = rows.truth
    read = stream(rng_seed, "few labels", "pooled").permutation(len(truth))[:n]
    known = {int(row): int(truth[row]) for row in read}
    base, votes = inputs["agreement with generators"], inputs["votes"]
    curve = fit_platt(base, known)
    stack = LogisticRegression(max_iter=500).fit(votes[read], truth[read]).decision_function(votes)
    more = np.column_stack([inputs["generator"], inputs["scaled"]])
    few = correct(base, known, features=inputs["generator"][:, None])
    mended = correct(base, known, features=more)
    each = correct(base, known, features=np.hstack([more, votes]))
    scores = {
        "agreement, no labels": (inputs["agreement"], expit(inputs["agreement"])),
        "open answers, no labels": (inputs["open answers"], expit(inputs["open answers"])),
        "agreement with generators, no labels": (base, expit(base)),
        "logistic regression on votes": (stack, expit(stack)),
        "agreement with generators, Platt": (curve.log_odds(base), curve.p(base)),
        "correction, generators": (few.log_odds, few.p),
        "correction, generators and open answers": (mended.log_odds, mended.p),
        "correction, the same and each verifier": (each.log_odds, each.p),
    }
    rest = np.ones(len(truth), dtype=bool)
    rest[read] = False
    return {method: measures(log_odds[rest], p[rest], truth[rest]) for method, (log_odds, p) in scores.items()}


def measures(log_odds: Any, p: Any, truth: Any) -> dict[str, float]:
    """AUPRC and AUROC of finding defects, ECE over 15 equal steps of p, and the error of the mean alone."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    step = np.minimum((p * 15).astype(int), 14)
    gaps = np.abs(np.bincount(step, weights=p - truth, minlength=15)).sum() / len(p)
    return {
        "auprc": float(average_precision_score(1 - truth, -log_odds)),
        "auroc": float(roc_auc_score(1 - truth, -log_odds)),
        "ece": float(gaps),
        "level": float(abs(p.mean() - truth.mean())),
    }


def judges(seeds: int) -> None:
    """Position and length on the recorded judgments; self-preference on a simulation where it is known."""
    save("judges", {"rng_seeds": list(range(seeds)), "orders": orders(), "known": simulated(seeds)})


def simulated(seeds: int) -> list[dict[str, Any]]:
    """Judges with a known preference for their own family: found, removed, and what remains on 20,000 rows."""
    from scipy.special import expit

    from seedbed.randomness import stream

    cells = []
    for gamma in (0.0, 1.0, 2.0):
        found = []
        for rng_seed in range(seeds):
            rng = stream(rng_seed, "own family", str(gamma))
            n, makers = 20_000, np.array(["x", "y", "z", "w"])
            writers = makers[rng.integers(0, 4, n)]
            quality = {"x": 0.85, "y": 0.7, "z": 0.6, "w": 0.75}
            truth = (rng.random(n) < np.array([quality[name] for name in writers])).astype(int)
            families = ["x", "x", "y", "z"]
            mine = writers[:, None] == np.array(families)[None, :]
            score = np.array([-1.0, -0.6, -1.4, -0.8]) + 2.3 * truth[:, None] + gamma * mine
            said = (rng.random((n, 4)) < expit(score)).astype(int)
            found.append(one_bias(said, families, writers, truth, 400, rng_seed))
        cells.append({"true gamma": gamma, **summary({part: [one[part] for one in found] for part in found[0]})})
        print(cells[-1]["true gamma"], {part: round(cells[-1][part]["value"], 4) for part in found[0]}, flush=True)
    return cells


def one_bias(said: Any, families: Any, writers: Any, truth: Any, n: int, rng_seed: int) -> dict[str, float]:
    """Remaining bias of one draw of labels: verdicts as they are, calibrated blindly, and with the bias removed."""
    from seedbed.inspection.correction import correct, group_means
    from seedbed.inspection.judges import Verdicts, fit_judges, own_family_gap
    from seedbed.randomness import stream

    verdicts = Verdicts.of(said, families, writers)
    mine = verdicts.own.any(axis=1)
    read = stream(rng_seed, "few labels", "judges").permutation(len(truth))[:n]
    known = {int(row): int(truth[row]) for row in read}
    rest = np.ones(len(truth), dtype=bool)
    rest[read] = False
    blind = Verdicts(verdicts.said, np.zeros_like(verdicts.own), verdicts.length)
    asked = np.maximum((said >= 0).sum(axis=1), 1)
    found = {"verdicts": (said == 1).sum(axis=1) / asked}
    for name, one in (("blind", blind), ("removed", verdicts), ("own not asked", verdicts.without_own())):
        fitted = fit_judges(one, known)
        score = fitted.log_odds(one)
        found[name] = correct(score, known, features=group_means(score, writers)[:, None]).p
        if name == "removed":
            gamma = fitted.self_preference
    gaps = {name: own_family_gap(p[rest], truth[rest], mine[rest]).value for name, p in found.items()}
    return {**gaps, "gamma": gamma.value, "gamma_low": gamma.low, "gamma_high": gamma.high}


def orders() -> list[dict[str, Any]]:
    """LLMBar's evaluators with the plain prompt: inconsistent pairs, place preferred, effect of length given truth."""
    from evidence import llmbar as load

    from seedbed.inspection.judges import Verdicts, both_orders, fit_judges, order_report

    data = load("LLMBar")
    cells = []
    for name in sorted({evaluator for evaluator, _ in data.judges}):
        w = data.judges.index((name, "Vanilla_NoRules"))
        report = order_report(data.original[:, w], data.swapped[:, w])
        said = both_orders(data.original[:, w], data.swapped[:, w])
        verdicts = Verdicts.of(said[:, None], [name], np.full(len(said), "unknown"), data.length)
        fitted = fit_judges(verdicts, dict(enumerate(data.truth.tolist())))
        decided = said >= 0
        cells.append(
            {
                "judge": name,
                "inconsistent": report.inconsistent.to_dict(),
                "position": report.position.to_dict(),
                "length": fitted.length_effect.to_dict(),
                "one order": float((data.original[:, w] == data.truth).mean()),
                "consistent": float((said == data.truth)[decided].mean()),
            }
        )
    return cells


def own(seeds: int) -> None:
    """GSM and CRUX: a verifier agrees with its own maker's models on wrong answers too."""
    from evidence import pool

    cells = []
    for task in ("gsm", "crux"):
        rows = pool(task)
        families = [maker(name) for name in rows.panel]
        writers = np.array([maker(name) for name in rows.generator])
        found = [one_bias(rows.said, families, writers, rows.truth, 400, rng_seed) for rng_seed in range(seeds)]
        scores = summary({part: [one[part] for one in found] for part in found[0]})
        cells.append({"task": task, "labels": 400, "own": float(np.isin(writers, families).mean()), **scores})
        print(task, {part: round(cells[-1][part]["value"], 4) for part in found[0]}, flush=True)
        save("own", {"rng_seeds": list(range(seeds)), "own": cells})


def maker(model: str) -> str:
    """Family of a model by its name; models of unknown makers are families of their own."""
    name = model.lower()
    for family in FAMILIES:
        if family in name:
            return SAME_MAKER.get(family, family)
    return name


def summary(scores: dict[str, list[float]]) -> dict[str, Any]:
    """Mean over draws of labels with its interval, the spread between draws, and every draw."""
    from seedbed.estimate import mean_t

    return {
        part: {**mean_t(values).to_dict(), "sd": float(np.std(values, ddof=1)), "draws": np.round(values, 5).tolist()}
        for part, values in scores.items()
    }


def save(name: str, found: dict[str, Any]) -> None:
    """Write one results file with what is needed to make it again."""
    names = ("numpy", "scipy", "scikit-learn", "polars")
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
    modules = ("calibration", "correction", "judges", "logistic_map")
    paths = [*(f"src/seedbed/inspection/{name}.py" for name in modules), *HERE.glob("*.py")]
    shown = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    same = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *paths], cwd=root, check=False)
    return (shown.stdout.strip() or "unknown") + ("" if same.returncode == 0 else "-changed")


def main() -> int:
    """Run one part, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["llmbar", "pooled", "judges", "own", "table"])
    parser.add_argument("--seeds", type=int, default=20, help="rng seeds 0, 1, ... (default 20)")
    parser.add_argument("--check", action="store_true", help="table: change nothing, fail where README.md differs")
    args = parser.parse_args()
    if args.what == "table":
        return write_tables(HERE, check=args.check)
    # Python warns about answers such as "1a" that look like broken numbers when they are read as literals.
    warnings.simplefilter("ignore", SyntaxWarning)
    parts: dict[str, Callable[[int], None]] = {"llmbar": llmbar, "pooled": pooled, "judges": judges, "own": own}
    parts[args.what](args.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
