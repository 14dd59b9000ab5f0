"""The one training loop that the tuned students share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.randomness import stream
from seedbed.students.batching import training_batches
from seedbed.students.settings import EncoderSettings, ReaderSettings

LossOf = Callable[[NDArray[np.int64]], Any]
"""Batch of row numbers in, scalar tensor out."""


def fine_tune(
    parts: Any,
    lengths: NDArray[np.int64],
    loss_of: LossOf,
    score: Callable[[], float] | None,
    *,
    settings: EncoderSettings | ReaderSettings,
    rng_seed: int,
) -> list[float]:
    """Train all parts with AdamW, linear warm-up and decay; leave them at the epoch with the best score.

    Args:
        parts: torch ModuleDict with `encoder` and `head`.
        lengths: (n,) tokens of each training row.
        loss_of: Mean loss of a batch of rows.
        score: Higher is better, called after each epoch; None trains all epochs and keeps the last.
        settings: Rates, epochs, patience.
        rng_seed: Decides the order of rows; dropout draws from torch's own stream, seeded by the caller.

    Returns:
        The score after each epoch that was trained; empty without `score`.
    """
    import torch

    frozen = _freeze(parts["encoder"], settings.frozen_layers)
    optimizer = torch.optim.AdamW(groups(parts, settings.weight_decay), lr=settings.lr, fused=True)
    steps = settings.epochs * len(training_batches(lengths, settings.batch, stream(0)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: height(step, steps, settings.warmup))
    scores: list[float] = []
    best: dict[str, Any] = {}
    for epoch in range(settings.epochs):
        parts.train()
        for layer in frozen:
            layer.eval()  # what cannot adapt gains nothing from dropout, which costs a third of its time on a CPU
        for rows in training_batches(lengths, settings.batch, stream(rng_seed, "rows of a student", epoch)):
            optimizer.zero_grad(set_to_none=True)
            loss_of(rows).backward()
            torch.nn.utils.clip_grad_norm_(parts.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
        parts.eval()
        if score is None:
            continue
        scores.append(score())
        if scores[-1] > max(scores[:-1], default=float("-inf")):
            best = {name: value.detach().clone() for name, value in parts.state_dict().items()}
        elif len(scores) - 1 - int(np.argmax(scores)) >= settings.patience:
            break
    if best:
        parts.load_state_dict(best)
    return scores


def height(step: int, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at a step: it climbs linearly, then falls linearly towards 0."""
    climb = max(1, round(warmup * steps))
    return min((step + 1) / climb, (steps - step) / max(1, steps - climb + 1))


def _freeze(encoder: Any, n_layers: int) -> list[Any]:
    """Leave the token embeddings and the lowest layers as they are; the modules that were frozen."""
    import torch

    encoder.requires_grad_(True)
    if n_layers == 0:
        return []
    depth = encoder.config.num_hidden_layers
    stacks = [m for m in encoder.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == depth]
    frozen = [getattr(encoder, "embeddings", encoder.get_input_embeddings()), *(stacks[0][:n_layers] if stacks else ())]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def groups(parts: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and norms, which are vectors, do not."""
    trained = [value for value in parts.parameters() if value.requires_grad]
    return [
        {"params": [value for value in trained if value.ndim > 1], "weight_decay": weight_decay},
        {"params": [value for value in trained if value.ndim <= 1], "weight_decay": 0.0},
    ]
