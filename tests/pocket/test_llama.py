"""The forward pass is the one that transformers computes, and refuses what it does not compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pocket.tiny_llama import HEAD, LAYERS, write_llama

from seedbed.errors import BoundaryError, ConfigError
from seedbed.pocket.net import Net
from seedbed.quiet import quiet

TOKENS = np.random.default_rng(1).integers(0, 40, 90).tolist()


def by_transformers(folder: Path, tokens: list[int]) -> Any:
    """(tokens, vocabulary) logits."""
    import torch
    from transformers import LlamaForCausalLM

    with quiet(), torch.inference_mode():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        return model(torch.tensor([tokens])).logits[0].numpy()


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"kv_heads": 2},
        {"kv_heads": 1, "is_tied": False},
        {"dtype": np.float16},
        {"loud": 12.0},
    ],
)
def test_logits_are_those_of_transformers(kind: dict[str, Any], tmp_path: Path) -> None:
    folder = write_llama(tmp_path, **kind)
    expected = by_transformers(folder, TOKENS)
    assert abs(expected).max() > 1
    # Where scores run into the hundreds, float32 has fewer digits left for both.
    np.testing.assert_allclose(Net.load(folder).logits(TOKENS), expected, atol=1e-4 if "loud" not in kind else 1e-2)


def test_rope_theta_is_read_where_older_checkpoints_have_it(tmp_path: Path) -> None:
    net = Net.load(write_llama(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    np.testing.assert_array_equal(Net.load(tmp_path).logits(TOKENS), net.logits(TOKENS))


def test_parameters_and_flops_are_counted_once_per_token(tmp_path: Path) -> None:
    tied, free = Net.load(write_llama(tmp_path / "tied")), Net.load(write_llama(tmp_path / "free", is_tied=False))
    assert tied.parameters == free.parameters, "an input table is looked up, not multiplied with"
    one = 2 * tied.parameters
    assert tied.flops(0, 1) == one + 4 * LAYERS * 4 * HEAD
    assert tied.flops(0, 10) == pytest.approx(sum(tied.flops(place, place + 1) for place in range(10)))
    assert tied.flops(5, 5) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "mistral"}, "of another make"),
        ({"attention_bias": True}, "of another make"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "of another make"),
        ({"hidden_size": 64}, "do not fit"),
    ],
)
def test_a_model_that_it_would_compute_wrongly_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_llama(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}), "utf-8")
    with pytest.raises(ConfigError, match=said):
        Net.load(tmp_path)


def test_a_folder_without_a_checkpoint_or_with_a_cut_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint"):
        Net.load(tmp_path)
    weights = write_llama(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(BoundaryError, match="loading"):
        Net.load(tmp_path)
