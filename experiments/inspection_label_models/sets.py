"""The recorded votes, and how a guess is marked."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np

from seedbed.inspection.votes import Floats, Ints, Votes
from seedbed.randomness import stream

HERE = Path(__file__).resolve().parent
CHOSEN_ON = ("bluebird", "dog", "web", "CF_amt", "MS", "SP_amt", "ZenCrowd_in", "s4_Face_Sentiment_Identification")
"""The crowd sets that settings were chosen on."""
HELD_OUT = ("rte", "trec", "CF", "SP", "ZenCrowd_all", "ZenCrowd_us", "d_jn-product", "d_sentiment", "s5_AdultContent")
FUNCTIONS = ("youtube", "hausa", "yoruba")


def data_folder() -> Path:
    """Where the votes lie. Leaves the program with a message when they are absent."""
    folder = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data") / "inspection"
    if not (folder / "crowd17").is_dir():
        sys.exit(f"no recorded votes in {folder}: set SEEDBED_DATA to the folder that holds inspection/crowd17")
    return folder


def crowd(name: str) -> tuple[Votes, Ints]:
    """One crowd set: its votes, and each row's true class, -1 where it is not known."""
    (folder,) = [one for one in (data_folder() / "crowd17").iterdir() if one.name.endswith(f"__{name}")]
    with (folder / "label.csv").open(encoding="utf-8") as lines:
        items, workers, labels = zip(*list(csv.reader(lines))[1:], strict=True)
    votes, rows, classes = Votes.of_triplets(items, workers, labels)
    with (folder / "truth.csv").open(encoding="utf-8") as lines:
        gold = dict(list(csv.reader(lines))[1:])
    number = {label: k for k, label in enumerate(classes)}
    # A true class that nobody ever said stays a row that everyone gets wrong.
    truth = [number.get(gold[row], len(classes)) if row in gold else -1 for row in rows]
    return votes, np.array(truth)


def functions(name: str) -> tuple[Votes, Ints]:
    """Labelling functions on the training texts of one set, and the texts' true classes."""
    folder = data_folder() / "wrench_text"
    rows = json.loads((folder / f"{name}_train.json").read_text(encoding="utf-8")).values()
    classes = len(json.loads((folder / f"{name}_label.json").read_text(encoding="utf-8")))
    votes = Votes.of_columns([row["weak_labels"] for row in rows], classes)
    return votes, np.array([row["label"] for row in rows])


def solutions() -> tuple[list[str], list[str], list[list[str]]]:
    """GSM8K's test questions: names of the models, the right answers, and what each model answered, '' for nothing."""
    with (data_folder() / "zeroeval_gsm" / "votes.csv").open(encoding="utf-8") as lines:
        head, *rows = csv.reader(lines)
    return head[2:], [row[1] for row in rows], [row[2:] for row in rows]


def marks(scores: Floats, truth: Ints) -> Floats:
    """(n,) 1 where the best class is the true one, shared where classes tie; rows without truth are left out."""
    kept = truth >= 0
    best = scores[kept] >= scores[kept].max(axis=1, keepdims=True) - 1e-12
    real = truth[kept]
    named = real < scores.shape[1]
    found = np.zeros(len(real))
    found[named] = best[named, real[named]] / best[named].sum(axis=1)
    return found


def log_loss(log_posterior: Floats, truth: Ints) -> float:
    """Mean log loss in nats, each row at most 14."""
    kept = (truth >= 0) & (truth < log_posterior.shape[1])
    return float(-np.maximum(log_posterior[kept, truth[kept]], -14).mean())


def some_votes(votes: Votes, asked: int, rng_seed: int) -> Votes:
    """At most `asked` votes of each row, drawn at random."""
    mixed = stream(rng_seed, "some votes", asked).permutation(len(votes.row))
    order = mixed[np.argsort(votes.row[mixed], kind="stable")]
    row = votes.row[order]
    start = np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1])
    place = np.arange(len(row)) - np.repeat(start, np.diff([*start, len(row)]))
    kept = order[place < asked]
    return Votes(votes.row[kept], votes.voter[kept], votes.said[kept], votes.n_rows, votes.n_classes, votes.voters)
