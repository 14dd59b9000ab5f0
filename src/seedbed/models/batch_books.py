"""The books of one call of `generate` through a batch endpoint: what is reserved, noted, settled, taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seedbed.budget import Budget, Worst
from seedbed.errors import BudgetExceeded
from seedbed.ledger import Ledger
from seedbed.ledger.batches import Batch, Batches, Held
from seedbed.models.booking import Answer, Tariff
from seedbed.models.structured import check
from seedbed.request import Failure, FailureKind, Reply, Request


class Books:
    """Keeps the ledger and the budget in step with what becomes of requests in batches.

    A batch of another scope (another run at the same ledger) has its answers taken like any other, but its money is
    not ours: nothing of it is reserved or settled here, and nothing of it is sent again.

    Args:
        ledger: Owns every answer.
        budget: Caps, and the scope that uses are booked on.
        address: The model's.
        tariff: What the model's tokens cost in a batch.
        step: The step that asks.
    """

    def __init__(self, ledger: Ledger, budget: Budget | None, address: str, tariff: Tariff, step: str) -> None:
        self.ledger, self.budget, self.address, self.tariff, self.step = ledger, budget, address, tariff, step
        self.scope = budget.scope if budget else ""
        self.batches = Batches(ledger, address)
        self.re_asks: set[str] = set()
        """Requests that ask again because an answer missed its constraint."""

    def reserve(self, worst: Worst, step: str | None = None) -> bool:
        """Set a worst case aside; False where it does not fit."""
        step = self.step if step is None else step
        return self.budget is None or self.budget.try_reserve(worst, step=step, model=self.address)

    def release(self, worst: Worst) -> None:
        """Give back what was reserved for a request that was never sent."""
        if self.budget is not None:
            self.budget.release(worst, step=self.step, model=self.address)

    def exceeded(self, worst: Worst) -> BudgetExceeded:
        """The error that says which cap the next request does not fit under."""
        assert self.budget is not None
        return self.budget.exceeded(worst, step=self.step, model=self.address)

    def owns(self, batch: Batch) -> bool:
        """Whether a batch is this run's, so that what it holds is on these books."""
        return batch.scope == self.scope

    def settle(self, batch: Batch, answered: Sequence[tuple[Held, Answer]]) -> None:
        """Store answers, and take their requests out of the batch."""
        answers = [(held, self.tariff.finished(answer)) for held, answer in answered]
        for held, answer in answers:
            self.ledger.settle(held.key, answer, checked=self._checked(held, answer))
        self.batches.let_go(held.key for held, _ in answers)
        for held, answer in answers if self.owns(batch) else ():
            self.book(_worst(held), answer, usd=answer.usd, step=batch.step)

    def book(self, worst: Worst, answer: Answer, *, usd: float | None, step: str | None = None) -> None:
        """Replace a reserved worst case by what an answer came to."""
        if self.budget is not None:
            known = answer.tokens_in is not None and answer.tokens_out is not None
            tokens = (answer.tokens_in or 0) + (answer.tokens_out or 0) if known else None
            step = self.step if step is None else step
            self.budget.settle(worst, usd=usd, tokens=tokens, flops=answer.flops, step=step, model=self.address)

    def give_up(self, batch: Batch, helds: Iterable[Held], kind: FailureKind, why: str) -> None:
        """Say that requests which cost nothing get no answer."""
        self.settle(batch, [(held, Failure(kind, why)) for held in helds])

    def lose(self, batch: Batch, helds: Sequence[Held], why: str, *, again: bool, kind: FailureKind) -> list[Held]:
        """Note that answers were lost although they may be billed: their worst case stays spent.

        Args:
            batch: What held them.
            helds: The requests.
            why: What was lost.
            again: Whether another try is wanted.
            kind: What those are that get none.

        Returns:
            Requests for which the budget had room once more. The others are given up.
        """
        self.batches.lose(batch, [held.key for held in helds])
        wanted = [held for held in helds if again and self.reserve(_worst(held, is_new=False), batch.step)]
        if again and len(wanted) < len(helds):
            why += "; the budget has no room for another try"
        kept = {held.key for held in wanted}
        for held in helds:
            if held.key not in kept:
                self.ledger.settle(held.key, self.tariff.finished(Failure(kind, why)))
        self.batches.let_go(held.key for held in helds if held.key not in kept)
        return wanted

    def _checked(self, held: Held, answer: Answer) -> str:
        if '"constraint":' not in held.request or not isinstance(answer, Reply):
            return ""
        constraint = Request.from_canonical(held.request).constraint
        if constraint is None:
            return ""
        kind = check(constraint, answer.text).kind
        if held.key in self.re_asks:
            return "malformed" if kind == "invalid" else "repaired"
        return kind

    def take_back(self, batch: Batch, keys: Sequence[str] | None = None) -> None:
        """Take requests back that were never executed; all that the batch holds, which then is over, without keys."""
        pages = [list(keys)] if keys is not None else _pages(held.key for held in self.batches.all_held(batch))
        for page in pages:
            for held, is_unused in self.batches.withdraw(batch, page):
                if self.budget is not None and self.owns(batch):
                    self.budget.release(_worst(held, is_new=is_unused), step=batch.step, model=self.address)
        if keys is None:
            self.batches.over(batch, "never sent")


def _worst(held: Held, *, is_new: bool = True) -> Worst:
    return Worst(held.usd, held.tokens, is_new, held.flops)


def _pages(keys: Iterable[str], size: int = 1000) -> Iterable[list[str]]:
    page: list[str] = []
    for key in keys:
        page.append(key)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page
