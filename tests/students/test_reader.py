from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.students.tiny_encoder import write_tiny_encoder

from seedbed.errors import ConfigError, DataError
from seedbed.students.reader import ReaderStudent
from seedbed.students.settings import ReaderSettings

LONG = "the soup was good . " * 12 + "Ann  lives in Paris, really ."


@cache
def untrained() -> ReaderStudent:
    settings = ReaderSettings(
        checkpoint=write_tiny_encoder(Path(mkdtemp(prefix="tiny-encoder-"))), epochs=1, max_length=32, stride=8
    )
    return ReaderStudent(settings).fit([(LONG, "where is ann ?")] * 4, ["Paris"] * 4)


def test_an_answer_is_a_piece_of_the_context_word_for_word() -> None:
    rows = [(LONG, "where is ann ?"), ("x", "?"), ("Ünïcode “marks”, bread", "what ?")]
    for (context, _), span in zip(rows, untrained().predict_spans(rows), strict=True):
        assert span.text and context[span.start :].startswith(span.text)


def test_a_context_without_a_word_has_an_empty_answer() -> None:
    assert untrained().predict([("", "where ?")]) == [""]


def test_training_rows_whose_answer_is_not_in_the_context_are_counted() -> None:
    with pytest.raises(DataError, match="1 of 2 answers"):
        ReaderStudent(untrained().settings).fit([(LONG, "where ?")] * 2, ["Paris", "paris"])


def test_a_reader_has_no_label_probabilities_and_takes_no_labels() -> None:
    with pytest.raises(ConfigError):
        untrained().predict_proba([(LONG, "where ?")])
    with pytest.raises(ConfigError):
        ReaderStudent(labels=("good", "bad"))
