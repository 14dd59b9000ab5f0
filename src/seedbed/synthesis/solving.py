"""Solutions to problems with known answers: what a teacher is asked, draw by draw, and what its replies amount to."""

from __future__ import annotations

from collections.abc import Sequence

from seedbed.request import Failure, Reply, Request
from seedbed.synthesis.drafts import Sampling
from seedbed.synthesis.prompts import render
from seedbed.task import Task


def requests(task: Task, problems: Sequence[str], draws: Sequence[int], sampling: Sampling) -> list[Request]:
    """One request for each solution to be drawn.

    Args:
        task: A reasoning task; its prompt `solve` is what the teacher reads.
        problems: (n,) problem texts; one that stands k times is drawn k times.
        draws: (n,) number of the draw of that problem, from 0: the same number is the same answer in the ledger.
        sampling: Temperature 0 gives the same solution at every draw.
    """
    prompts = {text: render(task, "solve", {"problem": text}) for text in dict.fromkeys(problems)}
    return [
        Request(
            messages=(("user", prompts[text]),),
            draw=draw,
            rng_seed=sampling.rng_seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            slots={"verb": "solve", task.written: text},
        )
        for text, draw in zip(problems, draws, strict=True)
    ]


def read_solution(reply: Reply | Failure | None) -> tuple[str | None, str, str | None]:
    """What a reply to "solve this" amounts to: (solution, status, why). A solution may be long, and is kept whole."""
    if reply is None:
        return None, "pending", "budget: not sent"
    if isinstance(reply, Failure):
        return None, "failed", f"{reply.kind}: {reply.message}"
    text = reply.text.strip()
    return (text, "accepted", None) if text else (None, "rejected", "empty: the reply holds no text")
