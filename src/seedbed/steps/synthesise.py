"""Write seed rows from the task alone."""

from __future__ import annotations

import math
from typing import Any, Literal

import polars as pl
from pydantic import Field, model_validator

from seedbed import parsing
from seedbed.evaluation.gold import Gold
from seedbed.request import Failure
from seedbed.rows import account, frame
from seedbed.steps.context import Context, State
from seedbed.steps.screen import screen
from seedbed.steps.step import Forecast, Step
from seedbed.synthesis import drafts, seeds
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task


class Synthesise(Step):
    """Ask the teacher for seed rows: by label, by label and reasons, or for a real context.

    Give `requests` to send exactly so many, or `rows` to go on until so many were accepted; the second costs
    what it costs, within `rows` x `patience` requests.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, algorithm 1; with `reasons: 0`, ZeroGen (arXiv:2202.07922).
    """

    verb: Literal["synthesise"] = "synthesise"
    requests: int | None = Field(None, ge=1)
    """Requests to send, those for reasons included."""
    rows: int | None = Field(None, ge=1)
    """Rows to accept."""
    patience: float = Field(2.0, ge=1)
    """With `rows`: give up after this many requests per row wanted."""
    reasons: int = Field(0, ge=0, le=50)
    """K: reasons to ask for per label. 0 writes rows by label alone."""
    per_row: int = Field(2, ge=1)
    """k: how many of the reasons each row builds on."""

    @model_validator(mode="after")
    def _one_size(self) -> Synthesise:
        if (self.requests is None) == (self.rows is None):
            raise ValueError("give either `requests` or `rows`")
        return self

    def run(self, ctx: Context, state: State) -> State:
        """Ask in waves until enough rows were accepted; a wave asks only for what is still missing."""
        reasons = self._ask_reasons(ctx)
        asked_reasons = len(self._reason_drafts(ctx.task))
        if self.requests is not None:
            total = max(self.requests - asked_reasons, 0)
        else:
            total = math.ceil((self.rows or 0) * self.patience)
        if ctx.contexts_are_gold:
            ctx.read_gold("steer", "contexts of seed rows")
        plan = seeds.drafts(
            ctx.task, total, ctx.rng("plan"), reasons=reasons, per_row=self.per_row, contexts=ctx.contexts
        )
        rows = self._in_waves(ctx, plan)
        metrics: dict[str, Any] = {"asked": account(rows)}
        if reasons:
            metrics["reasons"] = reasons
        return State(pl.concat([state.rows, rows]), state.students, metrics)

    def _in_waves(self, ctx: Context, plan: list[Draft]) -> pl.DataFrame:
        questions = drafts.requests(ctx.task, plan, ctx.sampling)
        wanted = self.rows or len(plan)
        waves = [frame(ctx.task, [])]
        start = done = 0
        while start < len(plan) and done < wanted:
            stop = min(start + (wanted - done), len(plan))
            replies = ctx.ask(questions[start:stop])
            wave = drafts.rows(ctx.task, plan[start:stop], replies, made_by=ctx.step, round_=ctx.round_, start=start)
            waves.append(screen(ctx, wave))
            done += waves[-1].filter(pl.col("status") == "accepted").height
            start = stop
            if ctx.is_ended:
                break
        return pl.concat(waves)

    def _reason_drafts(self, task: Task) -> list[Draft]:
        return seeds.reason_drafts(task, self.reasons) if self.reasons and task.context is None else []

    def _ask_reasons(self, ctx: Context) -> dict[str, list[str]]:
        plan = self._reason_drafts(ctx.task)
        if not plan:
            return {}
        found: dict[str, list[str]] = {}
        for draft, reply in zip(plan, ctx.ask(drafts.requests(ctx.task, plan, ctx.sampling)), strict=True):
            listed = [] if reply is None or isinstance(reply, Failure) else parsing.numbered_list(reply.text)
            label = draft.slots["label"]
            found[label] = list(dict.fromkeys(listed))
            if not found[label]:
                # Rows of this label are then written by label alone, which the log must show.
                why = getattr(reply, "message", None) or getattr(reply, "text", "not sent")[:200]
                ctx.log({"event": "no reasons", "label": label, "why": why, "step": ctx.step})
        return found

    def forecast(self, task: Task, gold: Gold) -> Forecast:
        """Exact with `requests`; with `rows`, from every reply accepted to `patience` exhausted."""
        example = Draft("seed", {"label": "", "meaning": "", "reasons": "x" * 60 * self.per_row * bool(self.reasons)})
        if task.context is not None:
            texts = gold.steer[task.context]
            verb = "seed_qa" if task.kind == "extractive_qa" else "seed_pair"
            example = Draft(verb, {"label": "", "meaning": "", "context": texts[0] if len(texts) else ""})
        length = mean_length(task, gold)
        if self.requests is not None:
            return Forecast(self.requests, self.requests, self.requests, example, length)
        extra, rows = len(self._reason_drafts(task)), self.rows or 0
        return Forecast(rows + extra, int(rows * 1.1) + extra, math.ceil(rows * self.patience) + extra, example, length)


def mean_length(task: Task, gold: Gold) -> float:
    """Characters of a typical written field, judged by the gold rows that may steer."""
    mean = gold.steer[task.written].str.len_chars().mean()
    return float(mean) if isinstance(mean, (int, float)) else 120.0
