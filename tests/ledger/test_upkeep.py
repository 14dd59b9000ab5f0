"""A ledger's file: checked, shrunk, written as Parquet."""

import errno
import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from tests.ledger.filling import answered, ask, fill

from seedbed.errors import BoundaryError, ConfigError, DataError
from seedbed.ledger import Intent, Ledger
from seedbed.ledger.upkeep import check, export, put_in_place, vacuum
from seedbed.request import Choice, Failure, Reply, Request, TokenLogprob


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_an_exported_row_says_what_was_asked_and_answered(path, tmp_path):
    request = Request(
        (("system", "be brief"), ("user", 'say "hi"\n\u2603')), 3, 1, 0.5, 0.9, 20, 7, 2, Choice(("hi", "ho"))
    )
    logprobs = (TokenLogprob("hi", -0.5, (("hi", -0.5), ("ho", -1.0))),)
    before = datetime.now(UTC)
    with Ledger.at(path) as ledger:
        ledger.intend("run", [Intent("k", request.canonical(), "m", 0.5, 90)], step="seed-1")
        ledger.settle("k", Reply("hi", 10, 1, 0.25, 1.5, "tiny-1", False, 4, 2e9, logprobs), checked="valid")
    assert export(path, tmp_path / "all.parquet") == 1
    (row,) = pl.read_parquet(tmp_path / "all.parquet").to_dicts()
    assert before <= row.pop("asked_at") <= datetime.now(UTC)
    assert row == {
        "key": "k", "run": "run", "step": "seed-1", "model": "m", "state": "reply", "reply": "hi", "why": None,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": 'say "hi"\n\u2603'}],
        "draw": 3, "rng_seed": 1, "temperature": 0.5, "top_p": 0.9, "max_tokens": 20, "seed": 7,
        "logprobs_asked": 2, "constraint": ["choice", "hi", "ho"], "returned_model": "tiny-1",
        "tokens_in": 10, "tokens_out": 1, "tokens_cached": 4, "usd": 0.25, "flops": 2e9, "seconds": 1.5,
        "reply_logprobs": '[["hi", -0.5, [["hi", -0.5], ["ho", -1.0]]]]', "checked": "valid",
        "worst_usd": 0.5, "worst_tokens": 90,
    }  # fmt: skip


def test_every_request_is_exported_also_over_many_chunks(path, tmp_path):
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered(f"answer {number}") for number in range(10_500)])
        fill(ledger, "run", "s", [Failure("refused", "no")], first=10_500)
        ledger.intend("run", [ask(10_501)])
        assert export(path, tmp_path / "all.parquet") == 10_502
    rows = pl.read_parquet(tmp_path / "all.parquet")
    assert rows["draw"].to_list() == list(range(10_502))
    assert rows["reply"].to_list()[:10_500] == [f"answer {number}" for number in range(10_500)]
    assert rows.tail(2).select("state", "reply", "why").rows() == [("refused", None, "no"), ("asked", None, None)]


def test_an_empty_ledger_is_exported_as_no_rows(path, tmp_path):
    Ledger(path).close()
    assert export(path, tmp_path / "all.parquet") == 0
    assert pl.read_parquet(tmp_path / "all.parquet").height == 0


def test_an_export_overwrites_nothing_and_leaves_nothing_half_done(path, tmp_path):
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered()])
    target = tmp_path / "all.parquet"
    target.write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        export(path, target)
    with pytest.raises(ConfigError, match="no such folder"):
        export(path, tmp_path / "nowhere" / "all.parquet")
    assert target.read_text() == "mine"
    assert {file.name for file in tmp_path.iterdir()} == {"ledger.sqlite", "all.parquet"}


def test_a_name_that_somebody_took_meanwhile_is_said_and_kept(path, tmp_path):
    Ledger(path).close()
    (tmp_path / "all.parquet").symlink_to("nowhere")
    with pytest.raises(ConfigError, match="exists already"):
        export(path, tmp_path / "all.parquet")
    for link in (Path.hardlink_to, no_links):
        (tmp_path / "finished").write_text("new")
        with pytest.raises(ConfigError, match="exists already"):
            put_in_place(tmp_path / "finished", tmp_path / "all.parquet", link=link)
    assert (tmp_path / "all.parquet").is_symlink()


def test_a_file_system_without_hard_links_takes_an_export_too(tmp_path):
    (tmp_path / "finished").write_text("new")
    put_in_place(tmp_path / "finished", tmp_path / "all.parquet", link=no_links)
    assert (tmp_path / "all.parquet").read_text() == "new"
    with pytest.raises(BoundaryError, match="its name"):
        put_in_place(tmp_path / "finished", tmp_path / "gone" / "all.parquet", link=no_links)


def no_links(_target, _finished):
    """As an exFAT drive answers."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_vacuuming_gives_back_room_and_keeps_every_answer(path, tmp_path):
    dice = random.Random(0)
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered(dice.randbytes(500).hex()) for _ in range(800)])
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM requests WHERE rowid % 4 > 0")
    db.close()
    before, after = vacuum(path)
    assert after == path.stat().st_size < before / 2
    with Ledger.at(path) as ledger:
        assert ledger.lookup([ask(3).key], "run")[0][ask(3).key].tokens_in == 3
    assert export(path, tmp_path / "all.parquet") == 200


def test_vacuuming_refuses_while_another_has_the_ledger_open(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered()])
        with pytest.raises(BoundaryError, match="another process is using the ledger"):
            vacuum(path)
    vacuum(path)


def test_a_whole_ledger_passes_the_check(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered()])
        check(path)


def test_a_damaged_ledger_is_said_with_a_way_out(path, tmp_path):
    with Ledger.at(path) as ledger:
        fill(ledger, "run", "s", [answered("x" * 900) for _ in range(300)])
    whole = bytearray(path.read_bytes())
    whole[20_000:90_000] = random.Random(0).randbytes(70_000)
    path.write_bytes(whole)
    for work in (check, vacuum, lambda path: export(path, tmp_path / "all.parquet")):
        with pytest.raises(DataError, match="recover"):
            work(path)
    assert {file.name for file in tmp_path.iterdir()} == {"ledger.sqlite"}
