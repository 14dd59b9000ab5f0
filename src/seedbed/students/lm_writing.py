"""Answers written by a trained causal language model: the likeliest token each time, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from seedbed.errors import DataError
from seedbed.pocket.net import Net, sample
from seedbed.quiet import quiet
from seedbed.students.batching import reading_batches
from seedbed.students.lm_checkpoint import Texts

Tokens = list[int]


@dataclass(frozen=True, slots=True)
class Wish:
    """How answers are to be written."""

    most: int
    """Longest answer in tokens."""
    draws: int = 1
    temperature: float = 0.0
    """0 takes the likeliest token, so that all draws are the same."""
    rng_seed: int = 0


def write_pocket(model: Any, prompts: Sequence[Tokens], wish: Wish) -> list[list[Tokens]]:
    """Tokens of the answers to each prompt by the numpy sampler, which serves `pocket:` models too.

    Args:
        model: A Llama of transformers that began as a pocket model; its weights are handed over through a folder.
        prompts: (n,) tokens of each prompt.
        wish: See `Wish`.

    Raises:
        DataError: A prompt is longer than the model's context.
    """
    with TemporaryDirectory() as folder, quiet():
        model.save_pretrained(folder)
        net = Net.load(Path(folder))
    rooms = _rooms(prompts, wish.most, net.shape.context)
    draws = wish.draws if wish.temperature > 0 else 1
    out: list[list[Tokens]] = [[] for _ in prompts]
    with threadpool_limits(1):
        for most in np.unique(rooms).tolist():
            rows = np.flatnonzero(rooms == most).tolist()
            found = sample(
                net,
                [prompts[row] for row in rows],
                draws=draws,
                temperature=wish.temperature,
                max_tokens=most,
                rng_seed=wish.rng_seed,
            )
            for i, row in enumerate(rows):
                mine = [_until(tokens, net.shape.ends) for tokens in found[i * draws : (i + 1) * draws]]
                out[row] = mine * (wish.draws // draws)
    return out


def write(model: Any, texts: Texts, prompts: Sequence[Tokens], wish: Wish) -> list[list[Tokens]]:
    """Tokens of the answers to each prompt by transformers.

    Batches have one shape per width, so that the likeliest answer does not depend on the company it is written in.
    Drawn answers come from torch's own stream, which the caller seeds.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        texts: Its ends and padding.
        prompts: (n,) tokens of each prompt.
        wish: See `Wish`.

    Raises:
        DataError: A prompt is longer than the model's context.
    """
    import torch

    out: list[list[Tokens]] = [[] for _ in prompts]
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    rooms = _rooms(prompts, wish.most, context)
    lengths = np.array([len(prompt) for prompt in prompts], dtype=np.int64)
    draws = wish.draws if wish.temperature > 0 else 1
    with quiet(), torch.inference_mode():
        for part, filled, width in reading_batches(lengths):
            tensors = {"input_ids": np.full((len(filled), width), texts.pad, dtype=np.int64)}
            tensors["attention_mask"] = np.zeros_like(tensors["input_ids"])
            for i, row in enumerate(filled):
                tensors["input_ids"][i, width - lengths[row] :] = prompts[row]
                tensors["attention_mask"][i, width - lengths[row] :] = 1
            named = {name: torch.from_numpy(value).to(model.device) for name, value in tensors.items()}
            config = _generation(texts, int(rooms[part].max()), draws, wish.temperature)
            found = model.generate(**named, generation_config=config)[:, width:].cpu().numpy()
            for row, several in zip(part, found.reshape(len(filled), draws, -1), strict=False):
                mine = [_until(tokens[: rooms[row]].tolist(), texts.ends) for tokens in several]
                out[row] = mine * (wish.draws // draws)
    return out


def _generation(texts: Texts, most: int, draws: int, temperature: float) -> Any:
    """A fresh configuration: a checkpoint's own may sample, suppress tokens or cut at a top_k."""
    from transformers import GenerationConfig

    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature > 0 else {"do_sample": False}
    ends = list(texts.ends) or None
    return GenerationConfig(
        max_new_tokens=most, num_return_sequences=draws, eos_token_id=ends, pad_token_id=texts.pad, **drawn
    )


def _rooms(prompts: Sequence[Tokens], most: int, context: int | None) -> Any:
    """(n,) tokens that the answer to each prompt may have."""
    rooms = np.array([most if context is None else min(most, context - len(prompt)) for prompt in prompts])
    if (rooms < 1).any():
        seen = f"{(rooms < 1).sum()} of {len(rooms)} prompts; the context is {context} tokens"
        raise DataError("prompts are longer than the student can read", seen, "leave them out, or take another student")
    return rooms


def _until(tokens: Tokens, ends: Sequence[int]) -> Tokens:
    stop = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[:stop]
