"""Models: anything that answers requests. `open_model` shows the layers and their order."""

from __future__ import annotations

from seedbed.budget import Budget
from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models.prices import Price, price_of
from seedbed.models.window import Window
from seedbed.models.wire import Endpoint, Retryable, Wire
from seedbed.request import Model

__all__ = ["Endpoint", "Price", "Retryable", "Wire", "open_model", "price_of"]


def open_model(
    address: str, *, ledger: Ledger | None = None, budget: Budget | None = None, settings: Endpoint | None = None
) -> Model:
    """Open the model at an address.

    Args:
        address: `sim:WORLD[?knob=value&...]` (the embedded, simulated teacher), `openai:NAME`,
            `http(s)://HOST:PORT/v1#NAME` (any server that speaks OpenAI's chat completions), or `recorded:FILE`.
        ledger: Owns every answer; what it owns is never asked again.
        budget: Caps, on a scope of the ledger.
        settings: Where and how fast.

    Returns:
        The model; its layers, outermost first: ledger and budget (an owned answer costs nothing), retry, throttle
        (innermost, so that it sees each 429 and a waiting retry holds no slot), wire.

    Raises:
        ConfigError: No model can be at such an address, or its key is missing.
    """
    settings = settings or Endpoint()
    price = price_of(address, settings)
    wire = _wire(address, settings)
    if address.startswith(("openai:", "http://", "https://")):
        from seedbed.models.retry import Retry
        from seedbed.models.throttle import Throttle

        wire = Retry(Throttle(wire, settings.concurrency), settings.attempts)
        # A request that waits for its next try holds no slot of the throttle, so more than `concurrency` may be open.
        return Window(wire, 2 * settings.concurrency, ledger, budget, price, tries=min(3, settings.attempts))
    return Window(wire, settings.concurrency, ledger, budget, price)


def _wire(address: str, settings: Endpoint) -> Wire:
    scheme = address.partition(":")[0]
    if scheme == "sim":
        from seedbed.models.simulated import Simulated

        return Simulated(address)
    if scheme == "recorded":
        from seedbed.models.recorded import Recorded

        return Recorded(address)
    if scheme in ("openai", "http", "https"):
        from seedbed.models.http import Http

        return Http(address, settings)
    raise ConfigError(
        "no model can be at such an address",
        address,
        "use sim:WORLD, openai:NAME, http://HOST:PORT/v1#NAME or recorded:FILE",
    )
