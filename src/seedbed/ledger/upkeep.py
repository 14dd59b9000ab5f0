"""Look after a ledger's file: check it, make it small, write its requests as Parquet."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seedbed.errors import ConfigError, DataError, boundary
from seedbed.ledger.spending import connected, in_words, reading

if TYPE_CHECKING:
    import polars as pl

_CHUNK = 10_000
"""Requests held at once while they are written."""
_PATIENCE_S = 1.0
"""How long vacuuming waits for others to let go of the file."""
_COLUMNS = (
    "key", "scope", "step", "model", "request", "state", "text", "returned_model", "tokens_in", "tokens_out",
    "tokens_cached", "usd", "flops", "seconds", "logprobs", "checked", "worst_usd", "worst_tokens", "asked_at",
)  # fmt: skip


def check(path: Path) -> None:
    """Return if the file is whole: every page, every index.

    Raises:
        DataError: It is not; the message says where.
        ConfigError, BoundaryError: See `seedbed.ledger.spending.reading`.
    """
    with reading(path) as db:
        found = [line for (line,) in db.execute("PRAGMA quick_check(5)")]
    if found != ["ok"]:
        fix = "keep the file and save what can be read: `sqlite3 FILE .recover | sqlite3 saved.sqlite`"
        raise DataError("the ledger is damaged", f"{path}: {'; '.join(found)}", fix)


def vacuum(path: Path) -> tuple[int, int]:
    """Give back the room of what was overwritten; the file must be nobody else's meanwhile.

    Returns:
        Bytes before and after, the write-ahead log among them.

    Raises:
        BoundaryError: Another process has the ledger open, or the disk has no room for the copy it takes.
        ConfigError, DataError: See `seedbed.ledger.spending.reading`.
    """
    check(path)
    before = _size(path)
    with connected(path, timeout_s=_PATIENCE_S, alone=True) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")
    return before, _size(path)


def export(path: Path, target: Path) -> int:
    """Write every request with its answer to a Parquet file; memory stays flat at any number of them.

    Args:
        path: The ledger's file; it may be written to meanwhile.
        target: A file that does not exist yet. It appears whole or not at all.

    Returns:
        Rows written, one for each request.

    Raises:
        ConfigError: The target exists, at the start or meanwhile, or its folder does not.
        DataError, BoundaryError: See `seedbed.ledger.spending.reading`.
    """
    from polars.io.plugins import register_io_source

    _refuse_if_there(target)
    if not target.absolute().parent.is_dir():
        raise ConfigError("there is no such folder", str(target.absolute().parent), "make it, or choose another")
    unfinished = target.with_name(f".{target.name}.unfinished")
    with reading(path) as db:
        count: int = db.execute("SELECT count(*) FROM requests").fetchone()[0]
        source = register_io_source(lambda *_: map(_readable, _chunks(path, db)), schema=_readable(_frame([])).schema)
        try:
            with boundary("writing the Parquet file", "check the disk's room and rights"):
                source.sink_parquet(unfinished, row_group_size=_CHUNK)
            put_in_place(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)
    return count


def put_in_place(finished: Path, target: Path, *, link: Callable[[Path, Path], None] = Path.hardlink_to) -> None:
    """Give a finished file its name, and replace nothing.

    Args:
        finished: The file, in the folder of the target. It may be there under both names afterwards.
        target: Its name.
        link: Makes the first path a second name of the second.

    Raises:
        ConfigError: Somebody put a file there meanwhile.
        BoundaryError: The file system does not let the file have the name.
    """
    try:
        # A link, other than a rename, refuses to replace what somebody put there meanwhile.
        link(target, finished)
    except (OSError, NotImplementedError):  # exFAT and some network drives have no links
        _refuse_if_there(target)
        with boundary("giving the finished file its name", "choose another folder"):
            finished.rename(target)


def _refuse_if_there(target: Path) -> None:
    if os.path.lexists(target):  # a link to nowhere is there too
        raise ConfigError("the file exists already", str(target), "choose another name; nothing is overwritten")


def _size(path: Path) -> int:
    files = [path, path.with_name(f"{path.name}-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def _chunks(path: Path, db: sqlite3.Connection) -> Iterator[pl.DataFrame]:
    try:
        cursor = db.execute(f"SELECT {', '.join(_COLUMNS)} FROM requests ORDER BY rowid")  # noqa: S608 - our own names
        while rows := cursor.fetchmany(_CHUNK):
            yield _frame(rows)
    except sqlite3.Error as error:
        raise in_words(path, error) from error


def _frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    import polars as pl

    whole = ("tokens_in", "tokens_out", "tokens_cached", "worst_tokens")
    numbers = ("usd", "flops", "seconds", "worst_usd", "asked_at")
    kinds = {
        name: pl.Int64() if name in whole else pl.Float64() if name in numbers else pl.String() for name in _COLUMNS
    }
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _readable(chunk: pl.DataFrame) -> pl.DataFrame:
    """With what was asked in columns of its own."""
    import polars as pl

    asked = pl.Struct({
        "messages": pl.List(pl.List(pl.String)),
        "draw": pl.Int64,
        "rng_seed": pl.Int64,
        "temperature": pl.Float64,
        "top_p": pl.Float64,
        "max_tokens": pl.Int64,
        "seed": pl.Int64,
        "logprobs": pl.Int64,
        "constraint": pl.List(pl.String),
    })  # fmt: skip
    message = pl.struct(role=pl.element().list.get(0), content=pl.element().list.get(1))
    return (
        chunk.rename({"scope": "run", "logprobs": "reply_logprobs"})
        .with_columns(pl.col("request").str.json_decode(asked))
        .unnest("request")
        .rename({"logprobs": "logprobs_asked"})
        .with_columns(
            messages=pl.col("messages").list.eval(message),
            reply=pl.when(pl.col("state") == "reply").then("text"),
            why=pl.when(pl.col("state") != "reply").then("text"),
            asked_at=pl.from_epoch((pl.col("asked_at") * 1e6).cast(pl.Int64), "us").dt.replace_time_zone("UTC"),
        )
        .drop("text")
    )
