"""From a pool of sampled solutions to the rows worth training on, with a reason for every row that is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import ConfigError, DataError
from seedbed.fingerprint import fingerprint

Sound = Literal["any", "not known bad", "known good"]
Balance = Literal["none", "flatter", "equal"]

KEPT, REJECTED, FAILED = "kept", "rejected", "failed"
BINS = 4
"""Bins of difficulty: problems solved in up to a quarter of the draws, up to a half, up to three quarters, more."""

_NEEDED = ("problem_id", "model", "draw", "text", "answer", "correct", "key", "sound")


def curate(
    pool: pl.DataFrame,
    *,
    per_problem: int | None = None,
    distinct: bool = True,
    sound: Sound = "not known bad",
    balance: Balance = "none",
    rng_seed: int,
    verified: bool = True,
) -> pl.DataFrame:
    """The pool with `status` and `why`: which rows are kept, and why each other is not. Counts add up to the pool.

    The filters apply in this order, and the first that a row fails is its reason: no text (a failed request), no
    answer, wrong answer, unsound steps, copy of another solution, more than `per_problem`, difficulty bin full.
    Which copy stays and which rows a cap keeps is random in `rng_seed`, independent for each row: the order of the
    pool does not matter, and rows added to it move no other row's luck. Random, because preferring short or long
    solutions would teach a length. With copies allowed, a cap still takes different solutions before copies.

    Args:
        pool: One row per draw with problem_id, model, draw, text, answer, correct, key, sound; other columns stay.
            `correct` may be null where neither gold nor a vote says. A null `key` is no copy of anything.
        per_problem: Rows kept per problem, at least 1; None keeps all.
        distinct: Keep one row of each (problem, key), whichever model wrote it.
        sound: "known good" drops what could not be checked too; "any" keeps right answers by wrong steps.
        balance: Equalise the kept rows over `BINS` bins of the problem's solve rate (correct draws by all draws in
            the pool). "equal" cuts each bin to the smallest that has rows, "flatter" to the median bin.
        rng_seed: Decides which copies and surplus rows go.
        verified: False keeps wrong answers too: the unfiltered pool that a filter is compared with.

    Returns:
        The pool's rows in their order, with `status` ("kept", "rejected", "failed" where there is no text) and `why`
        (null where kept).

    Raises:
        ConfigError: `per_problem` below 1, or an unknown word for `sound` or `balance`.
        DataError: A column is missing, or (problem_id, model, draw) names two rows.
    """
    _check(pool, per_problem, sound, balance)
    frame = pool.with_columns(_luck=pl.Series(luck(pool, rng_seed), dtype=pl.UInt64))
    frame = frame.with_columns(why=_first_reason(sound, verified))
    frame = frame.with_columns(_copy=_rank(["problem_id", "key"], ["_luck"]))
    if distinct:
        is_copy = pl.col("key").is_not_null() & (pl.col("_copy") > 0)
        frame = _reject(frame, is_copy, "same solution as another row")
    if per_problem is not None:
        copy = pl.when(pl.col("key").is_null()).then(0).otherwise(pl.col("_copy"))
        frame = frame.with_columns(_copy=copy)
        frame = _reject(
            frame, _rank(["problem_id"], ["_copy", "_luck"]) >= per_problem, f"beyond {per_problem} a problem"
        )
    if balance != "none":
        frame = _balanced(frame, balance)
    status = pl.when(pl.col("why").is_null()).then(pl.lit(KEPT)).when(pl.col("text").is_null()).then(pl.lit(FAILED))
    return frame.with_columns(status=status.otherwise(pl.lit(REJECTED))).select(*pool.columns, "status", "why")


def equal_numbers(
    pools: Mapping[str, pl.DataFrame], *, by: Literal["total", "problem"] = "total", rng_seed: int
) -> dict[str, pl.DataFrame]:
    """The same pools with as many kept rows in each, so that students differ by what they read and not how much.

    Args:
        pools: Curated pools by name.
        by: "total" cuts all to the smallest number of kept rows; "problem" does so within each problem (a problem that
            one pool lacks is then lost to all), which also keeps difficulty alike.
        rng_seed: Decides which surplus rows go.

    Returns:
        The pools with surplus rows rejected, "more than the other pool has".

    Raises:
        ConfigError: An unknown word for `by`.
        DataError: A pool has not been through `curate`.
    """
    if by not in ("total", "problem"):
        raise ConfigError("numbers are equal in total or by problem", repr(by), 'say "total" or "problem"')
    for name, pool in pools.items():
        _need(pool, ("problem_id", "model", "draw", "status", "why"), f"pool {name}")
    groups = ["problem_id"] if by == "problem" else []
    kept = [_kept_counts(pool, groups) for pool in pools.values()]
    if groups:
        whole = pl.concat(kept).group_by("problem_id").agg(pl.col("rows").min(), pl.len().alias("pools"))
        least = whole.with_columns(rows=pl.when(pl.col("pools") < len(pools)).then(0).otherwise(pl.col("rows")))
    else:
        least = pl.concat(kept).select(pl.col("rows").min())
    return {name: _cut(pool, least, groups, rng_seed) for name, pool in pools.items()}


def counts(curated: pl.DataFrame) -> pl.DataFrame:
    """Rows by `status` and `why`, most first; `rows` adds up to the pool."""
    tally = curated.group_by("status", "why").agg(rows=pl.len())
    return tally.sort(["rows", "status", "why"], descending=[True, False, False])


def luck(pool: pl.DataFrame, rng_seed: int) -> NDArray[np.uint64]:
    """A random number of each row's own, from its problem, model, draw and `rng_seed` only.

    Returns:
        (n,) unsigned 64-bit integers; lower comes first.
    """
    with np.errstate(over="ignore"):
        seeds = _mixed(pool["draw"].to_numpy().astype(np.uint64))
        for column in ("problem_id", "model"):
            seeds = _mixed(seeds ^ _hashed(pool[column].cast(pl.String), rng_seed))
    return seeds


def _check(pool: pl.DataFrame, per_problem: int | None, sound: str, balance: str) -> None:
    if per_problem is not None and per_problem < 1:
        raise ConfigError("a cap keeps at least one row of a problem", f"per_problem {per_problem}", "None keeps all")
    for name, word, words in (
        ("sound", sound, ("any", "not known bad", "known good")),
        ("balance", balance, ("none", "flatter", "equal")),
    ):
        if word not in words:
            raise ConfigError(f"`{name}` has no such value", repr(word), f"one of {', '.join(words)}")
    _need(pool, _NEEDED, "the pool")
    doubled = pool.height - pool.select("problem_id", "model", "draw").n_unique() if pool.height else 0
    if doubled:
        raise DataError(
            "(problem_id, model, draw) must name one row",
            f"{doubled} rows of {pool.height} repeat another",
            "number the draws of each problem and model from 0",
        )


def _need(pool: pl.DataFrame, columns: Sequence[str], what: str) -> None:
    if missing := [column for column in columns if column not in pool.columns]:
        raise DataError(f"{what} lacks columns", f"missing {missing}, found {pool.columns}", "see the pool's columns")


def _first_reason(sound: Sound, verified: bool) -> pl.Expr:
    # A column of nothing but nulls has no type of its own.
    correct, checked = pl.col("correct").cast(pl.Boolean), pl.col("sound").cast(pl.Boolean)
    found = [(pl.col("text").is_null(), "no text")]
    if verified:
        found.append((pl.col("answer").is_null() & ~correct.fill_null(value=False), "no answer"))
        found += [(correct.is_null(), "answer not verified"), (~correct, "wrong answer")]
    if sound != "any":
        found.append((~checked, "unsound steps"))
    if sound == "known good":
        found.append((checked.is_null(), "steps not checked"))
    return pl.coalesce(pl.when(condition).then(pl.lit(reason)) for condition, reason in found)


def _rank(groups: list[str], order: list[str]) -> pl.Expr:
    """Place of each row among those still kept in its group, from 0; the others come after them."""
    place = pl.struct(pl.col("why").is_not_null(), *order).rank("ordinal")
    return (place.over(groups) - 1).cast(pl.Int64)


def _reject(frame: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
    is_hit = pl.col("why").is_null() & condition
    return frame.with_columns(why=pl.when(is_hit).then(pl.lit(reason)).otherwise(pl.col("why")))


def _balanced(frame: pl.DataFrame, balance: Balance) -> pl.DataFrame:
    rate = pl.col("correct").fill_null(value=False).mean().over("problem_id")
    # A rate of exactly a quarter is in the first bin; one of zero too, where wrong answers are kept.
    frame = frame.with_columns(_bin=((rate * BINS).ceil().cast(pl.Int64) - 1).clip(0, BINS - 1))
    sizes = frame.filter(pl.col("why").is_null()).group_by("_bin").len()["len"].to_numpy()
    if not len(sizes):
        return frame
    most = int(np.floor(np.median(sizes)) if balance == "flatter" else sizes.min())
    frame = frame.with_columns(_in_bin=_rank(["_bin"], ["_luck"]))
    return _reject(frame, pl.col("_in_bin") >= most, "difficulty bin is full")


def _kept_counts(pool: pl.DataFrame, groups: list[str]) -> pl.DataFrame:
    kept = pool.filter(pl.col("status") == KEPT)
    return kept.group_by(groups).agg(rows=pl.len()) if groups else kept.select(rows=pl.len())


def _cut(pool: pl.DataFrame, least: pl.DataFrame, groups: list[str], rng_seed: int) -> pl.DataFrame:
    frame = pool.with_columns(_luck=pl.Series(luck(pool, rng_seed), dtype=pl.UInt64), _all=pl.lit(value=True))
    frame = frame.with_columns(_place=_rank(groups or ["_all"], ["_luck"]))
    if groups:
        frame = frame.join(least.select(*groups, _most="rows"), on=groups, how="left", maintain_order="left")
    else:
        frame = frame.with_columns(_most=pl.lit(least.item()))
    frame = _reject(frame, pl.col("_place") >= pl.col("_most").fill_null(0), "more than the other pool has")
    status = pl.when(pl.col("why").is_not_null() & (pl.col("status") == KEPT)).then(pl.lit(REJECTED))
    return frame.with_columns(status=status.otherwise(pl.col("status"))).select(pool.columns)


def _hashed(column: pl.Series, rng_seed: int) -> NDArray[np.uint64]:
    """A number for each value, from a cryptographic hash of the different ones."""
    values = column.unique()
    codes = {value: int(fingerprint([rng_seed, column.name, value], digits=16), 16) for value in values}
    hashes = pl.Series([codes[value] for value in values], dtype=pl.UInt64)
    return column.replace_strict(values, hashes, return_dtype=pl.UInt64).to_numpy()


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit in moves every bit out."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
