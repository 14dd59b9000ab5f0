from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import EndpointRefused
from seedbed.models.formats.chat_completions import ChatCompletions
from seedbed.models.formats.faults import retry_after_s
from seedbed.models.wire import Retryable
from seedbed.request import Failure, Reply, Request, TokenLogprob

CHAT = ChatCompletions("m")


def read(status: int, content: Any, **headers: str) -> Reply | Failure | Retryable:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    (answer,) = CHAT.read(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)
    return answer


def good(content: Any = "hello", reason: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": reason}
    return {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def error(message: str, code: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


def test_only_parameters_that_every_server_knows_are_sent() -> None:
    request = Request((("system", "be brief"), ("user", "hi")), draw=3, temperature=0.5, slots={"verb": "seed"})
    assert CHAT.body(request) == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "top_p": 1.0,
        "max_tokens": 512,
    }


def test_seed_logprobs_and_draws_are_sent_where_they_are_asked_for() -> None:
    body = CHAT.body(Request((("user", "hi"),), seed=7, logprobs=3), draws=4)
    assert {name: body[name] for name in ("seed", "logprobs", "top_logprobs", "n")} == {
        "seed": 7,
        "logprobs": True,
        "top_logprobs": 3,
        "n": 4,
    }


def test_a_good_answer_is_a_reply_with_its_tokens_and_model() -> None:
    assert read(200, good()) == Reply("hello", 7, 3, model="m-1")


def test_prompt_tokens_from_the_cache_are_counted_apart() -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 64}}
    assert read(200, {**good(), "usage": usage}) == Reply("hello", 70, 3, model="m-1", tokens_cached=64)


def test_logprobs_are_read_token_by_token_likeliest_first() -> None:
    tops = [{"token": "no", "logprob": -2}, {"token": "yes", "logprob": -0.1, "bytes": [1]}]
    answer = good("yes")
    answer["choices"][0]["logprobs"] = {"content": [{"token": "yes", "logprob": -0.1, "top_logprobs": tops}]}
    found = read(200, answer)
    assert isinstance(found, Reply)
    assert found.logprobs == (TokenLogprob("yes", -0.1, (("yes", -0.1), ("no", -2.0))),)


@pytest.mark.parametrize(
    "entry",
    [None, {}, {"token": 1, "logprob": -1}, *({"token": "a", "logprob": it} for it in (True, -1e999, -(10**400)))],
)
def test_logprobs_that_are_none_cost_no_answer(entry: Any) -> None:
    answer = good("yes")
    answer["choices"][0]["logprobs"] = {"content": [entry]}
    assert read(200, answer) == Reply("yes", 7, 3, model="m-1")


def test_thinking_beside_the_answer_is_no_part_of_it() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    assert read(200, good(parts, reasoning_content="hm")) == Reply("yes", 7, 3, model="m-1")


def test_draws_share_the_tokens_that_were_billed() -> None:
    texts = [("aaaaa", "stop"), ("b", "stop"), ("cccc", "length")]
    choices = [{"message": {"content": text}, "finish_reason": reason} for text, reason in texts]
    choices.append({"message": {}})
    content = json.dumps({**good(), "choices": choices}).encode()
    *answers, lost = CHAT.read(200, {}, content, draws=4)
    assert [(it.tokens_in, it.tokens_out) for it in answers if not isinstance(it, Retryable)] == [
        (7, 1),
        (0, 0),
        (0, 2),
    ]
    assert isinstance(answers[2], Failure) and isinstance(lost, Retryable) and lost.is_unreadable


def test_more_answers_than_were_asked_for_hide_no_tokens() -> None:
    content = json.dumps({**good(), "choices": good()["choices"] * 3}).encode()
    assert CHAT.read(200, {}, content) == [Reply("hello", 7, 3, model="m-1")]


def test_an_empty_text_is_still_a_whole_answer() -> None:
    assert read(200, good("")) == Reply("", 7, 3, model="m-1")


def test_text_in_parts_is_joined() -> None:
    assert read(200, good([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])) == Reply(
        "ab", 7, 3, model="m-1"
    )


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": "7"}, {"prompt_tokens": True}, {"prompt_tokens": -1}, {"prompt_tokens": 1 << 70}],
)
def test_tokens_that_are_not_a_count_are_unknown(usage: Any) -> None:
    answer = read(200, {**good(), "usage": usage})
    assert isinstance(answer, Reply) and (answer.tokens_in, answer.tokens_out) == (None, None)


def test_an_answer_stopped_at_max_tokens_is_truncated_and_was_billed() -> None:
    answer = read(200, good("half", "length"))
    assert isinstance(answer, Failure)
    assert (answer.kind, answer.tokens_in, answer.tokens_out) == ("truncated", 7, 3)


@pytest.mark.parametrize("answer", [good(None, "content_filter"), good(None, refusal="I cannot help with that")])
def test_a_declined_answer_is_refused_and_was_billed(answer: dict[str, Any]) -> None:
    failure = read(200, answer)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.tokens_out) == ("refused", 3)


@pytest.mark.parametrize(
    "content",
    [b'{"choices": [{"mess', b"", b"\xff\xfe", b"null", b"[]", b"[" * 100_000, b"1" * 5_000, {}, {"choices": []},
     {"choices": {"0": 1}}, {"choices": [None]}, {"choices": [{"message": "hello"}]}, good(None), good(12), good([{}])],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_asked_again(content: Any) -> None:
    answer = read(200, content)
    assert isinstance(answer, Retryable) and answer.message.startswith("unreadable")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
def test_passing_faults_are_asked_again(status: int) -> None:
    answer = read(status, error("later"), retry_after="3")
    assert answer == Retryable(f"{status}: later", 3.0, is_rate_limit=status in (429, 529))


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_request_that_will_never_be_answered_is_terminal_with_the_server_s_words(status: int) -> None:
    assert read(status, error("prompt is too long")) == Failure("terminal", f"{status}: prompt is too long")


@pytest.mark.parametrize("content", [{"error": "no"}, {"message": "no"}, {"detail": "no"}, [error("no")], b"no"])
def test_a_server_s_words_are_found_wherever_it_puts_them(content: Any) -> None:
    assert read(422, content) == Failure("terminal", "422: no")


def test_a_server_s_words_are_one_short_printable_line() -> None:
    failure = read(400, error("\x1b[2Jred\nalert\u202e" + "x" * 9_000))
    assert isinstance(failure, Failure)
    assert failure.message.startswith("400: [2Jred alert x") and len(failure.message) == 505


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (401, error("Incorrect API key"), "key"),
        (403, error("country not supported"), "key"),
        (402, b"", "credit"),
        (429, error("You exceeded your current quota, check your plan and billing", "insufficient_quota"), "credit"),
        (400, error("Your credit balance is too low to access the API"), "credit"),
        (404, error("The model `x` does not exist"), "model"),
        (404, {"error": {"message": 'model "x" not found, try pulling it first'}}, "model"),
        (400, error("no such model", "model_not_found"), "model"),
        (404, {"detail": "Not Found"}, "address"),
        (405, {"detail": "Method Not Allowed"}, "address"),
        (307, b"", "redirects"),
    ],
)
def test_what_would_refuse_every_request_pauses_the_run(status: int, content: Any, problem: str) -> None:
    with pytest.raises(EndpointRefused, match=problem) as caught:
        read(status, content)
    assert caught.value.fix and str(status) in caught.value.seen


def test_a_fault_reported_inside_a_200_counts_as_that_fault() -> None:
    assert read(200, {"error": {"message": "upstream down", "code": 502}}) == Retryable("502: upstream down")
    with pytest.raises(EndpointRefused):
        read(200, {"error": {"message": "no", "code": 401}})


@pytest.mark.parametrize(
    "choice",
    [
        good("half an ans", "error")["choices"][0],
        good("half an ans", "abort")["choices"][0],
        {**good("half an ans")["choices"][0], "error": {"code": 502, "message": "the upstream went away"}},
    ],
)
def test_an_answer_that_a_fault_ended_is_no_reply_and_may_be_billed(choice: dict[str, Any]) -> None:
    answer = read(200, {**good(), "choices": [choice]})
    assert isinstance(answer, Retryable) and answer.may_be_billed and not answer.is_unreadable
    assert ("the upstream went away" in answer.message) == ("error" in choice)


def test_a_prompt_about_billing_quoted_in_a_400_is_not_an_empty_account() -> None:
    answer = read(400, error("invalid request: 'my insufficient funds and billing question'"))
    assert isinstance(answer, Failure) and answer.kind == "terminal"


def test_a_limit_per_minute_worded_like_an_empty_account_is_a_rate_limit() -> None:
    content = [{"error": {"message": "exceeded your quota, check billing", "details": [{"retryDelay": "34s"}]}}]
    assert isinstance(read(429, content), Retryable)


@pytest.mark.parametrize("limit", ["requests per day (RPD)", "tokens per day (TPD)", "requests"])
def test_a_limit_that_names_the_page_for_paying_is_a_rate_limit(limit: str) -> None:
    words = (
        f"Rate limit reached for gpt-x in organization org-1 on {limit}: Limit 200, Used 200, Requested 1. Please try"
        " again in 7m12s. You can increase your rate limit by adding a payment method to your account at"
        " https://platform.openai.com/account/billing."
    )
    answer = read(429, error(words, "rate_limit_exceeded"), retry_after="432")
    assert isinstance(answer, Retryable) and (answer.is_rate_limit, answer.retry_after_s) == (True, 432.0)


@pytest.mark.parametrize("status", [400, 403])
def test_a_flagged_prompt_is_one_row_s_refusal(status: int) -> None:
    answer = read(status, error("the input was flagged by moderation", "content_filter"))
    assert isinstance(answer, Failure) and answer.kind == "refused"


def test_a_reply_can_always_be_written_to_a_file() -> None:
    answer = read(200, b'{"choices": [{"message": {"content": "half \\ud83d pair"}}], "model": "\\udc00"}')
    assert isinstance(answer, Reply)
    assert (answer.text + answer.model).encode()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"Retry-After": "-4"}, 0.0),
        ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "later"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms"}, 0.012),
        ({"x-ratelimit-remaining-tokens": "9", "x-ratelimit-reset-tokens": "12ms"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795262430000"}, 30.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:05Z",
            },
            5.0,
        ),
        ({"Retry-After": "Sat, 21 Nov 99999999999 11:00:00 GMT"}, None),
    ],
)
def test_the_wait_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "error",
                    "code",
                    "usage",
                    "prompt_tokens",
                    "refusal",
                    "detail",
                    "text",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


@given(
    st.integers(100, 599) | st.just(200),
    st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms"]), st.text()),
    BODIES,
)
@settings(max_examples=100, deadline=None)
def test_no_answer_of_a_hostile_server_breaks_the_reader(status: int, headers: dict[str, str], content: bytes) -> None:
    try:
        (answer,) = CHAT.read(status, headers, content)
    except EndpointRefused as refused:
        words = refused.seen
    else:
        words = answer.text if isinstance(answer, Reply) else answer.message
    assert isinstance(words.encode(), bytes)
