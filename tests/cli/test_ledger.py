"""`seedbed ledger` as a user types it."""

import contextlib
import json

import polars as pl
import pytest
from click.testing import CliRunner
from tests.ledger.filling import answered, ask, fill

from seedbed.cli import main
from seedbed.ledger import Ledger
from seedbed.request import Failure, Reply


def call(*words):
    """(exit code, stdout, stderr)."""
    found = CliRunner().invoke(main, ["ledger", *map(str, words)], catch_exceptions=False)
    return found.exit_code, found.stdout, found.stderr


@pytest.fixture
def path(tmp_path):
    """A ledger of two runs, with everything that can happen to a request."""
    file = tmp_path / "runs" / "ledger.sqlite"
    with Ledger.at(file) as ledger:
        fill(ledger, "one@a1", "seed-1", [Reply("a", 1000, 5, 0.5, 1.0, tokens_cached=64, flops=1e9), answered()])
        fill(ledger, "two@b2", "seed-1", [Reply("a", 10, 5, None, 2.0), Failure("refused", "no", 3, 0, 0.0)], first=2)
        ledger.intend("two@b2", [ask(4, usd=0.25)], step="extrapolate-1")
        ledger.settle(ask(4).key, Reply("b", None, None, 0.125, 1.0), checked="salvaged")
        ledger.intend("two@b2", [ask(5, usd=0.25)], step="extrapolate-1")
        ledger.use("two@b2", [ask(0).key], step="seed-1")
    return file


def cells(out, name):
    """The cells of a line by their heads."""
    head, *lines = [line.split("  ") for line in out.splitlines() if "  " in line]
    names = [cell.strip() for cell in head if cell.strip()]
    found = next([cell.strip() for cell in line if cell.strip()] for line in lines if line[0].strip() == name)
    return dict(zip(names, found, strict=True))


def test_the_table_says_what_each_run_used_and_paid_and_ends_with_the_total(path):
    code, out, err = call(path)
    assert (code, err) == (0, "")
    assert cells(out, "one@a1") == {
        "run": "one@a1", "used": "2", "sent": "2", "reply": "2", "refused": "0", "unanswered": "0",
        "tokens in": "1,003", "cached": "64", "tokens out": "7", "usd": "1.0000", "flops": "1.00e+09",
        "median s": "1.00", "p95 s": "1.00",
    }  # fmt: skip
    two = cells(out, "two@b2")
    assert (two["used"], two["sent"], two["unanswered"], two["usd"]) == ("5", "4", "1", "0.1250 + 1 unknown")
    total = cells(out, "total")
    assert (total["used"], total["sent"], total["reply"], total["refused"]) == ("7", "6", "4", "1")
    assert "0.2500 usd at most" in out and "price of 1 answers is unknown" in out and "1 answers came without" in out


def test_a_run_beside_the_ledger_and_its_folder_lead_to_it(path):
    (path.parent / "one").mkdir()
    assert call(path)[1] == call(path.parent)[1]
    assert json.loads(call(path.parent / "one", "--json")[1])["total"]["sent"] == 6


@pytest.mark.parametrize("by", ["run", "step", "model", "day"])
def test_json_carries_the_same_numbers_in_every_view(path, by):
    found = json.loads(call(path, "--by", by, "--json")[1])
    assert found["total"]["usd"] == 1.125 and found["total"]["unknown_price"] == 1
    assert sum(line["used"] for line in found["lines"]) == found["total"]["used"] == 7


def test_the_view_by_model_says_how_constraints_were_met(path):
    out = call(path, "--by", "model")[1]
    assert "salvaged" in out and "1 (100.0%)" in out


def test_a_line_of_a_step_names_its_run(path):
    assert "two@b2  extrapolate-1" in call(path, "--by", "step")[1]


def test_text_from_elsewhere_cannot_steer_the_terminal(tmp_path):
    evil = "run[red]\x1b[2J\x9b31m\u202e[/red]\n"
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        fill(ledger, evil, evil, [answered()])
    for by in ("run", "step"):
        out = call(tmp_path, "--by", by)[1]
        assert "run[red] [2J 31m [/red]" in out
        assert not set("\x1b\x9b\u202e") & set(out)


def test_no_ledger_is_exit_code_2_and_nothing_is_made(tmp_path):
    for path in (tmp_path, tmp_path / "ledger.sqlite", tmp_path / "nowhere" / "ledger.sqlite"):
        code, out, err = call(path)
        assert code == 2 and not out and "no ledger" in err and "fix:" in err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_says_so(tmp_path):
    Ledger(tmp_path / "ledger.sqlite").close()
    assert "no requests yet" in call(tmp_path)[1]


def test_requests_are_exported_once_and_to_a_new_file_only(path, tmp_path):
    target = tmp_path / "all.parquet"
    code, out, _ = call(path, "--export", target)
    assert code == 0 and "6 requests" in out and pl.read_parquet(target).height == 6
    code, _, err = call(path, "--export", target)
    assert code == 2 and "exists already" in err


def test_vacuum_says_the_bytes_before_and_after_and_refuses_an_open_ledger(path):
    size = path.stat().st_size
    assert json.loads(call(path, "--vacuum", "--json")[1])["before"] == size
    assert "before" in call(path, "--vacuum")[1]
    with Ledger.at(path):
        code, _, err = call(path, "--vacuum")
    assert code == 1 and "another process is using the ledger" in err


def test_check_says_whole_and_damaged(path):
    assert call(path, "--check")[1].strip().endswith("whole")
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes(8000) + content[13_000:])
    code, _, err = call(path, "--check")
    assert code == 2 and "damaged" in err and "recover" in err


def test_one_job_at_a_time(path):
    code, _, err = call(path, "--vacuum", "--check")
    assert code == 2 and "at a time" in err


def test_a_narrow_terminal_gets_every_column_in_blocks(path):
    """Rich asks the terminal for its width only where there is one, so the block is made directly."""
    from seedbed.cli.ledger import _blocks, _width

    columns = [(f"head {number}", ["1,234,567"]) for number in range(9)]
    blocks = list(_blocks(("run", ["one"]), columns, room=40))
    assert [column for block in blocks for column in block[1:]] == columns
    assert all(sum(map(_width, block)) <= 40 for block in blocks) and {block[0][0] for block in blocks} == {"run"}


def test_the_default_is_the_ledger_of_the_runs_here(path, tmp_path):
    assert path.parent.name == "runs"
    with contextlib.chdir(tmp_path):
        assert json.loads(call("--json")[1])["total"]["sent"] == 6
