from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from tests.models.formats.asked import CLOSED, PERSON

from seedbed.models.formats.constraints import Style, chat_parameters, closed, grammar
from seedbed.request import Choice, Constraint, JsonSchema, Regex

AS_PERSON, COLOUR, YEAR = JsonSchema.of(PERSON, "person"), Choice(("red", 'dark "blue"')), Regex(r"\d{4}")


def shape(schema: Any, *, strict: bool) -> dict[str, Any]:
    return {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": schema, "strict": strict},
        }
    }


@pytest.mark.parametrize(
    ("style", "constraint", "sent"),
    [
        ("openai", AS_PERSON, shape(CLOSED, strict=True)),
        ("openai", COLOUR, {}),
        ("openai", YEAR, {}),
        ("vllm", AS_PERSON, {"structured_outputs": {"json": PERSON}}),
        ("vllm", COLOUR, {"structured_outputs": {"choice": ["red", 'dark "blue"']}}),
        ("vllm", YEAR, {"structured_outputs": {"regex": r"\d{4}"}}),
        ("llama.cpp", AS_PERSON, shape(CLOSED, strict=True)),
        ("llama.cpp", COLOUR, {"grammar": 'root ::= "red" | "dark \\"blue\\""'}),
        ("llama.cpp", YEAR, {}),
        ("none", AS_PERSON, {}),
    ],
)
def test_each_server_is_told_in_its_own_words(style: Style, constraint: Constraint, sent: dict[str, Any]) -> None:
    assert chat_parameters(constraint, style) == sent


class Inner(BaseModel):
    name: str


class Nested(BaseModel):
    people: list[Inner]
    best: Inner | None


class Loose(BaseModel):
    name: str = "x"


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


@pytest.mark.parametrize(
    ("schema", "is_closed", "is_full"),
    [
        (Nested.model_json_schema(), True, True),
        (Loose.model_json_schema(), True, False),
        (Free.model_json_schema(), False, False),
        ({"type": "array", "items": {"type": "string"}}, False, False),
        ({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]}, False, False),
        ({"type": "object", "properties": {"a": {"allOf": [PERSON, PERSON]}}, "required": ["a"]}, False, False),
        ({"properties": {"a": {}}}, False, False),
        ({"type": "object", "properties": {"a": 3}, "required": "a", "$defs": [], "items": None}, True, False),
        (True, False, False),
    ],
)
def test_strict_mode_is_for_schemas_that_allow_it(schema: Any, is_closed: bool, is_full: bool) -> None:
    assert closed(json.dumps(schema))[1:] == (is_closed, is_full)


def test_a_schema_that_allows_no_strict_mode_is_sent_as_it_is() -> None:
    assert chat_parameters(JsonSchema.of(Loose, "person"), "openai") == shape(Loose.model_json_schema(), strict=False)


def test_a_grammar_quotes_what_would_end_its_text() -> None:
    assert grammar(("a\\b", "c\nd")) == 'root ::= "a\\\\b" | "c\\nd"'
