"""Tiny causal language models with random weights, written to a folder, for tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

_WORDS = """
<unk> <end> <pad> the a is was it good fine tasty bad poor stale soup bread tea room staff neither .
"""


@cache
def tiny_pocket() -> str:
    """`pocket:FOLDER` of a Llama with two layers of width 32 and the pocket family's tokens."""
    from seedbed.pocket.tokenizer import Tokenizer

    tokenizer = Tokenizer()
    folder = Path(mkdtemp(prefix="tiny-pocket-"))
    _write_llama(folder, tokenizer.size, tokenizer.eos, tokenizer.pad)
    return f"pocket:{folder}"


@cache
def tiny_lm(template: str = "") -> str:
    """A Llama with two layers of width 32 and a tokenizer of about 20 words, with a chat template if one is given."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = _WORDS.split()
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"unk_token": "<unk>", "eos_token": "<end>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, **names)
    if template:
        tokenizer.chat_template = template
    folder = Path(mkdtemp(prefix="tiny-lm-"))
    _write_llama(folder, len(words), 1, 2)
    tokenizer.save_pretrained(folder)
    return str(folder)


def _write_llama(folder: Path, size: int, end: int, pad: int) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=size,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
            tie_word_embeddings=True,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
