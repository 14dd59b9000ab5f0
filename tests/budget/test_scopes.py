"""Caps on a run, and on steps and models inside it, hold together."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.models.scripted import Scripted, ask

from seedbed.budget import Budget, Caps, Worst
from seedbed.errors import BudgetExceeded, ConfigError
from seedbed.ledger import Intent, Ledger
from seedbed.models.booking import Tariff
from seedbed.models.prices import Price
from seedbed.models.window import Window
from seedbed.request import Failure, Reply

ONE = Worst(1.0, 100, flops=1e9)
TARIFF = Tariff(Price(1.0, 3.0), flops_per_token=2e9)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.at(tmp_path / "ledger.sqlite") as opened:
        yield opened


def reserved(budget, count, **place):
    return [budget.try_reserve(ONE, **place) for _ in range(count)]


@pytest.mark.parametrize(
    "caps", [{"usd": 0}, {"tokens": -1}, {"flops": float("inf")}, {"minutes": float("nan")}, {"cents": 1}]
)
def test_a_cap_is_above_zero_and_finite_and_has_a_known_name(caps):
    with pytest.raises(ValidationError):
        Caps.model_validate(caps)


@pytest.mark.parametrize("cap", [{"usd": 2.5}, {"tokens": 250}, {"requests": 2}, {"flops": 2.5e9}])
def test_each_quantity_has_its_cap(ledger, cap):
    budget = Budget(ledger, "run", Caps(**cap))
    assert reserved(budget, 3) == [True, True, False]
    (name,) = cap
    assert budget.exceeded(ONE).fix.startswith(f"raise budget.{name} ")


def test_a_verbs_cap_counts_all_its_steps_and_a_steps_cap_only_its_own(ledger):
    budget = Budget(ledger, "run", steps={"verify": Caps(requests=3), "verify-2": Caps(requests=1)})
    assert reserved(budget, 1, step="verify-1") == [True]
    assert reserved(budget, 2, step="verify-2") == [True, False]
    assert reserved(budget, 2, step="verify-3") == [True, False]
    assert reserved(budget, 9, step="train-1") == [True] * 9


def test_what_does_not_fit_in_one_scope_is_reserved_in_none(ledger):
    budget = Budget(ledger, "run", Caps(requests=5), models={"a": Caps(usd=1)})
    assert reserved(budget, 9, model="a") == [True] + [False] * 8
    assert reserved(budget, 9, model="b") == [True] * 4 + [False] * 5


def test_the_widest_of_several_reached_caps_is_named(ledger):
    budget = Budget(ledger, "run", Caps(requests=2), steps={"verify": Caps(usd=2)})
    reserved(budget, 2, step="verify-1")
    assert budget.exceeded(ONE, step="verify-1").part == ""
    other = Budget(ledger, "run", Caps(requests=9), steps={"verify": Caps(usd=2)})
    reserved(other, 2, step="verify-1")
    found = other.exceeded(ONE, step="verify-1")
    assert found.part == "steps.verify" and "budget.steps.verify.usd" in found.fix and "2.0 usd" in found.seen


def test_released_and_settled_amounts_can_be_used_again(ledger):
    budget = Budget(ledger, "run", Caps(usd=1, requests=2))
    assert reserved(budget, 2) == [True, False]
    budget.release(ONE)
    assert reserved(budget, 1) == [True]
    budget.settle(ONE, usd=0.0, tokens=1)
    assert reserved(budget, 2) == [True, False]


@pytest.mark.parametrize(
    ("cap", "worst", "said"),
    [({"usd": 1}, Worst(None, 5), "needs a price"), ({"flops": 1}, Worst(0.1, 5), "needs the model's size")],
)
def test_a_cap_on_what_is_unknown_is_a_mistake_in_the_settings(ledger, cap, worst, said):
    budget = Budget(ledger, "run", models={"m": Caps(**cap)})
    assert budget.try_reserve(worst, model="other")
    with pytest.raises(ConfigError, match=said):
        budget.try_reserve(worst, model="m")


def test_what_was_spent_before_a_restart_counts_under_each_cap(ledger):
    for number, (step, model) in enumerate([("verify-1", "a"), ("verify-2", "b"), ("extrapolate-1", "a")]):
        intent = Intent(str(number), "{}", model, 1.0, 100, 1e9)
        ledger.intend("run", [intent], step=step)
        if number < 2:  # the last stays in doubt, at its worst
            ledger.settle(intent.key, Reply("x", 5, 5, 0.5, flops=1e8))
    steps = {"verify": Caps(usd=2), "verify-2": Caps(requests=1), "extrapolate": Caps(flops=1.5e9)}
    budget = Budget(ledger, "run", Caps(usd=3), steps=steps, models={"a": Caps(tokens=210)})
    assert reserved(budget, 1, step="verify-2") == [False]
    assert reserved(budget, 1, step="extrapolate-2") == [False]
    assert reserved(budget, 2, step="other-1", model="a") == [True, False]
    assert reserved(budget, 2, step="verify-3") == [False, False]  # 2 paid or in doubt, 1 reserved, and 3 is the cap


def test_a_model_with_two_addresses_is_capped_under_the_one_it_is_booked_on_and_named_by_the_other(ledger):
    key, address = "recorded:some/replies.jsonl", "recorded:replies.jsonl@1f"
    ledger.intend("run", [Intent("0", "{}", address, 1.0, 100)], step="verify-1")
    budget = Budget(ledger, "run", models={key: Caps(requests=5)}, addresses={key: address})
    assert reserved(budget, 9, model="other") == [True] * 9
    assert reserved(budget, 5, step="verify-1", model=address) == [True] * 4 + [False]
    budget.settle(ONE, usd=1.0, tokens=100, model=address)
    assert [warning["part"] for warning in budget.warnings()] == [f"models.{key}"]
    found = budget.exceeded(ONE, model=address)
    assert found.part == f"models.{key}" and budget.caps(found.part) == {"requests": 5}
    assert f"raise budget.models.{key}.requests" in found.fix and key in found.seen
    with budget.asking(model=address):
        pass
    timed = Budget(ledger, "run", models={key: Caps(minutes=1e-9)}, addresses={key: address})
    assert reserved(timed, 1, model=address) == [False]


def test_a_reply_whose_price_is_unknown_stays_at_its_worst_after_a_restart(ledger):
    ledger.intend("run", [Intent("k", "{}", "m", 1.0, 100, 1e9)])
    ledger.settle("k", Reply("no usage was sent"))
    budget = Budget(ledger, "run", Caps(usd=1.5, flops=1.5e9))
    assert not budget.try_reserve(ONE) and ledger.spend("run").usd_at_most == 1.0


def test_a_warning_comes_once_when_four_fifths_of_a_cap_are_used(ledger):
    budget = Budget(ledger, "run", Caps(requests=10), steps={"verify": Caps(usd=100)})
    for count in range(1, 11):
        budget.try_reserve(ONE, step="verify-1")
        budget.settle(ONE, usd=0.1, tokens=1, step="verify-1")
        expected = {"event": "budget nearly reached", "part": "", "cap": "requests", "used": 8, "of": 10}
        assert budget.warnings() == ([expected] if count == 8 else [])


# -- minutes -----------------------------------------------------------------------------------------------------------


def test_the_clock_runs_only_while_somebody_asks_and_over_restarts(ledger):
    for _ in range(2):
        budget = Budget(ledger, "run", Caps(minutes=0.002), steps={"verify": Caps(minutes=1)})
        assert budget.try_reserve(ONE, step="verify-1")
        with budget.asking(step="verify-1"):
            time.sleep(0.065)
        time.sleep(0.02)
    assert 0.12 < Budget(ledger, "run")._clocks["verify-1", ""].elapsed() < 60
    spent = Budget(ledger, "run", Caps(minutes=0.002))
    assert not spent.try_reserve(ONE) and "minutes used" in spent.exceeded(ONE).seen


def test_two_calls_at_once_are_one_clock(ledger):
    budget = Budget(ledger, "run")
    started = time.monotonic()
    with budget.asking(step="a-1", model="m"), budget.asking(step="a-1", model="n"):
        time.sleep(0.05)
    passed = time.monotonic() - started
    found = Budget(ledger, "run")._clocks
    assert 0.05 <= found["", ""].elapsed() <= passed
    assert {("a", ""), ("a-1", ""), ("", "m"), ("", "n")} < found.keys()


def test_the_clock_is_written_down_while_a_long_call_goes_on(ledger):
    budget, done = Budget(ledger, "run"), threading.Event()

    def call():
        with budget.asking():
            done.wait(5)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        for _ in range(100):
            if ("", "") in Budget(ledger, "run")._clocks and Budget(ledger, "run")._clocks["", ""].elapsed():
                break
            time.sleep(0.02)
        assert Budget(ledger, "run")._clocks["", ""].elapsed() > 0
    finally:
        done.set()
        caller.join()


def test_when_the_minutes_are_up_what_is_in_flight_is_finished_and_nothing_new_is_sent(ledger):
    wire = Scripted(delay=lambda _request: 0.02)
    budget = Budget(ledger, "run", Caps(minutes=0.1 / 60))
    answers = []
    with pytest.raises(BudgetExceeded, match="minutes"):
        answers.extend(Window(wire, 4, ledger, budget, TARIFF).generate(ask(str(i)) for i in range(2000)))
    assert 0 < len(answers) == sum(wire.asked.values()) == ledger.spend("run").requests < 100
    assert ledger.spend("run").in_doubt == 0


# -- the property ------------------------------------------------------------------------------------------------------

REPLIES = st.tuples(
    st.sampled_from(["reply", "reply", "unknown", "truncated", "refused", "terminal"]),
    st.integers(0, 20),
    st.integers(0, 9),
)
CAPS = st.one_of(
    st.just(Caps()),
    st.builds(Caps, usd=st.floats(0.0001, 0.002)),
    st.builds(Caps, tokens=st.integers(1, 800)),
    st.builds(Caps, requests=st.integers(1, 60)),
    st.builds(Caps, flops=st.floats(1e10, 1.5e12)),
    st.builds(Caps, usd=st.floats(0.0001, 0.002), requests=st.integers(1, 60), flops=st.floats(1e10, 1.5e12)),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["a-1", "a-2", "b-1"]), st.lists(REPLIES, min_size=15, max_size=40)),
    min_size=1,
    max_size=4,
)
WITHIN = {
    "run": {},
    "steps.a": {"step": "a"},
    "steps.a-2": {"step": "a-2"},
    "steps.b-1": {"step": "b-1"},
    "models.scripted": {"model": "scripted"},
}


def answer_of(calls):
    def answer(request):
        call, number = map(int, request.messages[0][1].split())
        kind, out, _ = calls[call][1][number]
        if kind == "reply":
            return Reply("x", 4, out)
        if kind == "unknown":
            return Reply("x")
        return Failure(kind, "no", *((None, None) if kind == "terminal" else (4, out)))

    return answer


def run_all(calls, caps, folder, concurrency, slowness):
    """Every call in turn, with a restart before each; what was sent, and which caps ended a call."""

    def delay(request):
        call, number = map(int, request.messages[0][1].split())
        return calls[call][1][number][2] * slowness

    wire, ended = Scripted(answer_of(calls), delay), []
    with Ledger.at(folder / "l.sqlite") as ledger:
        for number, (step, replies) in enumerate(calls):
            steps = {name: caps[f"steps.{name}"] for name in ("a", "a-2", "b-1")}
            models = {"scripted": caps["models.scripted"]}
            budget = Budget(ledger, "run", caps["run"], steps=steps, models=models)
            made = Window(wire, concurrency, ledger, budget, TARIFF)
            requests = [ask(f"{number} {i}") for i in range(len(replies))]
            answered = []
            try:
                answered.extend(made.generate(requests, step=step))
            except BudgetExceeded as reached:
                ended.append((number, reached.part))
                # Stopped for a reason: the next one's worst case really does not fit.
                worst = TARIFF.worst_case(requests[len(answered)])
                assert not budget.try_reserve(worst, step=step, model="scripted")
        spent = {part: ledger.spend("run", **only) for part, only in WITHIN.items()}
    for part, used in came_to(calls, wire.asked).items():
        booked = {name: getattr(spent[part], f"{name}_at_most") for name in ("usd", "tokens", "flops")}
        assert {**booked, "requests": spent[part].requests} == pytest.approx(used)
        assert all(used[name] <= cap * (1 + 1e-9) for name, cap in caps[part].own().items())
    return sorted(wire.asked), ended


def came_to(calls, asked):
    """What the requests that were sent have come to, or at most can have: part of the budget to amounts."""
    amounts = {part: dict.fromkeys(("usd", "tokens", "requests", "flops"), 0.0) for part in WITHIN}
    for text in asked:
        call, number = map(int, text.split())
        step, replies = calls[call]
        kind, out, _ = replies[number]
        if kind == "unknown":
            worst = TARIFF.worst_case(ask(text))
            one = {"usd": worst.usd, "tokens": worst.tokens, "flops": worst.flops}
        else:
            given, out = (0, 0) if kind == "terminal" else (4, out)
            one = {"usd": (given + 3 * out) / 1e6, "tokens": given + out, "flops": 2e9 * (given + out)}
        for part in ("run", f"steps.{step}", f"steps.{step[0]}", "models.scripted"):
            for name, amount in ({**one, "requests": 1} if part in amounts else {}).items():
                amounts[part][name] += amount
    return amounts


@settings(max_examples=50, deadline=None)
@given(STEPS, st.fixed_dictionaries(dict.fromkeys(WITHIN, CAPS)), st.integers(2, 64))
def test_nested_caps_hold_and_what_is_sent_does_not_depend_on_timing(tmp_path_factory, calls, caps, concurrency):
    """Steps in any order, answers of any size and kind in any order of arrival, restarts in between."""
    busy = run_all(calls, caps, tmp_path_factory.mktemp("b"), concurrency, 1e-4)
    one_by_one = run_all(calls, caps, tmp_path_factory.mktemp("b"), 1, 0.0)
    assert busy == one_by_one
