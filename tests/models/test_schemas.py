"""Schemas: what is accepted, what is said about the rest, and what is no schema."""

import json
import time
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from seedbed.errors import ConfigError
from seedbed.models.schemas import Schema, schema
from seedbed.request import JsonSchema


def of(plain: dict[str, object]) -> Schema:
    return schema(json.dumps(plain))


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"type": "strin"}, "at type"),
        ({"items": [{"type": "string"}]}, "at items"),
        ({"properties": {"a": {"minimum": "1"}}}, "at properties/a/minimum"),
        ({"$ref": "#/$defs/row"}, "row"),
        ({"$ref": "https://example.org/schema.json"}, "disabled"),
        ({"$ref": "file:///etc/hostname"}, "disabled"),
        ({"properties": {"a": {"$ref": "other.json"}}}, "other.json"),
        ({"pattern": "(?=a)b"}, "regex"),
        ({"patternProperties": {"(?!a)": {}}}, "regex"),
        ({"pattern": "("}, "regex"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft-07"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(plain: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(plain)
    assert said in caught.value.seen


def test_a_schema_with_a_name_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="no JSON"):
        schema('{"type": "string", "type": "number"}')


def test_truth_values_are_no_numbers_and_numbers_no_texts() -> None:
    assert not of({"type": "integer"}).accepts(True)
    assert not of({"enum": [1]}).accepts(True)
    assert not of({"type": "number"}).accepts("1")
    assert of({"type": "integer"}).accepts(1.0)


def test_a_format_is_a_remark() -> None:
    assert of({"type": "string", "format": "date"}).accepts("tomorrow")


def test_a_schema_is_compiled_once() -> None:
    text = JsonSchema.of({"type": "boolean"}).text
    assert schema(text) is schema(text)


class Price(BaseModel):
    model_config = ConfigDict(extra="forbid")
    usd: float = Field(ge=0)


class Row(BaseModel):
    label: Literal["good", "bad"]
    price: Price | None = None
    tags: list[str] = Field(default=[], max_length=2)


def test_a_pydantic_model_and_its_schema_agree() -> None:
    made = schema(JsonSchema.of(Row).text)
    assert made.accepts({"label": "good", "price": {"usd": 1}, "tags": ["a"]})
    assert made.problems({"label": "good", "price": 4}).startswith("at price: 4 is not valid")
    assert made.problems({"tags": ["a", "b", "c"]}).count(";") == 1


def test_three_mistakes_are_named_and_long_ones_cut() -> None:
    said = of({"items": {"type": "string"}}).problems([["x" * 10_000], 2, 3, 4])
    assert said.count("is not of type") == 3
    assert said.startswith("at 0: ")
    assert "at 2: 3" in said
    assert len(said) < 400


def kinds(count: int) -> dict[str, object]:
    """A schema of expressions: each alternative holds another expression."""
    row = {"$ref": "#/$defs/row"}
    choices = [{"properties": {"of": row, "kind": {"const": kind}}, "required": ["kind"]} for kind in range(count)]
    return {"$ref": "#/$defs/row", "$defs": {"row": {"type": "object", "anyOf": choices}}}


def test_alternatives_inside_alternatives_are_checked_at_once_and_not_all_explained() -> None:
    value: dict[str, object] = {"kind": 99}
    for _ in range(40):
        value = {"kind": 4, "of": value}
    expressions = of(kinds(8))
    began = time.process_time()
    assert not expressions.accepts(value)
    assert expressions.problems(value) == "it does not satisfy the schema"
    assert expressions.problems({"kind": 99}).endswith("listed in the 'anyOf' keyword")
    # 8 ** 40 explanations would take longer than the universe has.
    assert time.process_time() - began < 5


def test_choices_that_do_not_come_back_are_explained_at_any_depth() -> None:
    inner: dict[str, object] = {"anyOf": [{"type": kind} for kind in ("string", "integer", "null")]}
    plain: dict[str, object] = {"$defs": {"leaf": inner}, "$ref": "#/$defs/leaf"}
    for _ in range(12):
        plain = {"$defs": {"leaf": inner}, "type": "array", "items": {k: v for k, v in plain.items() if k != "$defs"}}
    value: object = 0.5
    for _ in range(12):
        value = [value]
    assert "0.5 is not valid under any" in of(plain).problems(value)


def test_a_schema_that_only_names_itself_ends() -> None:
    assert of({"$ref": "#"}).accepts([1])


def test_a_pattern_that_would_stall_python_is_matched_at_once() -> None:
    assert not of({"pattern": "^(a+)+$"}).accepts("a" * 100_000 + "b")
