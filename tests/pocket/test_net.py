"""`sample` gives each prompt its draws, in order, and at temperature 0 what `generate` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.pocket.tiny_llama import write_llama

from seedbed.errors import DataError
from seedbed.pocket.net import Net, sample
from seedbed.quiet import quiet

PROMPTS = [np.random.default_rng(number).integers(4, 40, 3 + 5 * number).tolist() for number in range(6)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("net"), is_tied=False, end=3, eager=0.2)


def test_greedy_answers_are_those_of_generate(folder: Path) -> None:
    import torch
    from transformers import LlamaForCausalLM

    found = sample(Net.load(folder), PROMPTS, draws=3, temperature=0, max_tokens=30)
    with quiet(), torch.inference_mode():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        for number, prompt in enumerate(PROMPTS):
            ids = torch.tensor([prompt])
            out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=30)
            assert found[3 * number : 3 * number + 3] == [out[0, len(prompt) :].tolist()] * 3


def test_draws_of_a_prompt_are_the_same_whatever_else_is_asked(folder: Path) -> None:
    net = Net.load(folder)
    found = sample(net, PROMPTS, draws=10, max_tokens=20, rng_seed=5)
    assert sample(net, [PROMPTS[4]], draws=10, max_tokens=20, rng_seed=5) == found[40:50]
    assert sample(net, [PROMPTS[4]] * 10, max_tokens=20, rng_seed=5) == found[40:50], "given twice is drawn twice"
    assert len(set(map(tuple, found[40:50]))) > 5
    assert sample(net, PROMPTS, draws=10, max_tokens=20, rng_seed=6) != found
    assert sample(net, [], draws=3) == []


def test_a_prompt_that_does_not_fit_the_context_or_is_empty_is_refused(folder: Path) -> None:
    net = Net.load(folder)
    with pytest.raises(DataError, match="do not fit"):
        sample(net, [[5] * 500], max_tokens=13)
    with pytest.raises(DataError, match="no tokens"):
        sample(net, [[5], []])
