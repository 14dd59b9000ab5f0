from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.similarity import RUN, Match, near_duplicates, nearest, normalise

WORDS = [
    "the",
    "film",
    "was",
    "good",
    "bad",
    "long",
    "story",
    "actor",
    "plot",
    "dull",
    "bright",
    "not",
    "very",
    "scene",
    "music",
]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), max_size=12)


def shingles(text: str) -> set[str]:
    padded = f" {normalise(text)} "
    return {padded[i : i + RUN] for i in range(max(1, len(padded) - RUN + 1))} if padded.strip() else set()


def by_hand(texts: list[str], row: int) -> Match | None:
    best: Match | None = None
    for index in range(row):
        if normalise(texts[index]) == normalise(texts[row]):
            return Match(index, 1.0, is_exact=True)
    for index in range(row):
        mine, theirs = shingles(texts[row]), shingles(texts[index])
        likeness = len(mine & theirs) / max(1, len(mine | theirs))
        if likeness > (best.similarity if best else 0):
            best = Match(index, likeness, is_exact=False)
    return best


@settings(deadline=None)
@given(TEXTS)
def test_the_nearest_text_is_the_one_a_loop_over_all_pairs_finds(texts: list[str]) -> None:
    assert nearest(texts) == [by_hand(texts, row) for row in range(len(texts))]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_looking_up_in_another_list_is_looking_up_after_it(texts: list[str], against: list[str]) -> None:
    found = nearest(texts, against)
    assert found == [by_hand([*against, text], len(against)) for text in texts]


def test_many_texts_are_compared_block_by_block_with_the_same_answer() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 7)) for _ in range(3000)]  # 9 million pairs: more than one block
    found = nearest(texts)
    assert all(found[row] == by_hand(texts, row) for row in (0, 1, 1999, 2000, 2999))


def test_case_space_and_punctuation_do_not_make_another_text() -> None:
    found = near_duplicates(["It's GREAT!", "it s   great", "Ｉt's great…", "it is great"], threshold=0.9)
    assert [match and (match.index, match.is_exact) for match in found] == [None, (0, True), (0, True), None]


def test_a_light_edit_is_a_copy_and_says_of_which_text_and_how_alike() -> None:
    texts = ["the plot of this film is thin", "a song for the ages", "the plot of that film is thin"]
    first, second, third = near_duplicates(texts, threshold=0.5)
    assert first is None and second is None
    assert third is not None and third.index == 0 and not third.is_exact and 0.5 < third.similarity < 1


def test_the_threshold_itself_counts_as_a_copy() -> None:
    texts = ["abcdefghij", "abcdefghijkl"]  # 7 of 11 shingles shared
    match = nearest(texts)[1]
    assert match is not None and near_duplicates(texts, threshold=match.similarity)[1] == match


def test_words_forgive_no_typo_but_characters_do() -> None:
    texts = ["remarkably unconvincing performances", "remarkably unconvincng performances"]
    characters, words = nearest(texts)[1], nearest(texts, shingles="words")[1]
    assert characters is not None and words is not None and characters.similarity > 2 * words.similarity


def test_texts_that_share_nothing_and_empty_texts_have_no_match() -> None:
    assert nearest(["aaaaaaa", "zzzzzzz", "", "!?"]) == [None, None, None, Match(2, 1.0, is_exact=True)]
    assert nearest([]) == [] and nearest(["a"], []) == [None]


def test_a_missing_text_or_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(DataError, match="missing"):
        nearest(["a", None])  # type: ignore[list-item]
    with pytest.raises(DataError, match="threshold"):
        near_duplicates(["a"], threshold=70)
