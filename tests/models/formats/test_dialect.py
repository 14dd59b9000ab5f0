from __future__ import annotations

from typing import Any

import pytest
from tests.models.formats.asked import AS_PERSON, ASK, PERSON, refuse

from seedbed.errors import EndpointRefused
from seedbed.models.formats.chat_completions import ChatCompletions
from seedbed.models.formats.messages import Messages
from seedbed.models.formats.responses import Responses
from seedbed.request import JsonSchema, Request

NEW = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


def test_max_tokens_changes_its_name_where_the_model_wants_it() -> None:
    spoken = ChatCompletions("gpt-new")
    refuse(spoken, ASK, NEW, param="max_tokens", code="unsupported_parameter")
    body = spoken.body(ASK)
    assert body["max_completion_tokens"] == 512 and "max_tokens" not in body


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
        "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 4",
    ],
)
def test_a_limit_on_max_tokens_changes_nothing(words: str) -> None:
    spoken = ChatCompletions("m")
    refuse(spoken, ASK, words, param="max_tokens")
    assert spoken.body(ASK) == ChatCompletions("m").body(ASK)


@pytest.mark.parametrize("name", ["seed", "logprobs", "top_logprobs"])
def test_a_wish_that_the_server_does_not_know_is_dropped(name: str) -> None:
    spoken, request = ChatCompletions("m"), Request(ASK.messages, temperature=1, seed=3, logprobs=2)
    refuse(spoken, request, f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
    assert name not in spoken.body(request)


def test_a_temperature_is_dropped_only_where_the_request_asks_for_the_model_s_own() -> None:
    words = "Unsupported value: 'temperature' does not support 0.9 with this model. Only the default (1) is supported."
    spoken = ChatCompletions("gpt-new")
    with pytest.raises(EndpointRefused, match="temperature") as caught:
        refuse(spoken, Request(ASK.messages, temperature=0.9), words, param="temperature", code="unsupported_value")
    assert "temperature 0.9" in caught.value.seen and "set temperature: 1" in caught.value.fix


def test_a_prompt_about_temperatures_quoted_in_a_400_changes_nothing() -> None:
    spoken, request = ChatCompletions("m"), Request(ASK.messages, temperature=0.5, seed=1)
    refuse(spoken, request, "invalid request: 'the seed and temperature of unsupported models'")
    refuse(spoken, request, "'temperature today' is not supported")
    assert spoken.body(request) == ChatCompletions("m").body(request)


def test_a_refused_schema_is_sent_without_strict_mode_and_then_not_at_all() -> None:
    spoken, words = ChatCompletions("m"), "Invalid schema for response_format 'person'"
    sent = []
    for _ in range(3):
        sent.append(spoken.body(AS_PERSON).get("response_format", {}).get("json_schema", {}).get("strict"))
        refuse(spoken, AS_PERSON, words)
    assert sent == [True, False, None]


def test_many_refusals_of_one_way_to_put_a_schema_are_one_step() -> None:
    spoken, words = ChatCompletions("m"), b'{"error": {"message": "This response_format type is unavailable now"}}'
    for strict in (True, False):
        sent = spoken.body(AS_PERSON)
        assert sent["response_format"]["json_schema"]["strict"] is strict
        for _ in range(16):
            spoken.learn(AS_PERSON, 400, words, sent)
    assert "response_format" not in spoken.body(AS_PERSON)


@pytest.mark.parametrize(
    ("spoken", "schema"),
    [
        (ChatCompletions("m"), {"type": "object", "properties": {"nick": {"type": "string"}}}),
        (ChatCompletions("m", "llama.cpp"), {"type": "object", "properties": {"nick": {"type": "string"}}}),
        (ChatCompletions("m", "vllm"), PERSON),
        (Responses("m"), {"type": "object", "properties": {"nick": {"type": "string"}}}),
        (Messages("m"), PERSON),
    ],
)
def test_a_step_that_would_put_a_schema_the_same_way_again_is_left_out(
    spoken: ChatCompletions | Responses | Messages, schema: dict[str, Any]
) -> None:
    request = Request(ASK.messages, temperature=1, constraint=JsonSchema.of(schema))
    assert spoken.body(request) != spoken.body(ASK)
    refuse(spoken, request, "response_format, structured_outputs, text.format, output_config: not supported")
    assert spoken.body(request) == spoken.body(ASK)


def test_only_a_refusal_of_the_request_teaches_anything() -> None:
    spoken = ChatCompletions("m")
    spoken.learn(ASK, 500, NEW.encode(), spoken.body(ASK))
    spoken.learn(ASK, 400, b"\xff<html>", spoken.body(ASK))
    assert spoken.body(ASK) == ChatCompletions("m").body(ASK)
