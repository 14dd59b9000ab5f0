"""JSON Schemas (draft 2020-12), compiled once: does a value satisfy one, and if not, what is wrong with it?

No schema reaches the network or a file, and no answer can make its check run away: patterns are matched in linear time
(so they have no look-around and no references back), and what is wrong is not spelled out where that is exponential.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from seedbed.errors import ConfigError
from seedbed.models.salvage import NotJson, read

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TOLD = 3
"""Mistakes that one message names."""
_MOST_BRANCHES = 10_000


class Schema:
    """A compiled schema.

    Args:
        text: The schema as JSON.

    Raises:
        ConfigError: It is no JSON object, no schema of draft 2020-12, or refers to something outside itself.
    """

    def __init__(self, text: str) -> None:
        import jsonschema_rs as engine

        plain = _plain(text)
        try:
            self._validator: Final = engine.Draft202012Validator(
                plain, validate_formats=False, offline=True, pattern_options=engine.RegexOptions()
            )
        except (engine.ValidationError, ValueError) as error:
            fix = "correct the schema; it is draft 2020-12, complete in itself, with patterns of linear time"
            raise ConfigError("the JSON Schema is not valid", _said(error), fix) from None
        self._branches = _branches(plain) if _is_recursive(plain) else 1

    def accepts(self, value: Any) -> bool:
        """True when the value satisfies the schema; `format` is an annotation and asserts nothing."""
        return bool(self._validator.is_valid(value))

    def problems(self, value: Any) -> str:
        """What is wrong with a value, in one line: the first mistakes and where they stand."""
        # Each level of a recursive schema with alternatives is explained once for each of them.
        if self._branches > 1 and self._branches ** _depth(value) > _MOST_BRANCHES:
            return "it does not satisfy the schema"
        found = [_told(error) for error in islice(self._validator.iter_errors(value), _TOLD)]
        return "; ".join(found) or "it does not satisfy the schema"


@lru_cache(maxsize=128)
def schema(text: str) -> Schema:
    """The compiled schema of a text; see `Schema`."""
    return Schema(text)


def _plain(text: str) -> dict[str, Any]:
    try:
        plain = read(text)
    except NotJson as error:
        raise ConfigError("the JSON Schema is no JSON", str(error), "make one with JsonSchema.of") from None
    if not isinstance(plain, dict):
        raise ConfigError("the JSON Schema is no object", text[:80], "make one with JsonSchema.of")
    if plain.get("$schema", _DRAFT) not in (_DRAFT, _DRAFT + "#"):
        fix = "write it in draft 2020-12 and leave `$schema` out"
        raise ConfigError("the JSON Schema is of another draft", f"$schema {plain['$schema']!r}"[:200], fix)
    return plain


def _said(error: Exception) -> str:
    path = "/".join(map(str, getattr(error, "instance_path", ())))
    message = middle_cut(getattr(error, "message", str(error)), 300)
    return f"at {path}: {message}" if path else message


def _told(error: Any) -> str:
    place = "/".join(map(str, error.instance_path))
    message = middle_cut(error.message, 160)
    return f"at {middle_cut(place, 60)}: {message}" if place else message


def middle_cut(text: str, chars: int) -> str:
    """At most so many characters: what a message quotes stands at its start, what it says about that at its end."""
    half = (chars - 5) // 2
    return text if len(text) <= chars else f"{text[:half]} ... {text[-half:]}"


def _nodes(plain: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a schema, also those that are no schemas."""
    todo = [plain]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
        todo.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())


def _branches(plain: dict[str, Any]) -> int:
    """Alternatives of the widest choice, and one for the time it takes to find out that none holds."""
    return 1 + max((len(node.get(word) or ()) for node in _nodes(plain) for word in ("anyOf", "oneOf")), default=0)


def _is_recursive(plain: dict[str, Any]) -> bool:
    """True when following references may come back to where it began."""
    done: set[str] = set()

    def comes_back(node: Any, via: tuple[str, ...]) -> bool:
        for inner in _nodes(node):
            target = inner.get("$ref", inner.get("$dynamicRef"))
            if not isinstance(target, str) or target in done:
                continue
            found = _at(plain, target)
            if found is None or target in via or comes_back(found, (*via, target)):
                return True
            done.add(target)
        return False

    return comes_back(plain, ())


def _at(plain: dict[str, Any], pointer: str) -> Any:
    """What a reference such as #/$defs/row names; None for any other kind of reference, and for #."""
    found: Any = plain if pointer.startswith("#/") else None
    for step in pointer[2:].split("/"):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _depth(value: Any) -> int:
    layer, level = [value], 0
    while layer := [each for each in layer if isinstance(each, (dict, list))]:
        level += 1
        layer = [child for each in layer for child in (each.values() if isinstance(each, dict) else each)]
    return level
