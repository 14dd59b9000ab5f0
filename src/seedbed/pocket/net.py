"""Small Llamas with numpy alone: `Net.load` and `sample` are all that other packages need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from seedbed.errors import DataError
from seedbed.pocket.llama import Net
from seedbed.pocket.sampler import Draw, Sampler
from seedbed.randomness import stream

__all__ = ["Net", "sample"]

ROOM = 256
"""Rows in a batch; from there on a batch twice as large is hardly faster per token."""


def sample(
    net: Net,
    prompts: Sequence[Sequence[int]],
    *,
    draws: int = 1,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = 128,
    rng_seed: int = 0,
) -> list[list[int]]:
    """What the model writes after each prompt, `draws` times: prompt by prompt, draw by draw.

    An answer depends on its prompt, its number among the draws of that prompt (also where the prompt is given twice)
    and `rng_seed`, never on the other prompts.

    Args:
        net: The model.
        prompts: Tokens, at least one each.
        draws: Answers per prompt.
        temperature: At least 0; 0 takes the likeliest token.
        top_p: In (0, 1].
        max_tokens: Where an answer is cut.
        rng_seed: Another one gives other answers.

    Returns:
        `len(prompts) * draws` lists of tokens; the last one is an end token (`net.shape.ends`) unless the answer was
        cut.

    Raises:
        DataError: A prompt without tokens, or too long a one.
    """
    longest = max(map(len, prompts), default=0)
    if longest + max_tokens > net.shape.context:
        held = f"{longest} tokens of prompt and max_tokens={max_tokens}, context {net.shape.context}"
        raise DataError("a prompt and its answer do not fit the model's context", held, "lower max_tokens")
    if not all(prompts):
        raise DataError("a prompt has no tokens", f"{sum(not prompt for prompt in prompts)} empty", "drop it")
    sampler, seen = Sampler(net, min(ROOM, max(1, len(prompts) * draws))), Counter[tuple[int, ...]]()
    for number, prompt in enumerate(map(tuple, prompts)):
        for draw in range(draws):
            uniforms = stream(rng_seed, "pocket sampling", seen[prompt], *prompt).random(max_tokens)
            seen[prompt] += 1
            sampler.add(number * draws + draw, Draw(prompt, uniforms, temperature, top_p))
    found: dict[int, list[int]] = {}
    while len(found) < len(prompts) * draws:
        found |= {ticket: written.tokens for ticket, written in sampler.step()}
    return [found[number] for number in range(len(found))]
