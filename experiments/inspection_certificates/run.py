"""Certified sets and defect rates on rows that LLMs wrote, and the README's table. See README.md for what and why.

python run.py selection [--trials 1000]    python run.py refusals [--trials 1000]
python run.py rates [--trials 1000]        python run.py settings [--trials 200]
python run.py table [--check]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from populations import Population, mmlu_redux, pooled, simulated
from scipy import stats

import seedbed
from seedbed.estimate import mean_t, wilson
from seedbed.inspection.guarantees.planning import plan_selection
from seedbed.inspection.guarantees.rates import estimate_rate
from seedbed.inspection.guarantees.selection import decide, draw, order_rows
from seedbed.randomness import stream

HERE = Path(__file__).parent
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
TARGETS = {("gsm", 0.02, 400): (0.47, 0.60), ("gsm", 0.02, 800): (0.67, 0.74), ("gsm", 0.05, 400): (0.86, 0.88)}
"""Yield of the learn-then-test baseline, and the least this should reach."""
FIRST_SEED = 100_000


def select(population: Population, alpha: float, n: int, trials: int) -> dict[str, Any]:
    """Certify once for each rng seed: how much is kept, and how often more than alpha of it is bad."""
    started = time.process_time()
    plan = plan_selection(population.log_odds, n, alpha)  # it looks at no label, so it is the same in every trial
    kept, false, labels, more = [], 0, [], []
    for trial in range(trials):
        seed = FIRST_SEED + trial
        order = order_rows(population.log_odds, seed)
        drawn = draw(plan, order, seed)
        found = decide(plan, order, drawn, dict(zip(drawn.tolist(), population.bad[drawn].tolist(), strict=True)))
        kept.append(len(found.kept) / len(population.bad))
        false += bool(len(found.kept)) and bool(population.bad[found.kept].mean() > alpha)
        labels.append(sum(found.tested[-1].labels))
        if not found.is_certified:
            more.append(found.more_labels)
    said = [number for number in more if number is not None]
    return {
        "population": population.name, "rows": len(population.bad), "defects": float(population.bad.mean()),
        "alpha": alpha, "n": n, "trials": trials, "yield": mean_t(kept).to_dict(),
        "violations": wilson(false, trials).to_dict(), "false": false, "certified": trials - len(more),
        "labels_read": float(np.mean(labels)), "refused_without_number": more.count(None),
        "median_more_labels": float(np.median(said)) if said else None,
        "oracle": oracle(population, alpha), "naive": naive(population, alpha, n, trials),
        "cpu_s": time.process_time() - started,
    }  # fmt: skip


def oracle(population: Population, alpha: float) -> float:
    bad = population.bad[order_rows(population.log_odds, 0)]
    fits = np.flatnonzero(np.cumsum(bad) <= alpha * np.arange(1, len(bad) + 1))
    return float(fits[-1] + 1) / len(bad) if len(fits) else 0.0


def naive(population: Population, alpha: float, n: int, trials: int) -> dict[str, Any]:
    """The largest set whose sampled rate is at most alpha: what people do."""
    order = order_rows(population.log_odds, 0)
    bad, size = population.bad[order], len(order)
    rates, kept, false = np.cumsum(bad) / np.arange(1, size + 1), [], 0
    for trial in range(trials):
        places = np.sort(stream(FIRST_SEED + trial, "naive").choice(size, n, replace=False))
        fits = np.flatnonzero(np.cumsum(bad[places]) <= alpha * np.arange(1, n + 1))
        last = int(places[fits[-1]]) if len(fits) else 0
        kept.append(last / size)
        false += bool(last) and bool(rates[last - 1] > alpha)
    return {"yield": float(np.mean(kept)), "false": false, "certified": int(np.count_nonzero(kept))}


def rate(population: Population, n: int, trials: int, first_seed: int = FIRST_SEED) -> dict[str, Any]:
    """Interval for the defect rate: width against Clopper-Pearson's on as many labels, and coverage."""
    truth = float(population.bad.mean())
    widths, exact, held, methods = [], [], 0, Counter[str]()
    for trial in range(trials):
        found = estimate_rate(population.log_odds, n, lambda rows: population.bad[rows], rng_seed=first_seed + trial)
        widths.append(found.high - found.low)
        held += found.low <= truth <= found.high
        methods[found.method] += 1
        k = int(population.bad[stream(first_seed + trial, "plain").choice(len(population.bad), n, replace=False)].sum())
        high = float(stats.beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
        exact.append(high - (float(stats.beta.ppf(0.025, k, n - k + 1)) if k else 0.0))
    return {
        "population": population.name, "rows": len(population.bad), "defects": truth, "n": n, "trials": trials,
        "coverage": wilson(held, trials).to_dict(),
        "width": float(np.mean(widths)), "exact_width": float(np.mean(exact)),
        "gain": float((np.mean(exact) / np.mean(widths)) ** 2), "methods": dict(methods),
    }  # fmt: skip


def run_selection(trials: int) -> Iterator[dict[str, Any]]:
    gsm = pooled("gsm")
    yield from (select(gsm, alpha, n, trials) for alpha, n in ((0.02, 400), (0.02, 800), (0.05, 400)))


def run_refusals(trials: int) -> Iterator[dict[str, Any]]:
    yield from (select(each, 0.02, n, trials) for each in (pooled("crux"), mmlu_redux()) for n in (400, 800))


def run_rates(trials: int) -> Iterator[dict[str, Any]]:
    names = ("Qwen2-7B-Instruct", "claude-3-sonnet-20240229")
    cases = [(pooled("gsm", name), n) for name in names for n in (200, 400)]
    cases += [
        (mmlu_redux(), 100),
        (mmlu_redux(), 200),
        (mmlu_redux(), 400),
        (pooled("crux"), 200),
        (pooled("gsm"), 200),
    ]
    yield from (rate(*case, trials) for case in cases)


def run_settings(trials: int) -> Iterator[dict[str, Any]]:
    """The populations that settings were looked at on; none of them is reported above."""
    names = ("Meta-Llama-3-8B-Instruct", "gemma-2-9b-it", "claude-3-haiku-20240307")
    single = [pooled("gsm", name) for name in names]
    yield from (rate(each, n, trials, 1000) for each in (*single, simulated(1), simulated(2)) for n in (200, 400))


def table() -> str:
    lines = ["### Certified sets at 95 %", ""]
    head = "| rows | defects, % | alpha, % | labels | kept | baseline | target | oracle | false | certified "
    head += "| naive: kept, false |"
    lines += [head, "|" + " --- |" * 11]
    for one in [*_read("selection"), *_read("refusals")]:
        before = TARGETS.get((one["population"], one["alpha"], one["n"]), ("", ""))
        kept, false = one["yield"], one["violations"]
        lines.append(
            f"| {one['population']} ({one['rows']:,}) | {100 * one['defects']:.1f} | {100 * one['alpha']:.0f} "
            f"| {one['n']} "
            f"| {kept['value']:.3f} [{kept['low']:.3f}, {kept['high']:.3f}] | {before[0]} | {before[1]} "
            f"| {one['oracle']:.2f} | {one['false']} of {one['trials']}, at most {100 * false['high']:.1f} % "
            f"| {one['certified']} | {one['naive']['yield']:.2f}, {100 * one['naive']['false'] / one['trials']:.0f} % |"
        )
    lines += ["", "### What is said where nothing is certified", ""]
    lines += [
        "| rows | alpha, % | labels | refused | says that no number of labels would do | else about so many (median) |"
    ]
    lines += ["|" + " --- |" * 6]
    for one in [*_read("selection"), *_read("refusals")]:
        refused = one["trials"] - one["certified"]
        number = f"{one['median_more_labels']:,.0f}" if one["median_more_labels"] is not None else "-"
        lines.append(
            f"| {one['population']} | {100 * one['alpha']:.0f} | {one['n']} | {refused} of {one['trials']} "
            f"| {one['refused_without_number']} | {number} |"
        )
    lines += ["", "### Defect rate, 95 % interval", ""]
    lines += ["| rows | defects, % | labels | labels saved, times | coverage | width | Clopper-Pearson | chosen |"]
    lines += ["|" + " --- |" * 8]
    lines += [_rate_line(one) for one in _read("rates")]
    if (HERE / "results" / "settings.json").exists():
        count = len(_read("rates"))
        lines += ["", "### Populations that settings were looked at on", "", *lines[-2 - count : -count]]
        lines += [_rate_line(one) for one in _read("settings")]
    return "\n".join(lines)


def _rate_line(one: dict[str, Any]) -> str:
    chosen = ", ".join(f"{name} {count}" for name, count in sorted(one["methods"].items()))
    cover = one["coverage"]
    return (
        f"| {one['population']} | {100 * one['defects']:.1f} | {one['n']} | {one['gain']:.2f} "
        f"| {cover['value']:.3f} [{cover['low']:.3f}, {cover['high']:.3f}] | {one['width']:.3f} "
        f"| {one['exact_width']:.3f} | {chosen} |"
    )


def _read(what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / "results" / f"{what}.json").read_text())["results"]
    return found


def write(what: str, results: list[dict[str, Any]], trials: int) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=HERE, check=False).stdout
    first = 1000 if what == "settings" else FIRST_SEED
    found = {
        "command": f"python run.py {what} --trials {trials}", "commit": commit.strip(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                     "seedbed": seedbed.__version__},
        "rng_seeds": [first, first + trials - 1], "results": results,
    }  # fmt: skip
    (HERE / "results" / f"{what}.json").write_text(json.dumps(found, indent=1) + "\n")


def write_table(*, check: bool) -> None:
    readme = HERE / "README.md"
    text = readme.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    made = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    if check and made != text:
        sys.exit("README.md differs from results/*.json: run `python run.py table`")
    readme.write_text(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["selection", "refusals", "rates", "settings", "table"])
    parser.add_argument("--trials", type=int)
    parser.add_argument("--check", action="store_true")
    said = parser.parse_args()
    if said.what == "table":
        write_table(check=said.check)
        return
    trials = said.trials or (200 if said.what == "settings" else 1000)
    runs = {"selection": run_selection, "refusals": run_refusals, "rates": run_rates, "settings": run_settings}
    made: list[dict[str, Any]] = []
    for result in runs[said.what](trials):
        made.append(result)
        write(said.what, made, trials)


if __name__ == "__main__":
    main()
