"""The ledger owns, counts and survives."""

import multiprocessing
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import BoundaryError, ConfigError
from seedbed.ledger import Intent, Ledger, storable
from seedbed.request import Failure, Reply, Request


def intent(text, usd=0.5):
    request = Request((("user", text),), slots={"verb": "seed"})
    return Intent(request.key("m"), request.canonical(), "m", usd, 100)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.at(tmp_path / "ledger.sqlite") as opened:
        yield opened


def test_a_settled_answer_comes_back_as_it_was(ledger):
    one, two = intent("a"), intent("b")
    for each in (one, two):
        ledger.intend("run", [each])
    ledger.settle(one.key, Reply("hé\n", 3, 4, 0.25, 1.5, "gpt"))
    ledger.settle(two.key, Failure("refused", "no", 3, 0, 0.1))
    found, used = ledger.lookup([one.key, two.key, "other"], "run")
    assert found[one.key] == Reply("hé\n", 3, 4, 0.25, 1.5, "gpt", is_cached=True)
    assert found[two.key].kind == "refused" and found[two.key].usd == 0.1
    assert used == {one.key, two.key}


def test_an_intent_that_was_never_settled_counts_at_its_worst(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger.at(path) as before:
        before.intend("run", [intent("a")])
    with Ledger.at(path) as after:
        assert (after.spend("run").in_doubt, after.spend("run").in_doubt_usd) == (1, 0.5)
        after.intend("run", [intent("a")])
        after.settle(intent("a").key, Reply("x", 1, 1, 0.2))
        spend = after.spend("run")
    assert (spend.in_doubt, spend.in_doubt_usd, spend.paid_usd, spend.requests) == (1, 0.5, 0.2, 1)


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_stored_and_an_ordinary_one_is_not_changed(text):
    with sqlite3.connect(":memory:") as db:
        assert db.execute("SELECT ?", (storable(text),)).fetchone()[0] == storable(text)
    assert storable("né\n𝄞") == "né\n𝄞"


def test_a_withdrawn_intent_leaves_nothing(ledger):
    ledger.intend("run", [intent("a")])
    ledger.withdraw("run", intent("a").key)
    assert ledger.spend("run").requests == 0 and ledger.spend("run").in_doubt == 0


def test_an_unknown_price_is_not_free(ledger):
    ledger.intend("run", [intent("a", usd=None)])
    ledger.settle(intent("a").key, Reply("x"))
    spend = ledger.spend("run")
    assert spend.usd is None and spend.unknown_price == 1 and spend.tokens_at_most == 100


def test_an_owned_answer_is_used_by_another_run_without_being_paid_for(ledger):
    ledger.intend("first", [intent("a")])
    ledger.settle(intent("a").key, Reply("x", 1, 1, 0.2))
    ledger.use("second", [intent("a").key])
    ledger.use("second", [intent("a").key])
    second = ledger.spend("second")
    assert (second.requests, second.sent, second.usd, second.paid_usd) == (1, 0, 0.2, 0.0)


def test_another_versions_file_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(ConfigError, match="another version"):
        Ledger(path)


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("no database at all, and long enough to be read as a page" * 20)
    with pytest.raises(ConfigError, match="cannot be opened"):
        Ledger(tmp_path / "ledger.sqlite")


def test_a_full_disk_is_said_clearly(ledger):
    ledger._db.execute("PRAGMA max_page_count=30")
    with pytest.raises(BoundaryError, match="free disk space"):
        ledger.intend("run", [intent(f"{i} " + "x" * 500) for i in range(2000)])
    assert ledger.spend("run").requests == 0, "a write that does not fit leaves nothing behind"


def _write(path, name, count):
    with Ledger.at(path) as ledger:
        for i in range(count):
            each = intent(f"{name} {i}")
            ledger.intend(name, [each])
            ledger.settle(each.key, Reply("x", 1, 1, 0.001))
            ledger.flush()


def test_two_processes_share_one_file(tmp_path):
    path = tmp_path / "ledger.sqlite"
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_write, args=(path, name, 150)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    with Ledger.at(path) as ledger:
        assert [ledger.spend(name).requests for name in ("a", "b")] == [150, 150]
