"""Plans for seed rows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import PAIRS, READING, SENTIMENT

from seedbed.errors import DataError
from seedbed.randomness import stream
from seedbed.synthesis import seeds


@given(st.integers(0, 40), st.integers(0, 20))
def test_a_shorter_plan_is_a_prefix_of_a_longer_one(short, more):
    first, longer = (seeds.drafts(SENTIMENT, n, stream(0, "s"), reasons=REASONS) for n in (short, short + more))
    assert longer[:short] == first


REASONS = {"positive": ["food", "staff", "price"], "negative": ["wait", "noise"]}


def test_labels_are_balanced_and_rows_build_on_distinct_reasons_of_their_label():
    plan = seeds.drafts(SENTIMENT, 100, stream(0, "s"), reasons=REASONS, per_row=2)
    assert set(Counter(draft.known["label"] for draft in plan).values()) == {50}
    for draft in plan:
        listed = [line.split(". ")[1] for line in draft.known["rationale"].splitlines()]
        assert len(set(listed)) == 2 and set(listed) <= set(REASONS[draft.known["label"]])


def test_without_reasons_a_row_is_asked_for_by_label_alone():
    assert {draft.slots["reasons"] for draft in seeds.drafts(SENTIMENT, 4, stream(0, "s"))} == {""}


def test_a_pair_keeps_a_real_context():
    plan = seeds.drafts(PAIRS, 20, stream(0, "s"), contexts=["It rained.", "It snowed."])
    assert {draft.known["premise"] for draft in plan} == {"It rained.", "It snowed."}


def test_a_pair_without_contexts_is_refused():
    with pytest.raises(DataError, match="real contexts"):
        seeds.drafts(PAIRS, 1, stream(0, "s"))


def test_a_question_is_asked_for_an_answer_that_stands_in_its_context():
    contexts = ["Anna Bell opened the bridge in 1928.", "nothing here", "It cost 3.5 million dollars."]
    plan = seeds.drafts(READING, 30, stream(0, "s"), contexts=contexts)
    assert all(draft.known["answer"] in draft.known["context"] for draft in plan)
    assert {draft.known["answer"] for draft in plan} == {"Anna Bell", "1928", "3.5 million"}


def test_contexts_without_spans_are_refused():
    with pytest.raises(DataError, match="could be an answer"):
        seeds.drafts(READING, 1, stream(0, "s"), contexts=["nothing here"])
