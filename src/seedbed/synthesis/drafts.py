"""A draft is a row that has been asked for and not yet been answered: what every way of making rows shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from seedbed import parsing
from seedbed.fingerprint import fingerprint
from seedbed.request import Failure, Reply, Request
from seedbed.rows import frame
from seedbed.synthesis.prompts import fenced, render
from seedbed.task import Task

_BLOCKS = ("examples", "context_block")
"""Slots that hold several fenced texts; who builds the block takes the marks out of each text."""

LONGEST = 4000
"""Characters. A longer reply to "write one row" is a model that ran away, not a row."""


@dataclass(frozen=True)
class Sampling:
    """How the teacher samples. Wang et al. 2023 used nucleus sampling at temperature 0.9."""

    temperature: float = 0.9
    top_p: float = 1.0
    max_tokens: int = 512
    rng_seed: int = 0


@dataclass(frozen=True)
class Draft:
    """One row to be written: what the prompt says, and what the row already has."""

    verb: str
    slots: dict[str, str]
    known: dict[str, Any] = field(default_factory=dict)
    """Columns of the row that are given, not written: the target, the context, parents, rationale."""


def requests(task: Task, drafts: Sequence[Draft], sampling: Sampling) -> list[Request]:
    """Turn drafts into requests; the k-th draft with the same prompt is draw k of that prompt."""
    seen: Counter[str] = Counter()
    made = []
    for draft in drafts:
        slots = {name: value if name in _BLOCKS else fenced(value) for name, value in draft.slots.items()}
        text = render(task, draft.verb, slots)
        made.append(
            Request(
                messages=(("user", text),),
                draw=seen[text],
                rng_seed=sampling.rng_seed,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                slots={"verb": draft.verb, **draft.slots},
            )
        )
        seen[text] += 1
    return made


def rows(
    task: Task,
    drafts: Sequence[Draft],
    replies: Sequence[Reply | Failure | None],
    *,
    made_by: str,
    round_: int,
    start: int = 0,
) -> pl.DataFrame:
    """Turn what came back into rows, one for each draft: nothing that was asked for is lost.

    Args:
        task: What a row must have.
        drafts: What was asked for.
        replies: One for each draft, in order; None where the budget ended before it was sent.
        made_by: The step that asked, such as `synthesise-1`.
        round_: 0 for seed rows.
        start: Position of the first draft among all that `made_by` asks for; keeps the ids of two waves apart.

    Returns:
        (len(drafts),) rows; a failed or rejected one has no text and its reason in `why`.
    """
    records = []
    for number, (draft, reply) in enumerate(zip(drafts, replies, strict=True), start):
        text, status, why = read_reply(reply)
        written = text if status == "accepted" else None
        records.append(
            {
                "id": fingerprint([made_by, number, draft.verb, draft.slots, written]),
                "made_by": made_by,
                "parents": [],
                **draft.known,
                "round": round_,
                "status": status,
                "why": why,
                task.written: text,
            }
        )
    return frame(task, records)


def read_reply(reply: Reply | Failure | None) -> tuple[str | None, str, str | None]:
    """What a reply to "write one row" amounts to: (text, status, why)."""
    if reply is None:
        return None, "pending", "budget: not sent"
    if isinstance(reply, Failure):
        return None, "failed", f"{reply.kind}: {reply.message}"
    text = parsing.bare_text(reply.text)
    if text is None:
        return None, "rejected", "empty: the reply holds no text"
    if parsing.is_refusal(text):
        # Counted apart from failures: refusals are not spread evenly over labels.
        return None, "failed", f"refused: {text[:200]}"
    if len(text) > LONGEST:
        return None, "rejected", f"too long: {len(text)} characters"
    return text, "accepted", None
