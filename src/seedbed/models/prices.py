"""What tokens cost, in usd and in floating-point operations. Unknown is None, which is not free."""

from __future__ import annotations

import os
from dataclasses import dataclass

from seedbed.models.address import SERVICES
from seedbed.models.wire import Endpoint

_BATCH = 0.5
"""What both services take for a request in a batch file, of the price of the same request sent alone."""
_ASKED_FOR = 1000
"""Tokens that the list is asked about: some models cost more per token once a prompt is 200,000 long, and a prompt
here is not."""


@dataclass(frozen=True, slots=True)
class Price:
    """Usd per million tokens."""

    per_million_in: float
    per_million_out: float
    per_million_cached: float | None = None
    """Of prompt tokens that the endpoint read from its own cache; None is the full price."""

    def usd(self, tokens_in: float, tokens_out: float, tokens_cached: float = 0) -> float:
        """Price of so many tokens.

        Args:
            tokens_in: All tokens of the prompt.
            tokens_out: All tokens of the answer, those of its thinking included.
            tokens_cached: Of `tokens_in`, those read from the endpoint's cache.
        """
        usd = tokens_in * self.per_million_in + tokens_out * self.per_million_out
        if tokens_cached and self.per_million_cached is not None:
            usd += tokens_cached * (self.per_million_cached - self.per_million_in)
        return usd / 1e6

    def times(self, factor: float) -> Price:
        """The same price scaled."""
        cached = None if self.per_million_cached is None else self.per_million_cached * factor
        return Price(self.per_million_in * factor, self.per_million_out * factor, cached)


def price_of(address: str, settings: Endpoint) -> Price | None:
    """The price of the model at an address: the recipe's word first, then what the address itself implies.

    A recorded reply costs nothing to read again. A simulated teacher names its price among its knobs. For a hosted
    model the `genai-prices` package is asked where it is installed, and halved where requests go through the batch
    endpoint; the recipe's own price is taken as it stands. A server at an address of your own has no listed price,
    whatever name its model carries.
    """
    if settings.usd_per_million_in is not None and settings.usd_per_million_out is not None:
        return Price(settings.usd_per_million_in, settings.usd_per_million_out)
    if address.startswith("recorded:"):
        return Price(0.0, 0.0)
    if address.startswith("sim:"):
        from seedbed.models.simulated import parse_address

        knobs = parse_address(address)[1]
        return Price(knobs.usd_in, knobs.usd_out)
    provider, _, model = address.partition(":")
    service = SERVICES.get(provider)
    if service is None or settings.base_url is not None or os.environ.get(service.base_variable):
        return None
    price = _listed(model.strip(), provider)
    return price.times(_BATCH) if price is not None and settings.batch else price


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
    if billion is None and address.startswith(("hf:", "vllm:")):
        from seedbed.models.hf_checkpoint import size_of

        parameters = size_of(address)
        return None if parameters is None else 2.0 * parameters
    if billion is None and address.startswith("pocket:"):
        from seedbed.models.pocket import most_flops_per_token

        return most_flops_per_token(address)
    return None if billion is None else 2e9 * billion


def shares_prompts(address: str, settings: Endpoint) -> bool:
    """True where the draws of one prompt pay for reading it once: in this process, or several answers a request."""
    return address.startswith(("hf:", "vllm:", "pocket:")) or settings.draws_per_request > 1


def _listed(model: str, provider: str) -> Price | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    asked, cached = {"input_tokens": _ASKED_FOR, "output_tokens": _ASKED_FOR}, {"cache_read_tokens": _ASKED_FOR}
    try:
        plain = calc_price(Usage(**asked), model, provider_id=provider)
        from_cache = calc_price(Usage(**asked, **cached), model, provider_id=provider)
    except LookupError:
        return None
    scale = 1_000_000 // _ASKED_FOR
    return Price(*(float(it * scale) for it in (plain.input_price, plain.output_price, from_cache.input_price)))
