"""Rows that LLMs really wrote, with scores and truth; single generators and simulated sets to choose settings on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Population:
    """Rows with the log-odds that each is bad, and whether it is."""

    name: str
    log_odds: NDArray[np.float64]
    bad: NDArray[np.bool_]


def folder() -> Path:
    found = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data") / "inspection"
    if not found.exists():
        sys.exit(f"no inspection data in {found}: set SEEDBED_DATA to the folder that holds inspection/")
    return found


def pooled(task: str, generator: str | None = None) -> Population:
    """Rows of one task, scored by Dawid-Skene with a prior for each generator; clipped at 1e-6 in the file."""
    rows = pl.read_csv(folder() / "pooled_llm_rows" / "rows.csv.gz").filter(pl.col("task") == task)
    if generator:
        rows = rows.filter(pl.col("generator") == generator)
    p = np.clip(rows["ds_slice_bad"].to_numpy(), 1e-6, 1 - 1e-6)
    return Population(generator or task, np.log(p) - np.log1p(-p), rows["correct"].to_numpy() == 0)


def mmlu_redux() -> Population:
    """5,700 questions; the share of 14 models that do not answer as the key says, as smoothed log-odds."""
    rows = pl.read_csv(folder() / "mmlu_redux" / "mmlu_redux_votes.csv")
    votes = rows.columns[7:]
    agree = sum((rows[name] == rows["given_label"]).fill_null(value=False).cast(pl.Int64) for name in votes)
    others = len(votes) - agree.to_numpy()
    odds = np.log(others + 0.5) - np.log(len(votes) - others + 0.5)
    return Population("mmlu", odds, rows["is_error"].to_numpy() == 1)


def simulated(rng_seed: int, size: int = 5000) -> Population:
    """A set whose scores are too sure by a factor and useful by another, both drawn by the seed."""
    rng = np.random.default_rng(rng_seed)
    said, slope, base = rng.normal(size=size) * 4, rng.uniform(0, 0.9), rng.uniform(-4, -1)
    return Population(f"simulated {rng_seed}", said, rng.random(size) < 1 / (1 + np.exp(-base - slope * said)))
