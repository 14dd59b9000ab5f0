"""Write more rows after the example of the synthetic rows that taught best; no gold is read."""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from seedbed.errors import ConfigError
from seedbed.evaluation.gold import Gold
from seedbed.rows import accepted, account
from seedbed.steps.context import Context, State
from seedbed.steps.screen import screen
from seedbed.steps.step import Forecast, Step
from seedbed.steps.synthesise import mean_length
from seedbed.synthesis import drafts, feedback
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task


class Feedback(Step):
    """Show the teacher the most influential synthetic rows of a label and ask for new ones.

    Source:
        Ye et al. 2022, ProGen, arXiv:2210.12329. Differs: see `seedbed.synthesis.feedback`.
    """

    verb: Literal["feedback"] = "feedback"
    requests: int = Field(ge=1)
    examples: int = Field(4, ge=1, le=20)
    """In-context examples per prompt."""
    pool: int = Field(50, ge=1)
    """How many of the best rows of a label may serve as examples."""

    def run(self, ctx: Context, state: State) -> State:
        """Rank the accepted synthetic rows, ask, keep whatever came back."""
        if ctx.task.kind != "classification" or ctx.task.context is not None:
            raise ConfigError(
                "feedback writes single texts with labels",
                f"the task is {ctx.task.kind} with context {ctx.task.context!r}",
                "use `synthesise` for more rows instead",
            )
        made = accepted(state.rows).filter(pl.col("made_by") != "gold")
        plan = feedback.drafts(ctx.task, made, self.requests, ctx.rng("plan"), examples=self.examples, pool=self.pool)
        replies = ctx.ask(drafts.requests(ctx.task, plan, ctx.sampling))
        rows = screen(ctx, drafts.rows(ctx.task, plan, replies, made_by=ctx.step, round_=ctx.round_))
        return State(pl.concat([state.rows, rows]), state.students, {"asked": account(rows)})

    def forecast(self, task: Task, gold: Gold) -> Forecast:
        """Exact."""
        length = mean_length(task, gold)
        example = Draft("feedback", {"label": "", "meaning": "", "examples": "x" * int(self.examples * (length + 9))})
        return Forecast(self.requests, self.requests, self.requests, example, length)
