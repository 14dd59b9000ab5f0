"""What tokens cost. An unknown price is None, which is not free."""

from __future__ import annotations

import os
from dataclasses import dataclass

from seedbed.models.wire import Endpoint


@dataclass(frozen=True, slots=True)
class Price:
    """Usd per million tokens."""

    per_million_in: float
    per_million_out: float

    def usd(self, tokens_in: float, tokens_out: float) -> float:
        """Price of so many tokens."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


def price_of(address: str, settings: Endpoint) -> Price | None:
    """The price of the model at an address: the recipe's word first, then what the address itself implies.

    A recorded reply costs nothing to read again. A simulated teacher names its price among its knobs. For a hosted
    model the `genai-prices` package is asked where it is installed; a server at an address of your own has no
    listed price, whatever name its model carries.
    """
    if settings.usd_per_million_in is not None and settings.usd_per_million_out is not None:
        return Price(settings.usd_per_million_in, settings.usd_per_million_out)
    if address.startswith("recorded:"):
        return Price(0.0, 0.0)
    if address.startswith("sim:"):
        from seedbed.models.simulated import parse_address

        knobs = parse_address(address)[1]
        return Price(knobs.usd_in, knobs.usd_out)
    if address.startswith("openai:") and settings.base_url is None and not os.environ.get("OPENAI_BASE_URL"):
        return _listed(address.removeprefix("openai:"))
    return None


def flops_per_token(address: str, settings: Endpoint) -> float | None:
    """Floating-point operations for each token of prompt and reply, 2 per active parameter; None where the size is
    unknown.

    Source:
        Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv:2001.08361, table 1 (forward pass). Differs:
        attention over the context is left out; it is small beside the parameters up to a few thousand tokens.
    """
    billion = settings.parameters_billion
    if billion is None and address.startswith("sim:"):
        from seedbed.models.simulated import parse_address

        billion = parse_address(address)[1].parameters_billion
    return None if billion is None else 2e9 * billion


def _listed(model: str) -> Price | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        found = calc_price(Usage(input_tokens=1_000_000, output_tokens=1_000_000), model, provider_id="openai")
    except LookupError:
        return None
    return Price(float(found.input_price), float(found.output_price))
