"""What models write, read."""

import pytest

from seedbed import parsing


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Good food.", "Good food."),
        ('  "Good food."  ', "Good food."),
        ("```text\nGood food.\n```", "Good food."),
        ("“Good food.”", "Good food."),
        ('"Good" and "bad"', '"Good" and "bad"'),
        ("it's", "it's"),
        ("", None),
        ("``````", "``````"),
    ],
)
def test_wrapping_is_taken_off_and_nothing_else(reply, text):
    assert parsing.bare_text(reply) == text


def test_a_fence_that_is_never_closed_is_given_up_at_once():
    text = "```" + "\n" * 100_000 + "x"
    assert parsing.bare_text(text) == text  # hours, were the line breaks tried in pairs


def test_a_list_is_read_without_its_introduction():
    assert parsing.numbered_list("Sure!\n1. one\n 2) two\n* three\nthat is all") == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Positive", "positive"),
        ("The label is: negative.", "negative"),
        ("positive or negative", None),
        ("unpositive", None),
    ],
)
def test_a_label_is_read_only_where_exactly_one_stands(reply, label):
    assert parsing.one_of(reply, ["positive", "negative"]) == label


@pytest.mark.parametrize(
    "reply", ["I'm sorry, but I can't help with that.", "I cannot write this.", "As an AI, I must decline."]
)
def test_an_apology_is_a_refusal(reply):
    assert parsing.is_refusal(reply)


@pytest.mark.parametrize(
    "reply", ["I can recommend this place.", "Sorry state of affairs in the kitchen.", "The staff said: I'm sorry."]
)
def test_a_row_that_sounds_sorry_is_no_refusal(reply):
    assert not parsing.is_refusal(reply)
