"""Every model goes through one battery, two servers nobody here wrote among them. A new one is a line in `MODELS`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests import tiny_checkpoint, tiny_gguf
from tests.models import loopback
from tests.pocket.tiny_llama import write_llama

from seedbed.budget import Budget, Caps
from seedbed.errors import BudgetExceeded
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.models.worlds import open_world
from seedbed.pocket.tokenizer import Tokenizer
from seedbed.request import Choice, Failure, Model, Reply, Request
from seedbed.synthesis.prompts import render

Opened = AbstractContextManager[tuple[str, str]]
SETTINGS = Endpoint(concurrency=4, timeout_s=60, usd_per_million_in=1.0, usd_per_million_out=2.0, device="cpu")


@contextmanager
def simulated(_folder: Path) -> Iterator[tuple[str, str]]:
    task = open_world("reviews").task
    slots = dict.fromkeys(("meaning", "hint", "reasons"), "") | {"label": next(iter(task.labels)), "count": "1"}
    yield "sim:reviews", render(task, "seed", {**slots, "labels": ", ".join(task.labels)})


@contextmanager
def pretended(_folder: Path) -> Iterator[tuple[str, str]]:
    with loopback.serving() as server:
        yield server.address, "write a film row"


@contextmanager
def in_process(folder: Path) -> Iterator[tuple[str, str]]:
    yield f"hf:{tiny_checkpoint.write_checkpoint(folder / 'tiny')}", "write a film row"


@contextmanager
def pocket(folder: Path) -> Iterator[tuple[str, str]]:
    tokenizer = Tokenizer()
    weights = write_llama(folder / "tiny", tokenizer.size, is_tied=False, end=tokenizer.eos, eager=0.4)
    yield f"pocket:{weights}", "write a film row"


@contextmanager
def transformers_serve(folder: Path) -> Iterator[tuple[str, str]]:
    with tiny_checkpoint.serving(tiny_checkpoint.write_checkpoint(folder / "tiny")) as address:
        yield address, "write a film row"


@contextmanager
def llama_cpp(folder: Path) -> Iterator[tuple[str, str]]:
    with tiny_gguf.serving(tiny_gguf.write_gguf(folder / "tiny.gguf")) as address:
        yield address, "write a film row"


MODELS: dict[str, Callable[[Path], Opened]] = {
    "simulated": simulated,
    "loopback": pretended,
    "in process": in_process,
    "pocket": pocket,
    "transformers serve": transformers_serve,
    "llama.cpp": llama_cpp,
}
MARKS = {
    "in process": [pytest.mark.slow],
    "transformers serve": [pytest.mark.server],
    "llama.cpp": [pytest.mark.server],
}


@dataclass(frozen=True)
class Case:
    address: str
    prompt: str

    def model(self, ledger: Ledger | None = None, caps: Caps | None = None) -> Model:
        budget = Budget(ledger, "run", caps) if ledger else None
        return open_model(self.address, ledger=ledger, budget=budget, settings=SETTINGS)

    def requests(self, count: int | None, max_tokens: int = 300) -> Iterator[Request]:
        numbers = range(count) if count is not None else itertools.count()
        return (Request((("user", self.prompt),), draw=number, max_tokens=max_tokens) for number in numbers)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=MARKS.get(name, ())) for name in MODELS])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    if request.param == "llama.cpp" and find_spec("xllamacpp") is None:
        pytest.skip("the server is not installed (extra `test`)")
    with ExitStack() as stack:
        yield Case(*stack.enter_context(MODELS[request.param](tmp_path_factory.mktemp("model"))))


def said(answers: list[Reply | Failure]) -> list[str]:
    return [answer.text if isinstance(answer, Reply) else answer.message for answer in answers]


def test_there_is_one_answer_for_each_request_and_most_are_whole(case: Case) -> None:
    answers = list(case.model().generate(case.requests(20)))
    replies = [answer for answer in answers if isinstance(answer, Reply)]
    assert len(answers) == 20 and len(replies) >= 15
    assert sum(bool(reply.text.strip()) for reply in replies) > 10
    assert all(reply.tokens_in and reply.tokens_out and reply.usd for reply in replies)


def test_a_repeated_run_gives_the_same_bytes_and_asks_nothing(case: Case, tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        first = list(case.model(ledger).generate(case.requests(12), step="one"))
        paid = ledger.spend("run")
        again = list(case.model(ledger).generate(case.requests(12), step="two"))
        assert said(again) == said(first)
        kept = [answer for answer in again if isinstance(answer, Reply) or answer.kind != "exhausted"]
        assert kept and all(answer.is_cached for answer in kept)
        spend = ledger.spend("run")
        assert spend.requests == 12 and spend.in_doubt == 0 and spend.paid_usd == pytest.approx(paid.paid_usd)
        assert ledger.spend("run", step="one").requests == 12 and ledger.spend("run", step="two").requests == 0


def test_the_order_of_the_requests_does_not_decide_the_answers_that_are_owned(case: Case, tmp_path: Path) -> None:
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        first = said(list(case.model(ledger).generate(case.requests(8))))
        backwards = list(case.requests(8))[::-1]
        assert said(list(case.model(ledger).generate(backwards)))[::-1] == first


def test_a_caller_may_leave_an_endless_iterator(case: Case) -> None:
    answers = case.model().generate(case.requests(None))
    assert len(list(itertools.islice(answers, 5))) == 5
    answers.close()


def test_an_answer_cut_at_max_tokens_is_a_failure_with_its_bill_or_a_whole_one(case: Case) -> None:
    for answer in case.model().generate(case.requests(6, max_tokens=1)):
        if isinstance(answer, Failure):
            assert answer.kind in ("truncated", "refused", "terminal")
            assert answer.kind != "truncated" or (answer.tokens_out == 1 and answer.usd)


@pytest.mark.parametrize("caps", [Caps(requests=7), Caps(usd=0.004), Caps(tokens=3000)])
def test_a_cap_holds_and_everything_sent_before_it_is_answered(case: Case, caps: Caps, tmp_path: Path) -> None:
    answers: list[Reply | Failure] = []
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger, pytest.raises(BudgetExceeded):
        answers.extend(case.model(ledger, caps).generate(case.requests(None)))
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        spend = ledger.spend("run")
    assert answers and spend.requests == len(answers)
    assert spend.requests <= (caps.requests or 1e9) and spend.tokens_at_most <= (caps.tokens or 1e9)
    assert spend.paid_usd + spend.in_doubt_usd <= (caps.usd or 1e9) + 1e-9


def test_an_answer_meets_its_constraint_or_is_a_failure_that_was_asked_for_twice(case: Case, tmp_path: Path) -> None:
    wanted = Choice(("good film", "bad film"))
    asked = [Request((("user", case.prompt),), draw=draw, max_tokens=300, constraint=wanted) for draw in range(4)]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        answers = list(case.model(ledger).generate(asked))
        assert said(list(case.model(ledger).generate(asked))) == said(answers)
        twice = sum(isinstance(it, Failure) or it.checked == "repaired" for it in answers)
        assert len(answers) == 4 <= ledger.spend("run").requests <= 4 + twice
    for answer in answers:
        assert answer.kind != "exhausted" if isinstance(answer, Failure) else answer.text in wanted.options


def test_a_mix_of_texts_that_could_break_a_wire_gets_one_answer_each(case: Case) -> None:
    texts = [
        "\x00",
        "\ud800 alone",
        "naïve \U0001f600 text",
        '{"a": "b"}',
        "line\nbreak\u2028and more",
        "{{ x }}",
        "'" * 40,
    ]
    asked = [Request((("system", "be brief"), ("user", text)), max_tokens=40) for text in texts]
    answers = list(case.model().generate(asked))
    assert len(answers) == len(texts)
    assert all(text.encode() is not None for text in said(answers))
