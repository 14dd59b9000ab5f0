"""A model in this process answers as transformers does, whatever shares its batch, and is loaded only when needed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.models.tiny_models import greedy, write_other
from tests.tiny_checkpoint import write_checkpoint

from seedbed.budget import Budget, Caps
from seedbed.errors import BudgetExceeded, ConfigError, EndpointRefused
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, flops_per_token, open_model
from seedbed.models.hf import open_hf
from seedbed.models.hf_batch import KEPT_TOKENS, Transformer, fitting, groups
from seedbed.models.hf_checkpoint import Checkpoint, content_name, locate
from seedbed.models.in_process import InProcess, need
from seedbed.request import Choice, Failure, Reply, Request

WORDS = "the film looks great and the cast is warm but never loud so we joke again".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return Checkpoint(locate(f"hf:{folder}"))


def prompt(words: int) -> tuple[tuple[Any, str], ...]:
    return (("user", " ".join(WORDS[:words])),)


def answers(engine: Transformer, requests: list[Request]) -> list[Reply | Failure]:
    """All answers in the order of the requests."""
    found = dict(order_of(engine, requests))
    return [found[number] for number in range(len(requests))]


def order_of(engine: Transformer, requests: list[Request]) -> list[tuple[int, Reply | Failure]]:
    """Numbers and answers in the order in which they were finished."""
    for number, request in enumerate(requests):
        engine.add(number, request)
    found: list[tuple[int, Reply | Failure]] = []
    while len(found) < len(requests):
        found += engine.step()
    return found


def said(found: list[Reply | Failure]) -> list[str]:
    return [answer.text if isinstance(answer, Reply) else answer.kind for answer in found]


# -- it is the model's own answer ----------------------------------------------------------------------------------


def check_greedy(folder: Path) -> None:
    loaded = Checkpoint(locate(f"hf:{folder}"))
    assert loaded.flops_per_token == flops_per_token(f"hf:{folder}", Endpoint()), "known before anything is loaded"
    requests = [Request(prompt(words), temperature=0, max_tokens=24) for words in (1, 14, 3, 9, 2, 12)]
    expected = greedy(folder, requests)
    found = answers(Transformer(loaded, 4), requests)
    assert [answer.tokens_out for answer in found] == [count for _, count in expected]
    for answer, (text, _) in zip(found, expected, strict=True):
        assert isinstance(answer, Failure) or answer.text == text


def test_at_temperature_0_a_batch_of_all_lengths_says_what_generate_says_to_each_alone(folder: Path) -> None:
    check_greedy(folder)


@pytest.mark.parametrize("kind", ["absolute positions", "a sliding window", "sliding and full layers"])
def test_so_does_a_model_with(kind: str, tmp_path: Path) -> None:
    check_greedy(write_other(tmp_path / "other", kind))


def test_an_answer_is_the_same_alone_and_in_a_batch(checkpoint: Checkpoint) -> None:
    requests = [
        Request(
            prompt(1 + draw % 7), draw=draw, max_tokens=30, top_p=0.8 if draw % 3 else 1.0, temperature=0.3 * (draw % 4)
        )
        for draw in range(40)
    ]
    alone = said(answers(Transformer(checkpoint, 1), requests))
    assert said(answers(Transformer(checkpoint, 16), requests)) == alone
    assert len(set(alone)) > 10


def test_draws_and_rng_seeds_differ_and_repeat(checkpoint: Checkpoint) -> None:
    def ask(rng_seed: int, seed: int | None = None) -> list[str]:
        requests = [Request(prompt(3), draw=draw, rng_seed=rng_seed, seed=seed) for draw in range(12)]
        return said(answers(Transformer(checkpoint, 12), requests))

    first = ask(0)
    assert ask(0) == first and len(set(first)) > 6
    assert ask(1) != first and ask(0, seed=7) != first


def test_logprobs_are_those_of_a_plain_forward_pass(checkpoint: Checkpoint) -> None:
    import torch

    requests = [Request(prompt(words), draw=words, logprobs=3, temperature=0.5, top_p=0.7) for words in range(1, 9)]
    for request, answer in zip(requests, answers(Transformer(checkpoint, 8), requests), strict=True):
        assert isinstance(answer, Reply) and answer.logprobs is not None
        start = checkpoint.encode(request.messages)
        written = checkpoint.tokenizer.convert_tokens_to_ids([one.token for one in answer.logprobs])
        assert checkpoint.decode(written) == answer.text and len(written) == (answer.tokens_out or 0) - 1
        with torch.inference_mode():
            sure = checkpoint.model(torch.tensor([[*start, *written]])).logits[0].log_softmax(-1)[len(start) - 1 :]
        for place, (token, one) in enumerate(zip(written, answer.logprobs, strict=True)):
            values, indices = sure[place].topk(3)
            assert one.logprob == pytest.approx(float(sure[place, token]), abs=1e-4)
            assert [name for name, _ in one.top] == [checkpoint.piece(int(index)) for index in indices]
            assert [value for _, value in one.top] == pytest.approx(values.tolist(), abs=1e-4)


def test_an_answer_cut_at_max_tokens_is_a_failure_with_its_tokens(checkpoint: Checkpoint) -> None:
    found = answers(Transformer(checkpoint, 8), [Request(prompt(3), draw=draw, max_tokens=2) for draw in range(24)])
    cut = [answer for answer in found if isinstance(answer, Failure)]
    assert 10 < len(cut) < 24 and {answer.kind for answer in cut} == {"truncated"}
    assert {answer.tokens_out for answer in cut} == {2} and {answer.tokens_in for answer in cut} == {5}


def test_a_choice_is_drawn_from_its_options_only(checkpoint: Checkpoint) -> None:
    options = ("good", "bad joke", "bad")
    requests = [Request(prompt(3), draw=draw, constraint=Choice(options), max_tokens=8) for draw in range(40)]
    found = said(answers(Transformer(checkpoint, 16), requests))
    assert set(found) == set(options)


def test_options_that_the_tokenizer_cannot_say_are_left_to_the_check_that_follows(checkpoint: Checkpoint) -> None:
    request = Request(prompt(3), constraint=Choice(("good", "zyzzyva")), max_tokens=64)
    assert said(answers(Transformer(checkpoint, 4), [request]))[0] not in ("good", "zyzzyva")


# -- no work is done twice ---------------------------------------------------------------------------------------------


def test_the_draws_of_a_prompt_share_its_prefill_however_late_they_come(checkpoint: Checkpoint) -> None:
    engine = Transformer(checkpoint, 4)
    requests = [Request(prompt(1 + draw % 3), draw=draw) for draw in range(30)]
    found = answers(engine, requests)
    lengths = [len(checkpoint.encode(prompt(words))) for words in (1, 2, 3)]
    assert engine.reader.tokens_read == sum(lengths)
    assert sum((answer.tokens_in or 0) - answer.tokens_cached for answer in found) == sum(lengths)
    tokens = sum(lengths) + sum(answer.tokens_out or 0 for answer in found)
    assert sum(answer.flops or 0 for answer in found) == pytest.approx(tokens * checkpoint.flops_per_token)


def test_a_long_answer_holds_up_nothing_but_its_place(checkpoint: Checkpoint) -> None:
    engine = Transformer(checkpoint, 4)
    endless = Request(prompt(4), temperature=0, max_tokens=60, constraint=Choice((" ".join(["film"] * 60),)))
    found = order_of(engine, [endless, *(Request(prompt(4), draw=draw, max_tokens=4) for draw in range(24))])
    assert [number for number, _ in found][-1] == 0
    assert len(found) == 25


def test_prompts_are_read_together_with_little_padding() -> None:
    prompts = [(0,) * length for length in (3, 900, 4, 1000, 5, 950, 3)]
    found = list(groups(prompts))
    assert [[len(one) for one in group] for group in found] == [[3, 3, 4, 5], [900, 950, 1000]]


def test_rows_join_as_far_as_memory_goes_and_one_is_always_tried() -> None:
    assert fitting([], [100, 100, 100], 250) == 2
    assert fitting([100], [10, 200], 250) == 1
    assert fitting([], [1000], 250) == 1
    assert fitting([200], [200], 250) == 0


def test_kept_prompts_do_not_grow_without_end(checkpoint: Checkpoint) -> None:
    engine = Transformer(checkpoint, 8)
    texts = [" ".join(["film"] * 500 + [word]) for word in WORDS]
    answers(engine, [Request((("user", text),), max_tokens=1) for text in texts])
    assert 0 < sum(map(len, engine._kept)) <= KEPT_TOKENS


# -- what goes wrong ---------------------------------------------------------------------------------------------------


class Cramped:
    """A model on a device that has memory for so many tokens."""

    def __init__(self, model: Any, cells: int) -> None:
        self.model, self.cells = model, cells
        self.device, self.forward = model.device, model.forward

    def __call__(self, **given: Any) -> Any:
        import torch

        if given["attention_mask"].numel() > self.cells:
            raise torch.cuda.OutOfMemoryError("no room for the batch")
        return self.model(**given)


def test_too_little_memory_halves_the_batch_and_changes_no_answer(checkpoint: Checkpoint) -> None:
    requests = [Request(prompt(1 + draw % 5), draw=draw, max_tokens=40) for draw in range(20)]
    expected = said(answers(Transformer(checkpoint, 16), requests))
    engine = Transformer(checkpoint, 16)
    engine.reader.model = Cramped(checkpoint.model, 120)
    assert said(answers(engine, requests)) == expected
    assert 1 <= engine.room < 16


def test_a_request_that_is_too_much_alone_fails_and_the_others_are_answered(checkpoint: Checkpoint) -> None:
    engine = Transformer(checkpoint, 4)
    engine.reader.model = Cramped(checkpoint.model, 60)
    large = Request((("user", " ".join(["film"] * 80)),))
    found = answers(engine, [Request(prompt(2), max_tokens=10), large, Request(prompt(3), max_tokens=10)])
    assert isinstance(found[1], Failure) and found[1].kind == "terminal" and "82 tokens" in found[1].message
    assert all(not isinstance(answer, Failure) or answer.kind == "truncated" for answer in (found[0], found[2]))


def test_what_does_not_fit_the_context_fails_with_the_numbers(checkpoint: Checkpoint) -> None:
    found = answers(Transformer(checkpoint, 4), [Request(prompt(3), max_tokens=2044), Request(prompt(3), draw=3)])
    assert isinstance(found[0], Failure) and found[0].kind == "terminal"
    assert all(number in found[0].message for number in ("5 tokens", "max_tokens=2044", "2048"))
    assert isinstance(found[1], Reply)


def test_a_model_that_cannot_be_loaded_stops_the_run_and_costs_nothing(folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "config.json").write_text('{"model_type": "nobody-knows"}')
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run")
        with pytest.raises(EndpointRefused, match="loading"):
            list(open_model(f"hf:{broken}", ledger=ledger, budget=budget).generate([Request(prompt(1))]))
        assert budget.spend().requests == 0


def test_a_model_with_a_running_state_is_refused_with_a_way_out() -> None:
    from transformers import Qwen3NextConfig

    from seedbed.models.hf_checkpoint import need_keys_and_values

    with pytest.raises(ConfigError, match="serve it"):
        need_keys_and_values(Qwen3NextConfig(num_hidden_layers=4), "qwen")


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_named_after_its_content_not_its_place(folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "tiny")
    before = open_hf(f"hf:{copy}", Endpoint()).address
    assert before == open_hf(f"hf:{folder}", Endpoint()).address == f"hf:tiny@{content_name(folder)}"
    weights = load_file(copy / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + torch.tensor(0.001)}, copy / "model.safetensors", {"format": "pt"})
    assert open_hf(f"hf:{copy}", Endpoint()).address != before


@pytest.mark.parametrize("address", ["hf:", "hf:./nowhere", "hf:/no/such/folder", "hf:a/b/c", "hf:@main"])
def test_an_address_without_a_checkpoint_is_refused_before_anything_runs(address: str) -> None:
    with pytest.raises(ConfigError):
        open_model(address)


def test_a_name_on_the_hub_keeps_its_revision() -> None:
    found = locate("hf:ORG/NAME@v1.0")
    assert (found.name, found.revision, found.is_folder, found.address) == (
        "ORG/NAME",
        "v1.0",
        False,
        "hf:ORG/NAME@v1.0",
    )


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ConfigError, match="pickled weights are not read"):
        open_model(f"hf:{tmp_path}")


def test_a_missing_extra_is_said_with_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'seedbed\[torch\]'"):
        need("seedbed[torch]", "a_package_nobody_wrote")


def test_a_cap_in_flops_ends_the_run_before_it_is_passed(folder: Path, tmp_path: Path) -> None:
    requests = [Request(prompt(3), draw, max_tokens=20) for draw in range(200)]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(flops=2e7))
        with pytest.raises(BudgetExceeded):
            list(open_model(f"hf:{folder}", ledger=ledger, budget=budget).generate(requests))
        assert 1e7 < budget.spend().flops <= 2e7


# -- templates ---------------------------------------------------------------------------------------------------------


def with_template(folder: Path, to: Path, template: str | None) -> Checkpoint:
    from transformers import AutoTokenizer

    copy = shutil.copytree(folder, to)
    tokenizer: Any = AutoTokenizer.from_pretrained(copy, local_files_only=True)
    (copy / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(copy)
    return Checkpoint(locate(f"hf:{copy}"))


def test_without_a_chat_template_messages_are_joined_and_the_model_name_says_so(folder: Path, tmp_path: Path) -> None:
    plain = with_template(folder, tmp_path / "plain", None)
    assert plain.decode(plain.encode((("system", "the film"), ("user", "is good")))) == "the film is good"
    answer = answers(Transformer(plain, 1), [Request(prompt(3), draw=1)])[0]
    assert isinstance(answer, Reply) and "no chat template" in answer.model


def test_a_template_without_system_messages_gets_them_in_the_first_question(folder: Path, tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m['role'] }} {{ m['content'] }} {% endfor %}assistant"
    )
    strict = with_template(folder, tmp_path / "strict", template)
    assert (
        strict.decode(strict.encode((("system", "the film"), ("user", "is good")))) == "user the film is good assistant"
    )
    found = answers(Transformer(strict, 1), [Request((("system", "the film"),))])[0]
    assert isinstance(found, Failure) and found.kind == "terminal" and "no system" in found.message


# -- as a model --------------------------------------------------------------------------------------------------------


def wire_of(model: Any) -> InProcess:
    assert isinstance(model.wire, InProcess)
    return model.wire


def test_answers_come_in_order_are_booked_and_a_second_run_loads_nothing(folder: Path, tmp_path: Path) -> None:
    requests = [Request(prompt(1 + draw % 4), draw=draw, max_tokens=20) for draw in range(30)]
    with Ledger.at(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "run", Caps(tokens=100_000, flops=1e12))
        first = open_model(f"hf:{folder}", ledger=ledger, budget=budget, settings=Endpoint(concurrency=8))
        assert not wire_of(first).is_loaded
        found = list(first.generate(requests))
        assert wire_of(first).is_loaded
        second = open_model(f"hf:{folder}", ledger=ledger, budget=budget, settings=Endpoint(concurrency=8))
        again = list(second.generate(requests))
        spend = budget.spend()
    assert said(again) == said(found) and all(answer.is_cached for answer in again)
    assert not wire_of(second).is_loaded
    assert spend.requests == 30
    assert spend.tokens_out == sum(answer.tokens_out or 0 for answer in found)
    assert 0 < spend.flops == sum(answer.flops or 0 for answer in found)
    checkpoint = Checkpoint(locate(f"hf:{folder}"))
    assert said(found) == said(answers(Transformer(checkpoint, 1), requests))


def test_a_caller_who_leaves_leaves_no_work_behind_and_may_come_back(folder: Path) -> None:
    model = open_model(f"hf:{folder}", settings=Endpoint(concurrency=4))
    endless = (Request(prompt(3), draw=draw, max_tokens=20) for draw in range(100_000))
    asking = model.generate(endless)
    first = next(asking)
    asking.close()  # type: ignore[attr-defined]  # the protocol says iterator; what comes is a generator
    until = time.monotonic() + 10
    while wire_of(model)._thread is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert wire_of(model)._thread is None
    assert said(list(model.generate([Request(prompt(3), max_tokens=20)]))) == said([first])
