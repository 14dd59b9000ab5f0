"""Go round a list of steps several times."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from seedbed.steps.step import Step

if TYPE_CHECKING:
    from seedbed.steps import AnyStep


class Repeat(Step):
    """Run the inner steps once per round, until the rounds are over or there is a reason to stop.

    It stops early when the student makes no mistakes on the steering gold, when the budget ends, and, if asked for,
    when a round brings no clear gain on `select`. The run says which. The executor in `seedbed.run` does the going
    round, so that every inner step can be resumed.

    Source:
        Wang, Zhou and Sachan 2023, arXiv:2310.13671, algorithm 2 with R = 2 rounds.
    """

    kinds: ClassVar[Collection[str]] = (*Step.kinds, "reasoning")
    verb: Literal["repeat"] = "repeat"
    rounds: int = Field(2, ge=1)
    stop_without_gain: bool = False
    """Stop once the paired test on `select` shows no clear gain of this round's student over the one before."""
    steps: tuple[AnyStep, ...] = Field(min_length=1)

    def settings(self) -> dict[str, Any]:
        """As `Step.settings`, for the inner steps too."""
        return {**self.model_dump(mode="json", exclude={"steps"}), "steps": [step.settings() for step in self.steps]}
