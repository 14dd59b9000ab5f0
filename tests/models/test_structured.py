"""Answers held against what they must look like."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.malformed_answers import CASES, DATE, LABEL, REVIEW, Case

from seedbed.errors import ConfigError
from seedbed.models.booking import PER_MESSAGE
from seedbed.models.salvage import DEEPEST
from seedbed.models.structured import RE_ASK_BYTES, check, check_constraint, instruction, re_ask
from seedbed.request import Choice, JsonSchema, Regex, Request

ANYTHING = JsonSchema.of({})
BOXED = JsonSchema.of({"type": ["object", "array"]})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_answer_is_taken_only_where_it_has_one_reading(case: Case) -> None:
    checked = check(case.constraint, case.answer)
    assert checked.kind == case.kind, checked
    if case.kind == "valid":
        assert checked.text == case.answer
    elif case.kind == "salvaged":
        assert case.value(checked.text) == case.expected
        assert check(case.constraint, checked.text) == ("valid", checked.text, "")
    else:
        assert str(case.expected) in checked.problem
        assert checked.text == case.answer


def test_the_table_is_large_and_holds_every_outcome() -> None:
    kinds = [case.kind for case in CASES]
    assert len({case.name for case in CASES}) == len(CASES) >= 80
    assert min(kinds.count(kind) for kind in ("valid", "salvaged", "invalid")) >= 9


# -- round trips -------------------------------------------------------------------------------------------------------

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
boxes = st.lists(plain, max_size=4) | st.dictionaries(st.text(max_size=5), plain, max_size=4)
prose = st.text(st.characters(exclude_characters="[]{}`<", codec="utf-8"), max_size=30)


def same(one: object, other: object) -> bool:
    """Equal, and 1 is not True and not 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(plain, st.booleans())
def test_any_value_is_valid_as_it_is(value: object, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert check(ANYTHING, text) == ("valid", text, "")


@given(boxes, prose, prose, st.sampled_from(["{}", "```json\n{}\n```", "```\n{}```", "mind [1]</think>\n{}"]))
def test_any_value_is_found_in_prose_and_fences(value: object, before: str, after: str, wrapping: str) -> None:
    text = f"{before}{wrapping.replace('{}', json.dumps(value, indent=1))} {after}"
    checked = check(BOXED, text)
    assert checked.kind in ("salvaged", "valid")
    assert same(json.loads(checked.text), value)


def spoilt(value: object, quote: str = '"') -> str:
    """A value as a careless model writes it: commas at the end, control characters as they are, Python's words."""
    if isinstance(value, dict):
        return "{" + "".join(f"{spoilt(name)}: {spoilt(inner)},\n" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f" {spoilt(inner)} ," for inner in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


@given(boxes)
def test_any_value_is_mended_to_itself(value: object) -> None:
    checked = check(BOXED, f"{spoilt(value)} ")
    assert checked.kind in ("salvaged", "valid")
    assert same(json.loads(checked.text), value)


@settings(max_examples=50)
@given(boxes)
def test_what_python_prints_is_read_back_or_refused_but_never_changed(value: object) -> None:
    checked = check(BOXED, repr(value))
    assert checked.kind == "invalid" or same(json.loads(checked.text), value)


@given(boxes, st.data())
def test_an_answer_cut_anywhere_is_never_completed(value: object, data: st.DataObject) -> None:
    whole = json.dumps(value)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert check(BOXED, cut).kind == "invalid"


# -- any text ----------------------------------------------------------------------------------------------------------

json_like = st.text(
    st.sampled_from("{}[]\",:'“”‘’\\/*`0123456789.eE+-truefalsnTFN \n\tab\ufeff\ud800\u00e9<>"), max_size=80
)


@settings(max_examples=300)
@given(json_like | st.text(max_size=80), st.sampled_from([ANYTHING, BOXED, REVIEW, LABEL, DATE]))
def test_any_text_ends_in_a_value_that_holds(text: str, constraint: JsonSchema | Choice | Regex) -> None:
    checked = check(constraint, text)
    if checked.kind == "invalid":
        assert checked.text == text
        assert checked.problem
        assert checked.problem.isprintable()
        assert len(checked.problem) <= 400
    else:
        assert check(constraint, checked.text) == ("valid", checked.text, "")


SIZE = 200_000
HOSTILE = {
    "open lists": "[",
    "open objects": "{",
    "nested objects": '{"a":',
    "nested pairs": '{"a":1,"b":',
    "brackets in prose": "[x",
    "lines of brackets": "\n[x",
    "empty lists": "[]",
    "empty objects": "{}",
    "quotes": '"',
    "objects of quotes": '{"',
    "single quotes": "{'",
    "typographic quotes": "[“",
    "backslashes": '"\\',
    "comments": "{/*",
    "line comments": "[ // x\n",
    "fences": "```json\n",
    "fences and brackets": "```json\n{",
    "thoughts": "<think></think>",
    "digits": "1",
    "lists of digits": "[1",
    "exponents": "[1e9",
    "members": '"a":1,',
    "blanks": " \u00a0",
    "empty lines": "\n",
    "a word": "a",
    "stars": "**",
    "full stops": ".",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_costs_what_its_length_warrants(piece: str) -> None:
    many = piece * (SIZE // len(piece))
    began = time.process_time()
    for text in (many, "[" + many, '{"a":' + many, "```\n" + many, many + "x"):
        for constraint in (BOXED, LABEL, Regex(r"(a+)+\d")):
            assert check(constraint, text).kind in ("valid", "salvaged", "invalid")
    # Twenty times what it takes here; what is not linear takes minutes.
    assert time.process_time() - began < 20


@pytest.mark.parametrize("levels", [DEEPEST + 1, 990, 50_000])
def test_brackets_nested_too_deep_are_refused(levels: int) -> None:
    for text in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
        assert "levels of brackets" in check(BOXED, text).problem
        assert "levels of brackets" in check(BOXED, f"Here: {text}").problem


def test_brackets_nested_as_deep_as_allowed_are_read() -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    assert check(BOXED, text).kind == "valid"
    assert check(BOXED, f"{text} and more").kind == "salvaged"


def test_a_number_of_many_digits_is_refused_and_a_long_one_kept() -> None:
    assert check(ANYTHING, "9" * 5000).kind == "invalid"
    assert check(ANYTHING, "9" * 400).kind == "valid"
    assert check(JsonSchema.of({"multipleOf": 0.1, "minimum": 3}), "9" * 400).kind == "valid"


def test_a_number_keeps_its_spelling_when_its_answer_is_salvaged() -> None:
    assert check(BOXED, "[1.10, 1E3, 12345678901234567890.5,]").text == "[1.10,1E3,12345678901234567890.5]"


# -- constraints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        (Choice(()), "no options"),
        (Choice(("a", "a")), "no options"),
        (Choice(("a", " ")), "no options"),
        (Regex("(a"), "no regular expression"),
        (Regex("[[a]]"), "no regular expression"),
        (Regex(r"(?=a)b"), "linear time"),
        (Regex(r"(a)\1"), "linear time"),
        (Regex(r"(?:a{1000}){1000}"), "linear time"),
        (Regex(r"\<b\>"), "edges of words"),
        (JsonSchema("{", "answer"), "no JSON"),
        (JsonSchema("true", "answer"), "no object"),
        (JsonSchema.of({"type": "object"}, "my answer"), "no such name"),
    ],
)
def test_a_constraint_that_is_none_is_refused_before_anything_is_sent(
    constraint: Choice | Regex | JsonSchema, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_constraint(constraint)


def test_a_constraint_that_is_one_is_let_pass() -> None:
    for constraint in (REVIEW, LABEL, DATE, Regex(r"(a+)+b"), Regex(r"(?i)\w+\s[^<>]*"), Regex(r"a|b\\<")):
        check_constraint(constraint)


def test_an_expression_is_matched_as_a_whole() -> None:
    alternatives = Regex("a|ab")
    assert check(alternatives, "ab").kind == "valid"
    assert check(alternatives, "abc").kind == "invalid"
    assert check(Regex("a$"), "a\n").kind == "salvaged"


def test_options_that_differ_in_case_alone_are_told_apart() -> None:
    options = Choice(("US", "us", "b."))
    assert check(options, " us").text == "us"
    assert check(options, "Us").kind == "invalid"
    assert check(options, '"b."').text == "b."


# -- asking again ------------------------------------------------------------------------------------------------------


def test_a_re_ask_is_the_same_question_with_the_answer_and_what_is_wrong_with_it() -> None:
    request = Request((("user", "Rate it."),), 3, 7, 0.2, 0.9, 99, 5, 2, REVIEW, {"verb": "rate"})
    again = re_ask(request, '{"label": 1}', "at label: 1 is no label")
    assert again.messages[:2] == (("user", "Rate it."), ("assistant", '{"label": 1}'))
    role, said = again.messages[2]
    assert role == "user"
    assert "at label: 1 is no label." in said
    assert REVIEW.text in said
    kept = ("draw", "rng_seed", "temperature", "top_p", "max_tokens", "seed", "logprobs", "constraint", "slots")
    assert [getattr(again, name) for name in kept] == [getattr(request, name) for name in kept]
    assert again == re_ask(request, '{"label": 1}', "at label: 1 is no label")


@pytest.mark.parametrize("text", ["", "x" * 100_000, "\U0001f600" * 5000, "\ud800" * 5000, "é" * 2001])
@pytest.mark.parametrize("constraint", [REVIEW, Choice(tuple(str(n) for n in range(5000))), Regex("é" * 740)])
def test_a_re_ask_adds_no_more_than_what_is_reserved_for_it(text: str, constraint: JsonSchema | Choice | Regex) -> None:
    request = Request((("user", "Rate it."),), constraint=constraint)
    added = re_ask(request, text, "\U0001f600 " * 1000).messages[1:]
    assert all(content for _, content in added)
    assert sum(len(content.encode("utf-8", "surrogatepass")) + PER_MESSAGE for _, content in added) <= RE_ASK_BYTES


def test_a_long_answer_is_repeated_by_its_start_and_its_end() -> None:
    request = Request((("user", "Rate it."),), constraint=REVIEW)
    quoted = re_ask(request, "start" + "é" * 9000 + "end", "too long").messages[1][1]
    assert quoted.startswith("start")
    assert quoted.endswith("end")
    assert " [...] " in quoted


@pytest.mark.parametrize("constraint", [REVIEW, LABEL, DATE])
def test_an_instruction_is_one_paragraph_that_holds_what_the_answer_must_meet(
    constraint: JsonSchema | Choice | Regex,
) -> None:
    told = instruction(constraint)
    assert "\n" not in told
    must = (
        [constraint.text] if isinstance(constraint, JsonSchema) else list(getattr(constraint, "options", [])) or [r"\d"]
    )
    assert all(each in told for each in must)
