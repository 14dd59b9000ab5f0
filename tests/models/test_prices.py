"""Prices: the recipe's word, then a list; unknown is not free."""

import pytest

from seedbed.models import Endpoint, Price, price_of


def test_the_recipes_price_goes_first():
    settings = Endpoint(usd_per_million_in=1.0, usd_per_million_out=2.0)
    assert price_of("openai:gpt-4.1-mini", settings) == Price(1.0, 2.0)


def test_a_hosted_model_has_its_listed_price():
    pytest.importorskip("genai_prices")
    price = price_of("openai:gpt-4.1-mini", Endpoint())
    assert price is not None and 0 < price.per_million_in < price.per_million_out


@pytest.mark.parametrize("address", ["openai:no-such-model", "http://127.0.0.1:8000/v1#gpt-4.1-mini"])
def test_an_unknown_price_is_none_and_a_local_server_is_not_billed_by_its_models_name(address):
    assert price_of(address, Endpoint()) is None


def test_a_server_elsewhere_is_not_billed_like_openai():
    assert price_of("openai:gpt-4.1-mini", Endpoint(base_url="http://127.0.0.1:8000/v1")) is None


def test_half_a_price_is_refused():
    with pytest.raises(ValueError, match="both"):
        Endpoint(usd_per_million_in=1.0)


def test_the_price_of_tokens():
    assert Price(1.0, 3.0).usd(1_000_000, 500_000) == pytest.approx(2.5)


def test_prompt_tokens_from_a_cache_cost_less_where_the_price_says_so():
    assert Price(1.0, 3.0, 0.1).usd(1_000_000, 0, 500_000) == pytest.approx(0.55)
    assert Price(1.0, 3.0).usd(1_000_000, 0, 500_000) == pytest.approx(1.0)


@pytest.mark.parametrize("address", ["openai:gpt-4.1-mini", "anthropic:claude-sonnet-4-5"])
def test_a_service_lists_its_cache_below_its_prompts_and_a_batch_at_half(address):
    pytest.importorskip("genai_prices")
    price, half = price_of(address, Endpoint()), price_of(address, Endpoint(batch=True))
    assert price is not None and half is not None and price.per_million_cached is not None
    assert 0 < price.per_million_cached < price.per_million_in
    assert half.usd(1000, 1000, 500) == pytest.approx(price.usd(1000, 1000, 500) / 2)


def test_a_model_that_gets_dearer_with_long_prompts_is_listed_at_its_usual_price():
    pytest.importorskip("genai_prices")
    price = price_of("anthropic:claude-sonnet-4-5", Endpoint())
    assert price is not None and (price.per_million_in, price.per_million_out) == (3.0, 15.0)


def test_the_recipes_price_is_not_halved():
    assert price_of("openai:m", Endpoint(usd_per_million_in=1, usd_per_million_out=2, batch=True)) == Price(1, 2)
