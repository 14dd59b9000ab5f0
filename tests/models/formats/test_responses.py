from __future__ import annotations

from typing import Any

import pytest
from tests.models.formats.asked import AS_PERSON, ASK, CLOSED, read, refuse

from seedbed.errors import EndpointRefused
from seedbed.models.address import Secret
from seedbed.models.formats.responses import Responses
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request, TokenLogprob


def good(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3}
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    said = {"type": "message", "role": "assistant", "content": list(parts)}
    return {"object": "response", "status": "completed", "error": None, "model": "gpt-x", "output": [thought, said],
            "usage": usage, **more}  # fmt: skip


def text(words: str, *logprobs: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": [], "logprobs": list(logprobs)}


def test_a_question_is_a_list_of_turns_and_is_not_kept_at_the_service() -> None:
    request = Request((("system", "be brief"), ("user", "hi")), temperature=0.5, seed=4)
    assert Responses("gpt-x").body(request) == {
        "model": "gpt-x",
        "input": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "store": False,
        "temperature": 0.5,
        "top_p": 1.0,
        "max_output_tokens": 512,
    }


def test_what_the_model_said_goes_back_as_its_own_words() -> None:
    said = Responses("m").body(Request((("user", "hi"), ("assistant", "yo"), ("user", "go on"))))["input"][1]
    assert said == {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yo"}]}


def test_the_key_is_a_bearer() -> None:
    assert Responses("m").headers(Secret("sk-1")) == {"Authorization": "Bearer sk-1"}


def test_logprobs_are_asked_for_by_name() -> None:
    body = Responses("m").body(Request(ASK.messages, logprobs=2))
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 2)


def test_a_schema_is_sent_as_the_format_of_the_text() -> None:
    sent = Responses("m").body(AS_PERSON)["text"]
    assert sent == {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": CLOSED}}


def test_a_good_answer_is_its_text_without_its_thinking() -> None:
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -2}]}
    wanted = Reply("ab", 7, 3, model="gpt-x", tokens_cached=4, logprobs=(TokenLogprob("a", -0.5, (("b", -2.0),)),))
    assert read(Responses("m"), 200, good(text("a", token), text("b"))) == wanted


def test_a_refusal_was_billed() -> None:
    answer = read(Responses("m"), 200, good({"type": "refusal", "refusal": "I cannot"}))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.message, answer.tokens_out) == ("refused", "I cannot", 3)


@pytest.mark.parametrize(("reason", "kind"), [("max_output_tokens", "truncated"), ("content_filter", "refused")])
def test_an_answer_that_is_not_whole_says_why(reason: str, kind: str) -> None:
    answer = read(Responses("m"), 200, good(text("h"), status="incomplete", incomplete_details={"reason": reason}))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.tokens_out) == (kind, 3)


@pytest.mark.parametrize(("code", "wanted"), [("server_error", Retryable), ("rate_limit_exceeded", Retryable),
                                              ("invalid_prompt", Failure)])  # fmt: skip
def test_a_response_that_failed_is_read_by_its_code(code: str, wanted: type) -> None:
    answer = read(Responses("m"), 200, good(status="failed", error={"code": code, "message": "no"}))
    assert isinstance(answer, wanted)


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued"])
def test_a_response_that_never_ended_is_no_reply_and_may_be_billed(status: str) -> None:
    answer = read(Responses("m"), 200, good(text("half an ans"), status=status))
    assert isinstance(answer, Retryable) and answer.may_be_billed and not answer.is_unreadable


def test_a_response_that_failed_at_work_may_be_billed() -> None:
    error = {"code": "server_error", "message": "the model stopped"}
    answer = read(Responses("m"), 200, good(text("half an ans"), status="failed", error=error))
    assert answer == Retryable("500: the model stopped", may_be_billed=True)


def test_an_answer_without_text_is_asked_again() -> None:
    answer = read(Responses("m"), 200, good())
    assert isinstance(answer, Retryable) and answer.is_unreadable


def test_a_model_that_takes_no_temperature_is_asked_without_one_at_temperature_1_only() -> None:
    spoken, words = Responses("gpt-new"), "Unsupported parameter: 'temperature' is not supported with this model."
    refuse(spoken, ASK, words, param="temperature", code="unsupported_parameter")
    assert "temperature" not in spoken.body(ASK)
    with pytest.raises(EndpointRefused, match="temperature"):
        spoken.body(Request(ASK.messages, temperature=0.3))
