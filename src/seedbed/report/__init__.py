"""The report of a run or a comparison: one HTML file that opens offline and stands alone."""

from __future__ import annotations

import json
from pathlib import Path

from seedbed.errors import ConfigError, DataError
from seedbed.report.compare_page import compare_page
from seedbed.report.files import read_comparison, read_run
from seedbed.report.run_page import run_page
from seedbed.rows import write_whole

__all__ = ["write_report"]


def write_report(path: Path) -> Path:
    """Write `report.html` into the directory of a finished run or comparison.

    The page holds no script and no address it could load from, and whatever rows say is shown as text.

    Args:
        path: A directory that `seedbed run` or `seedbed compare` made.

    Returns:
        The file.

    Raises:
        ConfigError: The directory holds neither a result nor a comparison.
        DataError: A file in it is not what seedbed writes.
    """
    try:
        if (path / "comparison.json").exists():
            made = compare_page(read_comparison(path))
        elif (path / "result.json").exists():
            made = run_page(read_run(path))
        else:
            raise ConfigError(
                "the directory holds no finished run and no comparison",
                str(path),
                "give the directory of `seedbed run` or `seedbed compare`, once it has finished",
            )
    except (KeyError, json.JSONDecodeError) as error:
        raise DataError(
            "a file of the run is not what this version writes",
            f"{path}: {type(error).__name__} {error}",
            "run the same recipe again with this version; what was paid for is not paid for again",
        ) from error
    target = path / "report.html"
    write_whole(target, made.encode("utf-8"))
    return target
