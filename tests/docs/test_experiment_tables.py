"""What an experiment's README shows is what its results say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITH_TABLES = sorted(
    readme.parent.name
    for readme in (ROOT / "experiments").glob("*/README.md")
    if "<!-- table: begin -->" in readme.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_TABLES)
def test_tables_in_the_readme_are_those_of_the_results(name: str) -> None:
    script = ROOT / "experiments" / name / "run.py"
    check = subprocess.run(
        [sys.executable, str(script), "table", "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("name", WITH_TABLES)
def test_results_say_how_they_were_made(name: str) -> None:
    import json

    for path in (ROOT / "experiments" / name / "results").glob("*.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        assert {"command", "commit", "versions", "rng_seeds"} <= found.keys(), path.name
