"""The books of one call of `generate` through a batch endpoint: what is reserved, noted, settled, taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seedbed.budget import Budget, Worst
from seedbed.ledger import Ledger
from seedbed.ledger.batches import Batch, Batches, Held
from seedbed.models.booking import Answer, Room, Tariff, in_a_word, judged
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

    def room(self, step: str | None = None) -> Room:
        """The budget as a step sees it; by default the one that asks."""
        return Room(self.budget, self.step if step is None else step, self.address)

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
            self.room(batch.step).settle(_worst(held), answer, usd=answer.usd)

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
        room = self.room(batch.step)
        wanted = [held for held in helds if again and room.try_reserve(_worst(held, is_new=False))]
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
        _, checked = judged(Request.from_canonical(held.request).constraint, answer)
        return in_a_word(checked, is_re_ask=held.key in self.re_asks)

    def take_back(self, batch: Batch, keys: Sequence[str] | None = None) -> None:
        """Take requests back that were never executed; all that the batch holds, which then is over, without keys."""
        pages = [list(keys)] if keys is not None else _pages(held.key for held in self.batches.all_held(batch))
        for page in pages:
            for held, is_unused in self.batches.withdraw(batch, page):
                if self.owns(batch):
                    self.room(batch.step).release(_worst(held, is_new=is_unused))
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
