"""What a request can cost at most, and what an answer came to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seedbed.budget import Budget, Worst
from seedbed.errors import BudgetExceeded
from seedbed.ledger import storable
from seedbed.models.prices import Price
from seedbed.models.structured import Checked, check, check_constraint
from seedbed.request import Constraint, Failure, Reply, Request

Answer = Reply | Failure
PER_MESSAGE = 16
"""Tokens a chat template may add around a message, generously."""
NOTHING = Worst(0.0, 0, is_new=False, flops=0.0)
"""The worst case of an answer that is owned."""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a model's tokens cost, in usd and in floating-point operations."""

    price: Price | None = None
    """None is unknown, which is not free."""
    flops_per_token: float | None = None

    def worst_case(self, request: Request, *, is_new: bool = True, more_bytes: int = 0) -> Worst:
        """What a request can cost at most: no tokeniser makes more tokens of a text than it has bytes.

        Args:
            request: What will be asked.
            is_new: Whether the scope has not counted the request before.
            more_bytes: Text that may be added to the request.
        """
        tokens_in = PER_MESSAGE * len(request.messages) + more_bytes
        for _, text in request.messages:
            tokens_in += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if request.constraint is not None:
            tokens_in += len(request.canonical().encode("utf-8", "surrogatepass"))  # some bill the schema as prompt
        tokens = tokens_in + request.max_tokens
        usd = None if self.price is None else self.price.usd(tokens_in, request.max_tokens)
        return Worst(usd, tokens, is_new, None if self.flops_per_token is None else self.flops_per_token * tokens)

    def owned(self, request: Request, answer: Answer) -> Worst:
        """What an answer counts for that is owned, and so costs no usd; unknown tokens count at their worst."""
        tokens, flops = (answer.tokens_in or 0) + (answer.tokens_out or 0), answer.flops
        if answer.tokens_in is None or answer.tokens_out is None:
            tokens = self.worst_case(request).tokens
        return Worst(0.0, tokens, flops=tokens * (self.flops_per_token or 0.0) if flops is None else flops)

    def finished(self, answer: Answer) -> Answer:
        """The answer as the ledger keeps it and the caller sees it, with what it cost where the wire did not say.

        Texts become storable first, so that a replay gives the same bytes.
        """
        usd, flops = self._cost(answer)
        it = answer  # built in one go: `replace` takes three times as long, for every answer there is
        if isinstance(it, Reply):
            return Reply(
                storable(it.text), it.tokens_in, it.tokens_out, usd, it.seconds, storable(it.model), it.is_cached,
                it.tokens_cached, flops, it.logprobs, it.checked,
            )  # fmt: skip
        answer = replace(it, message=storable(it.message), usd=usd, flops=flops)
        if it.usd is None and it.kind in ("terminal", "exhausted"):
            tokens = (it.tokens_in or 0, it.tokens_out or 0)
            return replace(answer, tokens_in=tokens[0], tokens_out=tokens[1], usd=0.0, flops=flops or 0.0)
        return answer

    def _cost(self, it: Answer) -> tuple[float | None, float | None]:
        usd, flops = it.usd, it.flops
        if it.tokens_in is not None and it.tokens_out is not None:
            if usd is None and self.price is not None:
                usd = self.price.usd(it.tokens_in, it.tokens_out, it.tokens_cached)
            if flops is None and self.flops_per_token is not None:
                flops = self.flops_per_token * (it.tokens_in + it.tokens_out - it.tokens_cached)
        return usd, flops


class Room:
    """The budget as one call of `generate` sees it; without one there is always room."""

    def __init__(self, budget: Budget | None, step: str, model: str) -> None:
        self._budget, self._place = budget, {"step": step, "model": model}

    def try_reserve(self, worst: Worst, spare: Worst | None = None) -> bool:
        """Set two worst cases aside, or neither. What is owned already always fits."""
        if self._budget is None:
            return True
        if worst is not NOTHING and not self._budget.try_reserve(worst, **self._place):
            return False
        if spare is None or self._budget.try_reserve(spare, **self._place):
            return True
        self._budget.release(worst, **self._place)
        return False

    def exceeded(self, worst: Worst) -> BudgetExceeded:
        """The error that says which cap the worst case does not fit under."""
        assert self._budget is not None
        return self._budget.exceeded(worst, **self._place)

    def settle(self, reserved: Worst, answer: Answer, *, usd: float | None) -> None:
        """Replace a reserved worst case by what the answer came to."""
        if self._budget is not None:
            known = answer.tokens_in is not None and answer.tokens_out is not None
            tokens = (answer.tokens_in or 0) + (answer.tokens_out or 0) if known else None
            self._budget.settle(reserved, usd=usd, tokens=tokens, flops=answer.flops, **self._place)

    def release(self, worst: Worst | None) -> None:
        """Give back what was reserved for a request that was not sent."""
        if self._budget is not None and worst is not None:
            self._budget.release(worst, **self._place)


@dataclass(frozen=True, slots=True)
class Flight:
    """A request whose worst case is reserved."""

    number: int
    request: Request
    canonical: str
    key: str
    worst: Worst
    spare: Worst | None = None
    """Reserved for the re-ask, where the answer must meet a constraint and the budget had room for both."""
    owned: Reply | None = None
    """The answer, where it is owned and only the re-ask may have to be sent."""


def both(first: Answer, second: Answer) -> Answer:
    """The second of two answers to one row, with what the two came to together."""
    pairs = ((getattr(first, name), getattr(second, name)) for name in ("tokens_in", "tokens_out", "usd", "flops"))
    tokens_in, tokens_out, usd, flops = (None if a is None or b is None else a + b for a, b in pairs)
    return replace(
        second,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        usd=usd,
        flops=flops,
        seconds=first.seconds + second.seconds,
        tokens_cached=first.tokens_cached + second.tokens_cached,
        is_cached=first.is_cached and second.is_cached,
    )


Judged = tuple[Answer, Checked | None]
"""An answer and what came of holding it against its constraint; None where there is no constraint or no reply."""


def judged(constraint: Constraint | None, answer: Answer) -> Judged:
    """Hold an answer against its constraint."""
    return answer, None if constraint is None or isinstance(answer, Failure) else check(constraint, answer.text)


def in_a_word(checked: Checked | None, *, is_re_ask: bool) -> str:
    """How a reply met its constraint, as the ledger says it."""
    if checked is None:
        return ""
    if is_re_ask:
        return "malformed" if checked.kind == "invalid" else "repaired"
    return checked.kind


def after_re_ask(first: Reply, problem: str, second: Answer, checked: Checked | None) -> Answer:
    """What a row comes to whose first answer missed its constraint, for this problem, and that was asked for again."""
    if isinstance(second, Failure):
        return both(first, malformed(second, f"{problem}; asked again: {second.message}"))
    assert checked is not None, "a re-ask has the constraint of its request"
    if checked.kind == "invalid":
        return both(first, malformed(second, checked.problem))
    return both(first, replace(second, text=checked.text, checked="repaired"))


def malformed(answer: Answer, why: str) -> Failure:
    """The failure of a row whose answer does not meet its constraint, with the answer's bill."""
    tokens = (answer.tokens_in, answer.tokens_out)
    return Failure(
        "malformed", why, *tokens, answer.usd, answer.seconds, answer.is_cached, answer.tokens_cached, answer.flops
    )


def meeting(answer: Reply, checked: Checked) -> Reply:
    """The answer with the text that meets its constraint."""
    return replace(answer, text=checked.text, checked="valid" if checked.kind == "valid" else "salvaged")


def spelled(request: Request) -> str:
    """The canonical JSON of a request whose constraint can be checked."""
    if request.constraint is not None:
        check_constraint(request.constraint)
    return request.canonical()
