import gzip
import json
import os
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import ConfigError
from seedbed.verification.answers import canonical, final_answer, find_answer, same_answer

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SEEDBED_DATA", ROOT.parent / "shared" / "data"))
"""Real data that is not part of the repository; tests on it skip where it is absent."""
CITIES = ["cat", "dog", "New York", "New York City"]

HOSTILE = [
    "9" * 300_000,
    "1," * 100_000,
    "answer is " * 30_000,
    "\\boxed{" * 20_000,
    "(" * 50_000,
    "A: " * 50_000,
    "#### " * 50_000,
    "-" * 200_000,
    "1/" * 100_000,
    "1e999 " * 20_000,
    "\\frac{" * 20_000,
    "2^" * 50_000 + "2",
    "\n" * 200_000,
    "\nQ:" * 60_000,
    "\x00\ud800 answer is \udfff",
]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 1,234.", "1234"),
        ("so she makes 9 * 2 = 18\n#### 18", "18"),
        ("Hence \\boxed{\\frac{3}{4}}.", "3/4"),
        ("A: $3.50", "7/2"),
        ("A: -5 degrees", "-5"),
        ("A: \u22125", "-5"),
        ("The answer is - 3", "-3"),
        ("A: -$5", "-5"),
        ("The answer is 3 * 4 = 12.", "12"),
        ("**Answer:** 42", "42"),
        ("Answer:\n42 km", "42"),
        ("The final answer is: 2 1/2 cups", "5/2"),
        ("The answer is twelve.", "12"),
        ("the answer is 50%", "50"),
        ("A: 1.2e3", "1200"),
        ("A: 1.2 \u00d7 10^3 m", "1200"),
        ("A: 2 million", "2000000"),
        ("A: $17 500", "17500"),
        ("A: 18.00 dollars in 3 days", "18"),
        ("The answer is 5.\n\nQ: And then?\nA: 9", "5"),
        ("The answer is 4. No, wait: the answer is 5.", "5"),
        ("x was 7, and now it is 9", "9"),
        ("nothing here", None),
        ("", None),
    ],
)
def test_a_number_is_read_however_it_is_marked_and_written(text: str, number: str | None) -> None:
    assert final_answer(text, "number") == number


def test_a_number_that_only_stood_last_is_called_a_guess() -> None:
    stated, last = find_answer("The answer is 7.", "number"), find_answer("He has 3 and then 7", "number")
    assert stated is not None and last is not None
    assert (stated.answer, stated.is_guess) == ("7", False)
    assert (last.answer, last.is_guess) == ("7", True)


@pytest.mark.parametrize(
    ("found", "right", "is_same"),
    [
        ("3.50", "3.5", True),
        ("$1,000", "1000 dollars", True),
        ("1/2", "0.5", True),
        ("0.30000000000000004", "0.3", True),
        ("50%", "50", True),
        ("0.33", "1/3", False),
        ("-5", "5", False),
        ("1000", "1001", False),
        ("123456789012345678901", "123456789012345678902", False),
        ("", "0", False),
        ("1/0", "1", False),
    ],
)
def test_numbers_are_the_same_by_value(found: str, right: str, is_same: bool) -> None:
    assert same_answer(found, right, "number") == is_same


@given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
def test_two_fractions_are_the_same_answer_exactly_when_they_are_equal(one: Fraction, other: Fraction) -> None:
    assert same_answer(f"The answer is {one}", f"{other}", "number") == (one == other)


@given(st.integers(-(10**15), 10**15), st.sampled_from(["{:,}", "{}", "${:,}.00", "{:.1f}", "{} apples", "**{}**"]))
def test_a_whole_number_survives_every_way_of_writing_it(value: int, spelling: str) -> None:
    assert final_answer(f"The answer is {spelling.format(value)}.", "number") == str(value)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is (b).", "B"),
        ("B.", "B"),
        ("option c", "C"),
        ("Answer: B) dog", "B"),
        ("The answer is a dog", "B"),
        ("The answer is New York City.", "D"),
        ("The answer is New York.", "C"),
        ("The answer is D because it is large", "D"),
        ("(A) or (C)? I pick (C)", "C"),
        ("I think it is C", "C"),
        ("The answer is E", None),
        ("No idea", None),
    ],
)
def test_an_option_is_known_by_its_letter_or_its_text(text: str, letter: str | None) -> None:
    assert final_answer(text, "choice", CITIES) == letter


def test_a_gold_option_given_as_text_becomes_its_letter() -> None:
    gold = final_answer("dog", "choice", CITIES)
    assert gold == "B" and same_answer("(b)", gold, "choice") and not same_answer("C", gold, "choice")


@pytest.mark.parametrize(
    ("found", "right", "is_same"),
    [
        ("The Eiffel Tower", "eiffel tower.", True),
        ("5/1/2021", "05/01/2021", True),
        ("1,000 men", "1000 men", True),
        ("well-known", "well known", True),
        ("C++", "C", False),
        ("-5", "5", False),
        ("3.5", "35", False),
        ("!!!", "???", False),
        ("", "", False),
    ],
)
def test_texts_are_the_same_but_for_what_carries_no_meaning(found: str, right: str, is_same: bool) -> None:
    assert same_answer(found, right, "text") == is_same


def test_a_text_answer_is_the_stated_one_or_a_date_or_the_last_line() -> None:
    assert final_answer("It was in France.\nThe answer is Paris.", "text") == "Paris"
    assert final_answer("Therefore, the date is 9/9/1909.", "text") == "9/9/1909"
    assert final_answer("Let me think.\n'Paris'", "text") == "Paris"
    assert final_answer("A: 02/28/2015 (assuming no leap year)", "text") == "02/28/2015"


def test_an_unknown_kind_is_refused() -> None:
    for call in (find_answer, canonical):
        with pytest.raises(ConfigError, match="no such kind"):
            call("1", "roman")  # type: ignore[arg-type]


@settings(max_examples=100)
@given(st.text(max_size=300) | st.text("0123456789.,/-+*()=^{}\\$%#ABx answeri:\n", max_size=300))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    for kind in ("number", "expression", "text", "choice"):
        found = final_answer(text, kind, CITIES)  # type: ignore[arg-type]
        same_answer(text, text, kind)  # type: ignore[arg-type]
        # What was found is an answer of its kind: it is the same as itself, unless it is no formula at all.
        assert found is None or kind == "expression" or same_answer(found, found, kind)  # type: ignore[arg-type]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_bounded_time(text: str) -> None:
    for kind in ("number", "expression", "text", "choice"):
        final_answer(text, kind, CITIES)  # type: ignore[arg-type]
        same_answer(text, text + "0", kind)  # type: ignore[arg-type]


def rows(name: str) -> list[Any]:
    # Not `splitlines`: some texts hold a line separator of Unicode.
    return [json.loads(line) for line in (REAL / "gsm8k" / f"{name}.jsonl").read_text("utf-8").split("\n") if line]


@pytest.mark.skipif(not (REAL / "gsm8k").exists(), reason="needs the real GSM8K files")
def test_every_gold_answer_of_gsm8k_is_read_and_every_verdict_on_models_agrees_with_the_authors() -> None:
    for row in rows("test"):
        answer = row["answer"]
        found = find_answer(answer, "number")
        assert found is not None and found.how == "hashes"
        assert same_answer(found.answer, answer.rpartition("####")[2], "number")
    verdicts = agreed = 0
    for row in rows("model_solutions"):
        gold = final_answer(row["ground_truth"], "number")
        assert gold is not None
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            found_answer = final_answer(row[model]["solution"], "number")
            is_right = found_answer is not None and same_answer(found_answer, gold, "number")
            verdicts, agreed = verdicts + 1, agreed + (is_right == row[model]["is_correct"])
    assert (verdicts, agreed) == (5276, 5276)


@pytest.mark.skipif(not (REAL / "date").exists(), reason="needs the real date samples")
def test_dates_in_chains_of_thought_are_read_as_the_authors_read_them() -> None:
    checked = agreed = 0
    with gzip.open(REAL / "date" / "samples.jsonl.gz", "rt", encoding="utf-8") as lines:
        chains = (line for line in lines if '"setting": "cot1",' in line)
        for line in islice(chains, 0, None, 5):
            if (row := json.loads(line))["text"] is None:
                continue
            found = final_answer(row["text"], "text")
            is_right = found is not None and same_answer(found, row["gold"], "text")
            checked, agreed = checked + 1, agreed + (is_right == row["correct"])
    # They take the first date of a reply that marks no answer, we take the last: most of the rest is that.
    assert checked > 2_000 and agreed / checked > 0.98
