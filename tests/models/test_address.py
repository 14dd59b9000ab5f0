from __future__ import annotations

import pytest
from tests.models.test_http import environment

from seedbed.errors import ConfigError
from seedbed.models.address import find_key, find_proxy, parse_address
from seedbed.models.formats import format_of
from seedbed.models.formats.messages import Messages
from seedbed.models.formats.responses import Responses
from seedbed.models.wire import Endpoint

FREE = {"HTTP_PROXY": "", "HTTPS_PROXY": "", "ALL_PROXY": "", "NO_PROXY": ""}
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    "base", ["https://gate.example", "https://gate.example/", "https://gate.example/v1", "https://gate.example/v1/"]
)
def test_anthropic_s_base_url_is_taken_with_and_without_its_version(base: str) -> None:
    with environment(ANTHROPIC_BASE_URL=base):
        assert parse_address("anthropic:claude-x", Endpoint()) == ("https://gate.example/v1", "claude-x")
    assert parse_address("anthropic:claude-x", Endpoint(base_url=base)) == ("https://gate.example/v1", "claude-x")


def test_a_service_without_a_base_url_is_the_service_itself() -> None:
    with environment(ANTHROPIC_BASE_URL="", OPENAI_BASE_URL=""):
        assert parse_address("anthropic:claude-x", Endpoint()) == ("https://api.anthropic.com/v1", "claude-x")
        assert parse_address("openai:gpt-x", Endpoint()) == ("https://api.openai.com/v1", "gpt-x")


def test_each_service_has_a_key_of_its_own() -> None:
    with environment(OPENAI_API_KEY="sk-open", ANTHROPIC_API_KEY="sk-ant", MINE="sk-mine"):
        keys = [find_key(address, Endpoint()) for address in ("openai:m", "anthropic:m", "http://host/v1#m")]
        assert [key and key.reveal() for key in keys] == ["sk-open", "sk-ant", None]
        named = find_key("anthropic:m", Endpoint(api_key_env="MINE"))
        assert named is not None and named.reveal() == "sk-mine"


def test_a_missing_key_names_the_variable_to_set() -> None:
    with environment(ANTHROPIC_API_KEY=""), pytest.raises(ConfigError, match=r"export ANTHROPIC_API_KEY=\.\.\."):
        find_key("anthropic:m", Endpoint())


def test_an_error_says_what_an_address_looks_like() -> None:
    with pytest.raises(ConfigError, match="anthropic:MODEL or http://HOST:PORT/v1#MODEL"):
        parse_address("http://host/v1", Endpoint())


def test_the_settings_choose_the_format_and_anthropic_has_its_own() -> None:
    assert isinstance(format_of("anthropic:m", Endpoint()), Messages)
    assert isinstance(format_of("http://host/v1#m", Endpoint(api="messages")), Messages)
    assert isinstance(format_of("openai:m", Endpoint(api="responses")), Responses)


def test_openai_itself_gets_the_new_name_of_max_tokens_and_every_other_server_the_old_one() -> None:
    from tests.models.formats.asked import ASK

    with environment(OPENAI_BASE_URL=""):
        assert "max_completion_tokens" in format_of("openai:m", Endpoint()).body(ASK)
        assert "max_tokens" in format_of("openai:m", Endpoint(base_url="https://other.example/v1")).body(ASK)


def test_a_proxy_is_used_where_the_environment_names_one() -> None:
    with environment(**FREE | {"HTTPS_PROXY": PROXY}):
        assert find_proxy("https://api.openai.com/v1") == PROXY
        assert find_proxy("http://host/v1") is None
    with environment(**FREE | {"ALL_PROXY": PROXY}):
        assert find_proxy("http://host/v1") == PROXY
    with environment(**FREE):
        assert find_proxy("https://api.openai.com/v1") is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "inner.example"])
def test_no_proxy_stands_before_this_machine_or_a_host_that_is_named_as_near(host: str) -> None:
    with environment(**FREE | {"HTTP_PROXY": PROXY, "NO_PROXY": "inner.example"}):
        assert find_proxy(f"http://{host}/v1") is None


@pytest.mark.parametrize("end", ["chat/completions", "responses/", "messages"])
def test_an_address_with_the_end_that_a_format_adds_is_refused(end: str) -> None:
    with pytest.raises(ConfigError, match="behind its base URL"):
        parse_address(f"http://127.0.0.1:8000/v1/{end}#m", Endpoint())
