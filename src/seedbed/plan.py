"""What a run will ask and cost, before a cent is spent; and the first rows of it, to look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models import Price, flops_per_token, price_of
from seedbed.prepare import Prepared, prepare
from seedbed.recipe import Recipe, executions, walk
from seedbed.rows import frame
from seedbed.run import make_context, named
from seedbed.steps import Forecast, Repeat, Sample, Step, Synthesise
from seedbed.steps.context import Progress, State
from seedbed.steps.sample import CHOOSING
from seedbed.synthesis import drafts
from seedbed.synthesis.drafts import Draft, Sampling

CHARACTERS_PER_TOKEN = 4.0
"""English prose in common tokenisers, roughly; the low and high ends of a plan allow for 5 and 3."""


@dataclass(frozen=True)
class PlanLine:
    """What one step will ask, over all rounds."""

    step: str
    requests: tuple[int, int, int]
    """Low, expected, high."""
    tokens_in: tuple[int, int, int]
    tokens_out: tuple[int, int, int]
    usd: tuple[float, float, float] | None
    """None where the teacher's price is unknown, which is not free."""


def plan(recipe: Recipe) -> dict[str, Any]:
    """Forecast requests, tokens and usd of every step, without sending anything.

    Returns:
        lines (one per asking step), total, price per million tokens (in, out) or None, budget, first_cap (the cap that
        would be reached first, and where, or None), is_open (a `sample` step asks more than the pilot that is counted
        here, as far as its own budget goes), gold sizes.

    Raises:
        ConfigError, DataError: As a run would.
    """
    prepared = prepare(recipe, lambda _event: None, with_teacher=False)
    price = price_of(recipe.teacher.model, recipe.teacher.endpoint)
    found: dict[int, PlanLine] = {}
    before: Forecast | None = None
    rounds = _rounds(recipe.steps)
    for step in walk(recipe.steps):
        forecast = step.forecast(prepared.task, prepared.gold)
        if forecast.expected < 0 and before is not None:
            # A check of the step before asks once for each of its rows.
            forecast = Forecast(0, before.expected, before.high, forecast.example, forecast.answer_length)
        if forecast.high > 0:
            found[id(step)] = _line(prepared, step, forecast, rounds.get(id(step), 1), price)
            before = forecast
    lines = list(found.values())
    total = _total(lines)
    return {
        "name": recipe.name,
        "teacher": recipe.teacher.model,
        "usd_per_million_tokens": price and [price.per_million_in, price.per_million_out],
        "lines": [asdict(line) for line in lines],
        "total": asdict(total),
        "budget": recipe.budget.model_dump(exclude_none=True, exclude_defaults=True),
        "first_cap": _first_cap(recipe, found),
        "is_open": any(isinstance(step, Sample) and step.budget is not None for step in walk(recipe.steps)),
        "gold": {
            "steer": prepared.gold.steer.height,
            "select": prepared.gold.select.height,
            "test": prepared.gold.test.n,
        },
    }


def _rounds(steps: Sequence[Step]) -> dict[int, int]:
    """Step identity to how often it runs at most; a repeat inside a repeat multiplies."""
    found: dict[int, int] = {}
    for loop in [step for step in walk(steps) if isinstance(step, Repeat)]:
        for inner in walk(loop.steps):
            found[id(inner)] = found.get(id(inner), 1) * loop.rounds
    return found


def _line(prepared: Prepared, step: Step, forecast: Forecast, times: int, price: Price | None) -> PlanLine:
    low, expected, high = (count * times for count in (forecast.low, forecast.expected, forecast.high))
    # Rounds may stop early, so the low end is one round.
    low = forecast.low
    sampling = Sampling(max_tokens=prepared.recipe.teacher.max_tokens)
    prompt = 0
    if forecast.example is not None:
        filled = {"label": "", "meaning": _meaning(prepared), **forecast.example.slots}
        prompt = len(drafts.requests(prepared.task, [Draft(forecast.example.verb, filled)], sampling)[0].messages[0][1])
    answer = forecast.answer_length
    sizes = [
        (prompt / per + 4, min(answer / per * stretch, sampling.max_tokens))
        for per, stretch in ((5.0, 0.7), (CHARACTERS_PER_TOKEN, 1.0), (3.0, 2.0))
    ]
    counts = (low, expected, high)
    tokens_in = tuple(round(count * size[0]) for count, size in zip(counts, sizes, strict=True))
    tokens_out = tuple(round(count * max(size[1], 1)) for count, size in zip(counts, sizes, strict=True))
    return PlanLine(step.verb, counts, tokens_in, tokens_out, _usd(tokens_in, tokens_out, price))  # type: ignore[arg-type]


def _meaning(prepared: Prepared) -> str:
    return max(prepared.task.labels.values(), key=len, default="")


def _usd(tokens_in: Sequence[int], tokens_out: Sequence[int], price: Price | None) -> tuple[float, float, float] | None:
    if price is None:
        return None
    low, expected, high = (price.usd(a, b) for a, b in zip(tokens_in, tokens_out, strict=True))
    return low, expected, high


def _total(lines: Sequence[PlanLine]) -> PlanLine:
    def add(name: str) -> Any:
        return tuple(sum(values) for values in zip(*(getattr(line, name) for line in lines), strict=True)) or (0, 0, 0)

    usd = None if any(line.usd is None for line in lines) else add("usd")
    return PlanLine("total", add("requests"), add("tokens_in"), add("tokens_out"), usd)


def _first_cap(recipe: Recipe, lines: dict[int, PlanLine]) -> dict[str, Any] | None:
    """The cap that the expected requests reach first, in order of execution; else the one that the most of them do.

    Returns:
        part, cap, at (the cap's value), step (the execution in which it is reached), if (`expected` or `high`); None
        where no cap is reached. Minutes are not forecast.
    """
    budget = recipe.budget
    caps = {"": budget, **{f"steps.{name}": own for name, own in budget.steps.items()}}
    caps |= {f"models.{name}": own for name, own in budget.models.items()}
    for column, how in ((1, "expected"), (2, "high")):
        used: defaultdict[tuple[str, str], float] = defaultdict(float)
        for name, each in _amounts(recipe, lines, column):
            parts = ["", f"models.{recipe.teacher.model}", f"steps.{name.rpartition('-')[0]}", f"steps.{name}"]
            reached = []
            for part, cap, value in [(p, c, v) for p in parts if p in caps for c, v in caps[p].own().items()]:
                before, amount = used[part, cap], each.get(cap, 0.0)
                used[part, cap] += amount
                if before + amount > value:
                    reached.append(((value - before) / amount, {"part": part, "cap": cap, "at": value}))
            if reached:
                return {**min(reached, key=lambda one: one[0])[1], "step": name, "if": how}
    return None


def _amounts(recipe: Recipe, lines: dict[int, PlanLine], column: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Each execution of an asking step with what it is forecast to use: a line's amounts, evenly over its rounds."""
    size = flops_per_token(recipe.teacher.model, recipe.teacher.endpoint)
    asking = [(name, step) for name, step in executions(recipe.steps) if id(step) in lines]
    times = Counter(id(step) for _, step in asking)
    for name, step in asking:
        line, share = lines[id(step)], 1 / times[id(step)]
        tokens = (line.tokens_in[column] + line.tokens_out[column]) * share
        amounts = {"requests": line.requests[column] * share, "tokens": tokens}
        if line.usd is not None:
            amounts["usd"] = line.usd[column] * share
        if size is not None:
            amounts["flops"] = tokens * size
        yield name, amounts


def pilot(
    recipe: Recipe, path: Path, *, progress: Progress = lambda _step, _done, _total, _usd: None
) -> dict[str, Any]:
    """Draw the pilot of a recipe's `sample` step, and plan on it; the run then does not pay for the pilot again.

    Args:
        recipe: A recipe with a `sample` step that chooses between teachers.
        path: The run's directory; only the ledger beside it is written.
        progress: Called with (step, answered, asked).

    Returns:
        unit, problems, pilot (teachers, spent), plan (options with their forecasts), forecasts (coverage by teacher).

    Raises:
        ConfigError: No such step, or one whose strategy needs no pilot.
    """
    prepared = prepare(recipe, lambda _event: None)
    name, step = next(((n, s) for n, s in named(recipe.steps) if isinstance(s, Sample)), ("", None))
    if step is None or step.strategy not in CHOOSING:
        seen = "no `sample` step" if step is None else f"strategy {step.strategy}"
        raise ConfigError("there is nothing to plan", seen, "add `{verb: sample, budget: ...}` with strategy auto")
    with Ledger.at(path.parent / "ledger.sqlite") as ledger:
        budget = recipe.budget.open(ledger, f"{recipe.name} pilot", prepared.addresses)
        return step.pilot_only(make_context(prepared, ledger, budget, progress=progress).at(name, 0))


def preview(recipe: Recipe, path: Path, *, count: int = 5) -> pl.DataFrame:
    """Write the first few seed rows of a run, on the run's own code path; the run then does not pay for them again.

    Args:
        recipe: A recipe with a `synthesise` step.
        path: The run's directory; only the ledger beside it is written.
        count: Rows to ask for, at least 1.

    Returns:
        (count,) rows, rejected and failed ones included.

    Raises:
        ConfigError: The recipe has no `synthesise` step.
    """
    prepared = prepare(recipe, lambda _event: None)
    name, step = next(((n, s) for n, s in named(recipe.steps) if isinstance(s, Synthesise)), ("", None))
    if step is None:
        raise ConfigError("there is nothing to preview", "no `synthesise` step", "preview shows the first seed rows")
    with Ledger.at(path.parent / "ledger.sqlite") as ledger:
        budget = recipe.budget.open(ledger, f"{recipe.name} preview", prepared.addresses)
        ctx = make_context(prepared, ledger, budget)
        ctx.purse.limit = count + (len(prepared.task.labels) if step.reasons else 0)
        rows = step.run(ctx.at(name, 0), State(frame(prepared.task, []))).rows
    return rows.filter(pl.col("status") != "pending").head(count)
