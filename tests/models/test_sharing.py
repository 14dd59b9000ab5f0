"""One ledger under several askers at once: nothing is paid for twice, and nothing recorded is lost."""

import multiprocessing
import os
import signal
import time

import pytest
from tests.models.scripted import Scripted, ask
from tests.models.scripted_server import Answer, said, scripted_server

from seedbed.ledger import Intent, Ledger
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
