"""What a look at an address finds, against endpoints of which we know the habits."""

import contextlib
import os
import socket
import threading

import pytest
from tests.models.probe.endpoint import KEY, Habits, serving

from seedbed.models import Endpoint
from seedbed.models.booking import Tariff
from seedbed.models.probe import MOST_REQUESTS, Check, at_most, questions


def look(address, **settings):
    """(the check, what it found by name)."""
    check = Check(address, Endpoint(**settings))
    return check, {finding.check: finding for finding in check}


@contextlib.contextmanager
def variable(name, value):
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def test_a_good_endpoint_is_found_to_honour_everything():
    with serving() as endpoint:
        check, found = look(endpoint.address, usd_per_million_in=1.0, usd_per_million_out=2.0)
    assert check.is_usable
    assert {name for name, finding in found.items() if finding.state != "ok"} == {"rate limits"}
    assert found["rate limits"].state == "unknown"
    assert check.teacher()["endpoint"] == {
        "draws_per_request": 8, "usd_per_million_in": 1.0, "usd_per_million_out": 2.0,
    }  # fmt: skip
    books = check.spent
    assert books["usd"] == pytest.approx((books["tokens_in"] + 2 * books["tokens_out"]) / 1e6)
    assert books["requests"] == len(endpoint.bodies) <= MOST_REQUESTS


LACKS = {
    "temperature 0": (Habits(cold=False), "no", "two different"),
    "seed": (Habits(seed=False), "no", "different answers"),
    "n": (Habits(n=False), "no", "one answer where two"),
    "json_schema": (Habits(shape=False), "no", "ignored"),
    "logprobs": (Habits(logprobs=False), "no", "none came"),
    "token counts": (Habits(usage=False), "no", "answers did not say"),
    "max_tokens": (Habits(length="stop"), "no", "says it is whole"),
    "model listed": (Habits(models=None), "unknown", "answers 500"),
    "system role": (Habits(system=False), "ok", "not heeded"),
}


@pytest.mark.parametrize("name", LACKS)
def test_what_an_endpoint_lacks_is_said_and_leaves_it_usable(name):
    habits, state, said = LACKS[name]
    with serving(habits) as endpoint:
        check, found = look(endpoint.address)
    assert (found[name].state, said in found[name].said) == (state, True), found[name]
    assert check.is_usable


def test_an_endpoint_that_writes_past_max_tokens_is_caught():
    with serving(Habits(keeps_max_tokens=False)) as endpoint:
        finding = look(endpoint.address)[1]["max_tokens"]
    assert finding.state == "no" and "200 tokens came where 8 were allowed" in finding.said


def test_a_seed_that_changes_nothing_because_nothing_varies_is_no_proof():
    with serving(Habits(temperature=False)) as endpoint:
        finding = look(endpoint.address)[1]["seed"]
    assert finding.state == "unknown" and "do not differ" in finding.said


@pytest.mark.parametrize("name", ["seed", "logprobs"])
def test_a_parameter_that_is_refused_is_told_from_one_that_is_ignored(name):
    with serving(Habits(refuses=(name,))) as endpoint:
        finding = look(endpoint.address)[1][name]
    assert (finding.state, finding.said) == ("no", "the endpoint refuses the parameter")


def test_a_model_that_takes_no_temperature_is_usable_at_1_and_the_recipe_says_so():
    with serving(Habits(refuses=("temperature",))) as endpoint:
        check, found = look(endpoint.address)
    assert check.is_usable and found["temperature 0"].state == "no" and found["seed"].state == "ok"
    assert check.teacher()["temperature"] == 1.0


def test_a_schema_that_is_not_heeded_turns_constraints_off_in_the_recipe():
    with serving(Habits(shape=False)) as endpoint:
        assert look(endpoint.address)[0].teacher()["endpoint"]["constraints"] == "none"


def test_a_name_the_list_does_not_have_is_met_with_near_ones():
    with serving(Habits(models=("tiny-chat", "large"))) as endpoint:
        finding = look(endpoint.address)[1]["model listed"]
    assert finding.state == "no" and "tiny-chat" in finding.fix


def test_an_unknown_model_is_refused_after_one_request():
    with serving() as endpoint:
        check, found = look(endpoint.address.replace("#tiny", "#huge"))
        assert len(endpoint.bodies) == 1
    assert not check.is_usable and not check.is_config
    assert found["answers"].state == "failed" and "does not have the model" in found["answers"].said


def test_a_wire_format_that_the_server_does_not_speak_is_said():
    with serving() as endpoint:
        check, found = look(endpoint.address, api="responses")
    assert not check.is_usable and "no responses endpoint" in found["answers"].said


def test_a_key_goes_along_when_its_variable_is_named_and_is_never_said():
    with serving(Habits(wants_key=True)) as endpoint, variable("SEEDBED_TEST_KEY", KEY):
        check, found = look(endpoint.address, api_key_env="SEEDBED_TEST_KEY")
        assert check.is_usable and "SEEDBED_TEST_KEY" in found["key"].said
        assert KEY not in str([check.found, check.spent, check.teacher()])


def test_a_wrong_key_is_refused_and_not_quoted():
    wrong = "sk-wrong-but-long-enough"
    with serving(Habits(wants_key=True)) as endpoint, variable("SEEDBED_TEST_KEY", wrong):
        check, found = look(endpoint.address, api_key_env="SEEDBED_TEST_KEY")
    assert found["answers"].state == "failed" and "refuses the key" in found["answers"].said
    assert wrong not in str(check.found)


def test_a_service_without_its_key_is_a_matter_of_configuration():
    check, found = look("openai:gpt-4.1-mini", api_key_env="SEEDBED_NO_SUCH_KEY")
    assert found["key"].state == "failed" and "SEEDBED_NO_SUCH_KEY" in found["key"].said
    assert check.is_config and check.spent["requests"] == 0


@pytest.mark.parametrize("address", ["gpt", "http://127.0.0.1:1/v1", "sim:nowhere", "recorded:nowhere.jsonl", "hf:"])
def test_an_address_that_cannot_be_is_said(address):
    check, found = look(address)
    assert check.is_config and list(found) == ["address"] and found["address"].state == "failed"


def test_a_port_where_nothing_listens_is_said_before_anything_is_asked():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        check, found = look(f"http://127.0.0.1:{free.getsockname()[1]}/v1#tiny")
    assert found["reachable"].state == "failed" and "nothing listens" in found["reachable"].said
    assert not check.is_config and check.spent["requests"] == 0


def test_a_server_without_tls_at_an_https_address_is_said():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        _, found = look(f"https://127.0.0.1:{server.getsockname()[1]}/v1#tiny")
        thread.join()
    assert found["reachable"].state == "failed" and "certificate" in found["reachable"].fix


def test_a_429_is_waited_out():
    with serving(Habits(too_fast=1)) as endpoint:
        check, _ = look(endpoint.address)
        assert check.is_usable and len(endpoint.bodies) == 18


def test_tries_count_and_no_more_than_the_limit_is_sent():
    with serving(Habits(refuses=("temperature", "seed", "logprobs", "n", "response_format"), too_fast=1)) as endpoint:
        check, found = look(endpoint.address)
        assert len(endpoint.bodies) == MOST_REQUESTS == check.spent["requests"]
    assert "requests were sent" in found["speed"].said and check.is_usable


def test_the_price_said_beforehand_is_never_passed():
    settings = {"usd_per_million_in": 1.0, "usd_per_million_out": 2.0}
    with serving() as endpoint:
        most = at_most(endpoint.address, Endpoint(**settings))
        spent = look(endpoint.address, **settings)[0].spent
    assert most.tokens <= 2_000 and most.requests <= 20
    assert 0 < spent["usd"] <= most.usd and spent["tokens_in"] + spent["tokens_out"] <= most.tokens


def test_what_a_look_can_cost_is_reckoned_as_a_run_reckons():
    asked = [request for each in questions.REQUESTS.values() for request in each]
    (two,) = questions.REQUESTS["n"]
    whole = sum(Tariff().worst_case(request).tokens for request in asked) + two.max_tokens * (two.draws - 1)
    assert at_most("http://127.0.0.1:9/v1#m", Endpoint()).tokens == whole


def test_limits_that_the_headers_tell_are_shown():
    limits = (("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "499"))
    with serving(Habits(limits=limits)) as endpoint:
        finding = look(endpoint.address)[1]["rate limits"]
    assert finding.state == "ok" and finding.said == "x-ratelimit-limit-requests 500"


def test_limits_that_are_known_to_be_by_the_minute_become_settings():
    limits = (("anthropic-ratelimit-requests-limit", "50"), ("anthropic-ratelimit-tokens-limit", "many"))
    with serving(Habits(limits=limits)) as endpoint:
        assert look(endpoint.address)[0].teacher()["endpoint"]["requests_per_minute"] == 50


def test_the_simulated_teacher_is_asked_once():
    check, found = look("sim:reviews?failures=0&refusals=0&truncations=0")
    assert check.is_usable and check.spent["requests"] == 1 and found["price"].state == "ok"
    assert "simulated teacher" in found["answers"].said


def test_recorded_replies_are_counted_and_nothing_is_asked(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"label": "a", "reply": "x"}\n{"label": "b", "reply": "y"}\n')
    check, found = look(f"recorded:{tmp_path / 'r.jsonl'}")
    assert (
        check.is_usable and check.spent["requests"] == 0 and "2 replies, told apart by label" in found["answers"].said
    )
