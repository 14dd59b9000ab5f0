"""The flat example still does what it says."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "s3_flat.py"


def accuracies(printed: str) -> dict[str, float]:
    """First word of each line to the accuracy it tells."""
    found = re.findall(r"^(\w+).*?(\d+) rows   accuracy on \d+ test rows ([\d.]+) %$", printed, re.MULTILINE)
    return {name + ("" if name != "round" else str(rows)): float(value) for name, rows, value in found}


def test_the_flat_loop_runs_with_few_rows(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(EXAMPLE))
    names["main"].__globals__.update(SEED_ROWS=120, ADDED_ROWS=40)
    names["main"]()
    printed = accuracies(capsys.readouterr().out)
    assert len(printed) == 5
    assert all(50 < value < 100 for value in printed.values())


@pytest.mark.slow
def test_look_alikes_of_mistakes_beat_as_many_plain_rows(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    seed, first, second, plain, gold = accuracies(capsys.readouterr().out).values()
    assert seed < first < second
    assert second > plain + 3
    assert second > gold + 10


def test_the_example_can_be_read_at_once() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 120
