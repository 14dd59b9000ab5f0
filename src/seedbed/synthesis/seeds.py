"""Seed rows: the first synthetic rows, from nothing but the task (and real contexts where it has them).

Source:
    Ye et al. 2022, ZeroGen, arXiv:2202.07922 (by label). Wang, Zhou and Sachan 2023, arXiv:2310.13671, algorithm 1
    (explain, then generate). Differs: labels come in shuffled blocks of one each instead of independent draws,
    which removes label imbalance as a source of noise; the expectation is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from seedbed.errors import DataError
from seedbed.synthesis.drafts import Draft
from seedbed.task import Task

_SPAN = re.compile(
    r"\b(?:[A-Z][\w’'-]+(?:\s+(?:of|the|and|de|van)?\s*[A-Z][\w’'-]+)*|\d[\d.,:/-]*\d%?|\d+%?)(?:\s+(?:percent|million|billion"
    r"|years?|days?|hours?|minutes?|km|miles|meters?|metres?|kg|degrees))?"
)
_STOPPERS = frozenset(
    {
        "The",
        "A",
        "An",
        "In",
        "On",
        "At",
        "It",
        "This",
        "That",
        "These",
        "He",
        "She",
        "They",
        "We",
        "I",
        "But",
        "And",
        "For",
        "As",
        "When",
        "After",
        "Before",
        "If",
        "To",
        "From",
        "By",
        "Its",
        "His",
        "Her",
    }
)


def reason_drafts(task: Task, count: int) -> list[Draft]:
    """One draft per label that asks for `count` reasons why a row carries it (T_ration)."""
    return [
        Draft("reasons", {"label": label, "meaning": meaning, "count": str(count)}, {"label": label})
        for label, meaning in task.labels.items()
    ]


def drafts(
    task: Task,
    count: int,
    rng: np.random.Generator,
    *,
    reasons: Mapping[str, Sequence[str]] | None = None,
    per_row: int = 1,
    contexts: Sequence[str] = (),
) -> list[Draft]:
    """Plan `count` seed rows. A shorter plan with the same stream is a prefix of a longer one.

    Args:
        task: Decides the form: by label, by label for a real context, or by answer for a real context.
        count: Rows to ask for.
        rng: The stream of this step.
        reasons: Label to its reasons; where given, each row builds on `per_row` distinct ones.
        per_row: k of algorithm 1.
        contexts: Real contexts, drawn uniformly; required when the task has a context field.

    Raises:
        DataError: The task needs contexts and there are none, or none holds a span that could be an answer.
    """
    if task.context is not None and not contexts:
        raise DataError(
            "the task needs real contexts to write rows for",
            "no contexts",
            "give gold rows to steer by, or a `contexts:` file in the recipe",
        )
    if task.kind == "extractive_qa":
        return _question_drafts(task, count, rng, contexts)
    return [_labelled(task, label, rng, reasons, per_row, contexts) for label in _balanced(task, count, rng)]


def _balanced(task: Task, count: int, rng: np.random.Generator) -> Iterator[str]:
    """Labels in shuffled blocks. Lazy: a block is drawn when its first row is, so that a longer plan goes on where a
    shorter one ends."""
    labels, block = list(task.labels), list[int]()
    for _ in range(count):
        block = block or rng.permutation(len(labels)).tolist()
        yield labels[block.pop()]


def _labelled(
    task: Task,
    label: str,
    rng: np.random.Generator,
    reasons: Mapping[str, Sequence[str]] | None,
    per_row: int,
    contexts: Sequence[str],
) -> Draft:
    slots = {"label": label, "meaning": task.labels[label]}
    if task.context is not None:
        context = contexts[int(rng.integers(len(contexts)))]
        return Draft("seed_pair", {**slots, "context": context}, {"label": label, task.context: context})
    block, rationale = "", None
    if pool := (reasons or {}).get(label):
        chosen = rng.choice(len(pool), size=min(per_row, len(pool)), replace=False)
        rationale = "\n".join(f"{number}. {pool[index]}" for number, index in enumerate(chosen, start=1))
        block = f"Build on these reasons:\n{rationale}\n"
    return Draft("seed", {**slots, "reasons": block}, {"label": label, "rationale": rationale})


def _question_drafts(task: Task, count: int, rng: np.random.Generator, contexts: Sequence[str]) -> list[Draft]:
    with_spans = [(context, found) for context in dict.fromkeys(contexts) if (found := candidate_answers(context))]
    if not with_spans:
        raise DataError(
            "no context holds a name or a number that could be an answer",
            f"{len(contexts)} contexts",
            "give contexts in running text with names, dates or numbers",
        )
    made = []
    for _ in range(count):
        context, spans = with_spans[int(rng.integers(len(with_spans)))]
        answer = spans[int(rng.integers(len(spans)))]
        known = {task.target: answer, task.context or "context": context}
        made.append(Draft("seed_qa", {"context": context, "label": answer}, known))
    return made


def candidate_answers(context: str) -> list[str]:
    """Names, dates and numbers of a text, each once, in order: answers that a question may be written for.

    ZeroGen extracts answers before it asks for questions; a named-entity model would find more kinds of span.

    >>> candidate_answers("The bridge over the Tyne opened in 1928, says Anna Bell.")
    ['Tyne', '1928', 'Anna Bell']
    """
    found = (match.group().strip() for match in _SPAN.finditer(context))
    return [span for span in dict.fromkeys(found) if span not in _STOPPERS and len(span) > 1]
