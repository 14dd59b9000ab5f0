"""Samples a pocket model on fresh problems, measures coverage and false positives: `evaluate.py weak --keep`."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from seedbed.pocket import checkpoint, net, problems
from seedbed.pocket.tokenizer import Tokenizer

RESULTS = Path("experiments/pocket/results")
_ANSWER = re.compile(r"The answer is (\d+)\.")


def measure(name: str, *, count: int, draws: int, temperature: float, rng_seed: int) -> dict[str, Any]:
    """Coverage at several k with intervals over problems, by steps as well; false positives among right answers."""
    tokenizer = Tokenizer()
    chosen = problems.write(count, rng_seed)
    right, sound, tokens = (np.zeros((count, draws)) for _ in range(3))
    unique = np.zeros(count)
    started = time.process_time()
    all_made = net.sample(
        net.Net.load(checkpoint.folder(name)),
        [tokenizer.prompt(problem.text) for problem in chosen],
        draws=draws,
        temperature=temperature,
        max_tokens=130,
        rng_seed=rng_seed,
    )
    for row, problem in enumerate(chosen):
        made = all_made[row * draws : (row + 1) * draws]
        texts = [tokenizer.decode(ids) for ids in made]
        for draw, text in enumerate(texts):
            answers = _ANSWER.findall(text)
            right[row, draw] = bool(answers) and answers[-1] == problem.answer
            sound[row, draw] = right[row, draw] and problem.is_sound(text)
            tokens[row, draw] = len(made[draw])
        unique[row] = len({text for draw, text in enumerate(texts) if sound[row, draw]})
    steps = np.array([problem.steps for problem in chosen])
    ks = [k for k in (1, 4, 16, 64, 256) if k <= draws]
    hits = right.sum(1)
    return {
        "model": name,
        "problems": count,
        "draws": draws,
        "temperature": temperature,
        "rng_seed": rng_seed,
        "pass_at_k": {str(k): estimate(pass_at(draws, hits, k)) for k in ks},
        "sound_pass_at_k": {str(k): estimate(pass_at(draws, sound.sum(1), k)) for k in ks},
        "pass_at_1_by_steps": {str(s): estimate(right.mean(1)[steps == s]) for s in sorted(set(steps.tolist()))},
        f"pass_at_{ks[-1]}_by_steps": {
            str(s): estimate(pass_at(draws, hits, ks[-1])[steps == s]) for s in sorted(set(steps.tolist()))
        },
        "false_positives": estimate(1 - sound.sum(1)[hits > 0] / hits[hits > 0]),
        "false_positives_of_samples": float(1 - sound.sum() / max(right.sum(), 1)),
        "unique_sound_solutions": estimate(unique),
        "tokens_per_solution": float(tokens.mean()),
        "prompt_tokens": float(np.mean([len(tokenizer.prompt(problem.text)) for problem in chosen])),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def pass_at(n: int, hits: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The unbiased chance that k of n draws hold a right one (Chen et al. 2021, arXiv:2107.03374), per problem."""
    misses = n - hits
    with np.errstate(invalid="ignore"):
        log_none = gammaln(misses + 1) - gammaln(misses - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return np.where(misses < k, 1.0, 1 - np.exp(np.where(misses < k, 0.0, log_none)))


def estimate(values: NDArray[np.float64]) -> dict[str, float]:
    """A mean over problems with its 95 % interval from 1,000 bootstrap draws of problems."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (1000, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {
        "value": round(float(values.mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": len(values),
    }


def main() -> None:
    """Measure one model and print, or keep, what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--rng-seed", type=int, default=20_000)
    parser.add_argument("--keep", action="store_true", help="write results/measured-NAME.json")
    chosen = parser.parse_args()
    found = measure(
        chosen.name,
        count=chosen.problems,
        draws=chosen.draws,
        temperature=chosen.temperature,
        rng_seed=chosen.rng_seed,
    )
    text = json.dumps(found, indent=1)
    if chosen.keep:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"measured-{chosen.name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
