"""The rows that both sides read: reviewed label errors, planted noise, a simulated crowd. Numpy only."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
REVIEWED = ("imdb", "20news", "cifar10", "mnist")
CROWD_SEEDS = range(20)
NOISE_SEEDS = range(5)
KS = (50, 100, 200, 500)


def folder() -> Path:
    """Where the label errors are."""
    found = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data") / "inspection" / "label_errors"
    if not found.exists():
        sys.exit(f"no label errors in {found}: set SEEDBED_DATA to the folder that holds inspection/label_errors/")
    return found


def reviewed(name: str) -> tuple[np.ndarray, np.ndarray, dict[int, bool]]:
    """Given labels, (N, K) probabilities, and which of the reviewed rows fewer than 3 of 5 people would label so."""
    p = np.load(folder() / "cross_validated_predicted_probabilities" / f"{name}_test_set_pyx.npy")
    given = np.load(folder() / "original_test_labels" / f"{name}_test_set_original_labels.npy", allow_pickle=True)
    rows = json.loads((folder() / "mturk" / f"{name}_mturk.json").read_text(encoding="utf-8"))
    ids = [row["id"] for row in rows]
    if name == "imdb":
        index = folder() / "dataset_indexing" / "imdb_test_set_index_to_filename.json"
        place = {file: at for at, file in enumerate(json.loads(index.read_text(encoding="utf-8")))}
        ids = [place[one.removeprefix("test/") + ".txt"] for one in ids]
    bad = {int(at): row["mturk"]["given"] < 3 for at, row in zip(ids, rows, strict=True)}
    # Rounding left some probabilities 1e-7 above 1, which cleanlab refuses.
    return given.astype(np.int64), np.clip(np.asarray(p, dtype=np.float64), 0, 1), bad


def noisy(rng_seed: int, n: int = 100_000, K: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, labels of which a tenth were changed at random, and a classifier that is right for about 9 in 10 rows."""
    rng = np.random.default_rng([7, rng_seed])
    true = rng.integers(0, K, n)
    given = np.where(rng.random(n) < 0.1, (true + rng.integers(1, K, n)) % K, true)
    logits = rng.normal(size=(n, K))
    logits[np.arange(n), true] += 3
    p = np.exp(logits)
    return true, given, p / p.sum(axis=1, keepdims=True)


def crowd(rng_seed: int, n: int = 1000, K: int = 3, voters: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, an (n, voters) table with -1 where nobody was asked, and calibrated probabilities of a weak classifier."""
    rng = np.random.default_rng([11, rng_seed])
    true = rng.integers(0, K, n)
    skill = rng.uniform(0.45, 0.95, voters)
    said = np.where(
        rng.random((n, voters)) < skill, true[:, None], (true[:, None] + rng.integers(1, K, (n, voters))) % K
    )
    asked = np.argsort(rng.random((n, voters)), axis=1) < 3
    seen = rng.normal(size=(n, K)) + 1.2 * np.eye(K)[true]
    p = np.exp(1.2 * seen)
    return true, np.where(asked, said, -1), p / p.sum(axis=1, keepdims=True)


def judged(flagged: np.ndarray, order: np.ndarray, bad: dict[int, bool]) -> dict[str, Any]:
    """Precision among the flagged rows that people reviewed, and among the first k of those, worst first."""
    seen = [int(at) for at in order if flagged[at] and int(at) in bad]
    right = [bad[at] for at in seen]
    first = {str(k): sum(right[:k]) / k for k in KS if k <= len(right)}
    return {"flagged": int(flagged.sum()), "reviewed": len(seen), "confirmed": int(sum(right)), "first": first}
