"""Rows with known truth: MMLU-Redux, pooled rows of GSM8K and CRUXEval that models wrote, and simulated worlds."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from seedbed.inspection.audit.risk import Evidence
from seedbed.randomness import stream

HERE = Path(__file__).resolve().parent
REDUX_ANSWERS = 14
FIRST_ANSWER = 7
"""Column of the first model's answer in the MMLU-Redux table."""


@dataclass(frozen=True)
class World:
    """Rows, what is known of them, and the truth that only the reader has."""

    name: str
    evidence: Evidence
    bad: np.ndarray


def data() -> Path:
    """Folder of the inspection data."""
    folder = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data") / "inspection"
    if not folder.is_dir():
        sys.exit(f"no inspection data in {folder}: set SEEDBED_DATA to the folder that holds inspection/")
    return folder


def dawid_skene(said: np.ndarray, candidate: np.ndarray, rounds: int = 60) -> np.ndarray:
    """Log-odds that each candidate is wrong, from votes of any number of classes; the candidate is a voter too.

    Args:
        said: (N, W) class in [0, K), -1 where the voter abstains: a symbol of its own.
        candidate: (N,) the class that the row was given.

    Returns:
        (N,) log P(another class) - log P(the candidate's).

    Source:
        Dawid and Skene 1979; confusions are drawn to each voter's own margin, so that independence is the null.
    """
    votes = np.column_stack([said, candidate])
    classes = int(votes.max()) + 1
    symbols = np.where(votes < 0, classes, votes)
    rows = np.arange(len(votes))
    belief = np.stack([(votes == k).sum(axis=1) for k in range(classes)], axis=1) + 0.1
    belief = belief / belief.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        log = np.tile(np.log(belief.mean(axis=0)), (len(votes), 1))
        for w in range(symbols.shape[1]):
            margin = np.bincount(symbols[:, w], minlength=classes + 1) / len(votes)
            counts = np.stack([np.bincount(symbols[:, w], belief[:, k], classes + 1) for k in range(classes)])
            counts += 20 * margin + np.eye(classes, classes + 1) * 40 * margin
            theta = (counts + 1e-9) / (counts + 1e-9).sum(axis=1, keepdims=True)
            log += np.log(theta[:, symbols[:, w]]).T
        log -= np.logaddexp.reduce(log, axis=1, keepdims=True)
        belief = np.exp(log)
    right = log[rows, candidate]
    others = log.copy()
    others[rows, candidate] = -np.inf
    odds: np.ndarray = np.logaddexp.reduce(others, axis=1) - right
    return odds


def redux() -> World:
    """MMLU-Redux: is the given answer (or the question) wrong? 14 models' answers against it, slices are subjects."""
    table = pl.read_csv(data() / "mmlu_redux" / "mmlu_redux_votes.csv", infer_schema=False)
    codes = {letter: place for place, letter in enumerate("ABCD")}
    given = np.array([codes[letter] for letter in table["given_label"]])
    names = table.columns[FIRST_ANSWER:]
    assert len(names) == REDUX_ANSWERS
    said = np.array([[codes.get(letter or "", -1) for letter in table[name]] for name in names]).T
    odds = dawid_skene(said, given)
    bad = table["is_error"].cast(pl.Int64).to_numpy() == 1
    return World("mmlu-redux", Evidence.of(len(bad), odds, table["subject"].to_numpy(), more=spread(said, given)), bad)


def spread(said: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """(N, 2) how much the voters differ among themselves, in nats, and the share of the commonest other answer."""
    share = np.stack([(said == k).mean(axis=1) for k in range(int(said.max()) + 1)], axis=1)
    nats = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1)
    share[np.arange(len(share)), candidate] = 0
    return np.column_stack([nats, share.max(axis=1)])


def pooled(task: str, rng_seed: int, n_rows: int = 5700, rate: float = 0.065) -> World:
    """Rows of one task that models wrote, thinned to a rate of defects like MMLU-Redux's; slices are the writers."""
    table = pl.read_csv(data() / "pooled_llm_rows" / "rows.csv.gz", infer_schema_length=5000)
    table = table.filter(pl.col("task") == task)
    bad = table["correct"].to_numpy() == 0
    rng = stream(rng_seed, "pooled", task)
    few = int(n_rows * rate)
    chosen = np.concatenate([rng.choice(np.flatnonzero(bad), few, replace=False),
                             rng.choice(np.flatnonzero(~bad), n_rows - few, replace=False)])  # fmt: skip
    panel = table.select(f"v{number}" for number in range(8)).to_numpy()[chosen]
    agree, differ = (panel == 1).sum(axis=1), (panel == 0).sum(axis=1)
    odds = np.log((differ + 0.5) / (agree + 0.5)) * 2
    writers = table["generator"].to_numpy()[chosen]
    return World(f"{task} pooled", Evidence.of(n_rows, odds, writers), bad[chosen])


def simulated(rng_seed: int, n_rows: int = 5700, slices: int = 57) -> World:
    """Slices that differ, and evidence as weak as votes on MMLU-Redux are (AUROC about 0.73)."""
    rng = stream(rng_seed, "simulated")
    place = rng.integers(0, slices, n_rows)
    level = rng.normal(-3.6, 1.3, slices)[place]
    bad = rng.random(n_rows) < 1 / (1 + np.exp(-level))
    # The larger part of defects shows in the votes a little, a few very much: so do unclear questions and wrong keys.
    shown = np.where(rng.random(n_rows) < 0.3, 4.0, 0.5) * bad
    odds = 3 * (rng.standard_normal(n_rows) ** 3 / 3 + shown) - 2
    return World("simulated", Evidence.of(n_rows, odds, place), bad)
