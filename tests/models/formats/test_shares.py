from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seedbed.models.formats.shares import Usage

LENGTHS = st.lists(st.integers(0, 10_000), min_size=1, max_size=20)


@given(st.integers(0, 1 << 39), st.integers(0, 1 << 39), LENGTHS)
def test_shares_add_up_to_what_was_billed(tokens_in: int, tokens_out: int, lengths: list[int]) -> None:
    shares = Usage(tokens_in, tokens_out, 5).shared(lengths)
    assert sum(it.tokens_in or 0 for it in shares) == tokens_in
    assert sum(it.tokens_out or 0 for it in shares) == tokens_out
    assert sum(it.tokens_cached for it in shares) == 5
    assert all((it.tokens_out or 0) >= 0 for it in shares)


def test_an_unreadable_answer_carries_nothing() -> None:
    shares = Usage(10, 6).shared([None, 2, None, 2])
    assert [(it.tokens_in, it.tokens_out) for it in shares] == [(0, 0), (10, 3), (0, 0), (0, 3)]


def test_what_is_unknown_stays_unknown() -> None:
    assert [(it.tokens_in, it.tokens_out) for it in Usage(None, None).shared([1, 2])] == [(None, None)] * 2


def test_only_unreadable_answers_share_nothing() -> None:
    assert [it.tokens_out for it in Usage(3, 4).shared([None, None])] == [0, 0]
