from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.students.tiny_encoder import write_tiny_encoder

from seedbed.students.embedding import sentence_vectors

WORDS = st.sampled_from(["soup", "tea", "good", "bad", "xylophone", "the", "."])
TEXTS = st.lists(st.lists(WORDS, max_size=30).map(" ".join), min_size=1, max_size=20)


@cache
def checkpoint(copy: str) -> str:
    return write_tiny_encoder(Path(mkdtemp(prefix=f"tiny-encoder-{copy}-")))


@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_a_vector_kept_is_the_vector_read_alone_to_the_last_bit(texts: list[str]) -> None:
    # Two copies of one checkpoint have two memories: one reads all at once, the other text by text.
    together = sentence_vectors(texts, checkpoint=checkpoint("first"), max_length=24)
    alone = [sentence_vectors([text], checkpoint=checkpoint("second"), max_length=24)[0] for text in texts]
    np.testing.assert_array_equal(together, np.array(alone))


def test_vectors_have_length_one() -> None:
    vectors = sentence_vectors(["soup", "the soup is good ."], checkpoint=checkpoint("first"), max_length=24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_words_beyond_the_length_are_not_read() -> None:
    short, long = sentence_vectors(["soup tea soup", "soup tea soup tea"], checkpoint=checkpoint("first"), max_length=5)
    np.testing.assert_array_equal(short, long)
