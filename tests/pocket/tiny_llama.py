"""Tiny Llamas with random weights, in the files that transformers reads, without transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

WIDTH, HEAD, INNER, LAYERS = 32, 8, 48, 2


def write_llama(
    folder: Path,
    vocabulary: int = 40,
    *,
    kv_heads: int = 4,
    is_tied: bool = True,
    loud: float = 1.0,
    end: int | None = None,
    eager: float = 0.0,
    dtype: Any = np.float32,
    rng_seed: int = 0,
) -> Path:
    """A folder with config.json and model.safetensors.

    Args:
        folder: Made where it is missing.
        vocabulary: Tokens.
        kv_heads: Of 4 heads.
        is_tied: Whether input and output share their table.
        loud: Scale of queries and keys; at 30 attention scores go beyond what exp bears in float32.
        end: The token that ends an answer.
        eager: How much likelier than others the end is; only where the tables are not tied.
        dtype: Of the weights on disk.
        rng_seed: Other weights.
    """
    rng = np.random.default_rng(rng_seed)
    tensors: dict[str, NDArray[Any]] = {}

    def add(name: str, *sizes: int, scale: float = 0.3, middle: float = 0.0) -> None:
        tensors[f"{name}.weight"] = (middle + scale * rng.standard_normal(sizes)).astype(dtype)

    add("model.embed_tokens", vocabulary, WIDTH, scale=0.5, middle=0.2 if eager else 0.0)
    add("model.norm", WIDTH, scale=0.1, middle=1.0)
    for number in range(LAYERS):
        prefix = f"model.layers.{number}"
        add(f"{prefix}.input_layernorm", WIDTH, scale=0.1, middle=1.0)
        add(f"{prefix}.post_attention_layernorm", WIDTH, scale=0.1, middle=1.0)
        add(f"{prefix}.self_attn.q_proj", 4 * HEAD, WIDTH, scale=0.3 * loud)
        add(f"{prefix}.self_attn.k_proj", kv_heads * HEAD, WIDTH, scale=0.3 * loud)
        add(f"{prefix}.self_attn.v_proj", kv_heads * HEAD, WIDTH)
        add(f"{prefix}.self_attn.o_proj", WIDTH, 4 * HEAD, scale=0.1)
        add(f"{prefix}.mlp.gate_proj", INNER, WIDTH)
        add(f"{prefix}.mlp.up_proj", INNER, WIDTH)
        add(f"{prefix}.mlp.down_proj", WIDTH, INNER, scale=0.1)
    if not is_tied:
        add("lm_head", vocabulary, WIDTH, scale=0.2)
        if end is not None:
            tensors["lm_head.weight"][end] += np.asarray(eager, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": vocabulary,
        "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": kv_heads, "head_dim": HEAD, "rms_norm_eps": 1e-6, "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}, "tie_word_embeddings": is_tied,
        "bos_token_id": None, "eos_token_id": end, "pad_token_id": 0, "dtype": np.dtype(dtype).name,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
