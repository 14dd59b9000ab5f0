"""Models: anything that answers requests. `open_model` shows the layers and their order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from seedbed.budget import Budget
from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models.address import SCHEMES, is_on_http
from seedbed.models.booking import Tariff
from seedbed.models.prices import Price, flops_per_token, price_of, shares_prompts
from seedbed.models.window import Window
from seedbed.models.wire import Endpoint, Retryable, Wire
from seedbed.request import Model

if TYPE_CHECKING:
    from seedbed.models.hedge import Hedge
    from seedbed.models.retry import Retry
    from seedbed.models.throttle import Throttle

__all__ = [
    "Endpoint",
    "Price",
    "Retryable",
    "Wire",
    "flops_per_token",
    "open_model",
    "open_wire",
    "price_of",
    "shares_prompts",
]


def open_model(
    address: str, *, ledger: Ledger | None = None, budget: Budget | None = None, settings: Endpoint | None = None
) -> Model:
    """Open the model at an address.

    Args:
        address: `sim:WORLD[?knob=value&...]` (the embedded, simulated teacher), `openai:NAME`, `anthropic:NAME`,
            `http(s)://HOST:PORT/v1#NAME` (any server that speaks one of their formats), `hf:ORG/NAME` or
            `hf:FOLDER` (in this process, through transformers), `pocket:weak|strong|base` or `pocket:FOLDER` (in this
            process, with numpy alone), `vllm:ORG/NAME` (vLLM's engine), or `recorded:FILE`.
        ledger: Owns every answer; what it owns is never asked again.
        budget: Caps, on a scope of the ledger.
        settings: Where and how fast.

    Returns:
        The model; its layers, outermost first: ledger and budget (an owned answer costs nothing), draws that share a
        request, retry, breaker (sees every try), throttle (sees each 429, and a waiting retry holds no slot), caps per
        minute, hedge, wire. What is off is not there.

    Raises:
        ConfigError: No model can be at such an address, or its key is missing.
    """
    settings = settings or Endpoint()
    if address.startswith("pocket:") and "concurrency" not in settings.model_fields_set:
        # Nobody else waits at this endpoint, and a row more in the batch is nearly free: 256 draw ten times as fast.
        settings = settings.model_copy(update={"concurrency": 256})
    tariff = Tariff(price_of(address, settings), flops_per_token(address, settings))
    if settings.batch:
        from seedbed.models.batch import open_batch

        return open_batch(address, ledger, budget, settings, tariff)
    wire = open_wire(address, settings)
    if is_on_http(address):
        retry, throttle, hedge = _rated(wire, settings)
        wire, draws = retry, settings.draws_per_request
        if draws > 1:
            from seedbed.models.draws import Draws

            wire = Draws(wire, draws)

        def slots() -> int:
            # A request that waits for its next try holds no slot of the throttle; but not all may end up waiting.
            return draws * min(throttle.limit + retry.waiting, 4 * settings.concurrency)

        window = Window(wire, slots, ledger, budget, tariff, tries=min(3, settings.attempts), hedge=hedge)
        window.again = partial(open_model, address, ledger=ledger, budget=budget, settings=settings)
        return window
    return Window(wire, settings.concurrency, ledger, budget, tariff)


def _rated(wire: Wire, settings: Endpoint) -> tuple[Retry, Throttle, Hedge | None]:
    """A wire within the layers that send as fast as the endpoint bears, and no faster."""
    from seedbed.models.breaker import Breaker
    from seedbed.models.hedge import Hedge
    from seedbed.models.pace import Pace
    from seedbed.models.retry import Retry
    from seedbed.models.throttle import Throttle

    hedge = None if settings.hedge_after_s is None else Hedge(wire, settings.hedge_after_s)
    wire = hedge or wire
    if settings.requests_per_minute or settings.tokens_per_minute:
        wire = pace = Pace(wire, settings.requests_per_minute, settings.tokens_per_minute)
        if hedge is not None:
            hedge.admit = pace.admit
    throttle = Throttle(wire, settings.concurrency)
    return Retry(Breaker(throttle, settings.stall_s), settings.attempts), throttle, hedge


def open_wire(address: str, settings: Endpoint) -> Wire:
    """The innermost layer alone: one way to put one question at an address.

    Raises:
        ConfigError: No model can be at such an address, or its key is missing.
    """
    scheme = address.partition(":")[0]
    if scheme == "sim":
        from seedbed.models.simulated import Simulated

        return Simulated(address)
    if scheme == "recorded":
        from seedbed.models.recorded import Recorded

        return Recorded(address)
    if scheme in SCHEMES:
        from seedbed.models.http import Http

        return Http(address, settings)
    if scheme == "hf":
        from seedbed.models.hf import open_hf

        return open_hf(address, settings)
    if scheme == "pocket":
        from seedbed.models.pocket import open_pocket

        return open_pocket(address, settings)
    if scheme == "vllm":
        from seedbed.models.vllm import open_vllm

        return open_vllm(address, settings)
    raise ConfigError(
        "no model can be at such an address",
        address,
        "use sim:WORLD, pocket:NAME, openai:NAME, anthropic:NAME, http://HOST:PORT/v1#NAME, hf:NAME, vllm:NAME or "
        "recorded:FILE",
    )
