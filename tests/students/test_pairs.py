from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seedbed.students.ngrams import tokens_of
from seedbed.students.pairs import PAIR_COLUMNS, compared_words, pair_features, pair_matrix


def named(first: str, second: str) -> dict[str, float]:
    return dict(zip(PAIR_COLUMNS, pair_features(first, second), strict=True))


def test_overlap_is_a_share_of_words_not_of_places() -> None:
    found = named("The cat sat on the mat.", "The cat ran.")
    assert found["share of the second text's words in the first"] == 3 / 4
    assert found["longest run of the second text found in the first, as a share"] == 2 / 4


def test_a_negation_on_one_side_only_is_seen() -> None:
    assert named("He did not go.", "He went.")["negated in exactly one"] == 1
    assert named("He did not go.", "He never went.")["negated in exactly one"] == 0


def test_a_number_and_a_name_that_the_first_text_lacks_are_seen() -> None:
    found = named("In 1984 Mr Tutu won.", "In 1985 Mr Smith won.")
    assert found["share of the second text's numbers missing in the first"] == 1
    assert found["share of the second text's names missing in the first"] == 1 / 2


def test_words_of_the_second_text_are_marked_by_whether_the_first_has_them() -> None:
    assert compared_words(tokens_of("a cat sat"), tokens_of("a dog sat sat")) == ["+a", "-dog", "+sat"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_give_finite_numbers(first: str, second: str) -> None:
    assert np.isfinite(pair_matrix([(first, second)])).all()
