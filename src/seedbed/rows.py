"""Rows: a Polars frame with declared columns. Ids, checks, reading and writing.

id       str        content hash; stable across machines
made_by  str        "gold" or the verb that asked for the row
parents  list[str]  ids of the rows it was made from (the mistake, the in-context examples)
round    int        0 for gold and seed rows, then 1, 2, ...
status   str        accepted, rejected, failed or pending; only accepted rows are trained on
why      str|null   "reason: detail" for every row that is not accepted
rationale str|null  the reasons the teacher was given
...                 the task's fields, then its target (`label` or `answer`)
solution  str|null  reasoning only: the steps that lead to the answer, or the program
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from seedbed.errors import DataError, boundary
from seedbed.fingerprint import fingerprint
from seedbed.task import Task

STATUSES = ("accepted", "rejected", "failed", "pending")


def schema(task: Task) -> dict[str, pl.DataType]:
    """Columns of a frame of rows of this task, in order."""
    text = pl.String()
    head = {"id": text, "made_by": text, "parents": pl.List(text), "round": pl.Int64(), "status": text, "why": text}
    return {**head, "rationale": text, **dict.fromkeys(dict.fromkeys((*task.columns, task.taught)), text)}


def frame(task: Task, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Build a frame with exactly the declared columns; what a record leaves out is null."""
    columns = schema(task)
    return pl.DataFrame([{name: record.get(name) for name in columns} for record in records], schema=columns)


def accepted(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that may be trained on."""
    return rows.filter(pl.col("status") == "accepted")


def teaching(task: Task, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that say what to write: gold of a reasoning task needs an answer only, and teaches with a solution."""
    return rows.filter(pl.col(task.taught).is_not_null())


def inputs(task: Task, rows: pl.DataFrame) -> list[tuple[str, ...]]:
    """What a student reads: one tuple per row with the task's fields in order."""
    return list(rows.select(task.fields).iter_rows())


def targets(task: Task, rows: pl.DataFrame) -> list[str]:
    """The right answers, one per row."""
    return rows[task.target].to_list()


def lessons(task: Task, rows: pl.DataFrame) -> tuple[list[tuple[str, ...]], list[str]]:
    """What a student is trained on: what it reads, and what it learns to write."""
    return inputs(task, rows), rows[task.taught].to_list()


def reject(rows: pl.DataFrame, reasons: Mapping[str, str]) -> pl.DataFrame:
    """Mark accepted rows as rejected, with who and why; a row that was not accepted keeps its first reason.

    Args:
        rows: Any frame of rows.
        reasons: Row id to "reason: detail".
    """
    why = pl.col("id").replace_strict(dict(reasons), default=None, return_dtype=pl.String)
    hit = (pl.col("status") == "accepted") & why.is_not_null()
    return rows.with_columns(
        pl.when(hit).then(pl.lit("rejected")).otherwise("status").alias("status"),
        pl.when(hit).then(why).otherwise("why").alias("why"),
    )


def account(rows: pl.DataFrame) -> dict[str, Any]:
    """Count what became of every row; the parts always add up to `requested`.

    Returns:
        requested, accepted, pending as int; rejected and failed as {reason: int}, most frequent first.
    """
    count = Counter(rows["status"].to_list())
    reasons: dict[str, Counter[str]] = {"rejected": Counter(), "failed": Counter()}
    for status, why in rows.select("status", "why").iter_rows():
        if status in reasons:
            reasons[status][(why or "no reason").split(":")[0]] += 1
    assert set(count) <= set(STATUSES)
    return {
        "requested": rows.height,
        "accepted": count["accepted"],
        **{status: dict(counter.most_common()) for status, counter in reasons.items()},
        "pending": count["pending"],
    }


def gold_rows(
    task: Task,
    table: pl.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    source: str = "gold",
    setting: str = "gold",
) -> pl.DataFrame:
    """Turn somebody's table into gold rows of this task.

    Args:
        task: What a row must have.
        table: Any columns; values are read as text.
        columns: Task column to the table's column, where they differ.
        labels: The table's label value to the task's label name, where they differ.
        source: Named in errors.
        setting: Part of the recipe that errors point to.

    Raises:
        DataError: A column is missing, a value is empty, or a label is unknown; says which, where, how many.
    """
    wanted = {name: (columns or {}).get(name, name) for name in task.columns}
    if stray := sorted(set(columns or {}) - {*task.columns, task.taught}):
        raise DataError("`columns` names task columns that do not exist", f"{stray}", f"use some of {list(wanted)}")
    if task.taught in (columns or {}) or task.taught in table.columns:
        wanted |= {task.taught: (columns or {}).get(task.taught, task.taught)}
    if missing := [column for column in wanted.values() if column not in table.columns]:
        raise DataError(
            f"{source} lacks columns the task needs",
            f"missing {missing}; found {table.columns}",
            f"map them under {setting}.columns, e.g. columns: {{{task.columns[0]}: {table.columns[0]}}}",
        )
    if table.is_empty():
        raise DataError(f"{source} holds no rows", "0 rows", "give a file with at least a few dozen gold rows")
    chosen = table.select(pl.col(column).cast(pl.String).alias(name) for name, column in wanted.items())
    if labels and task.kind == "classification":
        chosen = chosen.with_columns(pl.col("label").replace(dict(labels)))
    _check_values(task, chosen, source, setting)
    seen: Counter[tuple[str, ...]] = Counter()
    records = []
    for values in chosen.iter_rows():
        # A row that occurs twice is two rows: its occurrence number keeps the ids apart.
        record = dict(zip(chosen.columns, values, strict=True))
        identity = fingerprint(["gold", *values, seen[values]])
        seen[values] += 1
        records.append({"id": identity, "made_by": "gold", "parents": [], "round": 0, "status": "accepted", **record})
    return frame(task, records)


def _check_values(task: Task, chosen: pl.DataFrame, source: str, setting: str) -> None:
    for name in task.columns:
        empty = chosen[name].is_null() | (chosen[name].str.strip_chars() == "")
        if count := int(empty.sum()):
            first = int(empty.arg_max() or 0) + 1
            raise DataError(
                f"{source} has empty values",
                f"{count} rows have no `{name}`, first at row {first}",
                "fill or drop them",
            )
    if task.kind == "classification":
        unknown = Counter(label for label in chosen["label"].to_list() if label not in task.labels)
        if unknown:
            seen = ", ".join(f"{label!r} x {count}" for label, count in unknown.most_common(6))
            example = f"labels: {{{next(iter(unknown))!r}: {next(iter(task.labels))}}}"
            raise DataError(
                f"{source} has labels the task does not know",
                f"{seen}; the task has {list(task.labels)}",
                f"map them under {setting}.labels, e.g. {example}",
            )


def read_table(source: str) -> pl.DataFrame:
    """Read a table from a file (.jsonl, .json, .csv, .parquet) or from `hf:NAME[:CONFIG][@SPLIT]`.

    Values keep their types; `gold_rows` turns them into text.

    Raises:
        DataError: The file is missing, empty, of another kind, not UTF-8, or a line is broken; says which line.
    """
    if source.startswith("hf:"):
        return _read_hub(source)
    path = Path(source)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("the file cannot be read", f"{source}: {error.strerror}", "check the path") from error
    if not content.strip():
        raise DataError("the file is empty", source, "give a file with rows")
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            return _read_lines(source, _decode(source, content))
        case ".json":
            return _read_json(source, _decode(source, content))
        case ".csv":
            _decode(source, content)
            return _read_with("CSV", source, lambda: pl.read_csv(io.BytesIO(content), infer_schema=False))
        case ".parquet":
            return _read_with("Parquet", source, lambda: pl.read_parquet(io.BytesIO(content)))
        case other:
            raise DataError(
                "rows come as .jsonl, .json, .csv or .parquet",
                f"{source} ({other or 'no ending'})",
                "convert the file, or rename it to its kind",
            )


def _decode(source: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            "the file is not UTF-8 text",
            f"{source}, line {line}: byte 0x{content[error.start]:02x}",
            "convert it, e.g. with iconv -t UTF-8",
        ) from error


def _read_with(kind: str, source: str, read: Any) -> pl.DataFrame:
    try:
        table: pl.DataFrame = read()
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"the file is not readable as {kind}", f"{source}: {error}", "check how it was written"
        ) from error
    return table


def _read_lines(source: str, text: str) -> pl.DataFrame:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(
                "a line is not JSON", f"{source}, line {number}: {error}", "mend or drop the line"
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                "a line is not a JSON object",
                f"{source}, line {number}: {type(record).__name__}",
                'write {"column": value, ...} on each line',
            )
        records.append(record)
    return _table(records)


def _read_json(source: str, text: str) -> pl.DataFrame:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(
            "the file is not JSON", f"{source}: {error}", "JSON with one object per line is .jsonl"
        ) from error
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise DataError("the file is not a list of JSON objects", source, 'write [{"column": value, ...}, ...]')
    return _table(found)


def _table(records: list[dict[str, Any]]) -> pl.DataFrame:
    """Scalars become text, nested values JSON text: a column whose types differ from row to row is still one column."""
    names = dict.fromkeys(name for record in records for name in record)
    plain = {name: [_scalar(record.get(name)) for record in records] for name in names}
    return pl.DataFrame(plain, schema=dict.fromkeys(names, pl.String))


def _scalar(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _read_hub(source: str) -> pl.DataFrame:
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            "reading from the hub needs the `datasets` package", source, "pip install 'seedbed[hf]'"
        ) from error
    name, _, split = source.removeprefix("hf:").partition("@")
    path, _, config = name.partition(":")
    with boundary(f"loading the data set {path}", "check the name, or HF_HUB_OFFLINE"):
        found = datasets.load_dataset(path, config or None, split=split or "train")
        names = {column: feature.names for column, feature in found.features.items() if hasattr(feature, "names")}
        records = [dict(record) for record in found]
    for column, label_names in names.items():
        for record in records:
            record[column] = label_names[record[column]] if record[column] is not None else None
    return _table(records)


def write_parquet(rows: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file whole or not at all; equal rows give equal bytes."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", statistics=False)
    write_whole(path, buffer.getvalue())


def write_jsonl(rows: pl.DataFrame, path: Path) -> None:
    """Write one JSON object per line, whole or not at all."""
    write_whole(path, rows.write_ndjson().encode())


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader, or a restart after a kill, sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
