"""What draws cost, in FLOPs, USD or seconds, and how many of them a budget buys from each model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from seedbed.errors import DataError
from seedbed.estimate import Estimate
from seedbed.estimate.spread import check_level, read_scores
from seedbed.sampling.coverage import Floats, mean_over_problems


@dataclass(frozen=True, slots=True)
class SampleCost:
    """What one problem costs with one model: all numbers in one unit, FLOPs, USD or seconds.

    >>> SampleCost(prompt=3.0, draw=2.0, shared=True).of(4), SampleCost(3.0, 2.0, shared=False).of(4)
    (11.0, 20.0)
    """

    prompt: float
    """Reading the problem."""
    draw: float
    """Writing one solution."""
    shared: bool
    """The problem is read once for all its draws; else each draw reads it again."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.prompt + self.draw) and self.prompt >= 0 and self.draw > 0):
            raise DataError(
                "a draw must cost something, and its prompt nothing less than 0",
                f"prompt {self.prompt}, draw {self.draw}",
                "give both in FLOPs, USD or seconds",
            )

    @property
    def next_draw(self) -> float:
        """What one more draw adds on a problem that was drawn before."""
        return self.draw if self.shared else self.draw + self.prompt

    def of(self, k: float) -> float:
        """Cost of k draws of one problem; none cost nothing."""
        if k <= 0:
            return 0.0
        return (self.prompt if self.shared else 0.0) + k * self.next_draw

    def affordable(self, budget_per_problem: float) -> int:
        """Draws of one problem that the budget pays for, 0 or more."""
        left = budget_per_problem - (self.prompt if self.shared else 0.0)
        # 3.0 may have come out of a division as 2.9999999999999996: that draw is paid for.
        return max(0, math.floor(left / self.next_draw * (1 + 1e-12)))


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """USD for a million tokens."""

    input: float
    output: float
    cached: float | None = None
    """Input read before; None where the endpoint gives no discount."""


def transformer_flops(
    parameters: float,
    layers: int,
    width: int,
    tokens_in: float,
    tokens_out: float,
    *,
    draws: float = 1,
    shared_prefill: bool = True,
) -> float:
    """FLOPs to read a problem and write `draws` solutions of it.

    Each token passes every parameter (a multiplication and an addition) and attends to what stands before it.
    Attention matters for small models on long texts and hardly at all for large ones; `layers=0` leaves it out, as
    the paper on weak and strong teachers does.

    Args:
        parameters: That one token passes: of a mixture of experts the active ones. A table of embeddings is looked
            up, not multiplied; the output layer counts.
        layers: Of the transformer.
        width: Of its hidden state.
        tokens_in: Tokens of the prompt.
        tokens_out: Tokens of one solution, on average.
        draws: Solutions.
        shared_prefill: The prompt is read once for all draws; False where each is a request of its own.

    Returns:
        FLOPs.

    Source:
        Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv:2001.08361, table 1 (2P + 2 layers width
        context per token, context being the whole length); the prompt counted once is Brown et al. 2024,
        arXiv:2407.21787. Differs: attention is summed over positions, so prompt and solution get their own part.

    >>> transformer_flops(9e9, 0, 0, 0, 100, draws=3) == transformer_flops(27e9, 0, 0, 0, 100, draws=1)
    True
    """
    return flops_cost(parameters, layers, width, tokens_in, tokens_out, shared_prefill=shared_prefill).of(draws)


def flops_cost(
    parameters: float, layers: int, width: int, tokens_in: float, tokens_out: float, *, shared_prefill: bool = True
) -> SampleCost:
    """`SampleCost` in FLOPs; see `transformer_flops`."""

    def work(before: float, tokens: float) -> float:
        after = before + tokens
        # A token at position t scores t keys and mixes t values: 4 layers width t. Their sum is 2 layers width t (t+1).
        return 2 * parameters * tokens + 2 * layers * width * (after * (after + 1) - before * (before + 1))

    return SampleCost(work(0, tokens_in), work(tokens_in, tokens_out), shared_prefill)


def price_cost(
    prices: TokenPrices, tokens_in: float, tokens_out: float, *, draws_per_request: bool = False
) -> SampleCost:
    """`SampleCost` in USD.

    Args:
        prices: Of the model.
        tokens_in: Tokens of the prompt.
        tokens_out: Tokens of one solution, on average.
        draws_per_request: One request brings all draws of a problem (`n` in the OpenAI format) and its prompt is
            billed once. Else each draw pays for the prompt, from the second on at the cached price where there is one.

    Returns:
        USD.

    >>> cost = price_cost(TokenPrices(input=1.0, output=4.0, cached=0.1), 1000, 500)
    >>> round(cost.of(2), 6)
    0.0051
    """
    million = 1e6
    read, write = prices.input * tokens_in / million, prices.output * tokens_out / million
    if draws_per_request:
        return SampleCost(read, write, shared=True)
    if prices.cached is None:
        return SampleCost(read, write, shared=False)
    again = prices.cached * tokens_in / million
    return SampleCost(max(0.0, read - again), write + again, shared=True)


def measured_cost(per_draw: ArrayLike) -> SampleCost:
    """`SampleCost` from what draws were seen to cost each, such as seconds or a bill: the mean, prompt included."""
    return SampleCost(0.0, float(read_scores(per_draw, least=1).mean()), shared=False)


def equal_budget(costs: Mapping[str, SampleCost], budget: float, problems: int) -> dict[str, int]:
    """Draws per problem that one budget buys from each model, all problems treated alike.

    Args:
        costs: What a problem costs with each model, all in the budget's unit.
        budget: For all problems together.
        problems: How many share it.

    Returns:
        Draws per problem by model; 0 where the budget is too small for one.

    Raises:
        DataError: No problems, or a budget below 0.

    Source:
        Bansal et al. 2024, Smaller, Weaker, Yet Better, arXiv:2408.16737: S_WC = (P_SE / P_WC) S_SE. Differs: any
        number of models; prompt and attention count where the costs hold them. Without them theirs comes out:

    >>> weak, strong = (flops_cost(parameters, 0, 0, 0, 200) for parameters in (9e9, 27e9))
    >>> equal_budget({"weak": weak, "strong": strong}, budget=10 * 7500 * strong.of(1), problems=7500)
    {'weak': 30, 'strong': 10}
    """
    if problems < 1 or not budget >= 0:
        raise DataError("a budget is shared by one problem or more", f"{budget} for {problems}", "give both above zero")
    return {name: cost.affordable(budget / problems) for name, cost in costs.items()}


def cost_per_solved(cost: ArrayLike, solved: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Cost of one solved problem: all that was spent over all that was solved, with an interval over problems.

    Args:
        cost: (P,) what was spent on each problem, or would be at k draws.
        solved: (P,) whether it was solved, or `pass_at_k` at the same k.
        level: Coverage of the interval, in (0, 1).

    Returns:
        In the unit of `cost`. The upper limit is infinite where the problems cannot rule out that none is solved.

    Raises:
        DataError: Nothing was solved: then no finite number stands for the cost.
    """
    spent, yielded = read_scores(cost), read_scores(solved, unit=True)
    if len(spent) == len(yielded) and np.ptp(spent) == 0 and yielded.any():
        rate = mean_over_problems(yielded, level=level)
        price = float(spent[0])
        high = price / rate.low if rate.low > 0 else math.inf
        return Estimate(price / rate.value, price / rate.high, high, rate.n, rate.method)
    return _ratio(spent, yielded, level)


def cost_per_unique(cost: ArrayLike, unique: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Cost of one different correct solution: spent over found, with an interval over problems.

    Args:
        cost: (P,) what was spent on each problem, or would be at k draws.
        unique: (P,) different correct solutions of it, or `unique_at_k` at the same k.
        level: Coverage of the interval, in (0, 1).

    Returns:
        In the unit of `cost`; the upper limit may be infinite.

    Raises:
        DataError: No solution was found.
    """
    return _ratio(read_scores(cost), read_scores(unique), level)


def _ratio(spent: Floats, found: Floats, level: float) -> Estimate:
    """Fieller 1954: the ratios r for which mean(spent - r found) could be zero. Delta intervals are too short to the
    right when few problems are solved, and a bootstrap divides by zero there."""
    check_level(level)
    if len(spent) != len(found) or not found.any():
        raise DataError(
            "a cost per result needs results",
            f"{len(spent)} costs, {len(found)} problems, {found.sum():g} results",
            "give both per problem; raise the budget until something is solved",
        )
    n, top, bottom = len(spent), float(spent.mean()), float(found.mean())
    covariance = np.cov(spent, found) / n
    reach = float(stats.t.ppf((1 + level) / 2, n - 1)) ** 2
    square, cross = bottom**2 - reach * covariance[1, 1], top * bottom - reach * covariance[0, 1]
    rest, value = top**2 - reach * covariance[0, 0], top / bottom
    root = math.sqrt(max(0.0, cross**2 - square * rest))
    if square > 0:
        low, high = (cross - root) / square, (cross + root) / square
    else:  # the number of results is not clearly above zero
        low, high = rest / (cross + root) if cross + root > 0 else 0.0, math.inf
    return Estimate(value, min(value, max(0.0, low)), max(value, high), n, "fieller")
