"""Write look-alikes of the gold rows that the student gets wrong."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from seedbed import parsing
from seedbed.errors import ConfigError
from seedbed.evaluation.gold import Gold
from seedbed.request import Reply
from seedbed.rows import accepted, account
from seedbed.steps.context import Context, State
from seedbed.steps.screen import screen
from seedbed.steps.step import Forecast, Step
from seedbed.steps.synthesise import mean_length
from seedbed.steps.train import answer, fit
from seedbed.synthesis import drafts, extrapolation
from seedbed.task import Task


class Extrapolate(Step):
    """For each mistake, ask the teacher for look-alikes that carry the same correct answer.

    A request that fails leaves a row with no text and the reason in `why`: dropping it here would hide how often
    the teacher refuses, and refusals are not spread evenly over labels.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, algorithm 2. Differs: `requests` fixes what is spent;
        `per_mistake` may exceed 1; `folds` finds mistakes by cross-validation. `of: all` is the baseline GoldGen.
    """

    verb: Literal["extrapolate"] = "extrapolate"
    of: Literal["mistakes", "all"] = "mistakes"
    """`all` extrapolates every steering gold row, right or wrong (GoldGen)."""
    requests: int | None = Field(None, ge=1)
    """Requests to send, spread evenly over the mistakes."""
    per_mistake: int | None = Field(None, ge=1)
    """Look-alikes per mistake; the paper's is 1, which is the default when `requests` is not given."""
    folds: int = Field(0, ge=0)
    """0: mistakes of the last student. 2 or more: mistakes of students trained on the rows plus the other folds of
    the steering gold, so that gold which is trained on can go on steering."""
    show_wrong_answer: bool = False
    """Tell the teacher what the student answered. Not in the paper."""
    show_rationale: bool = False
    """First ask the teacher why each gold answer is right, and tell it back. Costs one request per mistake more."""

    @model_validator(mode="after")
    def _one_size(self) -> Extrapolate:
        if self.requests is not None and self.per_mistake is not None:
            raise ValueError("give either `requests` or `per_mistake`")
        if self.folds == 1:
            raise ValueError("`folds` is 0, or 2 and more")
        if self.of == "all" and (self.show_wrong_answer or self.folds):
            raise ValueError("`of: all` takes every gold row: there is no wrong answer to show and nothing to fold")
        return self

    def run(self, ctx: Context, state: State) -> State:
        """Find the mistakes, ask for look-alikes, keep whatever came back."""
        steer = ctx.read_gold("steer", "mistakes to extrapolate" if self.of == "mistakes" else "rows to extrapolate")
        examples = steer if self.of == "all" else self.find_mistakes(ctx, state, steer)
        found = {"steer": steer.height, self.of: examples.height}
        if examples.is_empty():
            ctx.log({"event": "no mistakes left", "step": ctx.step})
            return State(state.rows, state.students, {**found, "asked": account(state.rows.clear())})
        if self.show_rationale and self.requests is not None and examples.height > self.requests // 2:
            # Every mistake that is explained is also extrapolated: half of the requests at most go into explaining.
            few = sorted(extrapolation.spread(examples.height, max(self.requests // 2, 1), ctx.rng("explained")))
            examples = examples[few]
        rationales = self._rationales(ctx, examples) if self.show_rationale else {}
        spent = examples.height if self.show_rationale else 0
        count = examples.height * (self.per_mistake or 1) if self.requests is None else max(self.requests - spent, 0)
        plan = extrapolation.drafts(
            ctx.task,
            examples,
            extrapolation.spread(examples.height, count, ctx.rng("spread")),
            show_wrong_answer=self.show_wrong_answer,
            rationales=rationales,
            round_=ctx.round_,
        )
        replies = ctx.ask(drafts.requests(ctx.task, plan, ctx.sampling))
        rows = screen(ctx, drafts.rows(ctx.task, plan, replies, made_by=ctx.step, round_=ctx.round_))
        shown = show_examples(ctx.task, examples, rows)
        return State(
            pl.concat([state.rows, rows]), state.students, {**found, "asked": account(rows), "examples": shown}
        )

    def find_mistakes(self, ctx: Context, state: State, steer: pl.DataFrame) -> pl.DataFrame:
        """The steering rows that are answered wrongly, with a column `predicted`."""
        if self.folds:
            return self._fold_mistakes(ctx, state, steer)
        if state.student is None:
            raise ConfigError(
                "there is no student to make mistakes",
                f"{ctx.step} comes before any `train`",
                "put a `train` step before it, or set `folds`",
            )
        answers = answer(ctx, state.student.student, steer)
        return _wrong(steer, answers)

    def _fold_mistakes(self, ctx: Context, state: State, steer: pl.DataFrame) -> pl.DataFrame:
        fold = ctx.rng("folds").permutation(steer.height) % self.folds
        trained = accepted(state.rows).filter(~pl.col("id").is_in(steer["id"].to_list()))
        wrong = []
        for number in range(self.folds):
            held_out = pl.Series(fold == number)
            student = fit(ctx, pl.concat([trained, steer.filter(~held_out)]))
            wrong.append(_wrong(steer.filter(held_out), answer(ctx, student, steer.filter(held_out))))
        return pl.concat(wrong).sort("id")

    def _rationales(self, ctx: Context, examples: pl.DataFrame) -> dict[str, str]:
        plan = extrapolation.reason_drafts(ctx.task, examples)
        replies = ctx.ask(drafts.requests(ctx.task, plan, ctx.sampling))
        told = {}
        for draft, reply in zip(plan, replies, strict=True):
            if isinstance(reply, Reply) and (text := parsing.bare_text(reply.text)) and not parsing.is_refusal(text):
                told[draft.known["parents"][0]] = text
        return told

    def forecast(self, task: Task, gold: Gold) -> Forecast:
        """From 2 % to all of the steering rows wrong, a fifth expected; exact with `requests`."""
        row = gold.steer.row(0, named=True) if gold.steer.height else dict.fromkeys(task.columns, "")
        plan = extrapolation.drafts(task, pl.DataFrame([{"id": "", "predicted": "", **row}]), [0])
        size, length = gold.steer.height, mean_length(task, gold)
        each = (self.per_mistake or 1) + self.show_rationale
        if self.requests is not None:
            return Forecast(self.requests, self.requests, self.requests, plan[0], length)
        if self.of == "all":
            return Forecast(size * each, size * each, size * each, plan[0], length)
        return Forecast(size * each // 50, size * each // 5, size * each, plan[0], length)


def _wrong(gold: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    joined = gold.with_columns(answers["predicted"], answers["correct"])
    return joined.filter(~pl.Series(np.asarray(joined["correct"], dtype=bool))).drop("correct")


def show_examples(task: Task, gold: pl.DataFrame, rows: pl.DataFrame, *, count: int = 12) -> list[dict[str, Any]]:
    """A few gold rows beside what the teacher wrote after them, for the reader of a report."""
    wrote: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_dicts():
        wrote.setdefault(row["parents"][0], []).append(
            {"text": row[task.written], "status": row["status"], "why": row["why"]}
        )
    return [
        {
            "context": row[task.context] if task.context else None,
            "mistake": row[task.written],
            "expected": row[task.target],
            "predicted": row.get("predicted"),
            "wrote": wrote[row["id"]][:3],
        }
        for row in gold.to_dicts()
        if row["id"] in wrote
    ][:count]
