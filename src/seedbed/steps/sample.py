"""Draw solutions to gold problems from one or several teachers, as many from each as the budget is best spent on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from seedbed.errors import BudgetExceeded, ConfigError, DataError
from seedbed.evaluation.gold import Gold
from seedbed.rows import account
from seedbed.sampling import pool as pools
from seedbed.sampling.allocate import Allocator
from seedbed.sampling.allocate import State as Counts
from seedbed.sampling.coverage import pass_at_k
from seedbed.sampling.forecast import forecast
from seedbed.sampling.planner import Option, Plan, Planner
from seedbed.sampling.policies import affordable, even_draws
from seedbed.sampling.votes import labelled_by_vote, vote
from seedbed.steps.context import Context, State, Teacher
from seedbed.steps.draws import Draws, Unit
from seedbed.steps.step import Forecast, Step
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task

CHOOSING = ("auto", "adaptive", "cascade")
"""Strategies that look at which solutions were right before they draw more."""
PLANNED = "planned"
"""What a comparison calls a recipe that samples, beside each of its teachers alone."""
FEWEST = 10
"""Problems of the smallest pilot that anything can be read from."""
PILOT_SHARE = 0.3
"""Of the budget, what the pilot may take at most."""
KS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Draws of a problem at which coverage is forecast."""


class SampleBudget(BaseModel):
    """What all draws together may cost, in one unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: float | None = Field(None, gt=0)
    """Needs every teacher's price."""
    flops: float | None = Field(None, gt=0)
    """Floating-point operations; needs every teacher's size."""
    seconds: float | None = Field(None, gt=0)
    """Seconds that replies took, summed: of use where one machine serves all teachers."""

    @model_validator(mode="after")
    def _is_one(self) -> SampleBudget:
        if [self.usd, self.flops, self.seconds].count(None) != 2:
            raise ValueError("give one of usd, flops and seconds")
        return self

    @property
    def unit(self) -> Unit:
        """Which of them it is."""
        return "usd" if self.usd is not None else "flops" if self.flops is not None else "seconds"

    @property
    def value(self) -> float:
        """How much of it."""
        return float(getattr(self, self.unit))


class Pilot(BaseModel):
    """A few draws that the decision rests on; they count towards the budget and stay in the pool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problems: int = Field(100, ge=FEWEST)
    """How many problems, drawn at random; all of them where there are fewer."""
    samples: int = Field(5, ge=2)
    """Draws of each, from each teacher."""


class Sample(Step):
    """Draw solutions to the steering gold's problems, keep those that end right, and count what they cost.

    A pilot measures every teacher on a few problems. From it a plan is made: the whole budget on one teacher, a
    cascade, or draw by draw where the next one is expected to bring most. A row is a solution; a wrong one is kept as
    rejected, with what it said.

    Source:
        Bansal et al. 2024, Smaller, Weaker, Yet Better, arXiv:2408.16737 (equal cost, right answers kept). Differs: a
        pilot decides, cost includes the prompt, and problems need not get the same number of draws.
    """

    kinds: ClassVar[Collection[str]] = ("reasoning",)
    verb: Literal["sample"] = "sample"
    strategy: str = "auto"
    """`auto` takes what the plan finds best; `adaptive` goes draw by draw; `cascade` gives what the cheapest teacher
    leaves unsolved to a dearer one; a teacher's name spends everything on that one, all problems alike."""
    teachers: tuple[str, ...] = ()
    """Names of the recipe's `teachers` to choose from; all of them by default."""
    budget: SampleBudget | None = None
    """For all draws together, the pilot's included."""
    samples: int | None = Field(None, ge=1)
    """Instead of a budget: draws of every problem, from the one teacher that `strategy` names."""
    objective: Literal["coverage", "unique", "student"] = "unique"
    """What the budget should buy: solved problems, different right solutions over all problems, or their sum of
    log(1 + solutions), which stands in for what a student gains."""
    pilot: Pilot = Pilot()
    """The draws the plan rests on; see [pilot](#pilot)."""
    accept: Literal["correct", "majority", "all"] = "correct"
    """Which solutions become rows: those that end as gold does; those that end as most of their problem's do, with no
    look at gold's answers; or all."""
    same: Literal["steps", "text"] = "steps"
    """Two solutions are one where their equations are the same, or only where their words are."""

    @model_validator(mode="after")
    def _says_how_much(self) -> Sample:
        if (self.budget is None) == (self.samples is None):
            raise ValueError("give `budget` or `samples`, one of the two")
        if (self.samples is not None or self.accept != "correct") and self.strategy in CHOOSING:
            why = "`samples`" if self.samples is not None else f"`accept: {self.accept}`"
            raise ValueError(f"{why} needs one teacher: set `strategy` to its name")
        return self

    def run(self, ctx: Context, state: State) -> State:
        """Pilot, plan, draw; the rows are all that was asked for, the metrics say what they amount to."""
        draws = self._open(ctx)
        found: dict[str, Any] = {"objective": self.objective, "strategy": self.strategy, "unit": draws.unit}
        if self.samples is not None:
            draws.take(np.full((len(draws.ids), 1), self.samples, dtype=np.int64))
        else:
            found |= self._spend(ctx, draws)
        rows = self._accepted(draws)
        outcome = pools.outcome(draws.pool, draws.ids, draws.unit)
        found |= {"problems": len(draws.ids), "spent": draws.spent, "teachers": _by_teacher(draws), "outcome": outcome}
        metrics = {"asked": account(rows), "sampling": found}
        return State(pl.concat([state.rows, rows]), state.students, metrics, pool=draws.pool)

    def pilot_only(self, ctx: Context) -> dict[str, Any]:
        """The pilot's draws and what follows from them, without the rest."""
        draws = self._open(ctx)
        self._draw_pilot(ctx, draws)
        if ctx.is_ended:
            why = ctx.purse.ended or str(ctx.purse.ended_steps[ctx.step])
            raise BudgetExceeded("the recipe's budget ended within the pilot", why, "raise `budget`")
        return {"unit": draws.unit, "problems": len(draws.ids), **self._pilot(ctx, draws)[0]}

    def candidates(self, names: Iterable[str]) -> list[str]:
        """Which of the recipe's teachers, by name, this step may ask."""
        return [self.strategy] if self.strategy not in CHOOSING else list(self.teachers or names)

    def _open(self, ctx: Context) -> Draws:
        gold = ctx.read_gold("steer", "problems to solve, and their answers to check against")
        teachers = [ctx.teachers[name] for name in self.candidates(ctx.teachers)]
        return Draws(ctx, gold, teachers, self._unit(teachers), self.same)

    @property
    def _total(self) -> float:
        """The budget, where the step has one."""
        assert self.budget is not None
        return self.budget.value

    def _unit(self, teachers: Sequence[Teacher]) -> Unit:
        if self.budget is not None:
            return self.budget.unit
        if all(teacher.flops_per_token is not None for teacher in teachers):
            return "flops"
        return "usd" if all(teacher.price is not None for teacher in teachers) else "seconds"

    def _spend(self, ctx: Context, draws: Draws) -> dict[str, Any]:
        """Spend the budget, and say how it was decided what on."""
        if self.strategy not in CHOOSING:
            # A handful of draws tell what one costs; spending it all on one teacher needs nothing else.
            draws.take(_some(ctx, draws, (0, 48), 1))
            self._spread(ctx, draws, [self.strategy])
            return {"budget": self._total}
        self._draw_pilot(ctx, draws)
        if ctx.is_ended:
            # A cap of the recipe's came first: what was drawn is kept, and the same command goes on from it.
            return {"budget": self._total}
        found, made = self._pilot(ctx, draws)
        pilot, option = draws.counts, _option(made, self.strategy)
        if option.kind in ("fixed", "mixture"):
            self._spread(ctx, draws, list(option.draws))
        elif option.kind == "cascade":
            self._cascade(ctx, draws, option)
        else:
            self._adapt(ctx, draws)
        came = {"chosen": option.name, "forecast": option.forecast.to_dict(), "came_out": self._value(draws.counts)}
        if option.kind == "fixed":
            came["checks"] = _checks(draws, pilot, found["forecasts"], next(iter(option.draws)))
        return {**found, **came, "budget": self._total}

    def _spread(self, ctx: Context, draws: Draws, teachers: Sequence[str]) -> None:
        """All problems alike."""
        for share in (0.85, 1.0):
            if ctx.is_ended:
                break
            # The end is planned with the costs seen by then: a bad first guess overdraws nothing.
            draws.take(_evenly(ctx, draws, teachers, share * self._total - draws.spent))

    def _cascade(self, ctx: Context, draws: Draws, option: Option) -> None:
        """Every problem to the cheaper teacher first, then what is left on the unsolved and the dearer one."""
        weak, strong = option.draws
        counts, column = draws.counts, draws.names.index(weak)
        more = np.zeros_like(counts.n)
        more[:, column] = np.where(counts.solved, 0, np.maximum(round(option.draws[weak]) - counts.n[:, column], 0))
        draws.take(_within(ctx, draws, more, self._total - draws.spent))
        for share in (0.6, 0.9, 1.0):
            # The unsolved take longer answers than the mean so far: what they cost shows as they are drawn.
            if not ctx.is_ended:
                left = share * self._total - draws.spent
                draws.take(_evenly(ctx, draws, [strong], left, among=~draws.counts.solved))

    def _adapt(self, ctx: Context, draws: Draws) -> None:
        """Batch after batch, each decided by what came out so far."""
        charges = draws.charges()
        # A fiftieth of all draws at a time: small enough to learn from, large enough to keep a batch full.
        batch = int(np.clip((self._total - draws.spent) / float(charges.draw.min()) / 50, 64, 4096))
        policy = Allocator(charges, self.objective, batch=batch, rng_seed=ctx.rng_seed)
        while not ctx.is_ended:
            policy.charges = draws.charges()
            more = policy.next_draws(draws.counts, self._total - draws.spent)
            if not more.any() or draws.take(more) < more.sum():
                break

    def _draw_pilot(self, ctx: Context, draws: Draws) -> None:
        """A little from every teacher: as much as was asked for, or as the budget bears."""
        bearable = 0
        # Two problems tell whether the budget bears a pilot at all, before much of it is gone; ten what a draw costs.
        for part in ((0, 2), (2, FEWEST)):
            draws.take(_some(ctx, draws, part, self.pilot.samples))
            if ctx.is_ended:
                return
            each = sum(cost.of(self.pilot.samples) for cost in draws.costs())
            bearable = int(PILOT_SHARE * self._total / each)
            if bearable < FEWEST:
                raise ConfigError(
                    "the budget is too small to find out what it is best spent on",
                    f"{FEWEST} problems of a pilot cost {FEWEST * each:.3g} {draws.unit} of {self._total:.3g}",
                    f"raise it to {FEWEST * each / PILOT_SHARE:.2g} or more, or name a teacher as `strategy`",
                )
        most = min(self.pilot.problems, bearable)
        if most < min(self.pilot.problems, len(draws.ids)):
            ctx.log({"event": "pilot cut", "problems": most, "asked": self.pilot.problems, "step": ctx.step})
        draws.take(_some(ctx, draws, (FEWEST, most), self.pilot.samples))

    def _pilot(self, ctx: Context, draws: Draws) -> tuple[dict[str, Any], Plan]:
        """What the pilot says, and the plan that rests on it."""
        asked = np.flatnonzero(draws.counts.n.any(axis=1))
        seen, size = draws.counts.rows(asked), len(draws.ids)
        if not seen.c.any():
            why = draws.rows.filter(pl.col("why").is_not_null())["why"].value_counts(sort=True)
            raise DataError(
                "no teacher solved any problem of the pilot, so there is nothing to plan on",
                f"{int(seen.n.sum())} draws, most often: {why['why'][0] if why.height else 'wrong'}",
                "look at the prompt and the answers (`seedbed ledger`), or take easier problems or other teachers",
            )
        planner = Planner(seen, draws.charges(), size, rng_seed=ctx.rng_seed)
        made = planner.plan(self._total, self.objective, sunk=draws.spent_on())
        pilot: dict[str, Any] = {"problems": len(asked), "samples": self.pilot.samples, "spent": draws.spent}
        pilot["teachers"] = _by_teacher(draws)
        return {"pilot": pilot, "plan": made.to_dict(), "forecasts": self._forecasts(ctx, draws)}, made

    def _forecasts(self, ctx: Context, draws: Draws) -> dict[str, Any]:
        """Coverage to expect of the problems outside the pilot, for each teacher, up to what the budget buys of it."""
        counts, size, found = draws.counts, len(draws.ids), {}
        for column, (name, cost) in enumerate(zip(draws.names, draws.costs(), strict=True)):
            asked = counts.n[:, column] > 0
            ks = [k for k in KS if k <= max(cost.affordable(self._total / size), self.pilot.samples)]
            rest = size - int(asked.sum())
            pilot = counts.n[asked, column], counts.c[asked, column]
            made = forecast(*pilot, ks, rng_seed=ctx.rng_seed, problems=max(rest, 1))
            band = made.further if rest else made.same
            curve = [{"k": k, **one.to_dict()} for k, one in zip(made.ks, band, strict=True)]
            found[name] = {"law": made.chosen, "curve": curve}
        return found

    def _value(self, counts: Counts) -> float:
        """The objective as the plan forecasts it: a share of problems, or a sum over them."""
        if self.objective == "coverage":
            return float(counts.solved.mean())
        return float((np.log1p(counts.found) if self.objective == "student" else counts.found).sum())

    def _accepted(self, draws: Draws) -> pl.DataFrame:
        """The rows, with what counts as right decided by gold, by the draws themselves, or not at all."""
        rows, has_text = draws.rows, pl.col("solution").is_not_null()
        if self.accept == "correct":
            return rows
        if self.accept == "all":
            return rows.with_columns(
                status=pl.when(has_text).then(pl.lit("accepted")).otherwise("status"),
                why=pl.when(has_text).then(None).otherwise("why"),
            )
        votes = vote(draws.pool)
        chosen = dict(votes.select("problem_id", "answer").iter_rows())
        # The pool leaves out only what was never sent.
        agrees = labelled_by_vote(draws.pool, votes)["correct"].fill_null(value=False)
        sent = rows.filter(pl.col("status") != "pending")
        most = pl.col("parents").list.first().replace_strict(chosen, default=None, return_dtype=pl.String)
        other = pl.format("vote: most said {}", most.fill_null("nothing"))
        voted = sent.with_columns(
            status=pl.when(agrees).then(pl.lit("accepted")).when(has_text).then(pl.lit("rejected")).otherwise("status"),
            why=pl.when(agrees).then(None).when(has_text).then(other).otherwise("why"),
            answer=pl.when(agrees).then(most).otherwise("answer"),
        )
        return pl.concat([voted, rows.filter(pl.col("status") == "pending")])

    def forecast(self, task: Task, gold: Gold) -> Forecast:
        """The pilot's requests; how many follow depends on what it finds, and `seedbed sample plan` says it."""
        example = Draft("solve", {"problem": gold.steer[task.written][0] if gold.steer.height else ""})
        if self.samples is not None:
            asked = self.samples * gold.steer.height
            return Forecast(asked, asked, asked, example, 200.0)
        # Without a list all of the recipe's teachers are tried, of which there are two or more.
        teachers = max(len(self.teachers), 2) if self.strategy in CHOOSING else 1
        pilot = min(self.pilot.problems, gold.steer.height) * self.pilot.samples * teachers
        return Forecast(pilot, pilot, pilot, example, 200.0)


def _by_teacher(draws: Draws) -> dict[str, Any]:
    """Each teacher's draws in numbers."""
    return {
        teacher.name: {"address": teacher.model.address, **pools.describe_model(mine, draws.unit)}
        for teacher in draws.teachers
        if (mine := draws.of(teacher)).height
    }


def _option(made: Plan, strategy: str) -> Option:
    """What the plan recommends, or its best option of one kind."""
    if strategy == "auto":
        return made.option(made.recommended)
    found = next((one for one in made.options if one.kind == strategy), None)
    if found is None:
        seen = f"{made.budget:.3g} for {made.problems} problems"
        raise ConfigError(f"the budget does not pay for a {strategy}", seen, "raise it, or take `strategy: auto`")
    return found


def _within(ctx: Context, draws: Draws, more: NDArray[np.int64], budget: float) -> NDArray[np.int64]:
    """The draws of as many problems, at random, as a budget pays for at what they cost so far."""
    order = ctx.rng("within", int(draws.counts.n.sum())).permutation(np.flatnonzero(more.any(axis=1)))
    return affordable(draws.charges(), draws.counts.n, more, budget, order)


def _evenly(
    ctx: Context, draws: Draws, teachers: Sequence[str], left: float, among: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """(P, M) draws that spend what is left in equal parts on the teachers, as many of every problem as go into it."""
    charges, found = draws.charges(), np.zeros_like(draws.counts.n)
    due = np.arange(len(draws.ids)) if among is None else np.flatnonzero(among)
    order = ctx.rng("evenly", int(draws.counts.n.sum())).permutation(due)
    for column in map(draws.names.index, teachers):
        part = max(left, 0.0) / len(teachers)
        found[order, column] = even_draws(charges.prompt[column], charges.draw[column], part, len(due))
    return found


def _checks(draws: Draws, pilot: Counts, forecasts: dict[str, Any], teacher: str) -> list[dict[str, Any]]:
    """The forecast of a teacher's coverage beside what came out, on the problems that the pilot did not see."""
    column = draws.names.index(teacher)
    fresh = pilot.n[:, column] == 0
    n, c = draws.counts.n[fresh, column], draws.counts.c[fresh, column]
    found = []
    for one in forecasts[teacher]["curve"]:
        known = n >= one["k"]
        if known.sum() > len(known) / 2:
            actual = float(pass_at_k(n[known], c[known], one["k"]).mean())
            holds = one["low"] <= actual <= one["high"]
            found.append({"k": one["k"], "actual": actual, "error": one["value"] - actual, "holds": holds})
    return found


def _some(ctx: Context, draws: Draws, part: tuple[int, int], samples: int) -> NDArray[np.int64]:
    """(P, M) a few draws from every teacher of a part of the problems, counted in a random order."""
    size = len(draws.ids)
    found = np.zeros((size, len(draws.teachers)), dtype=np.int64)
    found[ctx.rng("pilot").permutation(size)[slice(*part)]] = samples
    return found
