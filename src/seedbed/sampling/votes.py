"""Without gold answers: what several draws agree on, how far agreement can be trusted, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import ConfigError, DataError
from seedbed.estimate import Estimate, share
from seedbed.randomness import stream
from seedbed.sampling.coverage import coverage, mean_over_problems

Rule = Literal["sum", "best"]

SUBSETS = 200
"""Random subsets a problem behind each point of a curve: their noise is then far below that between problems."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VotePoint:
    """What k draws a problem are worth, with a vote to choose among them and with an oracle."""

    k: int
    vote: Estimate
    """Share of problems where the chosen answer is right."""
    coverage: Estimate
    """Share of problems where any of the k answers is right: what a perfect verifier would choose."""


def vote(
    pool: pl.DataFrame,
    *,
    weights: Mapping[str, float] | None = None,
    score: str | None = None,
    rule: Rule = "sum",
    min_share: float = 0.0,
    min_margin: float = 0.0,
) -> pl.DataFrame:
    """The answer that each problem's draws agree on.

    Answers are equal when their text is: give them in one spelling (`verification.answers.canonical`). A draw without
    an answer votes for nothing and still counts as drawn, so that it lowers the share.

    Args:
        pool: One row per draw with problem_id, model, draw, answer; `correct`, `tokens_out` and `usd` are used where
            they are there.
        weights: What a vote of each model counts, by its name, 0 or more; None counts all alike.
        score: Column with a verifier's score of each draw, 0 or more (such as a probability); it multiplies the
            weight. A null score is no vote.
        rule: "sum" adds up the votes of an answer (majority, or weighted by score); "best" takes the one draw with the
            highest vote (best of n).
        min_share: Abstain where the winner has a smaller share of all votes, in [0, 1].
        min_margin: Abstain where its share is not at least this far ahead of the next answer's, in [0, 1].

    Returns:
        One row a problem, in the order of the pool: problem_id; answer (null: abstained); share of all votes (for
        "best" of the answers' best votes added up); margin to the next; is_tie (then the answer that was drawn first
        wins); draws, tokens_out, usd spent; correct (null where not known or abstained).

    Raises:
        ConfigError: A model has no weight, or a threshold is outside [0, 1].
        DataError: A column is missing, or a score is negative or not a number.
    """
    for name, value in (("min_share", min_share), ("min_margin", min_margin)):
        if not 0 <= value <= 1:
            raise ConfigError(f"`{name}` is a share of votes", f"{value}", "give a number from 0 to 1")
    frame = _with_votes(pool, weights, score)
    totals = _totals(frame, rule)
    place = pl.struct(-pl.col("votes"), "first").rank("ordinal").over("problem_id")
    next_votes = pl.col("votes").filter(place == 2).sum().over("problem_id")
    cast = pl.col("votes").sum().over("problem_id")
    winner = totals.with_columns(_place=place, _next=next_votes, _cast=cast).filter(pl.col("_place") == 1)
    spent = frame.group_by("problem_id", maintain_order=True).agg(
        draws=pl.len(), _all=pl.col("_vote").sum(), **_spending()
    )
    chosen = spent.join(winner, on="problem_id", how="left", maintain_order="left")
    # A share of the votes that could have been cast: draws without an answer count with the weight they have.
    whole = pl.col("_all") if rule == "sum" else pl.col("_cast")
    chosen = chosen.with_columns(
        share=(pl.col("votes") / whole).fill_null(0.0).fill_nan(0.0),
        margin=((pl.col("votes") - pl.col("_next")) / whole).fill_null(0.0).fill_nan(0.0),
        is_tie=(pl.col("votes") == pl.col("_next")).fill_null(value=False),
    )
    is_given = (pl.col("share") >= min_share) & (pl.col("margin") >= min_margin) & pl.col("answer").is_not_null()
    blank = [pl.when(is_given).then(pl.col(name)).otherwise(None).alias(name) for name in ("answer", "correct")]
    columns = ["problem_id", "answer", "share", "margin", "is_tie", "draws", "tokens_out", "usd", "correct"]
    return chosen.with_columns(blank).select(columns)


def accuracy(votes: pl.DataFrame, *, level: float = 0.95) -> Estimate:
    """Share of chosen answers that are right, over the problems where one was chosen and the truth is known.

    Raises:
        DataError: There is no such problem.
    """
    known = votes["correct"].drop_nulls()
    if known.is_empty():
        raise DataError("no chosen answer whose truth is known", f"{votes.height} problems", "lower the thresholds")
    return share(known.to_numpy(), level=level)


def labelled_by_vote(pool: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """The pool with `correct` set to whether a draw gave the chosen answer; null where the vote abstained.

    This lets `curate` filter a pool that has no gold answers. What was called correct is then right only as often as
    the vote is: measure that on some problems with gold first.
    """
    chosen = votes.select("problem_id", _chosen="answer")
    joined = pool.join(chosen, on="problem_id", how="left", maintain_order="left")
    agrees = (pl.col("answer") == pl.col("_chosen")).fill_null(value=False)
    return joined.with_columns(correct=pl.when(pl.col("_chosen").is_not_null()).then(agrees)).select(
        [*pool.columns, *([] if "correct" in pool.columns else ["correct"])]
    )


def vote_curve(
    pool: pl.DataFrame,
    ks: Iterable[int],
    *,
    rng_seed: int,
    weights: Mapping[str, float] | None = None,
    score: str | None = None,
    rule: Rule = "sum",
) -> list[VotePoint]:
    """Accuracy of the vote among k draws, beside the coverage of the same k: what choosing without gold loses.

    Each problem's chance is averaged over `SUBSETS` random subsets of k of its draws, which is unbiased for any k up
    to the number drawn; ties are split evenly. Coverage is exact.

    Args:
        pool: As for `vote`, with `correct` known for every draw; each problem drawn at least max(ks) times.
        ks: Draws a problem.
        rng_seed: Decides the subsets.
        weights: As for `vote`.
        score: As for `vote`.
        rule: As for `vote`.

    Returns:
        One point for each k, in their order, with intervals over problems.

    Raises:
        DataError: A problem has fewer than max(ks) draws, or a draw whose truth is not known.
    """
    wanted = list(ks)
    frame = _with_votes(pool, weights, score)
    _check_curve(frame, wanted)
    problems = frame.group_by("problem_id", maintain_order=True).agg("answer", "_vote", "correct")
    n = problems["_vote"].list.len().to_numpy()
    c = problems["correct"].list.eval(pl.element().cast(pl.Int64)).list.sum().to_numpy()
    chances = np.empty((problems.height, len(wanted)))
    for row, (identity, answers, votes, correct) in enumerate(problems.iter_rows()):
        ballot = _Ballot(answers, votes, correct)
        rng = stream(rng_seed, "subsets of draws", str(identity))
        chances[row] = [ballot.chance(k, rule, rng) for k in wanted]
    return [VotePoint(k, mean_over_problems(chances[:, column]), coverage(n, c, k)) for column, k in enumerate(wanted)]


class _Ballot:
    """One problem's draws, grouped: draws with the same answer and the same vote cannot be told apart."""

    def __init__(self, answers: list[str | None], votes: list[float], correct: list[bool]) -> None:
        kinds = sorted({(answer or "", vote) for answer, vote in zip(answers, votes, strict=True)})
        names = sorted({answer for answer, vote in kinds})
        place = {kind: index for index, kind in enumerate(kinds)}
        codes = [place[answer or "", vote] for answer, vote in zip(answers, votes, strict=True)]
        self.counts = np.bincount(codes, minlength=len(kinds))
        self.votes = np.array([vote for _, vote in kinds], dtype=np.float64)
        self.owner = np.array([names.index(answer) for answer, _ in kinds])
        self.is_answer = np.array([name != "" for name in names])
        of_answer = np.bincount(self.owner[codes], minlength=len(names))
        right = np.bincount(self.owner[codes], weights=np.array(correct, dtype=np.float64), minlength=len(names))
        self.right = right / of_answer

    def chance(self, k: int, rule: Rule, rng: np.random.Generator) -> float:
        """Chance that the answer chosen among k of the draws is right."""
        if not self.right[self.is_answer].any():
            return 0.0
        is_whole = k == int(self.counts.sum())
        drawn = self.counts[None] if is_whole else rng.multivariate_hypergeometric(self.counts, k, size=SUBSETS)
        heard = np.zeros((len(drawn), len(self.right)))
        each = drawn * self.votes if rule == "sum" else (drawn > 0) * self.votes
        for kind, owner in enumerate(self.owner):
            if rule == "sum":
                heard[:, owner] += each[:, kind]
            else:
                heard[:, owner] = np.maximum(heard[:, owner], each[:, kind])
        heard = heard * self.is_answer
        top = heard.max(axis=1, keepdims=True)
        is_top = (heard >= top * (1 - 1e-12)) & (top > 0)
        return float(((is_top * self.right).sum(axis=1) / np.maximum(is_top.sum(axis=1), 1)).mean())


def _with_votes(pool: pl.DataFrame, weights: Mapping[str, float] | None, score: str | None) -> pl.DataFrame:
    needed = ["problem_id", "model", "draw", "answer", *([score] if score else [])]
    if missing := [column for column in needed if column not in pool.columns]:
        raise DataError("the pool lacks columns", f"missing {missing}", f"a vote needs {', '.join(needed)}")
    worth = pl.lit(1.0)
    if weights is not None:
        unknown = sorted(set(pool["model"].unique()) - set(weights))
        if unknown or any(not weight >= 0 for weight in weights.values()):
            raise ConfigError(
                "every model needs a weight of 0 or more", f"{dict(weights)}, no weight for {unknown}", ""
            )
        worth = pl.col("model").replace_strict(dict(weights), return_dtype=pl.Float64)
    if score is not None:
        scores = pool[score].cast(pl.Float64)
        if scores.is_nan().any() or (scores < 0).any():
            raise DataError(f"a score in `{score}` is no vote", f"lowest {scores.min()!r}", "scores are 0 or more")
        worth = worth * pl.col(score).cast(pl.Float64).fill_null(0.0)
    missing_columns = {"correct": pl.Boolean, "tokens_out": pl.Int64, "usd": pl.Float64}
    added = [pl.lit(None, dtype=kind).alias(name) for name, kind in missing_columns.items() if name not in pool.columns]
    return pool.with_columns(*added, _vote=worth)


def _totals(frame: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    if rule not in ("sum", "best"):
        raise ConfigError("a vote is counted in two ways", repr(rule), 'say "sum" or "best"')
    votes = pl.col("_vote").sum() if rule == "sum" else pl.col("_vote").max()
    # Correct is a property of the answer; where spellings were not made one, the majority of its rows decides.
    correct = pl.col("correct").cast(pl.Float64).mean() >= 0.5
    answered = frame.filter(pl.col("answer").is_not_null() & (pl.col("_vote") > 0)).sort("draw", "model")
    answered = answered.with_row_index("_order")
    totals = answered.group_by("problem_id", "answer").agg(votes=votes, first=pl.col("_order").min(), correct=correct)
    return totals.sort("problem_id", "answer")


def _spending() -> dict[str, Any]:
    """What the draws cost; unknown where it is unknown for all of them."""
    return {
        name: pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).otherwise(None).alias(name)
        for name in ("tokens_out", "usd")
    }


def _check_curve(frame: pl.DataFrame, ks: list[int]) -> None:
    fewest = int(frame.group_by("problem_id").len()["len"].to_numpy().min(initial=frame.height))
    if not ks or min(ks) < 1 or max(ks) > fewest:
        raise DataError(
            "each k lies between 1 and the number of draws of every problem",
            f"ks {ks}, fewest draws {fewest!r}",
            "ask for smaller k, or leave out problems with few draws",
        )
    if unknown := frame["correct"].null_count():
        raise DataError("a curve needs to know which draws are right", f"{unknown} are not known", "use `vote` instead")
