"""vLLM's engine behind the same wire: refused with what to install where it is missing, tried where it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.tiny_checkpoint import write_checkpoint

from seedbed.errors import ConfigError
from seedbed.models import Endpoint, open_model
from seedbed.models.vllm import seed_of, structured
from seedbed.request import Choice, Failure, JsonSchema, Regex, Reply, Request

HAS_VLLM = importlib.util.find_spec("vllm") is not None


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is installed")
def test_without_vllm_it_is_said_what_to_install() -> None:
    with pytest.raises(ConfigError, match="pip install 'vllm'"):
        open_model("vllm:ORG/NAME")


def test_each_constraint_is_one_keyword_of_vllms_structured_outputs() -> None:
    schema = {"type": "object", "properties": {"label": {"type": "string"}}}
    assert structured(JsonSchema.of(schema)) == {"json": schema}
    assert structured(Choice(("yes", "no"))) == {"choice": ["yes", "no"]}
    assert structured(Regex("[a-z]+")) == {"regex": "[a-z]+"}


def test_every_draw_has_a_seed_of_its_own_that_repeats() -> None:
    requests = [
        Request((("user", text),), draw=draw, rng_seed=rng_seed)
        for text in "ab"
        for draw in (0, 1)
        for rng_seed in (0, 1)
    ]
    seeds = [seed_of(request) for request in requests]
    assert len(set(seeds)) == 8 and all(0 <= seed < 1 << 63 for seed in seeds)
    assert seeds == [seed_of(request) for request in requests]


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed")
def test_vllm_keeps_the_contract_of_a_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny")
    model = open_model(f"vllm:{folder}", settings=Endpoint(concurrency=8, parameters_billion=0.001))
    requests = [
        Request((("user", f"write {draw % 3} film"),), draw=draw, logprobs=2, max_tokens=16) for draw in range(24)
    ]
    first, again = list(model.generate(requests)), list(model.generate(requests))
    assert [getattr(one, "text", "") for one in first] == [getattr(one, "text", "") for one in again]
    for answer in first:
        assert answer.tokens_in and answer.tokens_out and answer.flops and answer.seconds > 0
        assert isinstance(answer, Reply) or (isinstance(answer, Failure) and answer.kind == "truncated")
    too_long = Request((("user", "film " * 3000),))
    assert getattr(next(iter(model.generate([too_long]))), "kind", "") == "terminal"
    chosen = list(model.generate([Request((("user", "film"),), constraint=Choice(("good", "bad")), max_tokens=8)]))
    assert isinstance(chosen[0], Reply) and chosen[0].text in ("good", "bad")
