"""Constrained requests through the whole window: what the caller gets, what is sent, what the ledger keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.models.scripted import Scripted

from seedbed.budget import Budget, Caps
from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models.booking import Tariff
from seedbed.models.window import Window
from seedbed.request import Choice, Failure, JsonSchema, Reply, Request

SCHEMA = JsonSchema.of({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
GOOD = '{"n": 1}'
FIRST = {"good": GOOD, "fenced": f"```json\n{GOOD}\n```", "mended": "{n: 1,}", "stubborn": "no"}


def script(request: Request) -> Reply:
    """Answers by the first message; to the re-ask only `corrected` does better."""
    asked = request.messages[0][1]
    if len(request.messages) == 1:
        return Reply(FIRST.get(asked, '{"n": "one"}'), 10, 5)
    return Reply(GOOD if asked == "corrected" else "still no", 30, 5)


def constrained(text: str, constraint: JsonSchema | Choice = SCHEMA) -> Request:
    return Request((("user", text),), max_tokens=20, constraint=constraint)


def open_window(ledger: Ledger | None = None, budget: Budget | None = None) -> tuple[Window, Scripted]:
    wire = Scripted(script)
    return Window(wire, 4, ledger, budget, Tariff()), wire


def ask_all(window: Window, texts: list[str]) -> list[Reply | Failure]:
    return list(window.generate(constrained(text) for text in texts))


def outcome(answer: Reply | Failure) -> str:
    return answer.checked if isinstance(answer, Reply) else answer.kind


TEXTS = ["good", "fenced", "mended", "corrected", "stubborn"]
OUTCOMES = ["valid", "salvaged", "salvaged", "repaired", "malformed"]


@pytest.mark.parametrize("has_ledger", [True, False])
def test_every_reply_meets_its_constraint_and_the_rest_says_why_not(tmp_path: Path, has_ledger: bool) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        window, wire = open_window(ledger if has_ledger else None)
        answers = ask_all(window, TEXTS)
    assert [outcome(answer) for answer in answers] == OUTCOMES
    assert [answer.text for answer in answers if isinstance(answer, Reply)] == [GOOD, GOOD, '{"n":1}', GOOD]
    assert wire.asked.total() == len(TEXTS) + 2
    late = answers[-1]
    assert isinstance(late, Failure)
    assert "not JSON" in late.message


def test_a_re_ask_is_paid_for_with_the_first_question() -> None:
    window, _ = open_window()
    _, corrected, stubborn = ask_all(window, ["good", "corrected", "stubborn"])
    assert (corrected.tokens_in, corrected.tokens_out) == (40, 10)
    assert (stubborn.tokens_in, stubborn.tokens_out) == (40, 10)


def test_a_replay_sends_nothing_and_gives_the_same_answers(tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        first = ask_all(open_window(ledger)[0], TEXTS)
        window, wire = open_window(ledger)
        again = ask_all(window, TEXTS)
    assert wire.asked.total() == 0

    def seen(answer: Reply | Failure) -> tuple[str, str]:
        return outcome(answer), answer.text if isinstance(answer, Reply) else answer.message

    assert [seen(answer) for answer in again] == [seen(answer) for answer in first]


def test_a_cap_that_leaves_no_room_for_a_re_ask_says_so(tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        window, wire = open_window(ledger, Budget(ledger, "run", Caps(requests=1)))
        (answer,) = ask_all(window, ["corrected"])
    assert isinstance(answer, Failure)
    assert answer.kind == "malformed"
    assert "no room to ask again" in answer.message
    assert wire.asked.total() == 1


@pytest.mark.parametrize("wrong", [Choice(()), JsonSchema("[]", "answer")])
def test_a_wrong_constraint_ends_the_call_before_it_is_sent(wrong: Choice | JsonSchema) -> None:
    window, wire = open_window()
    with pytest.raises(ConfigError):
        list(window.generate([constrained("good", wrong)]))
    assert wire.asked.total() == 0


def hostile(size: int) -> list[Callable[[], str]]:
    return [lambda: "[" * size, lambda: "{'" * size, lambda: '{"n":' * size, lambda: "\x00" * size, lambda: "9" * size]


def test_hostile_answers_are_rows_that_failed() -> None:
    texts = [make() for make in hostile(20_000)]
    wire = Scripted(lambda request: Reply(texts[int(request.messages[0][1])], 1, 1))
    answers = list(Window(wire, 4, None, None, Tariff()).generate(constrained(str(n)) for n in range(len(texts))))
    assert [outcome(answer) for answer in answers] == ["malformed"] * len(texts)


def test_a_replay_at_the_cap_gives_the_same_answers_and_sends_nothing(tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        window, _ = open_window(ledger, Budget(ledger, "run", Caps(requests=len(TEXTS) + 2)))
        first = ask_all(window, TEXTS)
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        window, wire = open_window(ledger, Budget(ledger, "run", Caps(requests=len(TEXTS) + 2)))
        again = ask_all(window, TEXTS)
    assert [outcome(answer) for answer in again] == [outcome(answer) for answer in first] == OUTCOMES
    assert not wire.asked
