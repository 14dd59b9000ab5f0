"""Servers that refuse JSON schemas, or strict mode, met by many requests at once."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.models.formats.asked import PERSON
from tests.models.scripted_server import Answer, error, said, scripted_server

from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, JsonSchema, Reply, Request

NICK = {"type": "object", "properties": {"name": {"type": "string"}, "nick": {"type": "string"}}, "required": ["name"]}
"""It cannot be strict: a property is optional."""
Body = dict[str, Any]


def strict_of(body: Body) -> bool | None:
    """Whether a schema came in strict mode; None where none came."""
    strict: bool | None = body.get("response_format", {}).get("json_schema", {}).get("strict")
    return strict


def ask_all(schema: Body, refuses: Callable[[Body], bool], **settings: Any) -> tuple[list[Reply | Failure], list[Body]]:
    """Answers of a server to 40 rows, and what it was sent."""
    bodies: list[Body] = []

    def script(_prompt: str, _times: int, body: Body) -> Answer:
        bodies.append(body)
        if refuses(body):
            return Answer(400, error(400, "This response_format type is unavailable now").body, wait_s=0.01)
        return Answer(body=said('{"name": "Ann"}').body, wait_s=0.01)

    asked = [Request((("user", f"q{number}"),), constraint=JsonSchema.of(schema)) for number in range(40)]
    with scripted_server(script) as server:
        found = list(open_model(server.address, settings=Endpoint(**settings)).generate(asked))
    assert server.most_in_flight > settings.get("concurrency", 16) // 2
    return found, bodies


def all_valid(found: list[Reply | Failure]) -> bool:
    return [answer.checked for answer in found if isinstance(answer, Reply)] == ["valid"] * 40


@pytest.mark.parametrize("schema", [PERSON, NICK])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_server_without_schemas_answers_every_row(schema: Body, concurrency: int) -> None:
    found, bodies = ask_all(schema, lambda body: "response_format" in body, concurrency=concurrency)
    assert all_valid(found)
    levels = 2 if schema is PERSON else 1
    assert len(bodies) <= 40 + levels * concurrency
    assert not any("response_format" in body for body in bodies[-20:])


def test_a_server_without_strict_mode_is_sent_the_schema_without_it() -> None:
    found, bodies = ask_all(PERSON, lambda body: strict_of(body) is True)
    assert all_valid(found) and len(bodies) <= 40 + 16
    assert {strict_of(body) for body in bodies} == {True, False} and strict_of(bodies[-1]) is False


def test_a_server_that_knows_no_structured_outputs_answers_every_row() -> None:
    def refuses(body: Body) -> bool:
        return "structured_outputs" in body

    found, bodies = ask_all(PERSON, refuses, constraints="vllm")
    assert all_valid(found) and len(bodies) <= 40 + 16
