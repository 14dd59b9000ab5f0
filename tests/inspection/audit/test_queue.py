"""The queue on disk."""

import sqlite3
import subprocess
import sys
import threading

import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.queue import Queue, Reading, disputes, standing
from seedbed.inspection.audit.rules import Pick

ROWS = {"rows": "abc", "n_rows": 5}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.audit"


def filled(path, count=2):
    queue = Queue.at(path, ROWS)
    for place in range(count):
        queue.add_draw(f"r{place}", Pick(place, 0.25, 5 - place, 0.5), "find", "ann")
    return queue


def test_what_was_written_is_there_after_opening_again(path):
    with filled(path) as queue:
        queue.record(Reading("r0", "ann", "bad", seconds=2.5, note="typo"))
    with Queue.at(path, ROWS) as queue:
        assert [(one.row, one.pick) for one in queue.draws()] == [
            ("r0", Pick(0, 0.25, 5, 0.5)),
            ("r1", Pick(1, 0.25, 4, 0.5)),
        ]
        (only,) = queue.readings()
        assert (only.label, only.seconds, only.note, only.turn) == ("bad", 2.5, "typo", "first")
        assert only.read_at.endswith("+00:00")


def test_undo_takes_back_the_readers_own_last_label_and_keeps_it_marked(path):
    with filled(path) as queue:
        queue.record(Reading("r0", "ann", "bad"))
        queue.record(Reading("r1", "bo", "good"))
        assert queue.undo("ann").row == "r0"
        assert [one.row for one in queue.readings()] == ["r1"]
        assert [one.row for one in queue.undone()] == ["r0"]
        assert queue.undo("ann") is None
        queue.record(Reading("r0", "ann", "good"))
        assert standing(queue.readings()) == {"r0": "good", "r1": "good"}


def test_a_row_has_one_label_a_turn_and_only_if_it_was_drawn(path):
    with filled(path) as queue:
        queue.record(Reading("r0", "ann", "bad"))
        with pytest.raises(DataError, match="cannot be kept"):
            queue.record(Reading("r0", "bo", "good"))
        with pytest.raises(DataError, match="never drawn"):
            queue.record(Reading("r4", "ann", "good"))
        with pytest.raises(DataError, match="cannot be kept"):
            queue.record(Reading("r1", "ann", "maybe"))


def test_other_rows_or_another_file_are_refused_and_say_how_to_go_on(path, tmp_path):
    filled(path).close()
    with pytest.raises(ConfigError, match="'abc', is 'xyz'"):
        Queue.at(path, {**ROWS, "rows": "xyz"})
    text = tmp_path / "notes.txt"
    text.write_text("not a database, just a text that is long enough to be looked at" * 20)
    with pytest.raises(DataError, match="not the queue"):
        Queue.at(text, ROWS)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE settings (x)")
    connection.close()
    with pytest.raises(DataError, match="not the queue"):
        Queue.at(other, ROWS)


def test_a_row_left_unread_waits_for_its_reader_and_after_a_while_for_anyone(path):
    with filled(path) as queue:
        assert queue.unread("ann").row == "r0"
        assert queue.unread("bo") is None
        assert queue.unread("bo", patience_s=-1).row == "r0"
        queue.take_over("r0", "bo")
        assert (queue.unread("bo").row, queue.unread("ann").row) == ("r0", "r1")


KILLED = """
import os, sys
from pathlib import Path
from seedbed.inspection.audit.queue import Queue, Reading
from seedbed.inspection.audit.rules import Pick
queue = Queue.at(Path(sys.argv[1]), {"rows": "abc", "n_rows": 5})
queue.add_draw("r0", Pick(0, 0.25, 5, 0.5), "find", "ann")
queue.record(Reading("r0", "ann", "bad"))
with queue.transaction():
    queue.add_draw("r1", Pick(1, 0.25, 4, 0.5), "find", "ann")
    queue.record(Reading("r1", "ann", "good"))
    os.kill(os.getpid(), 9)
"""


def test_a_kill_between_two_writes_leaves_all_of_one_and_nothing_of_the_other(path):
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -9
    with Queue.at(path, ROWS) as queue:
        assert [one.row for one in queue.draws()] == [one.row for one in queue.readings()] == ["r0"]


def test_two_readers_at_once_lose_nothing(path):
    filled(path, 0).close()

    def read(name):
        with Queue.at(path, ROWS) as queue:
            for number in range(15):
                with queue.transaction():
                    row = f"{name}{number}"
                    queue.add_draw(row, Pick(number, 0.5, 5, 1.0), "find", name)
                    queue.record(Reading(row, name, "good"))

    threads = [threading.Thread(target=read, args=(name,)) for name in ("ann", "bo")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Queue.at(path, ROWS) as queue:
        assert len(queue.readings()) == 30


def test_what_stands_is_the_adjudicated_label_and_disputes_end_there():
    readings = [Reading("a", "ann", "bad"), Reading("b", "ann", "good"), Reading("a", "bo", "good", "second")]
    assert disputes(readings) == ["a"]
    settled = [*readings, Reading("a", "cy", "good", "adjudicated")]
    assert disputes(settled) == []
    assert standing(settled) == {"a": "good", "b": "good"}
