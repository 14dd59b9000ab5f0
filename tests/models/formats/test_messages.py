from __future__ import annotations

from typing import Any

import pytest
from tests.models.formats.asked import AS_PERSON, ASK, CLOSED, read, refuse

from seedbed.errors import EndpointRefused
from seedbed.models.address import Secret
from seedbed.models.formats.messages import Messages
from seedbed.models.wire import Retryable
from seedbed.request import Choice, Failure, JsonSchema, Reply, Request


def good(*parts: dict[str, Any], reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": list(parts),
            "stop_reason": reason, "usage": {"input_tokens": 7, "output_tokens": 3, **usage}}  # fmt: skip


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def test_the_system_prompt_stands_beside_the_turns() -> None:
    request = Request((("system", "be brief"), ("user", "hi"), ("assistant", "yo"), ("user", "go on")), temperature=0.2)
    assert Messages("claude-x").body(request) == {
        "model": "claude-x",
        "max_tokens": 512,
        "system": "be brief",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yo"},
            {"role": "user", "content": "go on"},
        ],
        "temperature": 0.2,
    }


def test_the_key_has_a_header_of_its_own() -> None:
    assert Messages("m").headers(Secret("sk-ant-1")) == {"x-api-key": "sk-ant-1", "anthropic-version": "2023-06-01"}
    assert "x-api-key" not in Messages("m").headers(None)


def test_what_the_service_does_not_know_is_not_sent() -> None:
    request = Request(ASK.messages, temperature=1, seed=3, logprobs=2, constraint=Choice(("a", "b")))
    assert set(Messages("m").body(request)) == {"model", "max_tokens", "messages"}


def test_a_schema_is_sent_closed_and_not_sent_where_it_cannot_be() -> None:
    assert Messages("m").body(AS_PERSON)["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    free = Request(ASK.messages, constraint=JsonSchema.of({"type": "object", "additionalProperties": True}))
    assert "output_config" not in Messages("m").body(free)
    assert "output_config" not in Messages("m", "none").body(AS_PERSON)


def test_a_good_answer_is_its_text_without_its_thinking() -> None:
    answer = good({"type": "thinking", "thinking": "hm"}, text("a"), text("b"))
    assert read(Messages("m"), 200, answer) == Reply("ab", 7, 3, model="claude-x")


def test_a_turn_without_a_word_is_a_whole_answer() -> None:
    assert read(Messages("m"), 200, good()) == Reply("", 7, 3, model="claude-x")


def test_the_cache_is_part_of_the_prompt() -> None:
    answer = read(Messages("m"), 200, good(text("a"), cache_read_input_tokens=100, cache_creation_input_tokens=10))
    assert isinstance(answer, Reply)
    assert (answer.tokens_in, answer.tokens_cached, answer.tokens_out) == (117, 100, 3)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("max_tokens", "truncated"), ("model_context_window_exceeded", "truncated"), ("refusal", "refused")],
)
def test_an_answer_that_is_not_whole_or_declined_was_billed(reason: str, kind: str) -> None:
    answer = read(Messages("m"), 200, good(text("half"), reason=reason))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.tokens_in, answer.tokens_out) == (kind, 7, 3)


@pytest.mark.parametrize(
    ("status", "kind", "is_rate_limit"),
    [(429, "rate_limit_error", True), (529, "overloaded_error", True), (500, "api_error", False),
     (504, "timeout_error", False), (200, "overloaded_error", True), (200, "api_error", False)],
)  # fmt: skip
def test_passing_faults_are_asked_again(status: int, kind: str, is_rate_limit: bool) -> None:
    answer = read(Messages("m"), status, error(kind, "later"), retry_after="4")
    assert isinstance(answer, Retryable)
    assert (answer.is_rate_limit, answer.retry_after_s) == (is_rate_limit, 4.0)


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (401, error("authentication_error", "invalid x-api-key"), "key"),
        (403, error("permission_error", "not allowed"), "key"),
        (402, error("billing_error", "payment failed"), "credit"),
        (400, error("invalid_request_error", "Your credit balance is too low to access the Anthropic API"), "credit"),
        (400, error("invalid_request_error", "You have reached your specified API usage limits."), "credit"),
        (404, error("not_found_error", "model: claude-nope"), "model"),
        (404, error("not_found_error", "Not Found"), "no messages endpoint"),
    ],
)
def test_what_would_refuse_every_request_pauses_the_run(status: int, content: Any, problem: str) -> None:
    with pytest.raises(EndpointRefused, match=problem):
        read(Messages("m"), status, content)


@pytest.mark.parametrize("kind", ["invalid_request_error", "request_too_large"])
def test_a_request_that_will_never_be_answered_is_terminal(kind: str) -> None:
    answer = read(Messages("m"), 413, error(kind, "prompt is too long"))
    assert answer == Failure("terminal", "413: prompt is too long")


def test_a_turn_that_the_service_paused_is_no_reply_and_may_be_billed() -> None:
    answer = read(Messages("m"), 200, good({"type": "text", "text": "let me look"}, reason="pause_turn"))
    assert isinstance(answer, Retryable) and answer.may_be_billed and not answer.is_unreadable


def test_a_temperature_that_the_model_gave_up_pauses_the_run_and_says_what_to_set() -> None:
    spoken = Messages("claude-new")
    with pytest.raises(EndpointRefused, match="set temperature: 1") as caught:
        refuse(spoken, Request(ASK.messages, temperature=0.9), "`temperature` is deprecated for this model.")
    assert "0.9" in caught.value.seen


def test_a_schema_that_the_model_does_not_take_is_not_sent_again() -> None:
    spoken = Messages("m")
    refuse(spoken, AS_PERSON, "output_config: Extra inputs are not permitted")
    assert "output_config" not in spoken.body(AS_PERSON)
