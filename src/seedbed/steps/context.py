"""What a step is given and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from seedbed.budget import Budget
from seedbed.errors import BudgetExceeded
from seedbed.evaluation.gold import Gold
from seedbed.fingerprint import fingerprint
from seedbed.models import Price
from seedbed.models.worlds import World
from seedbed.randomness import stream
from seedbed.request import Failure, Model, Reply, Request
from seedbed.students import Student, StudentSettings
from seedbed.synthesis.drafts import Sampling
from seedbed.task import Task


@dataclass(frozen=True)
class Teacher:
    """A model that may be asked, how it samples, and what its tokens cost."""

    name: str
    """What the recipe calls it."""
    model: Model
    sampling: Sampling
    price: Price | None = None
    """None is unknown, which is not free."""
    flops_per_token: float | None = None
    shares_prompts: bool = False
    """Draws of one prompt read it once: in this process, or where one request asks for several answers."""


Progress = Callable[[str, int, int, float], None]
"""Called as replies come in with (step, answered, asked, usd that this process has paid so far)."""


@dataclass(frozen=True)
class TrainedStudent:
    """A student and the name of the step that trained it."""

    name: str
    student: Student


@dataclass(frozen=True)
class State:
    """Everything a run has made so far; each step returns a new one."""

    rows: pl.DataFrame
    """Every row asked for or taken from gold so far, whatever became of it."""
    students: tuple[TrainedStudent, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """What the last step measured, as plain data."""
    predictions: pl.DataFrame | None = None
    """What the last step's student answered: student, split, id, expected, predicted, score."""
    pool: pl.DataFrame | None = None
    """Every solution that the last step sampled, with its teacher and what it cost: written beside the rows, and read
    by no later step."""

    @property
    def student(self) -> TrainedStudent | None:
        """The student trained last."""
        return self.students[-1] if self.students else None


@dataclass
class Purse:
    """What a run may still send. The one thing that steps change in their context."""

    limit: int | None = None
    """Send at most so many requests more: a preview. None is no limit."""
    paid_usd: float = 0.0
    """What new replies cost in this process, as far as prices are known."""
    ended: str | None = None
    """Why nothing more is sent, once the budget or the limit ended."""
    ended_steps: dict[str, BudgetExceeded] = field(default_factory=dict)
    """Steps that reached a cap of their own, and which: they send nothing more, the others go on."""


@dataclass(frozen=True)
class Context:
    """The world a step runs in. `at` gives each step its own name and random streams."""

    task: Task
    gold: Gold
    teachers: Mapping[str, Teacher]
    """By name, at least one; the first is the one that verbs ask which name none."""
    student: StudentSettings
    rng_seed: int
    contexts: Sequence[str] = ()
    """Real contexts for tasks whose rows need one."""
    contexts_are_gold: bool = False
    """The contexts are those of the steering gold, so that using them is a read of it."""
    world: World | None = None
    """The known world the gold comes from, where it does: then the truth about every row can be measured."""
    log: Callable[[dict[str, Any]], None] = lambda _event: None
    progress: Progress = lambda _step, _done, _total, _usd: None
    step: str = ""
    """Name of the running step, such as `extrapolate-2`."""
    round_: int = 0
    purse: Purse = field(default_factory=Purse)
    budget: Budget | None = None
    """What the teacher's requests are booked on; asked here for its warnings only."""

    def at(self, step: str, round_: int) -> Context:
        """This context as the named step sees it; what may still be spent is shared by all of them."""
        seed = int(fingerprint([self.rng_seed, step], digits=8), 16)
        teachers = {
            name: replace(one, sampling=replace(one.sampling, rng_seed=seed)) for name, one in self.teachers.items()
        }
        return replace(self, step=step, round_=round_, teachers=teachers)

    @property
    def teacher(self) -> Teacher:
        """The teacher that writes rows."""
        return next(iter(self.teachers.values()))

    @property
    def sampling(self) -> Sampling:
        """How that teacher samples."""
        return self.teacher.sampling

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """A random stream that belongs to this step alone."""
        return stream(self.rng_seed, self.step, *purpose)

    @property
    def is_ended(self) -> bool:
        """True when this step sends nothing more."""
        return self.purse.ended is not None or self.step in self.purse.ended_steps

    def ask(self, requests: Sequence[Request], teacher: Teacher | None = None) -> list[Reply | Failure | None]:
        """Put requests to a teacher; without one, to the teacher that writes rows.

        Returns:
            One answer each, in order; None for those the budget did not reach.
        """
        replies: list[Reply | Failure | None] = []
        purse = self.purse
        sent = requests if purse.limit is None else requests[: purse.limit]
        if not self.is_ended:
            try:
                for reply in (teacher or self.teacher).model.generate(iter(sent), step=self.step):
                    replies.append(reply)
                    purse.paid_usd += 0.0 if reply.is_cached else reply.usd or 0.0
                    self.progress(self.step, len(replies), len(sent), purse.paid_usd)
                    self._warn()
            except BudgetExceeded as reached:
                self._end(reached, len(replies))
        if purse.limit is not None:
            purse.limit -= len(sent)
            purse.ended = purse.ended or ("the preview ends here" if purse.limit <= 0 else None)
        return replies + [None] * (len(requests) - len(replies))

    def _warn(self) -> None:
        for warning in self.budget.warnings() if self.budget else ():
            self.log({**warning, "step": self.step})

    def _end(self, reached: BudgetExceeded, answered: int) -> None:
        """Note that a cap was reached: a step's own ends that step, every other one ends all asking."""
        if reached.part.startswith("steps."):
            self.purse.ended_steps[self.step] = reached
        else:
            self.purse.ended = str(reached)
        event = {"event": "budget reached", "step": self.step, "answered": answered, "why": reached.seen}
        self.log({**event, "part": reached.part})

    def read_gold(self, split: str, why: str) -> pl.DataFrame:
        """The rows of `steer` or `select`, with the read logged."""
        rows: pl.DataFrame = {"steer": self.gold.steer, "select": self.gold.select}[split]
        self.log({"event": "gold read", "split": split, "rows": rows.height, "why": why, "step": self.step})
        return rows
