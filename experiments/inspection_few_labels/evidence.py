"""The recorded evidence: LLMBar's judges in both orders, and pooled GSM and CRUX rows with a panel's answers."""

from __future__ import annotations

import ast
import gzip
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import logsumexp

HERE = Path(__file__).resolve().parent
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLANK = 10.0
"""Answers that a wrong voter chooses among, at least."""


def folder() -> Path:
    """Where the data lie; leaves with a message where they do not."""
    found = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data") / "inspection"
    if not found.is_dir():
        sys.exit(f"no inspection data in {found}: set SEEDBED_DATA to the folder that holds inspection/")
    return found


@dataclass(frozen=True)
class Pairs:
    """Pairs of outputs, with every judge's choice in both orders; class 1 is the first output."""

    original: Ints
    """(N, W) the choice with the first output shown first; -1 for none."""
    swapped: Ints
    """(N, W) the choice with the second output shown first, as the same classes."""
    truth: Ints
    """(N,) 1 where the first output is better."""
    sets: NDArray[np.str_]
    """(N,) the set that the pair is from."""
    judges: list[tuple[str, str]]
    """(W,) evaluator and prompting strategy."""
    length: Floats
    """(N,) log length of the first output over the second's."""

    def without(self, evaluator: str) -> Pairs:
        """The same without one evaluator's judges."""
        kept = [w for w, (name, _) in enumerate(self.judges) if name != evaluator]
        judges = [self.judges[w] for w in kept]
        return Pairs(self.original[:, kept], self.swapped[:, kept], self.truth, self.sets, judges, self.length)


def llmbar(prefix: str) -> Pairs:
    """The sets whose name begins so, with the judges that saw nine tenths of the pairs."""
    at = folder() / "llmbar"
    items = [json.loads(line) for line in (at / "items.jsonl").open(encoding="utf-8")]
    items = [item for item in items if item["set"].startswith(prefix)]
    number = {(item["set"], item["i"]): n for n, item in enumerate(items)}
    with gzip.open(at / "judgments.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [one for one in map(json.loads, lines) if (one["set"], one["i"]) in number]
    seen = Counter((one["evaluator"], one["strategy"]) for one in found)
    judges = sorted(name for name, count in seen.items() if count >= 0.9 * len(items))
    column = {name: w for w, name in enumerate(judges)}
    said = np.full((2, len(items), len(judges)), -1)
    for one in found:
        w = column.get((one["evaluator"], one["strategy"]))
        if w is not None:
            said[:, number[one["set"], one["i"]], w] = [{"1": 1, "2": 0, None: -1}[v] for v in one["v"]["w"]]
    truth = np.array([int(item["label"] == 1) for item in items])
    length = np.log([(1 + len(item["output_1"])) / (1 + len(item["output_2"])) for item in items])
    return Pairs(said[0], said[1], truth, np.array([item["set"] for item in items]), judges, length)


@dataclass(frozen=True)
class Pool:
    """LLM-made rows with a panel of eight weak verifiers."""

    said: Ints
    """(N, 8) 1 where the verifier's answer is the row's, 0 where not, -2 where it has none or made the row."""
    truth: Ints
    generator: NDArray[np.str_]
    problem: NDArray[np.str_]
    panel: list[str]
    answer: Ints
    """(N,) number of the row's answer within its problem."""
    panel_answer: Ints
    """(N, 8) number of each verifier's answer within the problem, -1 for none."""


def pool(task: str) -> Pool:
    """Rows of one task, in the file's order, with answers as numbers."""
    at = folder()
    rows = pl.read_csv(at / "pooled_llm_rows" / "rows.csv.gz").filter(pl.col("task") == task)
    panel = json.loads((at / "pooled_llm_rows" / "panel.json").read_text(encoding="utf-8"))[task]
    table = pl.read_csv(at / f"zeroeval_{task}" / "votes.csv", infer_schema_length=0)
    columns = [name for name in table.columns if name not in ("id", "gold")]
    text = table.select(columns).to_numpy()
    numbers = np.full(text.shape, -1)
    for n, line in enumerate(text):
        known: dict[str, int] = {}
        for w, answer in enumerate(line):
            if answer not in (None, ""):
                numbers[n, w] = known.setdefault(plain(answer), len(known))
    at_row = {name: n for n, name in enumerate(table["id"].to_list())}
    at_column = {name: w for w, name in enumerate(columns)}
    problem = np.array([at_row[name] for name in rows["item"].to_list()])
    made_by = np.array([at_column[name] for name in rows["generator"].to_list()])
    answers = numbers[problem][:, [at_column[name] for name in panel]]
    answers[made_by[:, None] == np.array([at_column[name] for name in panel])[None, :]] = -1
    said = rows.select([f"v{v}" for v in range(8)]).to_numpy().astype(np.int64)
    return Pool(
        np.where(said < 0, -2, said),
        rows["correct"].to_numpy().astype(np.int64),
        rows["generator"].to_numpy().astype(str),
        rows["item"].to_numpy().astype(str),
        panel,
        numbers[problem, made_by],
        answers,
    )


def plain(answer: str) -> str:
    """One spelling for equal numbers and equal Python literals."""
    try:
        return repr(ast.literal_eval(answer.replace(",", "") if answer[:1].isdigit() else answer))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return answer.strip()


def agreement(said: Ints) -> Floats:
    """(N,) log-odds from counting: agreeing verifiers against others."""
    return np.log(((said == 1).sum(axis=1) + 0.5) / ((said == 0).sum(axis=1) + 0.5))


def open_answers(rows: Pool, rounds: int = 30) -> Floats:
    """(N,) log-odds that the row's answer is right, by one-coin voters over an open list of answers.

    The row's generator is a voter too, with a reliability of its own: that is a prior for its slice. A right answer
    that nobody gave has prior odds of a third. Voters are taken as independent, so the log-odds are too sure.
    """
    generators, code = np.unique(rows.generator, return_inverse=True)
    said = np.column_stack([rows.panel_answer, rows.answer])
    voter = np.column_stack([np.tile(np.arange(8), (len(said), 1)), 8 + code])
    given = said >= 0
    distinct = np.array([len(set(line[line >= 0].tolist())) for line in said])
    choices = np.log(np.maximum(distinct, BLANK))[:, None]
    same = (said[:, :, None] == said[:, None, :]) & given[:, :, None] & given[:, None, :]
    first = ~np.tril(same, -1).any(axis=2) & given
    reliability = np.full(8 + len(generators), 0.7)
    for _ in range(rounds):
        log_odds = np.log(reliability / (1 - reliability))[voter]
        votes = np.where(same, (log_odds + choices)[:, :, None], 0.0).sum(axis=1)
        score = np.column_stack([np.where(first, votes, -np.inf), np.full(len(said), np.log(1 / 3))])
        posterior = np.exp(score - logsumexp(score, axis=1, keepdims=True))
        right = np.einsum("nvw,nw->nv", same, posterior[:, :-1])
        total = np.bincount(voter[given], weights=right[given], minlength=len(reliability))
        reliability = (total + 3) / (np.bincount(voter[given], minlength=len(reliability)) + 4)
    own = votes[:, -1]
    others = score.copy()
    others[:, :-1][same[:, -1]] = -np.inf
    return np.where(given[:, -1], own - logsumexp(others, axis=1), -3.0)
