"""`seedbed report` writes one file and says where."""

from __future__ import annotations

from click.testing import CliRunner
from tests.report.pages import comparison_directory, run_directory

from seedbed.cli import main


def test_the_command_writes_the_report_of_a_run_and_prints_its_path(tmp_path):
    done = CliRunner().invoke(main, ["report", str(run_directory(tmp_path))])
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "report.html"))
    assert "mood-run" in (tmp_path / "report.html").read_text()


def test_the_command_writes_the_report_of_a_comparison(tmp_path):
    assert CliRunner().invoke(main, ["report", str(comparison_directory(tmp_path))]).exit_code == 0
    assert "mood-compare" in (tmp_path / "report.html").read_text()


def test_an_empty_directory_is_a_usage_error_that_says_what_to_give(tmp_path):
    done = CliRunner().invoke(main, ["report", str(tmp_path)])
    assert done.exit_code == 2
    assert "no finished run" in done.stderr
    assert "seedbed compare" in done.stderr
