"""What every step is: frozen settings with a verb."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from seedbed.evaluation.gold import Gold
from seedbed.steps.context import Context, State
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task


@dataclass(frozen=True)
class Forecast:
    """Requests that a step will send, before it sends any."""

    low: int = 0
    expected: int = 0
    high: int = 0
    example: Draft | None = None
    """A typical draft, to size the prompt."""
    answer_length: float = 0.0
    """Characters that a typical reply will have; 0 where it is a word."""


class Step(BaseModel):
    """One verb of a recipe. The settings decide which rows come out and are hashed; nothing else is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: ClassVar[Collection[str]] = ("classification", "extractive_qa")
    """Kinds of task that the verb makes sense for."""
    verb: str

    def run(self, ctx: Context, state: State) -> State:
        """Do it: the state after this step. The same settings, inputs and replies give the same state."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What decides which rows come out, as plain data: everything but where a file lies."""
        return self.model_dump(mode="json", exclude={"source"})

    @classmethod
    def asks(cls) -> bool:
        """True for verbs that put requests to the teacher: those that forecast how many."""
        return cls.forecast is not Step.forecast

    def forecast(self, _task: Task, _gold: Gold) -> Forecast:
        """How many requests `run` will send."""
        return Forecast()
