"""What a user declares about a table: which columns are evidence, what the labels say, what is wanted of the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import polars as pl

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.votes import Kind, Voter, Votes

KINDS: tuple[str, ...] = get_args(Kind)
BOOL = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


@dataclass(frozen=True)
class Target:
    """At most `alpha` of what is kept is bad, at risk `delta` that it is not so."""

    alpha: float
    delta: float

    @classmethod
    def read(cls, text: str) -> Target:
        """Read a target as people write it.

        Raises:
            ConfigError: It is written otherwise, or a rate is outside (0, 100) per cent.

        >>> Target.read("defects <= 2% at 95%")
        Target(alpha=0.02, delta=0.05)
        """
        number = r"(\d+(?:\.\d+)?)\s*%"
        found = re.fullmatch(rf"\s*defects\s*<=\s*{number}\s+at\s+{number}\s*", text)
        alpha, sure = (float(part) / 100 for part in found.groups()) if found else (0.0, 0.0)
        if not (0 < alpha < 1 and 0 < sure < 1):
            raise ConfigError("the target cannot be read", repr(text), 'write it like "defects <= 2% at 95%"')
        return cls(round(alpha, 12), round(1 - sure, 12))


def read_voter(text: str) -> Voter:
    """Read `COLUMN=KIND` or `COLUMN=KIND:FAMILY`.

    Raises:
        ConfigError: It is written otherwise, or the kind is unknown.

    >>> read_voter("gpt_says=judge:gpt")
    Voter(name='gpt_says', kind='judge', family='gpt')
    """
    column, equals, rest = text.rpartition("=")
    kind, _, family = rest.partition(":")
    if not (column and equals) or kind not in KINDS:
        fix = f"write COLUMN=KIND[:FAMILY]; kinds: {', '.join(KINDS)}"
        raise ConfigError("evidence cannot be read", repr(text), fix)
    return Voter(column, kind, family or None)  # type: ignore[arg-type]  # checked against the kinds above


def read_votes(rows: pl.DataFrame, evidence: Sequence[Voter]) -> Votes:
    """Votes of the declared columns: 1 or true is good, 0 or false is bad, empty is an abstention.

    Raises:
        ConfigError: No evidence, or a column declared twice.
        DataError: A column is not there, or holds another value.
    """
    names = [voter.name for voter in evidence]
    if not names or len(set(names)) < len(names):
        raise ConfigError("evidence is one or more columns, each once", f"{names}", "declare COLUMN=KIND for each")
    if missing := [name for name in names if name not in rows.columns]:
        raise DataError("evidence columns are not in the rows", f"{missing}; found {rows.columns}", "check the names")
    said = np.stack([_read_bits(rows[name]) for name in names], axis=1)
    return Votes.of_columns(said, 2, evidence)


def read_labels(table: pl.DataFrame) -> dict[str, bool]:
    """Row id to whether a reader found it good: from the columns `id` and `good`, or from the labels of an audit.

    Raises:
        DataError: A column is missing, a row is labelled twice, a label is neither true nor false, or an audit drew
            some rows rather than others because it looked for bad ones.
    """
    if {"row", "label", "turn"} <= set(table.columns):
        table = _of_audit(table)
    if missing := [name for name in ("id", "good") if name not in table.columns]:
        raise DataError("labels need the columns `id` and `good`", f"no {missing} in {table.columns}", "rename them")
    ids = table["id"].cast(pl.String).to_list()
    good = _read_bits(table["good"])
    if unread := int((good < 0).sum()):
        seen = f"{unread} empty, first for id {ids[int((good < 0).argmax())]!r}"
        raise DataError("a label is 1 or 0", seen, "leave out rows that nobody judged")
    if len(set(ids)) < len(ids):
        raise DataError("rows are labelled twice", f"{len(ids) - len(set(ids))} repeats", "settle double reads first")
    return dict(zip(ids, (good == 1).tolist(), strict=True))


def _of_audit(table: pl.DataFrame) -> pl.DataFrame:
    """The label of each row that counts, the adjudicated one or else the first, of an audit's JSONL or CSV."""
    read = table.filter(pl.col("label").is_in(["good", "bad"]) & pl.col("turn").is_in(["first", "adjudicated"]))
    if "least" in read.columns:
        uneven = read.filter(pl.col("least").cast(pl.Float64) < 1 - 1e-6).height
        if uneven:
            fix = "read with `seedbed audit` to estimate and without --p-good for labels that certify"
            raise DataError("labels that certify are drawn evenly", f"{uneven} of {read.height} were not", fix)
    # "adjudicated" sorts before "first".
    standing = read.sort("turn").unique("row", keep="first", maintain_order=True)
    return standing.select(id="row", good=pl.col("label") == "good")


def _read_bits(column: pl.Series) -> np.ndarray:
    """(N,) 1, 0, or -1 where nothing stands."""
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
    bits = text.replace_strict({**BOOL, "": -1}, default=-2, return_dtype=pl.Int64).to_numpy()
    if (bits == -2).any():
        first = int((bits == -2).argmax())
        seen = f"{column[first]!r} at row {first + 1}, {int((bits == -2).sum())} such values"
        raise DataError(f"column `{column.name}` holds more than 1, 0 and empty", seen, "1 good, 0 bad, empty: no word")
    return np.asarray(bits)
