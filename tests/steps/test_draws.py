"""What draws cost, and which reply belongs to which problem."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import polars as pl
import pytest
from tests.worlds import context

from seedbed.models import Price
from seedbed.request import Failure, Model, Reply, Request
from seedbed.rows import gold_rows
from seedbed.steps.context import Teacher
from seedbed.steps.draws import Draws
from seedbed.synthesis.drafts import Sampling
from seedbed.task import Task

TASK = Task(name="sums", kind="reasoning", answer="number", instruction="Solve it.", fields=("problem",))


@dataclass
class Together:
    """A model of which one request brings all draws of a prompt: the first is billed for reading it."""

    address: str = "test:together"
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Iterable[Request], *, step: str = "") -> Iterator[Reply | Failure]:
        seen: set[object] = set()
        for request in requests:
            self.asked.append(request)
            read = 0 if request.messages in seen else 100
            seen.add(request.messages)
            yield Reply("The answer is 7.", read, 10)


def draws_of(model: Together, *problems: str) -> Draws:
    gold = gold_rows(TASK, pl.DataFrame({"problem": problems, "answer": ["7"] * len(problems)}))
    teacher = Teacher("t", cast(Model, model), Sampling(), Price(1.0, 1.0), shares_prompts=True)
    ctx = replace(context(), task=TASK, teachers={"t": teacher}).at("sample-1", 0)
    return Draws(ctx, gold, [ctx.teacher], "usd", "steps")


def test_a_prompt_that_draws_share_costs_as_much_as_it_was_billed() -> None:
    draws = draws_of(Together(), "3 + 4?", "4 + 3?")
    assert draws.take(np.array([[5], [5]])) == 10
    assert sum(cost.of(5) for cost in draws.costs()) * 2 == pytest.approx(draws.spent)


def test_a_problem_that_stands_twice_gets_replies_of_its_own() -> None:
    model = Together()
    draws = draws_of(model, "3 + 4?", "3 + 4?")
    draws.take(np.array([[2], [2]]))
    assert [request.draw for request in model.asked] == [0, 1, 2, 3]
    assert draws.counts.n.tolist() == [[2], [2]]
