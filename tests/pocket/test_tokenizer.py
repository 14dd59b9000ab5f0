"""Any text comes back from its tokens exactly as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seedbed.pocket import problems
from seedbed.pocket.tokenizer import Tokenizer

TOKENIZER = Tokenizer()
PIECES = st.sampled_from(
    ["Ann", " ", "has", "12", "3", ".", "=", "(", ")", "zebra", "É", "\N{GRINNING FACE}", "\n", "\t", "'s", "a b"]
)


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(PIECES).map("".join))
def test_words_numbers_and_marks_in_any_spacing_come_back(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.integers(0, TOKENIZER.size - 1)))
def test_any_tokens_have_a_text(ids: list[int]) -> None:
    assert isinstance(TOKENIZER.decode(ids), str)


def test_a_sentence_costs_one_token_per_word_digit_and_mark() -> None:
    assert len(TOKENIZER.encode("Ann has 12 more apples than Ben.")) == 9


def test_a_prompt_holds_the_problem_between_its_marks() -> None:
    (problem,) = problems.write(1, 0)
    prompt = TOKENIZER.prompt(problem.text)
    assert TOKENIZER.decode(prompt) == problem.text
    assert TOKENIZER.eos not in prompt and prompt[0] != prompt[-1]


def test_end_and_padding_stand_for_no_text() -> None:
    assert TOKENIZER.decode([*TOKENIZER.encode("So 1 + 1 = 2."), TOKENIZER.eos, TOKENIZER.pad]) == "So 1 + 1 = 2."
