"""Hide known defects among rows, with the key held apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from seedbed.errors import ConfigError, DataError, boundary
from seedbed.fingerprint import fingerprint
from seedbed.inspection.tamper.edits import Check, Edit, Operator
from seedbed.randomness import stream

KEY = {
    "id": pl.String(),
    "was_id": pl.String(),
    "defect": pl.String(),
    "was": pl.String(),
    "now": pl.String(),
    "at": pl.Int64(),
}
TRIES = 12
"""Edits of one type tried on one row; a check may run a program each time."""


@dataclass(frozen=True)
class Planted:
    """Rows with tampered copies among them."""

    rows: pl.DataFrame
    """All rows in random order under new ids; nothing in them tells a copy from an original. Verifiers see these."""
    key: pl.DataFrame
    """id, was_id, defect, was, now, at: one row for each of `rows`; defect is null where nothing was changed."""
    short: dict[str, int]
    """Defect to how many were wanted and could not be made."""


def plant(
    rows: pl.DataFrame,
    operators: Sequence[Operator],
    *,
    column: str,
    share: float,
    rng_seed: int = 0,
    is_still_right: Check | None = None,
) -> Planted:
    """Rows with tampered copies hidden among them, types of defect in equal numbers, and the key to them.

    What verifiers find of planted defects is a first guess at what they find of natural ones and no more: people and
    models err in other ways, and mostly where it is hard to see. Use the result as a weak prior, and correct it with
    rows that a human read. Rows that were wrong before may be chosen too; they are then wrong twice. A verifier that
    compares rows with one another sees a copy beside its original: show such a verifier the copies alone.

    Args:
        rows: Any rows with a unique `id`.
        operators: Ways to tamper, such as `SOLUTIONS`, `PROSE`, `PROGRAMS` or `[flip(labels)]`.
        column: Column that is tampered with; rows where it is null are passed over.
        share: Copies as a fraction of the rows, in (0, 1].
        rng_seed: Decides rows, places and order.
        is_still_right: (original, tampered) -> True where the change does no harm; the edit is then thrown away.
            Required for programs, where it runs both.

    Raises:
        ConfigError: No operator, a share outside (0, 1], or operators that need a check without one.
        DataError: No such column, or ids that occur twice.
        BoundaryError: `is_still_right` failed.

    Source:
        McAleese et al. 2024, LLM Critics Help Catch LLM Bugs, arXiv:2407.00215 (tampering). Differs: operators in
        place of people, and several types of row.
    """
    _check(rows, operators, column, share, is_still_right)
    rng = stream(rng_seed, "plant", column)
    total = max(1, round(share * rows.height))
    want = Counter({one.defect: 0 for one in operators})
    for number in range(total):
        want[operators[number % len(operators)].defect] += 1
    texts = rows[column].to_list()
    found: list[tuple[int, str, Edit]] = []
    for at in rng.permutation(rows.height):
        wanted = sorted((one for one in operators if want[one.defect] > 0), key=lambda one: -want[one.defect])
        if not wanted:
            break
        if texts[at] is not None and (made := _tampered(str(texts[at]), wanted, rng, is_still_right)) is not None:
            defect, edit = made
            want[defect] -= 1
            found.append((int(at), defect, edit))
    return _hidden(rows, column, found, {name: left for name, left in want.items() if left}, rng_seed)


def _tampered(
    text: str, operators: Sequence[Operator], rng: np.random.Generator, is_still_right: Check | None
) -> tuple[str, Edit] | None:
    """The first edit that is real, of the type that is wanted most."""
    for operator in operators:
        for _, edit in zip(range(TRIES), operator.candidates(text, rng), strict=False):
            if edit.text == text:
                continue
            if is_still_right is None:
                return operator.defect, edit
            with boundary("the check of a planted defect", "make is_still_right answer for any text"):
                right = is_still_right(text, edit.text)
            if not right:
                return operator.defect, edit
    return None


def _hidden(
    rows: pl.DataFrame, column: str, found: Sequence[tuple[int, str, Edit]], short: dict[str, int], rng_seed: int
) -> Planted:
    """Copies and originals in random order. All ids are new: an id of another make would give a copy away."""
    places = [at for at, _, _ in found]
    copies = rows[places].with_columns(
        pl.Series(column, [edit.text for _, _, edit in found], dtype=rows.schema[column])
    )
    both = pl.concat([rows, copies])
    was_id = both["id"].to_list()
    defects = [None] * rows.height + [defect for _, defect, _ in found]
    edits = [None] * rows.height + [edit for _, _, edit in found]
    ids = [fingerprint(["planted", rng_seed, old, defect]) for old, defect in zip(was_id, defects, strict=True)]
    key = pl.DataFrame(
        {
            "id": ids,
            "was_id": was_id,
            "defect": defects,
            "was": [edit and edit.was for edit in edits],
            "now": [edit and edit.now for edit in edits],
            "at": [edit and edit.at for edit in edits],
        },
        schema=KEY,
    )
    order = stream(rng_seed, "plant", "order").permutation(both.height)
    return Planted(both.with_columns(pl.Series("id", ids))[order], key[order], short)


def _check(
    rows: pl.DataFrame, operators: Sequence[Operator], column: str, share: float, is_still_right: Check | None
) -> None:
    if not operators or not 0 < share <= 1:
        seen = f"{len(operators)} operators, share {share}"
        raise ConfigError(
            "planting needs operators and a share in (0, 1]", seen, "give SOLUTIONS and 0.05, for example"
        )
    unchecked = [one.defect for one in operators if one.needs_check]
    if unchecked and is_still_right is None:
        raise ConfigError(
            "some changes may leave a row right, so each has to be checked",
            f"{unchecked} without is_still_right",
            "give a function that runs the original and the tampered program and compares what they do",
        )
    if missing := [name for name in ("id", column) if name not in rows.columns]:
        raise DataError("rows lack a column", f"missing {missing}; found {rows.columns}", "name a column that is there")
    if rows.schema[column] != pl.String() or rows["id"].n_unique() != rows.height:
        seen = f"{column} is {rows.schema[column]}; {rows['id'].n_unique()} ids for {rows.height} rows"
        raise DataError("planting needs a text column and an id for each row", seen, "make ids unique, cast the column")
