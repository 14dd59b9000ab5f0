"""Keep the test split out of what is trained on."""

from __future__ import annotations

import polars as pl

from seedbed.evaluation.leakage import find_leaks
from seedbed.rows import accepted, reject
from seedbed.steps.context import Context


def screen(ctx: Context, rows: pl.DataFrame) -> pl.DataFrame:
    """Reject new rows that share a context with a test row or nearly repeat one.

    The test texts are read for this and nothing else, and the reading is logged: their answers are not looked at.
    """
    kept = accepted(rows)
    if not kept.height or not ctx.gold.test.n:
        return rows
    leaks = find_leaks(ctx.task, kept, ctx.gold.test.open("leak check"))
    return reject(rows, {leak.id: f"leak: {leak.reason}" for leak in leaks})
