"""Tiny checkpoints of other architectures than `tests.tiny_checkpoint`, and what transformers itself makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny_checkpoint import WORDS, write_checkpoint

from seedbed.request import Request


def write_other(folder: Path, kind: str) -> Path:
    """Write a random model of another architecture with the tokenizer, ends and suppressed tokens of the tiny one."""
    import torch
    import transformers as t

    write_checkpoint(folder)
    common: dict[str, Any] = {"vocab_size": len(WORDS), "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(1)
    model: Any
    if kind == "absolute positions":
        model = t.GPT2LMHeadModel(t.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=512, **common))
    elif kind == "a sliding window":
        config = t.MistralConfig(
            num_key_value_heads=1, sliding_window=4, max_position_embeddings=512, **sizes, **common
        )
        model = t.MistralForCausalLM(config)
    else:
        layers = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4, "head_dim": 16}
        config = t.Gemma3TextConfig(num_key_value_heads=1, max_position_embeddings=512, **layers, **sizes, **common)
        model = t.Gemma3ForCausalLM(config)
    # Random weights of 0.02 all but repeat the last token; larger ones make the answer depend on the whole prompt.
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(4)
    model.generation_config = t.GenerationConfig.from_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def greedy(folder: Path, requests: list[Request]) -> list[tuple[str, int]]:
    """What `generate` says to each request alone, at temperature 0: the text without its end, and tokens drawn."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    ends = set(model.generation_config.eos_token_id)
    found = []
    for request in requests:
        turns = [{"role": role, "content": text} for role, text in request.messages]
        prompt = torch.tensor([tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)])
        mask = torch.ones_like(prompt)
        made = model.generate(prompt, attention_mask=mask, do_sample=False, max_new_tokens=request.max_tokens)[0]
        tokens = made[prompt.shape[1] :].tolist()
        whole = tokens[:-1] if tokens[-1] in ends else tokens
        found.append((tokenizer.decode(whole, skip_special_tokens=True), len(tokens)))
    return found
