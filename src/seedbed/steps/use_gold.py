"""Train on gold rows too."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Literal

import polars as pl

from seedbed.rows import account
from seedbed.steps.context import Context, State
from seedbed.steps.step import Step


class UseGold(Step):
    """Add the steering gold rows to the training rows.

    The baseline that every method must be held against: whoever has gold to find mistakes with could have trained
    on it. A student trained on them makes no honest mistakes on them; `extrapolate` then needs `folds`.
    """

    kinds: ClassVar[Collection[str]] = (*Step.kinds, "reasoning")
    verb: Literal["use_gold"] = "use_gold"

    def run(self, ctx: Context, state: State) -> State:
        """Append the gold rows that may steer."""
        gold = ctx.read_gold("steer", "trained on")
        return State(pl.concat([state.rows, gold]), state.students, {"asked": account(gold)})
