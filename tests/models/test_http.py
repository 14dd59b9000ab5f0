from __future__ import annotations

import asyncio
import os
import pickle
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from aiohttp import web
from tests.models.loopback import KEY, Faults, serving, text_for
from tests.models.scripted_server import Answer, error, said, scripted_server

from seedbed.errors import ConfigError, EndpointRefused
from seedbed.models import open_model
from seedbed.models.address import Secret, parse_address
from seedbed.models.http import Http
from seedbed.models.wire import Endpoint, Retryable
from seedbed.request import Failure, Reply, Request

ASK = Request((("user", "say something"),))
QUICK = Endpoint(timeout_s=0.3)
KEYED = Endpoint(timeout_s=2, api_key_env="SEEDBED_TEST_KEY")


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables for the length of a block; the interface under test is the environment itself."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ask(address: str, settings: Endpoint = QUICK, request: Request = ASK) -> Reply | Failure | Retryable:
    async def once() -> Reply | Failure | Retryable:
        wire = Http(address, settings)
        try:
            return await wire.send(request)
        finally:
            await wire.close()

    return asyncio.run(once())


def ask_raw(answer: bytes) -> Reply | Failure | Retryable:
    """Ask a server that writes these bytes, whatever is asked, and hangs up."""

    async def hand_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def once() -> Reply | Failure | Retryable:
        server = await asyncio.start_server(hand_out, "127.0.0.1", 0)
        wire = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1#m", QUICK)
        try:
            return await wire.send(ASK)
        finally:
            await wire.close()
            server.close()
            await server.wait_closed()

    return asyncio.run(once())


def test_a_question_is_answered_with_tokens_model_and_seconds() -> None:
    with serving() as server:
        reply = ask(server.address)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.model) == (text_for("say something"), 2, 2, "tiny-1")
    assert 0 < reply.seconds < 1 and reply.usd is None
    assert server.bodies[0]["model"] == "tiny"


def test_no_other_company_s_key_goes_to_a_server_that_was_not_given_one() -> None:
    with environment(OPENAI_API_KEY=KEY), serving() as server:
        assert isinstance(ask(server.address), Reply)
    assert "Authorization" not in server.headers[0]


def test_a_key_whose_variable_the_settings_name_is_sent() -> None:
    with environment(SEEDBED_TEST_KEY=KEY), serving() as server:
        assert isinstance(ask(server.address, KEYED), Reply)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_an_openai_address_takes_key_and_base_url_from_the_usual_variables() -> None:
    with serving() as server, environment(OPENAI_API_KEY=KEY, OPENAI_BASE_URL=server.base_url + "/"):
        assert isinstance(ask("openai:gpt-tiny"), Reply)
    assert server.bodies[0]["model"] == "gpt-tiny"
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_the_settings_win_over_the_environment() -> None:
    with environment(OPENAI_BASE_URL="http://127.0.0.1:1/v1"):
        assert parse_address("openai:m", Endpoint(base_url="http://host/v1")) == ("http://host/v1", "m")
        assert parse_address("openai:m", Endpoint()) == ("http://127.0.0.1:1/v1", "m")
    with environment(OPENAI_BASE_URL=""):
        assert parse_address("openai:m", Endpoint()) == ("https://api.openai.com/v1", "m")


def test_a_missing_key_is_said_before_anything_is_sent() -> None:
    with environment(OPENAI_API_KEY="  "), pytest.raises(ConfigError, match="OPENAI_API_KEY is empty"):
        Http("openai:m", Endpoint())


def test_a_key_with_a_line_break_inside_is_refused_without_being_shown() -> None:
    with environment(OPENAI_API_KEY=f"{KEY}\n{KEY}"), pytest.raises(ConfigError) as caught:
        Http("openai:m", Endpoint())
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["openai:", "http://host/v1", "http://host/v1#", "ftp://host/v1#m", "http:///v1#m", "http://host:99999/v1#m",
     "http://[::1/v1#m", "https://me:secret@host/v1#m", "https://host/v1?key=secret#m", "nonsense"],
)  # fmt: skip
def test_an_address_that_cannot_work_is_refused_at_once(address: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(address, Endpoint(base_url="http://host/v1"))


def test_a_key_never_shows_itself() -> None:
    secret = Secret(KEY)
    with environment(SEEDBED_TEST_KEY=KEY):
        wire = Http("http://127.0.0.1:1/v1#m", KEYED)
    assert KEY not in f"{secret} {secret!r} {[secret]} {vars(wire)}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_key_that_the_server_quotes_back_is_not_shown() -> None:
    wrong = "sk-wrong-" + KEY
    with environment(SEEDBED_TEST_KEY=wrong), serving() as server, pytest.raises(EndpointRefused) as caught:
        ask(server.address, KEYED)
    shown = "".join(traceback.format_exception(caught.value))
    assert wrong not in shown and "Incorrect API key provided: Bearer ***" in shown


def test_a_stalled_connection_is_asked_again() -> None:
    with serving(Faults(stalled=1.0)) as server:
        assert ask(server.address) == Retryable("no answer within 0.3 s", may_be_billed=True)


def test_nobody_listening_is_asked_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        answer = ask(f"http://127.0.0.1:{free.getsockname()[1]}/v1#m")
    assert isinstance(answer, Retryable) and "connection failed" in answer.message


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", b"HTTP/1.1 999999\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", b"HTTP/1.1 200 OK\r\n\r\n<html>"],
)  # fmt: skip
def test_a_broken_server_is_asked_again(answer: bytes) -> None:
    assert isinstance(ask_raw(answer), Retryable)


def test_an_answer_without_end_is_cut_off_and_may_be_billed() -> None:
    answer = ask_raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (9 << 20))
    longer = "unreadable answer: longer than 8 MiB"
    assert answer == Retryable(longer, may_be_billed=True, is_unreadable=True)


def test_a_redirect_is_not_followed() -> None:
    with pytest.raises(EndpointRefused, match="redirects"):
        ask_raw(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/v1\r\nContent-Length: 0\r\n\r\n")


def test_a_wrong_path_pauses_the_run() -> None:
    with serving() as server, pytest.raises(EndpointRefused, match="no chat-completions endpoint"):
        ask(f"http://127.0.0.1:{server.port}/v2#m")


def test_one_wire_serves_one_event_loop_after_another() -> None:
    with serving() as server:
        wire = Http(server.address, QUICK)

        async def once() -> Reply | Failure | Retryable:
            try:
                return await wire.send(ASK)
            finally:
                await wire.close()

        assert all(isinstance(asyncio.run(once()), Reply) for _ in range(3))


def test_connections_are_used_again() -> None:
    ports: set[int] = set()

    async def run() -> None:
        async def answer(request: web.Request) -> web.Response:
            assert request.transport is not None
            ports.add(request.transport.get_extra_info("peername")[1])
            return web.json_response({"choices": [{"message": {"content": "hi"}}]})

        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        wire = Http(f"http://127.0.0.1:{runner.addresses[0][1]}/v1#m", QUICK)
        for _ in range(5):
            assert isinstance(await wire.send(ASK), Reply)
        await wire.close()
        await runner.cleanup()

    asyncio.run(run())
    assert len(ports) == 1


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_each_format_is_spoken_with_a_key_where_one_is_named(api: Literal["chat", "responses", "messages"]) -> None:
    settings = Endpoint(timeout_s=2, api=api, api_key_env="SEEDBED_TEST_KEY")
    with environment(SEEDBED_TEST_KEY=KEY), serving() as server:
        reply = ask(server.address, settings)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.model) == (text_for("say something"), 2, 2, "tiny-1")
    sent = server.headers[0].get("x-api-key" if api == "messages" else "Authorization", "")
    assert sent.removeprefix("Bearer ") == KEY


def test_a_key_of_anthropic_s_kind_is_not_shown_either() -> None:
    wrong = "sk-ant-wrong-" + KEY
    with environment(ANTHROPIC_API_KEY=wrong), serving() as server, pytest.raises(EndpointRefused) as caught:
        ask("anthropic:claude-tiny", Endpoint(base_url=server.base_url))
    assert server.headers[0]["x-api-key"] == wrong
    assert wrong not in "".join(traceback.format_exception(caught.value)) and "provided: ***" in caught.value.seen


def refusing(body: dict[str, Any]) -> Answer | None:
    """What a model that took up new habits says to an old request."""
    for name, new in [("max_tokens", " Use 'max_completion_tokens' instead."), ("temperature", ""), ("seed", "")]:
        if name in body:
            words = f"Unsupported parameter: '{name}' is not supported with this model.{new}"
            return error(400, words, code="unsupported_parameter")
    return None


def test_no_row_is_lost_to_a_parameter_and_the_server_is_told_only_once() -> None:
    rows = [Request((("user", f"row {number}"),), temperature=1, seed=number) for number in range(40)]
    with scripted_server(lambda prompt, _, body: refusing(body) or said(f"to {prompt}")) as server:
        answers = list(open_model(server.address, settings=Endpoint(concurrency=4)).generate(rows))
    assert [it.text for it in answers if isinstance(it, Reply)] == [f"to row {number}" for number in range(40)]
    # Only those that were in flight before the first refusal came are asked again.
    assert server.asked.total() <= 40 + 4 * 3


def test_a_temperature_that_cannot_be_had_stops_the_run_instead_of_being_ignored() -> None:
    with scripted_server(lambda prompt, _, body: refusing(body) or said(prompt)) as server:
        model = open_model(server.address, settings=Endpoint(concurrency=4))
        with pytest.raises(EndpointRefused, match="does not take the temperature"):
            list(model.generate([ASK]))


def test_a_prompt_that_is_declined_as_it_is_is_asked_once() -> None:
    with scripted_server(lambda *_: error(400, "'temperature' is a word this server dislikes in prompts")) as server:
        answers = list(open_model(server.address, settings=QUICK).generate([ASK]))
    assert isinstance(answers[0], Failure) and server.asked.total() == 1


def test_a_server_nobody_reaches_was_not_paid() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        answer = ask(f"http://127.0.0.1:{full.getsockname()[1]}/v1#m")
    assert isinstance(answer, Retryable) and not answer.may_be_billed
