"""The next token of each row of a batch, from its own stream of random numbers.

A row's numbers are drawn from what its request says (messages, draw, rng_seed, seed), one per token, so an answer does
not depend on which other requests shared its batch, as far as the model's own sums do not: these change in the last
digits with the batch's shape. In float32 that moves a token where a random number falls within about 1e-6 of the edge
between two tokens; in bfloat16 more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.randomness import stream
from seedbed.request import Request

Paths = tuple[tuple[int, ...], ...]
"""Token by token, what an answer may still become; empty where it is free."""


def uniforms(request: Request) -> NDArray[np.float64]:
    """(max_tokens,) numbers in [0, 1), one per token that the answer may have."""
    said = [text for message in request.messages for text in message]
    seed = "" if request.seed is None else request.seed
    return stream(request.rng_seed, "in-process sampling", request.draw, seed, *said).random(request.max_tokens)


def choose(logits: Any, temperature: Any, top_p: Any, uniform: Any) -> Any:
    """One token per row: the likeliest at temperature 0, else the one a random number falls on.

    A row with `top_p` below 1 keeps the fewest likeliest tokens that together reach it.

    Args:
        logits: (rows, vocabulary) float32.
        temperature: (rows,) at least 0.
        top_p: (rows,) in (0, 1].
        uniform: (rows,) float64 in [0, 1).

    Returns:
        (rows,) token numbers.

    Source:
        Holtzman et al. 2020, The Curious Case of Neural Text Degeneration, arXiv:1904.09751 (top_p). Differs: the
        inverse of the cumulative distribution in place of a generator per batch, so that a row has its own numbers.
    """
    import torch

    greedy = temperature == 0
    if bool(greedy.all()):
        return logits.argmax(-1)
    chances = (logits / temperature.masked_fill(greedy, 1.0)[:, None]).softmax(-1)
    narrow = (top_p < 1).nonzero()[:, 0]
    if len(narrow):
        chances[narrow] = _nucleus(chances[narrow], top_p[narrow])
    heaped = chances.cumsum(-1, dtype=torch.float64)
    found = torch.searchsorted(heaped, (uniform * heaped[:, -1])[:, None], right=True)[:, 0]
    return torch.where(greedy, logits.argmax(-1), found.clamp(max=logits.shape[-1] - 1))


def _nucleus(chances: Any, top_p: Any) -> Any:
    """The chances with all but the fewest likeliest set to 0."""
    # Sorting 150,000 chances takes longer than the model on a CPU, and nearly always a few hundred will do.
    ordered, order = chances.topk(min(512, chances.shape[-1]))
    if bool((ordered.sum(-1) < top_p).any()):
        ordered, order = chances.sort(dim=-1, descending=True, stable=True)
    is_beyond = ordered.cumsum(-1) - ordered >= top_p[:, None]
    is_beyond[:, 0] = False
    return chances.new_zeros(chances.shape).scatter(-1, order, ordered.masked_fill(is_beyond, 0.0))


def allowed(paths: Paths, ends: frozenset[int]) -> list[int]:
    """Tokens that may come next: those that go on along a path, and any end where one is complete."""
    following = {path[0] for path in paths if path}
    return sorted(following | ends if not all(paths) else following)


def walk(paths: Paths, token: int) -> Paths:
    """What remains of each path that goes on with this token."""
    return tuple(path[1:] for path in paths if path and path[0] == token)


def only(logits: Any, tokens: Sequence[int]) -> Any:
    """(vocabulary,) one row's logits, minus infinity for all but some tokens."""
    import torch

    kept = torch.full_like(logits, -torch.inf)
    index = torch.tensor(list(tokens), device=logits.device)
    kept[index] = logits[index]
    return kept
