"""Batch files: the same `generate`, and what the services behind such endpoints really do."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.models.batch_server import CANCELLED, EXPIRED, KEY, Line, Quirks, batch_server, said, wrong
from tests.models.batching import PRICE, Waits, by_prompt, in_doubt, model, questions, unfinished
from tests.models.formats.asked import AS_PERSON
from tests.models.scripted import Scripted, ask

from seedbed.budget import Budget, Caps
from seedbed.errors import ConfigError, EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.models.batch import BatchModel, Limits
from seedbed.models.window import Window
from seedbed.request import Choice, Failure, Reply, Request


@pytest.fixture
def ledger(tmp_path):
    with Ledger.at(tmp_path / "l.sqlite") as made:
        yield made


# -- the plain way -----------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_requests_and_are_the_ledgers(ledger):
    with batch_server() as server:
        budget = Budget(ledger, "run")
        found = list(model(server, ledger, budget).generate(questions(40), step="ask-1"))
        again = list(model(server, ledger, budget).generate(questions(40), step="ask-2"))
    assert [reply.text for reply in found] == [f"to q{number}" for number in range(40)]
    assert not any(reply.is_cached for reply in found) and all(reply.is_cached for reply in again)
    assert found[0].usd == PRICE.price.usd(10, 5) and found[0].model == "tiny-1"
    assert server.sizes == [40] and set(server.billed.values()) == {1} and not unfinished(ledger)
    spend = ledger.spend("run")
    assert (spend.requests, spend.sent, spend.in_doubt) == (40, 40, 0)


def test_a_file_says_what_the_documentation_says(ledger):
    with batch_server() as server:
        list(model(server, ledger).generate([ask("a", max_tokens=7)]))
        ((line,),) = [batch.lines for batch in server.batches]
    assert line["method"] == "POST" and line["url"] == "/v1/chat/completions" == server.batches[0].endpoint
    assert line["custom_id"] == ask("a", max_tokens=7).key(server.address)
    assert line["body"]["model"] == "tiny" and line["body"]["max_tokens"] == 7


def test_what_was_answered_online_is_in_no_file_and_the_other_way_round(ledger):
    with batch_server() as server:
        wire = Scripted()
        wire.address = server.address
        online = Window(wire, 4, ledger, None, PRICE)
        list(online.generate(questions(10)))
        found = list(model(server, ledger).generate(questions(25)))
        list(online.generate(questions(25)))
    assert server.sizes == [15] and wire.asked.total() == 10
    assert [reply.is_cached for reply in found] == [True] * 10 + [False] * 15


def test_the_same_request_twice_is_in_one_line_and_draws_are_in_several(ledger):
    with batch_server() as server:
        asked = [ask("a"), ask("b"), ask("a"), ask("a", 1), ask("b")]
        found = list(model(server, ledger, requests=2, at_once=9).generate(asked))
    assert [reply.text for reply in found] == ["to a", "to b", "to a", "to a", "to b"]
    assert sum(server.sizes) == 3


@pytest.mark.parametrize("limits", [{"requests": 10, "at_once": 2}, {"size": 4000, "at_once": 3}])
def test_requests_are_spread_over_files_that_keep_to_the_limits(ledger, limits):
    with batch_server() as server:
        found = list(model(server, ledger, **limits).generate(questions(57)))
        sizes = [len(server.files[batch.input_file]) for batch in server.batches]
    assert [reply.text for reply in found] == [f"to q{number}" for number in range(57)]
    assert sum(server.sizes) == 57 and len(server.sizes) > 5
    assert max(server.sizes) <= limits.get("requests", 57) and max(sizes) <= limits.get("size", 10**9)


def test_requests_are_read_no_further_than_the_files_that_may_be_out(ledger):
    read = []

    def endless():
        while True:
            read.append(1)
            yield ask(f"q{len(read)}")

    with batch_server() as server:
        answers = model(server, ledger, requests=300, at_once=2).generate(endless())
        assert next(answers).text == "to q1"
        answers.close()
    assert len(read) <= 600 + 256
    assert not unfinished(ledger) or sum(server.sizes) <= 600


def test_a_broken_iterator_breaks_in_the_callers_thread_and_leaves_nothing_on_the_books(ledger):
    def broken():
        yield ask("a")
        raise KeyError("mine")

    with batch_server() as server, pytest.raises(KeyError, match="mine"):
        list(model(server, ledger, Budget(ledger, "run")).generate(broken()))
    assert not server.batches and ledger.spend("run").requests == 0 and in_doubt(ledger) == 0


def test_a_key_is_sent_and_never_kept(ledger, tmp_path):
    os.environ["SEEDBED_TEST_BATCH_KEY"] = KEY
    try:
        with batch_server() as server:
            settings = Endpoint(batch=True, api_key_env="SEEDBED_TEST_BATCH_KEY")
            made = BatchModel(server.address, settings, ledger, None, PRICE, limits=Limits(sleep=Waits()))
            list(made.generate([ask("a")]))
            assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    finally:
        del os.environ["SEEDBED_TEST_BATCH_KEY"]
    ledger.flush()
    assert not [path for path in tmp_path.iterdir() if KEY.encode() in path.read_bytes()]


def test_batch_in_the_settings_opens_such_a_model(ledger):
    settings = Endpoint(batch=True)
    assert isinstance(open_model("http://127.0.0.1:9/v1#m", ledger=ledger, settings=settings), BatchModel)
    with pytest.raises(ConfigError, match="needs a ledger"):
        list(open_model("http://127.0.0.1:9/v1#m", settings=settings).generate([]))
    with pytest.raises(ConfigError, match="OpenAI's batch files"):
        open_model("sim:reviews", ledger=ledger, settings=settings)


def test_answers_in_the_format_of_responses_come_by_batch_too(ledger):
    def script(prompt, _times, body):
        message = {"type": "message", "content": [{"type": "output_text", "text": f"to {prompt}"}]}
        usage = {"input_tokens": 9, "output_tokens": 4}
        return Line(body={"model": "tiny-1", "status": "completed", "output": [message], "usage": usage})

    with batch_server(script) as server:
        settings = Endpoint(batch=True, api="responses")
        made = BatchModel(server.address, settings, ledger, None, PRICE, limits=Limits(sleep=Waits()))
        found = list(made.generate(questions(3)))
    assert [(answer.text, answer.tokens_in) for answer in found] == [(f"to q{number}", 9) for number in range(3)]
    assert server.batches[0].endpoint == "/v1/responses" == server.batches[0].lines[0]["url"]


# -- what becomes of single requests -----------------------------------------------------------------------------------


def test_every_request_has_its_own_end(ledger):
    script = by_prompt(
        q0=wrong(400, "no such thing"),
        q1=said("half", finish="length"),
        q2=said("", finish="content_filter"),
        q3=[wrong(500, "server error"), said("late")],
        q4=wrong(429, "Rate limit reached", "rate_limit_exceeded"),
        q5=Line(error={"code": "request_timeout", "message": "took too long"}),
    )
    with batch_server(script, Quirks(no_file="")) as server:
        found = list(model(server, ledger, Budget(ledger, "run"), tries=3).generate(questions(8)))
    kinds = [answer.kind if isinstance(answer, Failure) else answer.text for answer in found]
    assert kinds == ["terminal", "truncated", "refused", "late", "exhausted", "exhausted", "to q6", "to q7"]
    assert server.sizes == [8, 3, 2] and in_doubt(ledger) == 0
    assert "in 3 batches" in found[4].message and "request_timeout" in found[5].message
    assert found[1].usd == PRICE.price.usd(10, 5) and found[0].usd == 0.0


def test_a_batch_all_of_whose_lines_failed_has_only_an_error_file(ledger):
    with batch_server(lambda *_: wrong(400, "bad prompt")) as server:
        found = list(model(server, ledger).generate(questions(12)))
    assert {answer.kind for answer in found} == {"terminal"} and server.batches[0].output_file is None


def test_an_expired_batch_gives_what_it_finished_and_the_rest_goes_out_again(ledger):
    def script(prompt, times, _body):
        late = int(prompt[1:]) % 3 == 0 and len(server.batches) < 2
        return Line(error=EXPIRED) if late else said(f"to {prompt}")

    with batch_server(script) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(9)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(9)]
    assert server.sizes == [9, 3] and set(server.billed.values()) == {1}
    spend = ledger.spend("run")
    assert spend.in_doubt == 0 and spend.paid_usd == pytest.approx(9 * PRICE.price.usd(10, 5))


def test_what_a_service_never_executes_is_given_up_after_so_many_batches(ledger):
    with batch_server(lambda *_: Line(error=EXPIRED)) as server:
        found = list(model(server, ledger, Budget(ledger, "run"), tries=2).generate(questions(3)))
        (again,) = model(server, ledger, Budget(ledger, "run"), tries=1).generate(questions(1))
    assert [answer.kind for answer in [*found, again]] == ["exhausted"] * 4
    assert server.sizes == [3, 3, 1] and ledger.spend("run").paid_usd == 0 and in_doubt(ledger) == 0


def test_a_missing_line_of_a_completed_batch_is_a_loss_and_is_asked_again(ledger):
    script = by_prompt(q1=[Line(is_missing=True), said("there")], q2=[Line(raw=b"{cut\n"), said("whole")])
    with batch_server(script) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
    assert [answer.text for answer in found] == ["to q0", "there", "whole", "to q3"]
    assert server.sizes == [4, 2] and in_doubt(ledger) == 2
    assert ledger.spend("run").in_doubt_usd > 0


def test_an_answer_that_cannot_be_read_is_asked_again_and_then_terminal(ledger):
    with batch_server(by_prompt(q0=Line(body={"choices": []}))) as server:
        found = list(model(server, ledger, Budget(ledger, "run"), tries=2).generate(questions(2)))
    assert found[0].kind == "terminal" and "unreadable" in found[0].message and in_doubt(ledger) == 2
    assert server.sizes == [2, 1]


def test_doubled_and_foreign_lines_count_once_or_not_at_all(ledger):
    stray = json.dumps({"custom_id": "f" * 32, "response": {"status_code": 200, "body": said("x").body}}).encode()
    script = by_prompt(
        q0=Line(body=said("to q0").body, copies=3), q1=[Line(raw=stray + b"\n[]\nnull\n\xff\n"), said("2")]
    )
    with batch_server(script) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(2)))
    assert [answer.text for answer in found] == ["to q0", "2"]
    assert ledger.spend("run").requests == 2


@pytest.mark.parametrize("kind", ["output", "error"])
def test_results_that_were_deleted_are_losses_and_are_asked_again(ledger, kind):
    quirks = Quirks(deleted={f"{kind}-0"})
    with batch_server(by_prompt(q0=[wrong(500, "x"), said("to q0")]), quirks) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(4)]
    assert server.sizes == ([4, 4] if kind == "output" else [4, 1])
    assert in_doubt(ledger) == (3 if kind == "output" else 1)


def test_no_credit_in_the_midst_of_a_batch_keeps_what_was_answered_and_pauses(ledger):
    script = by_prompt(q1=wrong(429, "You exceeded your current quota", "insufficient_quota"))
    with batch_server(script) as server:
        with pytest.raises(EndpointRefused, match="credit"):
            list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
        assert ledger.spend("run").requests == 3 and in_doubt(ledger) == 0
        server.script = by_prompt()
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(4)]
    assert server.sizes == [4, 1]


def test_a_parameter_that_the_model_refuses_is_put_otherwise_in_the_next_file(ledger):
    def script(prompt, _times, body):
        if "max_tokens" in body:
            message = "Unsupported parameter: 'max_tokens' is not supported, use 'max_completion_tokens' instead."
            return Line(400, {"error": {"message": message, "param": "max_tokens", "code": "unsupported_parameter"}})
        return said(f"to {prompt}")

    with batch_server(script) as server:
        found = list(model(server, ledger).generate(questions(5)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(5)]
    assert server.sizes == [5, 5] and "max_completion_tokens" in server.bodies[-1]


@pytest.mark.parametrize(("refuses", "sizes"), [("strict", [20, 20]), ("schemas", [20, 20, 20])])
def test_a_schema_that_all_lines_of_a_file_are_refused_for_is_put_one_step_otherwise(ledger, refuses, sizes):
    def script(_prompt, _times, body):
        shape = body.get("response_format", {}).get("json_schema", {})
        if shape.get("strict") or (refuses == "schemas" and shape):
            return wrong(400, "This response_format type is unavailable now")
        return said('{"name": "Ann"}')

    asked = [replace(AS_PERSON, draw=number) for number in range(20)]
    with batch_server(script) as server:
        found = list(model(server, ledger).generate(asked))
    assert all(isinstance(answer, Reply) for answer in found) and server.sizes == sizes
    assert ("response_format" in server.bodies[-1]) == (refuses == "strict")


def test_an_answer_that_misses_its_constraint_is_asked_for_once_more_in_the_next_file(ledger):
    def script(prompt, _times, body):
        if len(body["messages"]) == 1:
            return said({"q0": "yes", "q1": "**No.**"}.get(prompt, "perhaps"))
        return said("no" if body["messages"][0]["content"] == "q2" else "still perhaps")

    asked = [Request((("user", f"q{number}"),), constraint=Choice(("yes", "no"))) for number in range(4)]
    with batch_server(script) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(asked))
        again = list(model(server, ledger, Budget(ledger, "run")).generate(asked))
    assert [answer.text for answer in found[:3]] == ["yes", "no", "no"] == [answer.text for answer in again[:3]]
    assert [answer.checked for answer in found[:3]] == ["valid", "salvaged", "repaired"]
    assert found[3].kind == again[3].kind == "malformed"
    assert server.sizes == [4, 2] and found[2].usd == 2 * PRICE.price.usd(10, 5)
    assert not found[2].is_cached and again[2].is_cached
    with ledger.reading() as db:
        counted = dict(db.execute("SELECT checked, count(*) FROM requests GROUP BY 1").fetchall())
    assert counted == {"valid": 1, "salvaged": 1, "invalid": 2, "repaired": 1, "malformed": 1}


def test_a_re_ask_that_the_budget_has_no_room_for_leaves_the_row_malformed(ledger):
    asked = [Request((("user", f"q{number}"),), max_tokens=20, constraint=Choice(("yes", "no"))) for number in range(3)]
    with batch_server(lambda *_: said("perhaps", 50, 20)) as server:
        budget = Budget(ledger, "run", Caps(usd=3.1 * PRICE.worst_case(asked[0]).usd))
        found = list(model(server, ledger, budget).generate(asked))
    assert [answer.kind for answer in found] == ["malformed"] * 3 and server.sizes[0] == 3
    assert any("no room to ask again" in answer.message for answer in found)


# -- what becomes of whole files ---------------------------------------------------------------------------------------


def test_bad_lines_of_a_refused_file_are_terminal_and_the_rest_goes_out_again(ledger):
    def faults(_number, lines):
        at = [n for n, line in enumerate(lines, 1) if line["body"]["messages"][0]["content"] in ("q2", "q5")]
        return [{"code": "invalid_request", "message": "not so", "line": line, "param": None} for line in at]

    with batch_server(quirks=Quirks(faults=faults)) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(8)))
    assert [n for n, answer in enumerate(found) if isinstance(answer, Failure)] == [2, 5]
    assert found[2].kind == "terminal" and "not so" in found[2].message
    assert server.sizes == [8, 6] and ledger.spend("run").in_doubt == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "model_not_found", "message": "The model 'tiny' is not supported by the Batch API.", "line": 1},
        {"code": "url_not_found", "message": "The url is not supported.", "line": 1},
        {"code": "billing_hard_limit_reached", "message": "Billing hard limit has been reached.", "line": None},
        {"code": "insufficient_quota", "message": "You exceeded your current quota.", "line": None},
        {"code": "something_new", "message": "who knows", "line": None},
        None,
    ],
)
def test_a_file_that_is_refused_as_a_whole_pauses_the_run_and_blames_no_row(ledger, fault):
    quirks = Quirks(faults=lambda number, _lines: [fault] if fault and number == 0 else [])
    with batch_server(quirks=quirks) as server:
        if fault is None:
            quirks.ending = lambda number: "failed" if number == 0 else "completed"
        with pytest.raises(EndpointRefused):
            list(model(server, ledger, Budget(ledger, "run")).generate(questions(12)))
        assert ledger.spend("run").requests == 0 and not unfinished(ledger)
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(12)))
    assert all(isinstance(answer, Reply) for answer in found)


def test_a_file_all_of_whose_lines_are_bad_is_not_the_lines_fault(ledger):
    def faults(_number, lines):
        return [{"code": "odd", "message": "no", "line": line} for line in range(1, len(lines) + 1)]

    with batch_server(quirks=Quirks(faults=faults)) as server, pytest.raises(EndpointRefused, match="whole file"):
        list(model(server, ledger, Budget(ledger, "run")).generate(questions(20)))
    assert ledger.spend("run").requests == 0


def test_a_full_queue_makes_files_smaller_until_they_fit(ledger):
    with batch_server(quirks=Quirks(queue=12)) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(40)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(40)]
    assert set(server.billed.values()) == {1} and in_doubt(ledger) == 0
    assert max(len(batch.lines) for batch in server.batches if batch.status == "completed") <= 12


def test_a_queue_that_stays_full_pauses_the_run_with_the_reason(ledger):
    waits = Waits()
    with batch_server(quirks=Quirks(queue=0)) as server, pytest.raises(EndpointRefused, match="queue is full"):
        list(model(server, ledger, Budget(ledger, "run"), stall_s=120, sleep=waits).generate(questions(4)))
    assert 120 <= sum(waits.seconds) <= 400 and len(server.batches) < 20 and ledger.spend("run").requests == 0


def test_a_request_too_large_for_any_file_is_terminal_and_stops_nothing_else(ledger):
    asked = [ask("a"), ask("x" * 5000), ask("b")]
    quirks = Quirks(upload=["413", "413", "413"])
    with batch_server(quirks=quirks) as server:
        found = list(model(server, ledger, Budget(ledger, "run")).generate(asked))
    kinds = sorted(type(answer).__name__ for answer in found)
    assert kinds.count("Reply") >= 1 and {getattr(each, "kind", "terminal") for each in found} == {"terminal"}
    assert ledger.spend("run").requests == 3 and in_doubt(ledger) == 0


def test_a_batch_that_somebody_cancelled_is_not_sent_again_by_itself(ledger):
    def script(prompt, _times, _body):
        return Line(error=CANCELLED) if prompt > "q1" and len(server.batches) == 1 else said(f"to {prompt}")

    quirks = Quirks(ending=lambda number: "completed" if number else "cancelled")
    with batch_server(script, quirks) as server:
        with pytest.raises(EndpointRefused, match="cancelled at the service"):
            list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
        assert server.sizes == [4] and ledger.spend("run").requests == 2
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(4)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(4)] and server.sizes == [4, 2]


# -- memory and size ---------------------------------------------------------------------------------------------------


def test_an_owned_answer_of_any_number_is_handed_out_without_the_service(ledger):
    with batch_server() as server:
        list(model(server, ledger).generate(questions(700)))
    server.port = server.port or 1
    found = list(model(server, ledger).generate(iter(questions(700))))
    assert len(found) == 700 and all(answer.is_cached for answer in found)


def test_the_module_asks_for_nothing_heavy_at_import():
    code = "import sys, seedbed.models; print('seedbed.models.batch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
