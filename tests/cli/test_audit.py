"""`seedbed audit` as a reader meets it: a real terminal, real keys."""

import csv
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

import polars as pl
import pytest
from click.testing import CliRunner

from seedbed.cli import main
from seedbed.inspection.audit.queue import Queue

COMMAND = [sys.executable, "-c", "from seedbed.cli import main; main()", "audit"]


@pytest.fixture
def rows(tmp_path):
    """Forty sums, one in ten wrong, with a model's opinion beside each."""
    path = tmp_path / "rows.jsonl"
    lines = [
        {"id": f"r{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n + (n % 10 == 0)), "topic": "ab"[n % 2],
         "made_by": "secret-model", "p_good": 0.1 if n % 10 == 0 else 0.9, "verdict_of_judge": "secret-verdict"}
        for n in range(40)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


class Terminal:
    """A terminal of one's own with the command in it."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        env = {**os.environ, "USER": "ann", "TERM": "dumb", "OMP_NUM_THREADS": "1"}
        words = [*COMMAND, *map(str, words)]
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
        os.close(slave)
        self.seen = ""

    def wait_for(self, text, after=0):
        """Read until `text` stands behind place `after`; where it ends."""
        until = time.monotonic() + 60
        while (place := self.seen.find(text, after)) < 0:
            ready, _, _ = select.select([self.master], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen[after:]!r}"
            try:
                got = os.read(self.master, 65536)
            except OSError:  # Linux says so when the command has closed its end
                got = b""
            assert got, f"ended without {text!r}: {self.seen[after:]!r}"
            self.seen += got.decode()
        return place + len(text)

    def press(self, key, until):
        """Press a key once the command listens: what is typed before the row is shown is dropped, on purpose."""
        after = len(self.seen)
        while len(key) == 1 and termios.tcgetattr(self.master)[3] & termios.ICANON:
            time.sleep(0.01)
        os.write(self.master, key.encode())
        return self.wait_for(until, after)

    def end(self):
        """Wait for the command to end; its exit code."""
        code = self.process.wait(timeout=60)
        os.close(self.master)
        return code


def call(*words):
    """(exit code, stdout, stderr) where nothing is a terminal."""
    found = CliRunner().invoke(main, ["audit", *map(str, words)], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


def labels(rows):
    """What the queue beside the rows holds: (row, label, note, turn)."""
    connection = Queue.at(rows.with_name(rows.name + ".audit"), {})
    with connection as queue:
        return [(one.row, one.label, one.note, one.turn) for one in queue.readings()]


def test_a_reader_labels_takes_back_notes_and_quits_with_single_keys_and_goes_on_later(rows):
    screen = Terminal(rows, "--reads", 4, "--second", 0)
    screen.wait_for("--- 1 of 4 ---")
    screen.press("g", "--- 2 of 4 ---")
    screen.press("x", "g good")  # no such key: the keys are named again, nothing is kept
    screen.press("n", "note")
    screen.press("off by one\r", "off by one")
    screen.press("b", "--- 3 of 4 ---")
    screen.press("u", "--- 2 of 4 ---")
    screen.press("s", "--- 3 of 4 ---")
    screen.press("q", "the same command goes on")
    assert screen.end() == 0
    assert "% of all" not in screen.seen  # the rate is not shown before the end
    assert "secret" not in screen.seen and "0.9" not in screen.seen
    assert [label for _, label, _, _ in labels(rows)] == ["good", "skip"]
    with Queue.at(rows.with_name("rows.jsonl.audit"), {}) as queue:
        assert [(one.label, one.note) for one in queue.undone()] == [("bad", "off by one")]
        waiting = queue.draws()[-1].place

    again = Terminal(rows, "--reads", 4)
    again.wait_for(f"What is {waiting} + {waiting}?")  # the row that was left unread comes first
    again.press("g", "--- 4 of 4 ---")
    again.press("b", "% of all 40 rows are bad")
    assert again.end() == 0
    assert [label for _, label, _, _ in labels(rows)] == ["good", "skip", "good", "bad"]


def test_a_kill_loses_no_label_that_was_pressed(rows):
    screen = Terminal(rows, "--second", 0)
    screen.wait_for("--- 1 of 100 ---")
    screen.press("b", "--- 2 of 100 ---")
    screen.press("g", "--- 3 of 100 ---")
    os.killpg(screen.process.pid, signal.SIGKILL)
    assert screen.end() == -signal.SIGKILL
    assert [label for _, label, _, _ in labels(rows)] == ["bad", "good"]


def test_without_a_terminal_it_says_how_labels_come_and_go_in_files(rows):
    code, out, err = call(rows)
    assert (code, out) == (2, "")
    assert "not a terminal" in err and "--draw 100 --export" in err and "--import" in err


@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_rows_read_elsewhere_come_back_and_give_a_rate(rows, tmp_path, layout):
    sheet = tmp_path / f"sheet.{layout}"
    code, out, _ = call(rows, "--draw", 40, "--export", sheet, "--reader", "bo")
    assert (code, out) == (0, f"40 rows to be read written to {sheet}\n")
    assert "secret" not in sheet.read_text()
    table = pl.read_csv(sheet, infer_schema=False) if layout == "csv" else pl.read_ndjson(sheet)
    assert table["probability"].null_count() == 40  # the chance would tell the reader what the model thinks
    truth = ["bad" if int(row[1:]) % 10 == 0 else "good" for row in table["row"]]
    table = table.with_columns(pl.Series("label", truth))
    table.write_csv(sheet) if layout == "csv" else table.write_ndjson(sheet)
    code, out, _ = call(rows, "--import", sheet, "--reader", "bo", "--summary")
    assert "40 labels kept, 0 were here already" in out
    assert "10.0 [10.0, 10.0] % of all 40 rows are bad" in out
    assert "0 labels kept, 40 were here already" in call(rows, "--import", sheet, "--reader", "bo")[1]


def test_the_labelling_interface_comes_with_rows_for_label_studio(rows, tmp_path):
    code, out, _ = call(rows, "--draw", 3, "--export", tmp_path / "t.json", "--as", "label-studio")
    assert code == 0 and "labelling interface" in out
    assert 'name="label"' in (tmp_path / "t.config.xml").read_text()
    assert {tuple(task["data"]) for task in json.loads((tmp_path / "t.json").read_text())} == {
        ("question", "answer", "topic", "seedbed_row")
    }


def test_finding_starts_with_the_likeliest_rows(rows, tmp_path):
    sheet = tmp_path / "sheet.csv"
    call(rows, "--goal", "find", "--draw", 4, "--export", sheet)
    with sheet.open() as file:
        drawn = [int(line["row"][1:]) for line in csv.DictReader(file)]
    assert sum(n % 10 == 0 for n in drawn) >= 2


def test_rows_that_changed_since_the_audit_began_are_refused(rows):
    assert call(rows, "--summary")[0] == 0
    rows.write_text(rows.read_text().replace('"answer": "2"', '"answer": "3"'))
    code, _, err = call(rows, "--summary")
    assert code == 2 and "begun for other rows" in err


def test_a_new_opinion_of_a_model_is_no_change_of_the_rows(rows):
    assert call(rows, "--summary")[0] == 0
    rows.write_text(rows.read_text().replace('"p_good": 0.9', '"p_good": 0.8'))
    assert call(rows, "--summary")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slice", "subject"], "no such column"),
        (["--p-good", "question"], "other values"),
        (["--worth", "p_good", "--log-odds", "made_by"], "other values"),
        (["--draw", "3"], "--draw without --export"),
        (["--export", "labels.json"], "cannot be told from its name"),
        (["--import", "nowhere.csv"], "cannot be read"),
    ],
)
def test_a_wrong_option_says_what_was_seen_and_what_to_do(rows, words, said):
    code, _, err = call(rows, *words)
    assert code == 2 and said in err and "fix:" in err


def test_other_draws_than_the_queue_was_begun_with_are_refused(rows):
    assert call(rows, "--summary", "--rng-seed", 1)[0] == 0
    assert call(rows, "--summary")[0] == 0
    code, _, err = call(rows, "--summary", "--rng-seed", 2)
    assert code == 2 and "keeps its settings" in err
