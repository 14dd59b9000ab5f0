"""Solutions drawn from teachers for a step: asked, checked, counted, priced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.fingerprint import fingerprint
from seedbed.request import Failure, Reply
from seedbed.rows import frame
from seedbed.sampling.allocate import Charges, State
from seedbed.sampling.costs import SampleCost, measured_cost
from seedbed.sampling.pool import SCHEMA, tally
from seedbed.steps.context import Context, Teacher
from seedbed.synthesis import solving
from seedbed.task import Task
from seedbed.verification.solutions import check_solutions
from seedbed.verification.steps import check_steps, step_key, text_key

Unit = Literal["usd", "flops", "seconds"]

HOW_KNOWN: dict[str, str] = {
    "usd": "set `endpoint.usd_per_million_in` and `usd_per_million_out` of that teacher, or count in flops or seconds",
    "flops": "set `endpoint.parameters_billion` of that teacher, or count in usd or seconds",
}
"""What to set where a unit cannot be counted."""


@dataclass
class Draws:
    """All solutions that one step has drawn so far. `take` draws more."""

    ctx: Context
    problems: pl.DataFrame
    """Gold rows: the problems and their right answers."""
    teachers: Sequence[Teacher]
    unit: Unit
    same: Literal["steps", "text"]
    """What makes two solutions count as one: their equations, or their words."""
    pool: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    """Every draw that was answered or failed."""
    _counts: State | None = None
    """What `counts` worked out since the last draw."""
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _drawn: dict[tuple[str, str], int] = field(default_factory=dict)
    """Draws by text and teacher: of a text that stands twice among the problems, each gets replies of its own."""
    _worked: dict[str, int] = field(default_factory=dict)
    """Tokens that are counted for each teacher: all that it wrote, and where draws share a prompt, that prompt once
    for each time the problem was come back to. Which draw really read it depends on what is in the ledger already."""

    @property
    def ids(self) -> list[str]:
        """The problems, in order."""
        return self.problems["id"].to_list()

    @property
    def names(self) -> list[str]:
        """The teachers, in order."""
        return [teacher.name for teacher in self.teachers]

    @property
    def rows(self) -> pl.DataFrame:
        """A row for every draw that was asked for, those that the budget did not reach included."""
        return frame(self.ctx.task, self._rows)

    @property
    def counts(self) -> State:
        """Draws, correct ones and different correct ones per problem and teacher."""
        self._counts = self._counts or tally(self.pool, self.ids, self.names)
        return self._counts

    @property
    def spent(self) -> float:
        """What all draws have cost so far, in the unit."""
        return float(self.pool[self.unit].sum())

    def costs(self) -> list[SampleCost]:
        """What a problem costs with each teacher, from the mean length of what was drawn so far.

        Raises:
            DataError: A teacher answered nothing so far.
        """
        found = []
        for teacher in self.teachers:
            mine = self.of(teacher)
            if not mine.height:
                seen, fix = teacher.model.address, "see the failed rows with `seedbed show`, or raise the budget"
                raise DataError(f"the teacher {teacher.name} answered nothing, so its cost is unknown", seen, fix)
            # Where one request brings several draws, the first of them has its prompt and the others have none.
            reads = mine["tokens_in"].fill_null(0).to_numpy()
            reads = reads[reads > 0] if teacher.shares_prompts else reads
            read = float(reads.mean()) if len(reads) else 0.0
            written = max(float(mine["tokens_out"].fill_null(0).to_numpy().mean()), 1.0)
            if self.unit == "seconds":
                found.append(measured_cost(mine["seconds"].to_numpy()))
            elif self.unit == "usd":
                assert teacher.price is not None
                each = teacher.price.usd(read, 0), teacher.price.usd(0, written)
                found.append(SampleCost(*each, teacher.shares_prompts))
            else:
                rate = float(mine["flops"].sum()) / max(self._worked[teacher.name], 1)
                found.append(SampleCost(rate * read, rate * written, teacher.shares_prompts))
        return found

    def spent_on(self) -> dict[str, float]:
        """The same for each teacher."""
        return {teacher.name: float(self.of(teacher)[self.unit].sum()) for teacher in self.teachers}

    def of(self, teacher: Teacher) -> pl.DataFrame:
        """The draws of one teacher."""
        return self.pool.filter(pl.col("model") == teacher.name)

    def charges(self) -> Charges:
        """The same as arrays; who comes back to a problem reads it anew."""
        return Charges.of(dict(zip(self.names, self.costs(), strict=True)), per_request=True)

    def take(self, counts: NDArray[np.int64]) -> int:
        """Draw so many more solutions of each problem from each teacher.

        Args:
            counts: (P, M) whole numbers from 0, problems and teachers in this object's order.

        Returns:
            How many of them were answered; fewer than asked when the budget ended.
        """
        return sum(self._take(teacher, counts[:, column]) for column, teacher in enumerate(self.teachers))

    def _take(self, teacher: Teacher, counts: NDArray[np.int64]) -> int:
        task, asked = self.ctx.task, []
        for row, times in zip(self.problems.to_dicts(), counts.tolist(), strict=True):
            place = row[task.written], teacher.name
            first = self._drawn.get(place, 0)
            # Draws of one problem stand together: a teacher in this process then reads it once for all of them.
            asked += [(row, draw, draw == first or not teacher.shares_prompts) for draw in range(first, first + times)]
            self._drawn[place] = first + times
        if not asked:
            return 0
        texts = [row[task.written] for row, _, _ in asked]
        requests = solving.requests(task, texts, [draw for _, draw, _ in asked], teacher.sampling)
        replies = self.ctx.ask(requests, teacher)
        found = [solving.read_solution(reply) for reply in replies]
        checks = check_solutions(task, [text for text, _, _ in found], [row[task.target] for row, _, _ in asked])
        records = []
        for (row, draw, reads), reply, (text, status, why), check in zip(asked, replies, found, checks, strict=True):
            correct = check.correct and status == "accepted"
            known: dict[str, Any] = {
                "id": fingerprint([self.ctx.step, teacher.name, row["id"], draw]),
                "parents": [row["id"]],
            }
            known |= {"made_by": self.ctx.step, "round": self.ctx.round_}
            known |= {"status": status, "why": why, "solution": text, **{name: row[name] for name in task.columns}}
            if status == "accepted" and not correct:
                known |= {"status": "rejected", "why": check.why}
            self._rows.append(known)
            if reply is not None:
                record: dict[str, Any] = {"problem_id": row["id"], "model": teacher.name, "draw": draw, "text": text}
                sound = is_sound(task, row[task.written], text or "") if correct else None
                record |= {"answer": check.said, "correct": correct, "sound": sound}
                record |= {"key": way_key(task, self.same)(text) if correct and text else None}
                tokens = (reply.tokens_out or 0) + (reply.tokens_in or 0) * reads
                records.append({**record, **_used(reply, teacher, tokens)})
                self._worked[teacher.name] = self._worked.get(teacher.name, 0) + tokens
        self.pool, self._counts = pl.concat([self.pool, pl.DataFrame(records, schema=SCHEMA)]), None
        return len(records)


def is_sound(task: Task, problem: str, solution: str) -> bool | None:
    """Whether the steps of a solution hold; None where they cannot be checked, as those of a program."""
    if task.answer == "program":
        return None
    verdict = check_steps(problem, solution)
    return None if verdict.p_good is None else not verdict.is_bad


def way_key(task: Task, same: str) -> Callable[[str], str]:
    """What makes two solutions of a task count as one. Programs have no equations that could tell them apart."""
    return step_key if same == "steps" and task.answer != "program" else text_key


def _used(reply: Reply | Failure, teacher: Teacher, tokens: int) -> Mapping[str, Any]:
    tokens_in, tokens_out = reply.tokens_in or 0, reply.tokens_out or 0
    usd, flops = reply.usd, reply.flops
    if usd is None and teacher.price is not None:
        usd = teacher.price.usd(tokens_in, tokens_out, reply.tokens_cached)
    if flops is not None:
        flops *= tokens / max(tokens_in - reply.tokens_cached + tokens_out, 1)
    elif teacher.flops_per_token is not None:
        flops = teacher.flops_per_token * tokens
    used = {"tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out, "seconds": reply.seconds}
    return {**used, "usd": usd, "flops": flops}
