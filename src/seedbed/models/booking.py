"""What a request can cost at most, and what an answer came to."""

from __future__ import annotations

from dataclasses import replace

from seedbed.budget import Worst
from seedbed.ledger import storable
from seedbed.models.prices import Price
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure
PER_MESSAGE = 16
"""Tokens a chat template may add around a message, generously."""


def worst_case(request: Request, price: Price | None, *, is_new: bool = True) -> Worst:
    """What a request can cost at most: no tokeniser makes more tokens of a text than it has bytes."""
    tokens_in = PER_MESSAGE * len(request.messages)
    for _, text in request.messages:
        tokens_in += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if request.constraint is not None:
        tokens_in += len(request.canonical())  # some servers bill the schema as part of the prompt
    usd = None if price is None else price.usd(tokens_in, request.max_tokens)
    return Worst(usd, tokens_in + request.max_tokens, is_new)


def finished(answer: Answer, price: Price | None) -> Answer:
    """The answer as the ledger keeps it and the caller sees it, with its price where the wire did not say it.

    Texts become storable first, so that a replay gives the same bytes.
    """
    usd = answer.usd
    if isinstance(answer, Reply):
        if usd is None and price is not None and answer.tokens_in is not None and answer.tokens_out is not None:
            usd = price.usd(answer.tokens_in, answer.tokens_out)
        it = answer  # built in one go: `replace` takes three times as long, for every answer there is
        return Reply(
            storable(it.text), it.tokens_in, it.tokens_out, usd, it.seconds, storable(it.model), it.is_cached,
            it.tokens_cached, it.flops, it.logprobs, it.checked,
        )  # fmt: skip
    answer = replace(answer, message=storable(answer.message))
    if usd is None and answer.kind in ("terminal", "exhausted"):
        return replace(answer, tokens_in=answer.tokens_in or 0, tokens_out=answer.tokens_out or 0, usd=0.0)
    if usd is None and price is not None and answer.tokens_in is not None and answer.tokens_out is not None:
        return replace(answer, usd=price.usd(answer.tokens_in, answer.tokens_out))
    return answer
