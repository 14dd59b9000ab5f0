"""Order, bounded memory, the ledger and the budget around a wire."""

import itertools
import queue
import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.scripted import Scripted, ask, echo

from seedbed.budget import Budget, Caps
from seedbed.errors import BoundaryError, BudgetExceeded, ConfigError, EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models.booking import Tariff
from seedbed.models.prices import Price
from seedbed.models.window import CHUNK, Window
from seedbed.request import Failure, Reply


def window(wire, concurrency=8, ledger=None, budget=None, price=None):
    return Window(wire, concurrency, ledger, budget, Tariff(price))


def test_answers_come_in_order_whatever_the_latency():
    rng = random.Random(0)
    wire = Scripted(delay=lambda _request: rng.random() / 200)
    found = [reply.text for reply in window(wire).generate(ask(str(i)) for i in range(300))]
    assert found == [f"to {i}" for i in range(300)]
    assert wire.most_in_flight == 8 and wire.is_closed


def test_one_slow_answer_delays_nothing_else_being_sent():
    wire = Scripted(delay=lambda request: 0.3 if request.messages[0][1] == "0" else 0.0)
    replies = window(wire, 4).generate(ask(str(i)) for i in range(200))
    first = next(replies)
    assert first.text == "to 0" and sum(wire.asked.values()) == 200
    assert len(list(replies)) == 199


def test_thousands_go_on_behind_one_late_answer():
    wire = Scripted(delay=lambda request: 1.5 if request.messages[0][1] == "0" else 0.0)
    replies = window(wire, 64).generate(ask(str(i)) for i in range(5000))
    assert next(replies).text == "to 0" and sum(wire.asked.values()) == 5000
    assert [reply.text for reply in replies] == [f"to {i}" for i in range(1, 5000)]


def test_a_caller_who_takes_nothing_has_few_answers_bought_in_advance():
    wire = Scripted()
    replies = window(wire, 4).generate(ask(str(i)) for i in range(5000))
    next(replies)
    time.sleep(0.1)
    assert sum(wire.asked.values()) <= 2 * CHUNK
    replies.close()


def test_an_iterator_that_waits_for_an_answer_gets_it():
    """The next question depends on the last answer, so nothing can be read ahead."""
    answers: queue.Queue[str] = queue.Queue()

    def dialogue():
        yield ask("0")
        for _ in range(5):
            yield ask(f"and then? {answers.get(timeout=5)}")

    found = []
    for reply in window(Scripted()).generate(dialogue()):
        found.append(reply.text)
        answers.put(reply.text)
    assert found[2] == "to and then? to and then? to 0" and len(found) == 6


def test_a_refusal_ends_a_run_whose_iterator_is_still_waiting():
    def slowly():
        yield ask("a")
        threading.Event().wait(5)

    def refuse(_request):
        raise EndpointRefused("no credit")

    started = time.monotonic()
    with pytest.raises(EndpointRefused):
        list(window(Scripted(refuse)).generate(slowly()))
    assert time.monotonic() - started < 3


def test_a_full_disk_ends_the_run_with_a_clear_error_and_what_was_kept_is_not_asked_again(tmp_path):
    path = tmp_path / "l.sqlite"
    with Ledger.at(path) as ledger:
        list(window(Scripted(), ledger=ledger).generate(ask(str(i)) for i in range(100)))
    wire = Scripted(lambda request: Reply("long " * 200, 1, 1))
    with pytest.raises(BoundaryError, match="ledger cannot be written"), Ledger.at(path) as ledger:  # noqa: PT012
        with ledger.reading() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count={pages + 4}")
        list(window(wire, ledger=ledger).generate(ask(str(i)) for i in range(3000)))
    assert wire.asked.total() < 300, "nothing more is sent when nothing can be kept"
    with Ledger.at(path) as ledger:
        wire = Scripted()
        assert all(reply.is_cached for reply in window(wire, ledger=ledger).generate(ask(str(i)) for i in range(100)))


def test_an_endless_iterator_is_read_no_further_than_the_window():
    read = itertools.count()
    replies = window(Scripted()).generate(ask(str(next(read))) for _ in itertools.count())
    taken = list(itertools.islice(replies, 50))
    replies.close()
    assert len(taken) == 50 and next(read) < 50 + 4 * CHUNK
    assert not [thread for thread in threading.enumerate() if thread.name == "seedbed-model"]


def test_a_broken_iterator_breaks_in_the_callers_thread():
    def broken():
        yield ask("a")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(window(Scripted()).generate(broken()))


def test_a_bug_in_a_wire_is_raised_and_not_waited_for():
    def bug(request):
        if request.messages[0][1] == "3":
            raise ZeroDivisionError
        return echo(request)

    with pytest.raises(ZeroDivisionError):
        list(window(Scripted(bug), 2).generate(ask(str(i)) for i in range(5000)))


def test_what_is_owned_is_not_sent_again(tmp_path):
    wire = Scripted()
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        list(window(wire, ledger=ledger).generate(ask(str(i)) for i in range(20)))
        again = list(window(wire, ledger=ledger).generate(ask(str(i)) for i in range(25)))
    assert set(wire.asked.values()) == {1}
    assert [reply.is_cached for reply in again] == [True] * 20 + [False] * 5


def test_a_hostile_text_is_replayed_as_it_was_first_given(tmp_path):
    wire = Scripted(lambda _request: Reply("a\x00b\ud800c", 1, 1))
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        first, again = (next(iter(window(wire, ledger=ledger).generate([ask("a\ud800")]))) for _ in range(2))
    assert first.text == again.text and first.text.encode().startswith(b"a\xef\xbf\xbdb")


def test_the_same_request_twice_in_one_stream_is_sent_once(tmp_path):
    wire = Scripted(delay=lambda _request: 0.01)
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        found = list(window(wire, ledger=ledger).generate([ask("a"), ask("a"), ask("b"), ask("a")]))
    assert [reply.text for reply in found] == ["to a", "to a", "to b", "to a"] and wire.asked["a"] == 1


def test_a_draw_of_the_same_prompt_is_a_request_of_its_own(tmp_path):
    wire = Scripted()
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        list(window(wire, ledger=ledger).generate(ask("a", draw) for draw in range(3)))
    assert wire.asked["a"] == 3


@pytest.mark.parametrize(("kind", "times"), [("refused", 1), ("truncated", 1), ("terminal", 1), ("exhausted", 2)])
def test_only_a_passing_failure_is_asked_for_again(tmp_path, kind, times):
    wire = Scripted(lambda _request: Failure(kind, "no"))
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        for _ in range(2):
            (failure,) = window(wire, ledger=ledger).generate([ask("a")])
            assert failure.kind == kind
    assert wire.asked["a"] == times


def test_a_refusing_endpoint_stops_at_once_and_keeps_what_was_answered(tmp_path):
    def answer(request):
        if int(request.messages[0][1]) >= 30:
            raise EndpointRefused("no credit")
        return echo(request)

    wire = Scripted(answer)
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        budget = Budget(ledger, "run")
        replies, found = window(wire, 4, ledger, budget).generate(ask(str(i)) for i in range(1000)), []
        with pytest.raises(EndpointRefused):
            found.extend(replies)
        spend = ledger.spend("run")
    assert sum(wire.asked.values()) < 40
    assert spend.requests == 30 and spend.in_doubt == 0


def test_a_cap_in_usd_without_a_price_is_refused_before_anything_is_sent(tmp_path):
    wire = Scripted()
    with Ledger.at(tmp_path / "l.sqlite") as ledger, pytest.raises(ConfigError, match="needs a price"):
        list(window(wire, ledger=ledger, budget=Budget(ledger, "run", Caps(usd=1))).generate([ask("a")]))
    assert not wire.asked


REPLIES = st.lists(
    st.tuples(
        st.sampled_from(["reply", "truncated", "refused", "terminal", "unknown"]), st.integers(0, 20), st.integers(0, 9)
    ),
    min_size=1,
    max_size=150,
)


@settings(max_examples=60, deadline=None)
@given(REPLIES, st.floats(0.0001, 0.01), st.integers(1, 64))
def test_a_cap_in_usd_is_never_exceeded_and_does_not_depend_on_timing(tmp_path_factory, script, cap, concurrency):
    """64 in flight, answers of any size and kind, in any order of arrival."""
    price = Price(1.0, 3.0)

    def answer(request):
        kind, out, _ = script[int(request.messages[0][1])]
        tokens_in = len(request.messages[0][1])
        if kind == "reply":
            return Reply("x", tokens_in, out)
        if kind == "unknown":
            return Reply("x")
        return Failure(kind, "no", *((None, None) if kind == "terminal" else (tokens_in, out)))

    sent = []
    for in_flight, slowness in ((concurrency, 1e-4), (1, 0.0)):
        wire = Scripted(answer, lambda request, slow=slowness: script[int(request.messages[0][1])][2] * slow)
        with Ledger.at(tmp_path_factory.mktemp("b") / "l.sqlite") as ledger:
            budget = Budget(ledger, "run", Caps(usd=cap))
            made = window(wire, in_flight, ledger, budget, price)
            answered = []
            try:
                answered.extend(made.generate(ask(str(i)) for i in range(len(script))))
            except BudgetExceeded:
                # Stopped for a reason: the next one's worst case really does not fit.
                assert not budget.try_reserve(Tariff(price).worst_case(ask(str(len(answered)))))
            spend = ledger.spend("run")
            assert spend.paid_usd + spend.in_doubt_usd <= cap + 1e-9
            assert len(answered) == spend.requests == sum(wire.asked.values())
        sent.append(sorted(wire.asked))
    assert sent[0] == sent[1]


@pytest.mark.parametrize("cap", [0, 1, 7, 40])
def test_a_cap_on_requests_counts_owned_answers_once(tmp_path, cap):
    wire = Scripted()
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        list(window(wire, ledger=ledger, budget=Budget(ledger, "other")).generate(ask(str(i)) for i in range(10)))
        for _ in range(2):
            answered = []
            budget = Budget(ledger, "run", Caps(requests=cap or None))
            try:
                answered.extend(window(wire, ledger=ledger, budget=budget).generate(ask(str(i)) for i in range(30)))
            except BudgetExceeded:
                assert cap < 30
            assert len(answered) == min(cap or 30, 30) == ledger.spend("run").requests
        assert ledger.spend("run").sent == max(len(answered) - 10, 0)


def test_a_raised_cap_goes_on_where_the_lower_one_ended(tmp_path):
    wire = Scripted()
    with Ledger.at(tmp_path / "l.sqlite") as ledger:
        for cap in (5, 12):
            with pytest.raises(BudgetExceeded):
                list(
                    window(wire, ledger=ledger, budget=Budget(ledger, "run", Caps(requests=cap))).generate(
                        ask(str(i)) for i in range(99)
                    )
                )
            assert sum(wire.asked.values()) == cap
    assert set(wire.asked.values()) == {1}
