"""A real BERT checkpoint of a few kilobytes with random weights, written to a folder, for tests."""

from __future__ import annotations

from pathlib import Path

_WORDS = """
the a is was it and not in on of good bad fine poor tasty stale warm cold soup bread tea room staff place food
ann bob eve lives works sleeps paris rome oslo city who where what here there very quite really 1 2 3
"""


def write_tiny_encoder(folder: Path) -> str:
    """Save a BERT with two layers of width 32 and a vocabulary of about 80 pieces; the folder's name."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    marks = [".", ",", "?", "!", "'"]
    words = list(dict.fromkeys([*_WORDS.split(), *letters, *marks]))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *("##" + letter for letter in letters)]
    tokenizer = BertTokenizerFast(vocab={piece: i for i, piece in enumerate(pieces)})
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(pieces),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            pad_token_id=0,
        )
        BertModel(config).save_pretrained(folder)
    return str(folder)
