"""Batch files when the network fails, when somebody stops, and under caps."""

import pytest
from tests.models.batch_server import Line, Quirks, batch_server, said, wrong
from tests.models.batching import PRICE, Waits, by_prompt, in_doubt, model, questions, stop, unfinished
from tests.models.scripted import Scripted, ask

from seedbed.budget import Budget, Caps
from seedbed.errors import BoundaryError, BudgetExceeded, EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models.window import Window
from seedbed.request import Reply


@pytest.fixture
def ledger(tmp_path):
    with Ledger.at(tmp_path / "l.sqlite") as made:
        yield made


# -- the network -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [["lost"], ["500", "409", "429"], ["lost", "500"], ["503", "lost"], ["404"]])
def test_a_batch_is_made_once_whatever_happens_to_the_answer(ledger, faults):
    with batch_server(quirks=Quirks(create=faults)) as server:
        found = list(model(server, ledger).generate(questions(6)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(6)] and server.sizes == [6]


def test_passing_faults_of_uploads_looks_and_downloads_are_waited_out(ledger):
    quirks = Quirks(upload=["500", "429"], look=["502", "503"], download=["cut", "500", "cut"])
    with batch_server(by_prompt(q1=wrong(400, "no")), quirks) as server:
        found = list(model(server, ledger).generate(questions(30)))
    assert sum(isinstance(answer, Reply) for answer in found) == 29 and server.sizes == [30]
    assert set(server.billed.values()) <= {1, 0}


def test_a_service_that_does_not_answer_pauses_the_run_and_the_batch_is_not_lost(ledger):
    quirks = Quirks(look=["500"] * 60)
    with batch_server(quirks=quirks) as server:
        with pytest.raises(BoundaryError, match="does not answer"):
            list(model(server, ledger, stall_s=100).generate(questions(3)))
        quirks.look.clear()
        found = list(model(server, ledger).generate(questions(3)))
    assert [answer.text for answer in found] == ["to q0", "to q1", "to q2"] and server.sizes == [3]


@pytest.mark.parametrize(("fault", "match"), [("404", "no batch endpoint"), ("401", "key"), ("400", "refuses what")])
def test_an_endpoint_without_batches_is_named_before_anything_is_on_the_books(ledger, fault, match):
    with batch_server(quirks=Quirks(upload=[fault])) as server, pytest.raises(EndpointRefused, match=match):
        list(model(server, ledger, Budget(ledger, "run")).generate(questions(3)))
    assert ledger.spend("run").requests == 0 and not unfinished(ledger)


def test_files_without_batches_are_named_before_anything_is_on_the_books(ledger):
    quirks = Quirks(create=["404"] * 99, listed=["404"] * 99)
    with batch_server(quirks=quirks) as server, pytest.raises(EndpointRefused, match="no batch endpoint"):
        list(model(server, ledger, Budget(ledger, "run")).generate(questions(3)))
    assert ledger.spend("run").requests == 0 and not unfinished(ledger)


@pytest.mark.parametrize("fault", ["403", "404", "405"])
def test_a_batch_that_may_have_been_made_stays_on_the_books_where_batches_are_not_listed(ledger, fault):
    quirks = Quirks(create=["lost"], listed=[fault, fault])
    with batch_server(quirks=quirks) as server:
        for _ in range(2):
            with pytest.raises(BoundaryError, match="not known"):
                list(model(server, ledger, Budget(ledger, "run")).generate(questions(3)))
            assert unfinished(ledger) == 1 and in_doubt(ledger) == 3
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(3)))
    assert [answer.text for answer in found] == ["to q0", "to q1", "to q2"]
    assert server.sizes == [3] and in_doubt(ledger) == 0


def test_a_batch_that_the_service_does_not_know_is_not_paid_for_twice(ledger):
    quirks = Quirks(look=["404"])
    with batch_server(quirks=quirks) as server:
        with pytest.raises(EndpointRefused, match="does not know a batch"):
            list(model(server, ledger).generate(questions(3)))
        list(model(server, ledger).generate(questions(3)))
    assert server.sizes == [3]


# -- stopping and going on ---------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_batch_and_the_same_command_takes_its_answers(ledger):
    told = []
    with batch_server(quirks=Quirks(is_stuck=True)) as server:
        waiting = model(server, ledger, Budget(ledger, "run"), notify=told.append, sleep=Waits({4: stop}))
        with pytest.raises(KeyboardInterrupt):
            list(waiting.generate(questions(5)))
        assert told[-1] == "5 requests are with batch batch_0; the same command goes on"
        spend = ledger.spend("run")
        assert spend.in_doubt == 5 and spend.in_doubt_usd > 0
        server.finish()
        found = list(model(server, ledger, Budget(ledger, "run")).generate(questions(5)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(5)]
    assert server.sizes == [5] and in_doubt(ledger) == 0 and not any(answer.is_cached for answer in found)


def test_a_caller_who_leaves_early_leaves_the_batch_to_the_next(ledger):
    with batch_server() as server:
        first = model(server, ledger, Budget(ledger, "run"), requests=5).generate(questions(20))
        assert next(first).text == "to q0"
        first.close()
        found = list(model(server, ledger, Budget(ledger, "run"), requests=5).generate(questions(20)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(20)]
    assert sum(server.sizes) == 20


def test_another_run_takes_the_answers_of_a_batch_that_was_left_and_pays_nothing(ledger):
    with batch_server(by_prompt(q0=[wrong(500, "x"), said("to q0")]), Quirks(is_stuck=True)) as server:
        with pytest.raises(KeyboardInterrupt):
            list(model(server, ledger, Budget(ledger, "one"), sleep=Waits({4: stop})).generate(questions(4)))
        server.finish()
        budget = Budget(ledger, "two", Caps(requests=6))
        found = list(model(server, ledger, budget).generate(questions(6)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(6)]
    assert server.sizes[0] == 4 and sum(server.sizes) == 7
    one, two = ledger.spend("one"), ledger.spend("two")
    assert (one.sent, two.sent, two.requests) == (3, 3, 6)


def test_an_online_run_does_not_wait_for_a_batch_that_nobody_looks_after(ledger):
    with batch_server(quirks=Quirks(is_stuck=True)) as server:
        waiting = model(server, ledger, Budget(ledger, "one"), sleep=Waits({4: stop}))
        with pytest.raises(KeyboardInterrupt):
            list(waiting.generate(questions(4)))
        wire = Scripted()
        wire.address = server.address
        online = Window(wire, 4, ledger, Budget(ledger, "two"), PRICE)
        with pytest.raises(EndpointRefused, match="nobody looks after"):
            list(online.generate(questions(2)))
        server.finish()
        list(model(server, ledger).generate([ask("q0")]))
        found = list(online.generate(questions(4)))
    assert [answer.text for answer in found] == [f"to q{number}" for number in range(4)] and not wire.asked


def test_a_failed_line_of_another_runs_batch_is_not_sent_again_on_its_account(ledger):
    with batch_server(by_prompt(q0=wrong(500, "x")), Quirks(is_stuck=True)) as server:
        with pytest.raises(KeyboardInterrupt):
            list(model(server, ledger, Budget(ledger, "one"), sleep=Waits({4: stop})).generate(questions(2)))
        server.finish()
        list(model(server, ledger, Budget(ledger, "two")).generate([ask("other")]))
    assert ledger.spend("one").requests <= 2


def test_a_full_ledger_of_batches_at_the_service_is_searched_page_by_page(ledger):
    quirks = Quirks(page=2)
    with batch_server(quirks=quirks) as server:
        list(model(server, ledger, requests=1, at_once=9).generate(questions(7)))
        quirks.create = ["lost"]
        server.batches.append(server.batches.pop(0))
        found = list(model(server, ledger).generate([ask("new")]))
    assert found[0].text == "to new" and server.sizes == [1] * 8


# -- budgets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [1e-9, 0.0002, 0.0011, 0.005])
def test_a_cap_in_usd_holds_and_ends_files_early(ledger, cap):
    made, answered = None, []
    with batch_server() as server:
        budget = Budget(ledger, "run", Caps(usd=cap))
        made = model(server, ledger, budget, requests=16)
        try:
            answered.extend(made.generate(questions(60)))
        except BudgetExceeded:
            spend = ledger.spend("run")
            assert spend.paid_usd + PRICE.worst_case(ask(f"q{len(answered)}")).usd > cap
        else:
            assert len(answered) == 60
    spend = ledger.spend("run")
    assert spend.paid_usd + spend.in_doubt_usd <= cap
    assert len(answered) == spend.requests == sum(server.sizes) == server.billed.total()


def test_a_cap_is_kept_over_a_restart_and_a_raised_one_goes_on(ledger):
    worst = PRICE.worst_case(ask("q0")).usd
    with batch_server(quirks=Quirks(is_stuck=True)) as server:
        budget = Budget(ledger, "run", Caps(usd=5.5 * worst))
        with pytest.raises(KeyboardInterrupt):
            list(model(server, ledger, budget, sleep=Waits({4: stop})).generate(questions(99)))
        assert server.sizes == [5]
        server.finish()
        budget = Budget(ledger, "run", Caps(usd=5.5 * worst))
        with pytest.raises(BudgetExceeded):
            list(model(server, ledger, budget).generate(questions(99)))
        first = sum(server.sizes)
        list(model(server, ledger, Budget(ledger, "run", Caps(requests=first + 3))).generate(questions(first + 3)))
    assert first > 5 and sum(server.sizes) == first + 3 and set(server.billed.values()) == {1}


def test_a_cap_on_requests_counts_owned_answers_once(ledger):
    with batch_server() as server:
        list(model(server, ledger, Budget(ledger, "other")).generate(questions(4)))
        for _ in range(2):
            found = []
            with pytest.raises(BudgetExceeded):
                found.extend(model(server, ledger, Budget(ledger, "run", Caps(requests=7))).generate(questions(20)))
            assert ledger.spend("run").requests == 7
    assert sum(server.sizes) == 7


def test_a_loss_stays_spent_and_another_try_needs_room(ledger):
    worst = PRICE.worst_case(ask("q0")).usd
    with batch_server(lambda *_: Line(is_missing=True)) as server:
        budget = Budget(ledger, "run", Caps(usd=2.5 * worst))
        (failure,) = model(server, ledger, budget).generate([ask("q0")])
    assert failure.kind == "exhausted" and "no room" in failure.message and server.sizes == [1, 1]
    spend = ledger.spend("run")
    assert spend.in_doubt_usd == pytest.approx(2 * worst) and spend.paid_usd == 0
