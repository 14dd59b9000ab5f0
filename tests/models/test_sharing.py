"""One ledger under several askers at once: nothing is paid for twice, and nothing recorded is lost."""

import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.models.scripted import Scripted, ask
from tests.models.scripted_server import Answer, said, scripted_server

from seedbed.errors import EndpointRefused
from seedbed.ledger import Intent, Ledger
from seedbed.ledger.owners import is_running, process_name
from seedbed.models import Endpoint, open_model
from seedbed.models.booking import Tariff
from seedbed.models.window import CHUNK, Window
from seedbed.request import Reply


def test_a_request_that_comes_again_while_it_is_in_flight_is_sent_once(tmp_path):
    # The slow one is still in flight when the next chunk is looked up, and has landed when its twin's turn comes.
    wire = Scripted(delay=lambda request: 0.6 if request.messages[0][1] == "slow" else 0.0)
    stream = [ask("slow"), *(ask(str(i)) for i in range(CHUNK + 20)), ask("slow"), ask("slow")]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        found = list(Window(wire, 8, ledger, None, Tariff()).generate(stream))
    assert wire.asked["slow"] == 1 and [found[i].text for i in (0, -1)] == ["to slow"] * 2


def test_a_request_that_comes_again_holds_up_nothing_behind_it(tmp_path):
    wire = Scripted(delay=lambda request: 0.5 if request.messages[0][1] == "slow" else 0.0)
    stream = [ask("slow"), ask("slow"), *(ask(str(i)) for i in range(300))]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        answers = Window(wire, 8, ledger, None, Tariff()).generate(stream)
        first, second = next(answers), next(answers)
        assert wire.asked.total() == 301, "all others were asked before the slow one landed"
        assert first.text == second.text == "to slow" and not first.is_cached and second.is_cached
        assert [reply.text for reply in answers] == [f"to {i}" for i in range(300)]


def test_two_streams_from_one_model_go_on_side_by_side(tmp_path):
    with scripted_server() as server, Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        model = open_model(server.address, ledger=ledger, settings=Endpoint(concurrency=2))
        left, right = [model.generate([ask(f"{side}{i}") for i in range(300)]) for side in "ab"]
        pairs = [(a.text, b.text) for a, b in zip(left, right, strict=True)]
    assert pairs == [(f"to a{i}", f"to b{i}") for i in range(300)]


def test_a_killed_process_that_nobody_took_note_of_asks_for_nothing():
    child = subprocess.Popen(["sleep", "60"])
    name = process_name(child.pid)
    assert is_running(f"{name}/1")
    child.kill()
    while "Z" not in Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2][:3]:
        time.sleep(0.01)
    assert not is_running(f"{name}/1")
    child.wait()


def test_an_error_is_not_kept_back_while_another_asks(tmp_path):
    def refuse(request):
        raise EndpointRefused("no credit")

    held = ask("held")
    with Ledger.at(tmp_path / "l.sqlite") as mine, Ledger.at(tmp_path / "l.sqlite") as theirs:
        key = held.key("scripted")
        assert theirs.intend("theirs", [Intent(key, held.canonical(), "scripted", 0.5, 10)]) == {key}
        started = time.monotonic()
        with pytest.raises(EndpointRefused):
            list(Window(Scripted(refuse), 4, mine, None, Tariff()).generate([held, ask("b")]))
        assert time.monotonic() - started < 3


def test_an_answer_recorded_by_somebody_else_meanwhile_is_used_and_kept(tmp_path):
    with Ledger.at(tmp_path / "l.sqlite") as mine, Ledger.at(tmp_path / "l.sqlite") as theirs:
        request = ask("a")
        intent = Intent("key", request.canonical(), "somewhere", 0.5, 10)
        assert mine.lookup(["key"], "mine")[0] == {}
        assert theirs.intend("theirs", [intent])
        assert not mine.intend("mine", [intent]), "they are asking it right now"
        theirs.settle("key", Reply("paid", 1, 1, 0.25))
        theirs.flush()
        assert not mine.intend("mine", [intent]), "it is answered"
        assert mine.lookup(["key"], "mine")[0]["key"].text == "paid"
        assert mine.spend("theirs").paid_usd == 0.25


def test_a_request_whose_asker_gave_up_may_be_asked_by_another(tmp_path):
    intent = Intent("key", ask("a").canonical(), "somewhere", 0.5, 10)
    with Ledger.at(tmp_path / "l.sqlite") as mine:
        with Ledger.at(tmp_path / "l.sqlite") as theirs:
            assert theirs.intend("theirs", [intent])
        assert mine.intend("mine", [intent])


def _generate(path, address, name, count, queue):
    with Ledger.at(path) as ledger:
        model = open_model(address, ledger=ledger, settings=Endpoint(concurrency=8))
        queue.put((name, [reply.text for reply in model.generate(ask(str(i)) for i in range(count))]))


def test_two_processes_that_ask_the_same_pay_once(tmp_path):
    def script(prompt, _times, _body):
        return Answer(body=said(f"to {prompt}").body, wait_s=0.02)

    spawn = multiprocessing.get_context("spawn")
    queue = spawn.Queue()
    with scripted_server(script) as server:
        arguments = [(tmp_path / "l.sqlite", server.address, name, 300, queue) for name in ("a", "b")]
        workers = [spawn.Process(target=_generate, args=each) for each in arguments]
        for worker in workers:
            worker.start()
        found = dict(queue.get(timeout=60) for _ in workers)
        for worker in workers:
            worker.join(30)
    assert found["a"] == found["b"] == [f"to {i}" for i in range(300)]
    assert len(server.answered) == 300 and set(server.answered.values()) == {1}


def _intend_and_wait(path, is_ready):
    with Ledger.at(path) as ledger:
        ledger.intend("theirs", [Intent("key", ask("a").canonical(), "somewhere", 0.5, 10)])
        is_ready.set()
        time.sleep(60)


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_intent_of_a_process_belongs_to_it_until_it_is_gone(tmp_path, is_killed):
    spawn = multiprocessing.get_context("spawn")
    is_ready = spawn.Event()
    worker = spawn.Process(target=_intend_and_wait, args=(tmp_path / "l.sqlite", is_ready))
    worker.start()
    assert is_ready.wait(30)
    try:
        with Ledger.at(tmp_path / "l.sqlite") as ledger:
            if is_killed:
                os.kill(worker.pid, signal.SIGKILL)
                worker.join(10)
            assert ledger.intend("mine", [Intent("key", ask("a").canonical(), "somewhere", 0.5, 10)]) == (
                {"key"} if is_killed else set()
            )
    finally:
        worker.kill()
        worker.join(10)


def test_a_request_whose_sending_broke_may_be_asked_again_in_the_same_process(tmp_path):
    def bug(_request):
        raise ZeroDivisionError

    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        with pytest.raises(ZeroDivisionError):
            list(Window(Scripted(bug), 2, ledger, None, Tariff()).generate([ask("a")]))
        assert [reply.text for reply in Window(Scripted(), 2, ledger, None, Tariff()).generate([ask("a")])] == ["to a"]
        assert ledger.spend("").in_doubt == 1, "what the broken try may have cost stays on the books"
