"""The training of a causal language model on the answers of its rows, in a number of steps that is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.randomness import stream
from seedbed.students.batching import reading_batches
from seedbed.students.settings import LmSettings
from seedbed.students.tuning import groups, height

_SORTED = 16
"""Batches' worth of rows that are sorted by length together: of what a step then reads of word problems 4 % is padding,
where it is 32 % with none sorted, and a batch stays nearly random."""
_NOTHING = -100
"""A target that no loss counts."""


@dataclass(frozen=True)
class Dialogues:
    """Tokens of n prompts and of the answers that follow them."""

    prompts: list[list[int]]
    answers: list[list[int]]
    pad: int

    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of prompt and answer together."""
        return np.array([len(p) + len(a) for p, a in zip(self.prompts, self.answers, strict=True)], dtype=np.int64)

    def answer_lengths(self) -> NDArray[np.int64]:
        """(n,) tokens that are learned."""
        return np.array([len(answer) for answer in self.answers], dtype=np.int64)

    def losses(self, model: Any, rows: NDArray[np.int64], width: int) -> Any:
        """(rows, some width) negative log-likelihood of each answer's tokens, in nats; 0 at every other place.

        Scores are worked out from the first place where any row has an answer: the table of tokens is the widest layer
        of a small model, and prompts are about half of all tokens.
        """
        import torch

        ids = np.full((len(rows), width), self.pad, dtype=np.int64)
        targets = np.full((len(rows), width), _NOTHING, dtype=np.int64)
        for i, row in enumerate(rows):
            prompt, answer = self.prompts[row], self.answers[row]
            whole = len(prompt) + len(answer)
            ids[i, :whole] = [*prompt, *answer]
            targets[i, len(prompt) : whole] = answer
        where, kept = model.device, width - min(len(self.prompts[row]) for row in rows) + 1
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=where.type == "cuda"):
            # Padding stands on the right, where no earlier token looks, so no mask is needed.
            found = model(input_ids=torch.from_numpy(ids).to(where), use_cache=False, logits_to_keep=kept).logits
        wanted = torch.from_numpy(targets[:, width - kept + 1 :]).to(where)
        scores = found[:, -kept:-1].float().flatten(0, 1)
        lost = torch.nn.functional.cross_entropy(scores, wanted.flatten(), ignore_index=_NOTHING, reduction="none")
        return lost.view(wanted.shape)


def row_losses(model: Any, dialogues: Dialogues) -> NDArray[np.float64]:
    """(n,) negative log-likelihood of each whole answer, in nats; the same in any company (see `reading_batches`)."""
    import torch

    out = np.zeros(len(dialogues.prompts))
    with torch.inference_mode():
        for part, filled, width in reading_batches(dialogues.lengths()):
            out[part] = dialogues.losses(model, filled, width).double().sum(1)[: len(part)].cpu().numpy()
    return out


def step_batches(lengths: NDArray[np.int64], settings: LmSettings, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The rows of each optimiser step.

    Every row comes once before any comes again, in an order drawn anew for each pass. With `steps` there are exactly so
    many, each with `batch` rows, whatever the number of rows: what is compared is then the rows, not the training.
    """
    n, batch = len(lengths), settings.batch
    total = settings.steps * batch if settings.steps is not None else settings.epochs * n
    order = np.concatenate([rng.permutation(n) for _ in range(-(-total // n))])[:total]
    batches: list[NDArray[np.int64]] = []
    for start in range(0, total, _SORTED * batch):
        chunk = order[start : start + _SORTED * batch]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        cut = [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
        batches += [cut[i] for i in rng.permutation(len(cut))]
    return batches


def train(
    model: Any,
    dialogues: Dialogues,
    weight: NDArray[np.float64],
    loss: Callable[[], float] | None,
    *,
    settings: LmSettings,
    rng_seed: int,
) -> list[float]:
    """Train all weights with AdamW, linear warm-up and decay; leave them where `loss` was lowest.

    Args:
        model: A causal language model of transformers.
        dialogues: Tokens of the rows.
        weight: (n,) only their ratios matter; rows of weight 0 are never read, so no step is spent on them.
        loss: Lower is better, asked at `settings.checks` even distances; None keeps the end.
        settings: Rates, steps, batch.
        rng_seed: Decides the order of rows; dropout draws from torch's own stream, seeded by the caller.

    Returns:
        What `loss` said each time; empty without it.
    """
    import torch

    taught = np.flatnonzero(weight)
    weight = weight / weight[taught].mean()
    lengths, counts = dialogues.lengths(), dialogues.answer_lengths()
    batches = step_batches(lengths[taught], settings, stream(rng_seed, "rows of a language model"))
    peak, steps = settings.peak(), len(batches)
    optimizer = torch.optim.AdamW(groups(model, settings.weight_decay), lr=peak, fused=True)
    asked = {math.ceil(steps * (i + 1) / settings.checks) for i in range(settings.checks)} if loss else set()
    found, best = list[float](), dict[str, Any]()
    model.train()
    for step, picked in enumerate(batches):
        rows = taught[picked]
        for group in optimizer.param_groups:
            group["lr"] = peak * height(step, steps, settings.warmup)
        optimizer.zero_grad(set_to_none=True)
        lost = dialogues.losses(model, rows, int(lengths[rows].max())).sum(1)
        scale = torch.from_numpy((weight[rows] / max(1, counts[rows].sum())).astype(np.float32)).to(lost.device)
        (lost * scale).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        if loss and step + 1 in asked:
            model.eval()
            found.append(loss())
            model.train()
            if found[-1] <= min(found):
                best = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best or model.state_dict())
    model.zero_grad(set_to_none=True)
    model.eval()
    return found
