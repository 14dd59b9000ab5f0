"""Templates are text with slots; data in a slot stays data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds import PAIRS, SENTIMENT

from seedbed.errors import ConfigError
from seedbed.synthesis.drafts import Draft, Sampling, requests
from seedbed.synthesis.prompts import check_prompts, fenced, render


@given(st.text())
def test_data_cannot_end_its_own_block(text):
    assert ">>>" not in fenced(text) and "<<<" not in fenced(text)


def test_a_slot_in_the_data_is_not_filled():
    draft = Draft("extrapolate", {"label": "positive", "meaning": "m", "example": "{instruction} {label}", "hint": ""})
    (request,) = requests(SENTIMENT, [draft], Sampling())
    assert "{instruction} {label}" in request.messages[0][1]


def test_a_task_replaces_a_template():
    task = SENTIMENT.model_copy(update={"prompts": {"seed": "Say {label}: {reasons}"}})
    assert render(task, "seed", {"label": "positive", "meaning": "m", "reasons": ""}) == "Say positive: "


def test_a_template_with_an_unknown_slot_is_refused():
    task = SENTIMENT.model_copy(update={"prompts": {"seed": "Say {colour}"}})
    with pytest.raises(ConfigError, match="colour"):
        render(task, "seed", {"label": "positive", "meaning": "m", "reasons": ""})


def test_a_template_for_no_verb_is_refused():
    with pytest.raises(ConfigError, match="sede"):
        check_prompts(SENTIMENT.model_copy(update={"prompts": {"sede": "x"}}))


def test_a_pair_prompt_shows_the_context_between_marks():
    draft = Draft("seed_pair", {"label": "entailment", "meaning": "it follows", "context": "It rained."})
    assert "premise:\n<<<\nIt rained.\n>>>" in requests(PAIRS, [draft], Sampling())[0].messages[0][1]
