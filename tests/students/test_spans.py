from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.students.tiny_encoder import write_tiny_encoder

from seedbed.errors import DataError
from seedbed.students.checkpoint import open_checkpoint
from seedbed.students.spans import answer_starts, best_span, slide, token_targets

CONTEXT = "ann lives in paris . bob works in oslo . eve sleeps in rome ."


@cache
def tokenizer() -> Any:
    return open_checkpoint(write_tiny_encoder(Path(mkdtemp(prefix="tiny-encoder-"))))[0]


def one_hot(tokens: int, *places: int) -> np.ndarray:
    scores = np.zeros(tokens)
    for rank, place in enumerate(places):
        scores[place] = 10 - rank
    return scores


def test_windows_cover_the_whole_context_and_overlap() -> None:
    windows = slide(tokenizer(), [(CONTEXT, "where is bob ?")], max_length=16, stride=3)
    covered = {c for places in windows.offsets for place in places if place for c in range(*place)}
    assert len(windows.row) > 1 and len(max(windows.encoded.ids, key=len)) <= 16
    assert covered == {i for i, c in enumerate(CONTEXT) if c != " "}


def test_a_question_longer_than_a_window_is_cut_to_half_of_it() -> None:
    windows = slide(tokenizer(), [(CONTEXT, "where " * 60)], max_length=16, stride=3)
    assert all(len(ids) <= 16 for ids in windows.encoded.ids)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 14), st.integers(1, 3))
def test_the_marked_tokens_of_an_answer_spell_the_answer(first: int, n: int) -> None:
    words = CONTEXT.split()
    answer = " ".join(words[first : first + n])
    start = len(" ".join([*words[:first], ""]))
    windows = slide(tokenizer(), [(CONTEXT, "where is bob ?")], max_length=16, stride=4)
    targets = token_targets(windows, np.array([start]), [answer])
    assert (targets[:, 0] > 0).any()
    for window, (begin, end) in enumerate(targets):
        if begin:
            head, tail = windows.offsets[window][begin], windows.offsets[window][end]
            assert head and tail and CONTEXT[head[0] : tail[1]] == answer


def test_the_best_span_ends_after_it_starts_and_lies_in_the_context() -> None:
    offsets = [None, (0, 3), (4, 9), (10, 12), (13, 18)]
    # The best end stands before the best start, and the very best token is not part of the context.
    start, end = one_hot(5, 0, 4, 1), one_hot(5, 0, 1, 2)
    span = best_span(CONTEXT, [(start, end, offsets)], max_answer=5, n_best=3)
    assert (span.text, span.start) == ("ann", 0) and 0 < span.confidence <= 1


def test_a_span_is_never_longer_than_allowed() -> None:
    offsets = [(0, 3), (4, 9), (10, 12), (13, 18)]
    span = best_span(CONTEXT, [(one_hot(4, 0), one_hot(4, 3, 1), offsets)], max_answer=2, n_best=4)
    assert span.text == "ann lives"


def test_the_best_window_wins() -> None:
    weak = (one_hot(1, 0) / 5, one_hot(1, 0) / 5, [(0, 3)])
    strong = (one_hot(1, 0), one_hot(1, 0), [(13, 18)])
    assert best_span(CONTEXT, [weak, strong], max_answer=3, n_best=3).text == "paris"


def test_an_empty_context_has_an_empty_answer() -> None:
    assert best_span("", [(np.zeros(2), np.zeros(2), [None, None])], max_answer=3, n_best=3).confidence == 0


def test_the_first_occurrence_is_the_answer_unless_a_start_is_given() -> None:
    rows = [("a b a", "q")]
    assert answer_starts(rows, ["a"], None)[0] == 0
    assert answer_starts(rows, ["a"], [4])[0] == 4


def test_answers_that_are_not_in_their_context_are_counted() -> None:
    rows = [("a b", "q")] * 3
    with pytest.raises(DataError, match="2 of 3 answers"):
        answer_starts(rows, ["c", "a", ""], None)
    with pytest.raises(DataError, match="1 of 3 answers"):
        answer_starts(rows, ["a", "a", "b"], [0, 0, 1])
