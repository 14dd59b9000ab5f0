from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from seedbed.students.ngrams import FieldFeatures, bigrams_of, tokens_of

WORDS = st.text("abcde", min_size=1, max_size=7)
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), min_size=2, max_size=12).filter(any)


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS)
def test_the_short_way_to_characters_gives_what_scikit_learn_gives(texts: list[str], others: list[str]) -> None:
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit(texts)
    ours = FieldFeatures(10_000)
    ours.fit([tokens_of(text) for text in texts])
    names = ours.characters.vocabulary_
    found = ours.transform([tokens_of(text) for text in others]).toarray()[:, len(ours.words.vocabulary_) :]
    wanted = theirs.transform(others).toarray()
    assert set(names) == set(theirs.vocabulary_)
    np.testing.assert_allclose(found, wanted[:, [theirs.vocabulary_[name] for name in names]], atol=1e-12)


def test_words_come_alone_and_in_neighbouring_pairs() -> None:
    assert bigrams_of(tokens_of("It isn't Good")) == ["it isn't", "isn't good"]


def test_a_row_without_a_known_word_has_no_features() -> None:
    features = FieldFeatures(100)
    features.fit([tokens_of("the soup"), tokens_of("the tea")])
    assert features.transform([tokens_of("zzz"), []]).nnz == 0


def test_the_most_frequent_terms_are_kept() -> None:
    features = FieldFeatures(1)
    features.fit([tokens_of("soup tea"), tokens_of("soup bread")])
    assert list(features.words.vocabulary_) == ["soup"]
