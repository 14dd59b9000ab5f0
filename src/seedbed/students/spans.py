"""Windows over a long context, and the best legal span that an encoder marks in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import DataError
from seedbed.students.batching import Encoded


@dataclass(frozen=True, slots=True)
class Span:
    """An answer: a piece of the context, word for word."""

    text: str
    start: int
    """Offset of its first character in the context."""
    confidence: float
    """Share in [0, 1] of this span among the n best; how sure, not how right."""


@dataclass(frozen=True)
class Windows:
    """Pieces of contexts, each with its question, as token ids."""

    encoded: Encoded
    row: NDArray[np.int64]
    """(windows,) the row each is from."""
    offsets: list[list[tuple[int, int] | None]]
    """Per token, its first and last-plus-one character in the context; None outside the context."""


def slide(tokenizer: Any, rows: Sequence[tuple[str, ...]], max_length: int, stride: int) -> Windows:
    """Cut (context, question) rows into windows that overlap by `stride` tokens; the question is in each.

    A question takes at most half of a window; what is beyond is cut off.
    """
    questions = [_shortened(tokenizer, row[1], max_length // 2) for row in rows]
    found = tokenizer(
        questions,
        [row[0] for row in rows],
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    offsets = [
        [tuple(place) if part == 1 and place[1] > place[0] else None for place, part in zip(places, parts, strict=True)]
        for places, parts in (
            (found["offset_mapping"][i], found.sequence_ids(i)) for i in range(len(found["input_ids"]))
        )
    ]
    encoded = Encoded(found["input_ids"], found.get("token_type_ids"), tokenizer.pad_token_id or 0)
    return Windows(encoded, np.array(found["overflow_to_sample_mapping"], dtype=np.int64), offsets)


def _shortened(tokenizer: Any, question: str, most: int) -> str:
    if len(question) <= most - 2:  # a token has at least one character
        return question
    places = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question if len(places) <= most - 2 else question[: places[most - 3][1]]


def answer_starts(
    rows: Sequence[tuple[str, ...]], answers: Sequence[str], starts: Sequence[int] | None
) -> NDArray[np.int64]:
    """(n,) offset of each answer in its context: the given one, or its first occurrence.

    Raises:
        DataError: Answers that are not, word for word, in their context; the number of them is told.
    """
    if starts is None:
        found = [row[0].find(answer) if answer else -1 for row, answer in zip(rows, answers, strict=True)]
    else:
        found = [
            int(start) if answer and row[0].startswith(answer, int(start)) and start >= 0 else -1
            for row, answer, start in zip(rows, answers, starts, strict=True)
        ]
    lost = [i for i, start in enumerate(found) if start < 0]
    if lost:
        raise DataError(
            f"{len(lost)} of {len(rows)} answers are not in their context",
            f"row {lost[0]}: {answers[lost[0]]!r:.80}",
            "a reader learns from answers that stand word for word in the context; drop or mend these rows",
        )
    return np.array(found, dtype=np.int64)


def token_targets(windows: Windows, starts: NDArray[np.int64], answers: Sequence[str]) -> NDArray[np.int64]:
    """(windows, 2) tokens where the answer starts and ends; 0, the first mark, where a window lacks it."""
    targets = np.zeros((len(windows.row), 2), dtype=np.int64)
    for i, row in enumerate(windows.row):
        start, end = int(starts[row]), int(starts[row]) + len(answers[row])
        inside = [t for t, place in enumerate(windows.offsets[i]) if place and place[1] > start and place[0] < end]
        if not inside:
            continue
        first, last = windows.offsets[i][inside[0]], windows.offsets[i][inside[-1]]
        if first and last and first[0] <= start and last[1] >= end:
            targets[i] = inside[0], inside[-1]
    return targets


def best_span(
    context: str,
    scored: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], Sequence[tuple[int, int] | None]]],
    *,
    max_answer: int,
    n_best: int,
) -> Span:
    """The span with the highest sum of start and end scores over all windows of one row.

    Args:
        context: The text that the offsets point into.
        scored: Per window, (tokens,) start scores, (tokens,) end scores, and the offsets of its tokens.
        max_answer: Longest answer in tokens.
        n_best: Best starts and best ends paired per window, and spans that share the confidence.

    Returns:
        The text of an empty context is empty, with confidence 0.
    """
    found: dict[tuple[int, int], float] = {}
    for start_scores, end_scores, offsets in scored:
        legal = [t for t, place in enumerate(offsets) if place]
        firsts = sorted(legal, key=lambda t: -start_scores[t])[:n_best]
        lasts = sorted(legal, key=lambda t: -end_scores[t])[:n_best]
        for first in firsts:
            for last in [t for t in lasts if first <= t < first + max_answer]:
                head, tail = offsets[first], offsets[last]
                assert head and tail
                score = float(start_scores[first] + end_scores[last])
                key = (head[0], tail[1])
                found[key] = max(found.get(key, -np.inf), score)
        if not found and legal:  # no pair among the best is legal: the best start alone is
            place = offsets[firsts[0]]
            assert place
            found[place] = float(start_scores[firsts[0]] + end_scores[firsts[0]])
    if not found:
        return Span("", 0, 0.0)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:n_best]
    shares = np.exp([score - ranked[0][1] for _, score in ranked])
    begin, end = ranked[0][0]
    return Span(context[begin:end], begin, float(1 / shares.sum()))
