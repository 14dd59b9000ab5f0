"""Look-alikes of mistakes."""

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import PAIRS, READING, SENTIMENT

from seedbed.randomness import stream
from seedbed.synthesis import extrapolation
from seedbed.synthesis.drafts import Sampling, requests


@given(st.integers(0, 12), st.integers(0, 60))
def test_requests_are_spread_as_evenly_as_possible(examples, count):
    order = extrapolation.spread(examples, count, stream(0, "s"))
    assert len(order) == (count if examples else 0)
    if order:
        per = [Counter(order)[i] for i in range(examples)]
        assert max(per) - min(per) <= 1


def gold(task, **columns):
    return pl.DataFrame({"id": ["g1"], **{name: [value] for name, value in columns.items()}})


def test_the_prompt_carries_the_mistake_and_its_gold_label_and_not_the_wrong_answer():
    mistakes = gold(SENTIMENT, text="Not bad at all.", label="positive", predicted="negative")
    (draft,) = extrapolation.drafts(SENTIMENT, mistakes, [0])
    prompt = requests(SENTIMENT, [draft], Sampling())[0].messages[0][1]
    assert "Not bad at all." in prompt and '"positive"' in prompt and "negative" not in prompt.split("\n", 1)[1]
    assert draft.known == {"label": "positive", "parents": ["g1"], "rationale": None}


def test_the_wrong_answer_and_the_reason_are_told_when_asked_for():
    mistakes = gold(SENTIMENT, text="Not bad.", label="positive", predicted="negative")
    (draft,) = extrapolation.drafts(
        SENTIMENT, mistakes, [0], show_wrong_answer=True, rationales={"g1": "double negation"}
    )
    prompt = requests(SENTIMENT, [draft], Sampling())[0].messages[0][1]
    assert 'answered "negative"' in prompt and "double negation" in prompt


def test_a_pair_keeps_its_context():
    mistakes = gold(PAIRS, premise="It rained.", hypothesis="It was wet.", label="entailment", predicted="x")
    (draft,) = extrapolation.drafts(PAIRS, mistakes, [0])
    assert draft.verb == "extrapolate_pair" and draft.known["premise"] == "It rained."


def test_a_question_keeps_its_context_and_answer():
    mistakes = gold(READING, context="Anna came.", question="Who came?", answer="Anna", predicted="x")
    (draft,) = extrapolation.drafts(READING, mistakes, [0])
    assert draft.verb == "extrapolate_qa" and draft.known["answer"] == "Anna" and "meaning" not in draft.slots
