"""Requests and answers to put into a ledger."""

from __future__ import annotations

from collections.abc import Sequence

from seedbed.ledger import Intent, Ledger
from seedbed.request import Failure, Reply, Request


def ask(number: int, model: str = "m", *, usd: float | None = None, text: str = "question") -> Intent:
    """The intent to ask question `number`."""
    request = Request((("system", "be brief"), ("user", f"{text} {number}")), draw=number)
    return Intent(f"{number:032x}", request.canonical(), model, usd, 100)


def answered(text: str = "yes") -> Reply:
    """A good answer."""
    return Reply(text, 3, 2, 0.5, 1.0, "tiny-1")


def fill(ledger: Ledger, run: str, step: str, answers: Sequence[Reply | Failure], *, first: int = 0) -> None:
    """Ask and answer questions, numbered from `first`."""
    intents = [ask(number) for number in range(first, first + len(answers))]
    ledger.intend(run, intents, step=step)
    for intent, answer in zip(intents, answers, strict=True):
        ledger.settle(intent.key, answer)
    ledger.flush()
