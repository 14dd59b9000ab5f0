"""The shipped weights load without torch, are as large as said, and solve as many problems as their card says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seedbed.errors import ConfigError
from seedbed.pocket import checkpoint, net, problems
from seedbed.pocket.tokenizer import Tokenizer

SIZES = {"weak": 338_016, "strong": 1_347_360, "base": 338_016}


@pytest.mark.parametrize("name", checkpoint.NAMES)
def test_the_weights_fit_the_tokenizer_and_are_as_large_as_the_card_says(name: str) -> None:
    assert checkpoint.settings(name)["vocab_size"] == Tokenizer().size
    assert checkpoint.settings(name)["eos_token_id"] == Tokenizer().eos
    assert checkpoint.parameters(name) == SIZES[name]
    assert all(np.isfinite(value).all() for value in checkpoint.arrays(name).values())


def test_all_weights_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in checkpoint.folder("weak").parent.rglob("*.safetensors")) < 10_000_000


def test_an_unknown_model_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weak, strong, base"):
        checkpoint.folder(str(tmp_path))


def test_nothing_heavy_is_imported_to_find_and_read_weights() -> None:
    code = (
        "import sys; from seedbed.pocket import checkpoint, problems, tokenizer;"
        "assert not {'torch', 'transformers', 'sklearn', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def card(name: str) -> float:
    """pass@1 of a model as the first table of the card gives it."""
    text = (checkpoint.folder("weak").parent / "README.md").read_text(encoding="utf-8")
    return float(re.findall(rf"\| `{name}` \| ([\d.]+) \[", text)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", checkpoint.NAMES)
def test_pass_at_1_of_the_card_comes_out_again_on_other_problems(name: str) -> None:
    chosen, tokenizer = problems.write(150, 31), Tokenizer()
    model = net.Net.load(checkpoint.folder(name))
    prompts = [tokenizer.prompt(problem.text) for problem in chosen]
    made = net.sample(model, prompts, draws=4, temperature=0.8, max_tokens=130, rng_seed=5)
    texts = [tokenizer.decode(ids) for ids in made]
    right = [texts[i].endswith(f"The answer is {chosen[i // 4].answer}.") for i in range(len(texts))]
    # Problems differ widely in difficulty: the mean of 150 has a standard error of about 0.03.
    assert abs(np.mean(right) - card(name)) < 0.1
