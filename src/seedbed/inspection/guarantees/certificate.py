"""A certified defect rate as a file that anybody who has the rows and the labels can check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seedbed.errors import DataError
from seedbed.inspection.guarantees.binomial import Floats
from seedbed.inspection.guarantees.planning import Pilot, Plan, plan_selection
from seedbed.inspection.guarantees.selection import Selection, decide, draw, order_rows

METHOD = "fixed-sequence test of nested sets in two strata, exact, version 1"
NO_NUMBER = -1
"""`more_labels` where no number of labels would do with these scores."""


@dataclass(frozen=True)
class Certificate:
    """What was certified, or that nothing was; everything in it follows from rows, labels and the settings in it."""

    statement: str
    is_certified: bool
    method: str
    n: int
    """Labels that were planned for the certificate, the pilot's not among them."""
    alpha: float
    delta: float
    rng_seed: int
    score: str
    """Column with the log-odds that each row is bad."""
    pilot: tuple[str, ...]
    """Rows whose labels steered the plan."""
    n_rows: int
    n_kept: int
    more_labels: int
    rows_sha256: str
    labels_sha256: str
    kept_sha256: str
    plan: dict[str, Any]
    tests: tuple[dict[str, Any], ...]

    def write(self, path: Path) -> Path:
        """Write it as JSON and return the path."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Read what `write` wrote.

        Raises:
            DataError: The file is no certificate.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            found["pilot"], found["tests"] = tuple(map(str, found["pilot"])), tuple(map(_tupled, found["tests"]))
            found["plan"] = _tupled(found["plan"])
            if set(found) != {field.name for field in fields(cls)}:
                raise DataError("fields are missing or unknown", ", ".join(sorted(found)))
            return cls(**found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            seen = f"{type(error).__name__}: {error}"
            raise DataError(f"{path} is not a certificate", seen, "give the file that certify wrote") from error


@dataclass(frozen=True)
class Check:
    """One thing that a certificate says, and whether it holds."""

    what: str
    holds: bool
    detail: str = ""


@dataclass(frozen=True)
class Setting:
    """What is decided before the first label that certifies."""

    n: int
    alpha: float
    rng_seed: int
    delta: float = 0.05
    score: str = "log_odds"
    pilot: tuple[str, ...] = ()


def rows_to_label(rows: pl.DataFrame, setting: Setting, pilot_labels: Mapping[str, bool] | None = None) -> list[str]:
    """Ids of the rows whose labels certify, best row first; the sequence may end before the last of them.

    Args:
        rows: Columns `id` and the score; others are carried along. Their order does not matter.
        setting: Decides the rows together with the scores.
        pilot_labels: Whether each row of the pilot is bad.

    Raises:
        ConfigError: Too few labels for this alpha.
        DataError: Ids are not unique, a score is missing, or a pilot row is not labelled.
    """
    table = _Table(rows, setting, pilot_labels or {})
    return [table.ids[row] for row in table.drawn.tolist()]


def certify(rows: pl.DataFrame, labels: Mapping[str, bool], setting: Setting) -> tuple[Certificate, list[str]]:
    """Certify the largest set that passes, or say that none does and how many labels it would about take.

    The setting has to be fixed before the labels are seen: a seed chosen because its draw went well is a lie that no
    file can show. The labels are taken for the truth; a reader's own mistakes are not in the risk.

    Args:
        rows: Columns `id` and the score (log-odds that the row is bad, made without the labels that certify).
        labels: Id to whether the row is bad: those of `rows_to_label`, and the pilot's.
        setting: As given to `rows_to_label`.

    Returns:
        The certificate, and the ids of the rows to keep, best first.

    Raises:
        ConfigError: Too few labels for this alpha.
        DataError: Ids are not unique, a score is missing, or labels are missing without which nothing can be decided.
    """
    table = _Table(rows, setting, labels)
    bad = {table.row[key]: bool(value) for key, value in labels.items() if key in table.row}
    found = decide(table.plan, table.order, table.drawn, bad, table.pilot)
    if len(found.missing) and not found.is_certified:
        names = [table.ids[row] for row in found.missing[:3].tolist()]
        raise DataError(
            "labels are missing", f"{len(found.missing)} rows, such as {names}", "label the rows of rows_to_label"
        )
    kept = [table.ids[row] for row in found.kept.tolist()]
    more = NO_NUMBER if found.more_labels is None else found.more_labels
    certificate = Certificate(
        statement=_statement(found, setting, rows.height),
        is_certified=found.is_certified,
        method=METHOD,
        **{name: getattr(setting, name) for name in ("n", "alpha", "delta", "rng_seed", "score", "pilot")},
        n_rows=rows.height,
        n_kept=len(kept),
        more_labels=more,
        rows_sha256=hash_rows(rows),
        labels_sha256=hash_labels(labels),
        kept_sha256=_hash(sorted(kept)),
        plan=_tupled(asdict(table.plan)),
        tests=tuple(asdict(test) for test in found.tested),
    )
    return certificate, kept


def verify(certificate: Certificate, rows: pl.DataFrame, labels: Mapping[str, bool]) -> list[Check]:
    """Make the certificate anew from rows and labels, and compare it with what the file says.

    Args:
        certificate: As read.
        rows: The rows it speaks of.
        labels: The labels it rests on.

    Returns:
        One check for each part; it is good only where all of them hold.
    """
    same_rows = certificate.rows_sha256 == hash_rows(rows)
    same_labels = certificate.labels_sha256 == hash_labels(labels)
    checks = [
        Check("rows", same_rows, "" if same_rows else "the rows are not the ones that were certified"),
        Check("labels", same_labels, "" if same_labels else "the labels are not the ones it rests on"),
    ]
    setting = Setting(
        certificate.n, certificate.alpha, certificate.rng_seed, certificate.delta, certificate.score, certificate.pilot
    )
    try:
        anew, _ = certify(rows, labels, setting)
    except (DataError, ValueError) as error:
        return [*checks, Check("recomputed", False, str(error))]
    for name in (
        "method",
        "plan",
        "tests",
        "is_certified",
        "statement",
        "n_rows",
        "n_kept",
        "kept_sha256",
        "more_labels",
    ):
        said, is_now = getattr(certificate, name), getattr(anew, name)
        holds = _close(said, is_now)
        checks.append(Check(name, holds, "" if holds else f"says {_short(said)}, recomputed {_short(is_now)}"))
    return checks


def read_rows(path: Path) -> pl.DataFrame:
    """Rows from Parquet, JSONL or CSV; `id` as text.

    Raises:
        DataError: The file cannot be read, or has no column `id`.
    """
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": pl.read_parquet,
        ".jsonl": pl.read_ndjson,
        ".csv": pl.read_csv,
    }
    try:
        table = readers[path.suffix](path)
    except (OSError, KeyError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot read {path}", f"{error}", "give a .parquet, .jsonl or .csv file") from error
    if "id" not in table.columns:
        raise DataError(f"{path} has no column `id`", f"{table.columns}", "name each row in a column `id`")
    return table.with_columns(pl.col("id").cast(pl.String))


def read_labels(path: Path) -> dict[str, bool]:
    """Labels from a file with the columns `id` and `bad`.

    Raises:
        DataError: A column is missing, a row is labelled twice, or a label is neither true nor false.
    """
    table = read_rows(path)
    if "bad" not in table.columns:
        raise DataError(f"{path} has no column `bad`", f"{table.columns}", "say true or false for each labelled row")
    values = [_BOOL.get(str(value).lower()) for value in table["bad"].to_list()]
    ids = table["id"].to_list()
    if None in values or len(set(ids)) != len(ids):
        raise DataError(
            f"{path} needs one label, true or false, for each row",
            f"{values.count(None)} unreadable, {len(ids) - len(set(ids))} twice",
            "settle double reads first",
        )
    return dict(zip(ids, map(bool, values), strict=True))


_BOOL = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def hash_rows(rows: pl.DataFrame) -> str:
    """SHA-256 of all columns of all rows; their order does not matter."""
    names = sorted(rows.columns)
    lines = (json.dumps(line, ensure_ascii=False, default=str) for line in rows.select(names).iter_rows())
    return _hash([json.dumps(names), *sorted(lines)])


def hash_labels(labels: Mapping[str, bool]) -> str:
    """SHA-256 of the labels; their order does not matter."""
    return _hash(sorted(json.dumps([key, bool(value)], ensure_ascii=False) for key, value in labels.items()))


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


class _Table:
    """Rows sorted by id, and what the setting makes of them."""

    def __init__(self, rows: pl.DataFrame, setting: Setting, labels: Mapping[str, bool]) -> None:
        if "id" not in rows.columns or setting.score not in rows.columns or rows["id"].n_unique() != rows.height:
            raise DataError(
                f"rows need a unique `id` and a column `{setting.score}`", f"{rows.columns}", "name and score every row"
            )
        table = rows.select(pl.col("id").cast(pl.String), pl.col(setting.score).cast(pl.Float64)).sort("id")
        self.ids: list[str] = table["id"].to_list()
        self.row = {key: row for row, key in enumerate(self.ids)}
        scores: Floats = table[setting.score].fill_null(np.nan).to_numpy()
        if unknown := [key for key in setting.pilot if key not in self.row or key not in labels]:
            raise DataError("pilot rows without row or label", f"{unknown[:3]}", "give the pilot's labels too")
        pilot = tuple(self.row[key] for key in setting.pilot)
        self.pilot = Pilot(pilot, tuple(bool(labels[key]) for key in setting.pilot)) if pilot else None
        self.plan: Plan = plan_selection(scores, setting.n, setting.alpha, setting.delta, pilot=self.pilot)
        self.order = order_rows(scores, setting.rng_seed, self.pilot)
        self.drawn = draw(self.plan, self.order, setting.rng_seed)


def _statement(found: Selection, setting: Setting, n_rows: int) -> str:
    rate, sure = f"{setting.alpha:.3%}".replace(".000%", "%"), f"{1 - setting.delta:.0%}"
    if found.is_certified:
        return (
            f"Of the {len(found.kept):,} rows kept out of {n_rows:,}, at most {rate} are bad, with respect to the "
            f"reader of the labels; said at {sure} confidence."
        )
    reason = f"No set of rows with at most {rate} bad can be certified at {sure} confidence with these labels."
    if found.more_labels is None:
        return (
            f"{reason} No number of labels would do: the {found.among:,} best rows are estimated to hold as many bad "
            "rows as that or more. Better evidence is needed."
        )
    return f"{reason} It would take about {found.more_labels:,} new labels among the {found.among:,} best rows."


def _tupled(value: Any) -> Any:
    """Lists as tuples, so that what was read equals what was written."""
    if isinstance(value, Mapping):
        return {key: _tupled(item) for key, item in value.items()}
    return tuple(map(_tupled, value)) if isinstance(value, (list, tuple)) else value


def _close(said: Any, found: Any) -> bool:
    """Equal, but for the last digits of a float, which another machine may round otherwise."""
    if isinstance(said, float) and isinstance(found, float):
        return bool(np.isclose(said, found, rtol=1e-6, atol=1e-12))
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        return said.keys() == found.keys() and all(_close(said[key], found[key]) for key in said)
    if isinstance(said, tuple) and isinstance(found, tuple):
        return len(said) == len(found) and all(map(_close, said, found))
    return bool(said == found and type(said) is type(found))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
