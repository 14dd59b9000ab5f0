"""What a ledger's lines say, and that they add up."""

import sqlite3
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.filling import answered, ask, fill

from seedbed.errors import ConfigError, DataError
from seedbed.ledger import Ledger
from seedbed.ledger.spending import read_spending
from seedbed.request import Failure, Reply

BY = ("run", "step", "model", "day")
COUNTS = ("used", "sent", "waiting", "unanswered", "lost", "tokens_in", "tokens_out", "unknown_price", "unknown_tokens")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


def test_a_line_counts_what_its_run_used_and_paid(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "one", "seed-1", [Reply("a", 10, 5, 0.5, 1.0), Reply("b", 20, 5, 0.25, 3.0)])
        fill(ledger, "two", "seed-1", [Failure("refused", "no", 3, 0, 0.125)], first=2)
        ledger.use("two", [ask(0).key, ask(1).key], step="seed-1")
    one, two = read_spending(path, "run").lines
    assert (one.name, one.used, one.sent, one.tokens_in, one.tokens_out, one.usd) == (("one",), 2, 2, 30, 10, 0.75)
    assert (two.name, two.used, two.sent, two.usd) == (("two",), 3, 1, 0.125)
    assert one.answers == {"reply": 2} and two.answers == {"refused": 1}
    assert (one.median_s, one.p95_s) == (1.0, 3.0) and two.median_s is None


ANSWERS = st.one_of(
    st.builds(
        Reply,
        st.just("text"),
        st.none() | st.integers(0, 99),
        st.none() | st.integers(0, 99),
        st.none() | st.floats(0, 1),
        st.floats(0, 9),
        flops=st.none() | st.floats(0, 1e12),
    ),
    st.builds(Failure, st.sampled_from(["refused", "truncated", "malformed", "terminal", "exhausted"]), st.just("why")),
    st.none(),
)


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("st"), st.sampled_from("mn"), ANSWERS, st.booleans()),
        max_size=30,
    )
)
def test_the_lines_add_up_to_the_total_in_every_view(tmp_path_factory, requests):
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Ledger.at(path) as ledger:
        for number, (run, step, model, answer, is_lost) in enumerate(requests):
            intent = ask(number, model)
            ledger.intend(run, [intent], step=step)
            if is_lost:
                ledger.lose(intent.key)
            if answer is not None:
                ledger.settle(intent.key, answer)
    for by in BY:
        found = read_spending(path, by)
        for line in (*found.lines, found.total):
            assert line.sent == line.answers.total() + line.waiting + line.unanswered
        for name in COUNTS:
            assert getattr(found.total, name) == sum(getattr(line, name) for line in found.lines), name
        assert found.total.sent == found.total.used == len(requests)
        assert found.total.usd == pytest.approx(sum(answer.usd or 0 for *_, answer, _ in requests if answer))


def test_an_unknown_price_is_counted_and_no_zero(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "one", "s", [Reply("a", 1, 1, None), Reply("b", 1, 1, 0.5)])
    total = read_spending(path).total
    assert (total.usd, total.unknown_price) == (0.5, 1)


def test_what_is_on_its_way_is_told_from_what_nobody_waits_for(path):
    with Ledger.at(path) as ledger:
        ledger.intend("one", [ask(0, usd=0.5), ask(1, usd=0.25)])
        ledger.abandon(ask(1).key)
        total = read_spending(path).total
        assert (total.waiting, total.unanswered, total.in_doubt_usd) == (1, 1, 0.75)
    total = read_spending(path).total
    assert (total.waiting, total.unanswered, total.in_doubt) == (0, 2, 2), "the process has let go of both"


def test_a_lost_try_is_booked_beside_the_answer_to_the_next(path):
    with Ledger.at(path) as ledger:
        ledger.intend("one", [ask(0, usd=0.5)])
        ledger.lose(ask(0).key)
        ledger.settle(ask(0).key, Reply("a", 1, 1, 0.125))
    total = read_spending(path).total
    assert (total.sent, total.lost, total.in_doubt_usd, total.usd) == (1, 1, 0.5, 0.125)


def test_steps_are_told_apart_by_their_run(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "one", "seed-1", [answered()])
        fill(ledger, "two", "seed-1", [answered()], first=1)
    assert [line.name for line in read_spending(path, "step").lines] == [("one", "seed-1"), ("two", "seed-1")]


def test_lines_come_in_the_order_in_which_they_were_begun(path):
    with Ledger.at(path) as ledger:
        for number, (run, step) in enumerate([("z", "seed"), ("a", "seed"), ("z", "extrapolate")]):
            fill(ledger, run, step, [answered()], first=number)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE requests SET asked_at = 1000 + rowid")
    db.close()
    names = [line.name for line in read_spending(path, "step").lines]
    assert names == [("z", "seed"), ("z", "extrapolate"), ("a", "seed")]


def test_a_day_is_one_of_utc(path):
    with Ledger.at(path) as ledger:
        fill(ledger, "one", "s", [answered(), answered()])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE requests SET asked_at = 86399.9 WHERE key = ?", (ask(0).key,))
        db.execute("UPDATE requests SET asked_at = 86400.0 WHERE key = ?", (ask(1).key,))
    db.close()
    assert [line.name for line in read_spending(path, "day").lines] == [("1970-01-01",), ("1970-01-02",)]


def test_constrained_replies_are_counted_by_how_they_met_the_constraint(path):
    with Ledger.at(path) as ledger:
        for number, checked in enumerate(["valid", "valid", "salvaged", "repaired", "invalid", ""]):
            ledger.intend("one", [ask(number)])
            ledger.settle(ask(number).key, answered(), checked=checked)
    (line,) = read_spending(path, "model").lines
    assert line.checked == {"valid": 2, "salvaged": 1, "repaired": 1, "invalid": 1}


def test_reading_while_a_run_writes_sees_one_moment_and_leaves_no_file(path):
    stop = threading.Event()
    with Ledger.at(path) as ledger:

        def write() -> None:
            number = 0
            while not stop.is_set():
                fill(ledger, "one", "s", [answered() for _ in range(5)], first=number)
                number += 5
                time.sleep(0.001)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            seen = [read_spending(path, by) for _ in range(5) for by in BY]
        finally:
            stop.set()
            thread.join()
    for found in seen:
        assert found.total.sent == found.total.used == sum(line.used for line in found.lines)
    assert seen[-1].total.sent > seen[0].total.sent
    read_spending(path)
    assert [file.name for file in path.parent.iterdir()] == ["ledger.sqlite"]


def test_a_ledger_that_is_not_there_is_an_error_and_not_made(path):
    with pytest.raises(ConfigError, match="no ledger"):
        read_spending(path)
    assert not path.exists()


def test_another_version_and_another_database_are_told_apart(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE films (name)")
    with pytest.raises(ConfigError, match="the file is no ledger"):
        read_spending(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConfigError, match="version 99"):
        read_spending(path)


def test_a_file_that_is_no_database_is_an_error_with_a_way_out(path):
    path.write_text("what is this" * 1000)
    with pytest.raises(DataError, match="no ledger"):
        read_spending(path)
