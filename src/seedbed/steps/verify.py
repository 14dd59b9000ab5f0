"""Let the teacher read the newest rows without their labels, and reject those it reads differently."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl

from seedbed import parsing
from seedbed.evaluation import metrics
from seedbed.evaluation.gold import Gold
from seedbed.request import Failure, Reply
from seedbed.rows import reject
from seedbed.steps.context import Context, State
from seedbed.steps.step import Forecast, Step
from seedbed.synthesis import drafts, extrapolation
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task
from seedbed.verdict import Verdict


class Verify(Step):
    """Reject the rows of the last asking step whose label the teacher does not find again.

    A row that could not be checked (the request failed, or the answer names no label) stays: an inspector that
    abstains is not a reason to throw away what was paid for. The paper does no such check.
    """

    verb: Literal["verify"] = "verify"

    def run(self, ctx: Context, state: State) -> State:
        """Check, and mark what disagrees."""
        newest = last_made(state.rows)
        fresh = newest.filter(pl.col("status") == "accepted")
        plan = [verify_draft(ctx.task, row) for row in fresh.to_dicts()]
        replies = ctx.ask(drafts.requests(ctx.task, plan, ctx.sampling))
        verdicts = [judge(ctx.task, row, reply) for row, reply in zip(fresh.to_dicts(), replies, strict=True)]
        bad = {
            identity: f"verify: {verdict.reason}"
            for identity, verdict in zip(fresh["id"], verdicts, strict=True)
            if verdict.is_bad
        }
        rows = reject(state.rows, bad)
        abstained = sum(verdict.p_good is None for verdict in verdicts)
        counts: dict[str, Any] = {"checked": fresh.height, "disagreed": len(bad), "abstained": abstained}
        return State(rows, state.students, counts)

    def forecast(self, task: Task, gold: Gold) -> Forecast:
        """One request per accepted row of the step before, which only that step's forecast knows."""
        row = gold.steer.row(0, named=True) if gold.steer.height else dict.fromkeys(task.columns, "")
        return Forecast(0, -1, -1, verify_draft(task, row), 8.0)


def last_made(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of the step that made rows last."""
    made = rows.filter(pl.col("made_by") != "gold")
    return made.filter(pl.col("made_by") == made["made_by"][-1]) if made.height else made


def verify_draft(task: Task, row: dict[str, Any]) -> Draft:
    """Ask for the answer of a row without showing the one it has."""
    if task.kind == "extractive_qa":
        return Draft("verify_qa", {"context": row[task.context or ""], "example": row[task.written]})
    return Draft("verify", {"labels": ", ".join(task.labels), **extrapolation.shown(task, row)})


def judge(task: Task, row: dict[str, Any], reply: Reply | Failure | None) -> Verdict:
    """Compare what the teacher read with what the row says."""
    if not isinstance(reply, Reply):
        return Verdict(None, "not checked", by="teacher")
    if task.kind == "extractive_qa":
        read: str | None = parsing.bare_text(reply.text)
        agrees = read is not None and metrics.exact_match(read, row[task.target]) == 1.0
    else:
        read = parsing.one_of(reply.text, list(task.labels))
        agrees = read == row[task.target]
    if read is None:
        return Verdict(None, "no answer", by="teacher", evidence=reply.text[:200])
    return Verdict(1.0 if agrees else 0.0, "agrees" if agrees else f"read as {read[:80]!r}", by="teacher")
