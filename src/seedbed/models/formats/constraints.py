"""How a server is told what an answer must look like, in the words of each kind of server.

None of this is relied on: answers are checked in every case. It only makes good answers likelier.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

from seedbed.request import Choice, Constraint, JsonSchema, Regex

Style = Literal["openai", "vllm", "llama.cpp", "none"]

_NOT_STRICT = {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
               "patternProperties", "unevaluatedProperties", "propertyNames", "contains"}  # fmt: skip
"""JSON Schema words that OpenAI's strict mode refuses."""


def chat_parameters(constraint: Constraint, style: Style, *, strict: bool = True) -> dict[str, Any]:
    """Parameters of a chat-completions request that ask for such an answer; empty where the server knows none.

    openai: `response_format` with a JSON schema. vllm: `structured_outputs` (vLLM 0.12 and later; before that it was
    `guided_json`, `guided_choice`, `guided_regex`). llama.cpp: `response_format`, and choices as a `grammar`; its
    grammars are no regular expressions, so those are not sent.
    """
    if style == "none":
        return {}
    if style == "vllm":
        return {"structured_outputs": _vllm(constraint)}
    if isinstance(constraint, JsonSchema):
        schema, is_closed, is_full = closed(constraint.text)
        is_strict = strict and is_closed and is_full
        shape = {"name": constraint.name, "schema": schema if is_strict else _plain(constraint.text)}
        return {"response_format": {"type": "json_schema", "json_schema": shape | {"strict": is_strict}}}
    if style == "llama.cpp" and isinstance(constraint, Choice):
        return {"grammar": grammar(constraint.options)}
    return {}


def responses_parameters(constraint: Constraint, *, strict: bool = True) -> dict[str, Any]:
    """The same for OpenAI's responses: `text.format`."""
    if not isinstance(constraint, JsonSchema):
        return {}
    schema, is_closed, is_full = closed(constraint.text)
    is_strict = strict and is_closed and is_full
    shape = {"type": "json_schema", "name": constraint.name, "strict": is_strict}
    return {"text": {"format": shape | {"schema": schema if is_strict else _plain(constraint.text)}}}


def messages_parameters(constraint: Constraint) -> dict[str, Any]:
    """The same for Anthropic's messages: `output_config.format`, which wants every object closed."""
    if not isinstance(constraint, JsonSchema):
        return {}
    schema, is_closed, _ = closed(constraint.text)
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}} if is_closed else {}


def grammar(options: tuple[str, ...]) -> str:
    r"""A GBNF grammar of which each option is a whole answer.

    >>> grammar(("yes", "no\n"))
    'root ::= "yes" | "no\\n"'
    """
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    quoted = ('"' + "".join(escapes.get(letter, letter) for letter in option) + '"' for option in options)
    return f"root ::= {' | '.join(quoted)}"


def _vllm(constraint: Constraint) -> dict[str, Any]:
    if isinstance(constraint, JsonSchema):
        return {"json": _plain(constraint.text)}
    return {"regex": constraint.pattern} if isinstance(constraint, Regex) else {"choice": list(constraint.options)}


@lru_cache(maxsize=64)
def _plain(text: str) -> Any:
    return json.loads(text)


@lru_cache(maxsize=64)
def closed(text: str) -> tuple[Any, bool, bool]:
    """A schema that allows no property it does not name, as hosted services want it.

    Returns:
        The schema with `additionalProperties: false` wherever an object said nothing about it (an answer to this one
        also satisfies the original); whether that closed every object; whether every property is required too and no
        word is used that OpenAI's strict mode refuses.
    """
    schema = json.loads(text)
    verdict = {"closed": isinstance(schema, dict) and schema.get("type") == "object", "full": True}
    _close(schema, verdict)
    return schema, verdict["closed"], verdict["closed"] and verdict["full"]


def _close(node: Any, verdict: dict[str, bool]) -> None:
    if not isinstance(node, dict):
        return
    if not _NOT_STRICT.isdisjoint(node):
        # Closing the parts of an `allOf` would let nothing through, so such a schema stays open.
        verdict["closed"] = False
    if node.get("type") == "object" or "properties" in node:
        named = node.get("properties")
        names = set(named) if isinstance(named, dict) else set()
        if names:
            node.setdefault("additionalProperties", False)
        verdict["closed"] &= node.get("additionalProperties") is False
        required = node.get("required")
        verdict["full"] &= isinstance(required, list) and names <= {it for it in required if isinstance(it, str)}
    for inner in _inside(node):
        _close(inner, verdict)


def _inside(node: dict[str, Any]) -> list[Any]:
    found = []
    for word in ("properties", "$defs", "definitions"):
        found += list(node[word].values()) if isinstance(node.get(word), dict) else []
    for word in ("anyOf", "prefixItems"):
        found += node[word] if isinstance(node.get(word), list) else []
    return [*found, node.get("items")]
