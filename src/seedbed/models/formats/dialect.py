"""What one endpoint turned out to take, learnt from its own refusals: no row is lost to a parameter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from seedbed.errors import EndpointRefused
from seedbed.models.formats.faults import error_of, error_text
from seedbed.models.formats.reading import parsed
from seedbed.request import Constraint, Request

_REFUSES = re.compile(
    r"unsupported|not supported|not support|deprecated|cannot both|not permitted|unknown|unrecogni[sz]ed|only one|"
    r"not allowed|unavailable|invalid schema|must be explicitly|less than or equal",
    re.I,
)
_NAMED = re.compile(
    r"\A(?:unsupported \w+: |invalid )?['\"`]?(max_tokens|temperature|top_p|seed|top_logprobs|logprobs)['\"`]?"
    r"(?::| (?:is|are|does|and|cannot|can|must)\b)",
    re.I,
)
"""A parameter that the server's words begin with: further on they may quote the prompt, and prompts talk of seeds."""
_SHAPE = re.compile(r"response_format|json_schema|structured_outputs|output_config|output_format|text\.format|grammar")
_MOST_SHAPES = 256
"""Schemas a server may refuse one by one before it is sent none at all."""

Shapes = Callable[[Constraint, bool], dict[str, Any]]
"""The parameters that ask for such an answer, in strict mode or without it."""


class Dialect:
    """Which parameters an endpoint takes. Starts from what its format documents and only ever drops.

    A refused `seed` or `logprobs` is no longer sent, `max_tokens` changes its name, a refused JSON schema is sent
    without strict mode and then not at all (answers are checked here anyway). A refused `temperature` or `top_p` is
    dropped only where the request asks for 1, which is what the model does by itself: a row that was asked for at 0.2
    and drawn at 1 would be another experiment under the same name.

    Args:
        shapes: How the format puts a constraint.
        max_tokens: What the parameter is called at first.
    """

    def __init__(self, shapes: Shapes, max_tokens: str = "max_tokens") -> None:
        self.max_tokens = max_tokens
        self._shapes = shapes
        self._dropped: set[str] = set()
        self._refused: dict[Constraint, int] = {}

    def takes(self, name: str) -> bool:
        """Whether a parameter is still sent."""
        return name not in self._dropped

    def shape(self, constraint: Constraint) -> dict[str, Any]:
        """The parameters by which a constraint is sent: as strictly as it can be, without strict mode, or none."""
        refused = self._refused.get(constraint, 0)
        if refused > 1 or len(self._refused) > _MOST_SHAPES:
            return {}
        return self._shapes(constraint, refused == 0)

    def sampling(self, request: Request) -> dict[str, float]:
        """`temperature` and `top_p` as they are sent."""
        if not self._dropped:
            return {"temperature": request.temperature, "top_p": request.top_p}
        wanted = {"temperature": request.temperature, "top_p": request.top_p}
        return {name: value for name, value in wanted.items() if name not in self._dropped}

    def check(self, request: Request) -> None:
        """Raise where a request wants what the endpoint was found to refuse."""
        for name in self._dropped:
            if name in ("temperature", "top_p"):
                self._insist(name, request, f"it refused `{name}` before")

    def learn(self, request: Request, status: int, content: bytes, sent: Mapping[str, Any]) -> None:
        """Take in a refusal: where it names a parameter, the next request is put otherwise.

        Args:
            request: What was refused.
            status: HTTP status.
            content: The whole body of the answer.
            sent: The body that was refused.

        Raises:
            EndpointRefused: The request needs a temperature or top_p that the model does not take.
        """
        if status not in (400, 422):
            return
        found = parsed(content)
        error = error_of(found)
        text = error_text(error, found, content)
        complains = _REFUSES.search(f"{error.get('code')} {text}") is not None
        match = _NAMED.match(text)
        param = error.get("param")
        named = param if isinstance(param, str) else match and match[1].lower()
        if named in ("temperature", "top_p") and (complains or named == param):
            self._insist(named, request, f"{status}: {text}")
        if not complains:
            return
        if request.constraint is not None and _SHAPE.search(f"{named} {text[:200]}"):
            self._put_otherwise(request.constraint, sent)
        elif named == "max_tokens" and self.max_tokens == "max_tokens" and "max_completion_tokens" in text:
            self.max_tokens = "max_completion_tokens"
        elif named in ("seed", "logprobs", "top_logprobs", "temperature", "top_p"):
            self._dropped.add("logprobs" if named == "top_logprobs" else str(named))

    def _put_otherwise(self, constraint: Constraint, sent: Mapping[str, Any]) -> None:
        """Go down until a constraint is sent in another way than the one that was refused, or not at all.

        What was sent decides, not how often it was refused: of many requests in flight all meet the same refusal. And
        one step may change nothing, where a schema cannot be strict or the server's style knows no strict mode.
        """
        while (shape := self.shape(constraint)) and all(sent.get(name) == value for name, value in shape.items()):
            self._refused[constraint] = self._refused.get(constraint, 0) + 1

    def _insist(self, name: str, request: Request, seen: str) -> None:
        wanted = request.temperature if name == "temperature" else request.top_p
        if wanted != 1:
            raise EndpointRefused(
                f"the model does not take the {name} that was asked for",
                f"{name} {wanted:g}; {seen}",
                f"set {name}: 1 where this model is asked (it then samples its own way), or ask another model",
            )
