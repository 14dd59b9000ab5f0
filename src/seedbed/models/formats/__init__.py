"""Wire formats: what a request becomes on its way to a server, and what the answer means. No network here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from seedbed.models.address import Secret, parse_address
from seedbed.models.wire import Endpoint, Retryable
from seedbed.request import Failure, Reply, Request

Answer = Reply | Failure | Retryable


class Format(Protocol):
    """One service's way to put a question. Reading never fails: whatever a server sends becomes a value."""

    path: str
    """Under the base URL, such as `/chat/completions`."""
    most_draws: int
    """Answers that one request may ask for."""

    def headers(self, key: Secret | None) -> dict[str, str]:
        """Headers that every request carries, with the key where there is one."""
        ...

    def body(self, request: Request, draws: int = 1) -> dict[str, Any]:
        """What is sent, as JSON, to get so many answers.

        Raises:
            EndpointRefused: The endpoint was found not to take something the request must have.
        """
        ...

    def read(
        self, status: int, headers: Mapping[str, str], content: bytes, *, seconds: float = 0.0, draws: int = 1
    ) -> list[Reply | Failure | Retryable]:
        """What an answer means: one value per answer it holds, or the one fault that stands for all of them.

        Args:
            status: HTTP status.
            headers: HTTP headers.
            content: The whole body.
            seconds: How long it took, which the values repeat.
            draws: Answers that were asked for, of which it may hold fewer.

        Raises:
            EndpointRefused: Every further request would meet the same: key, credit, model name, address.
        """
        ...

    def learn(self, request: Request, status: int, content: bytes, sent: Mapping[str, Any]) -> None:
        """Take in a refusal of a parameter, so that `body` puts the next request otherwise.

        Args:
            request: What was refused.
            status: HTTP status.
            content: The whole body of the answer.
            sent: The body that was refused. Others may have learnt since; only of what was sent is the answer known.

        Raises:
            EndpointRefused: The model does not take what the request must have.
        """
        ...


def format_of(address: str, settings: Endpoint) -> Format:
    """The format that the model at an address speaks.

    Raises:
        ConfigError: The address cannot work.
    """
    base, model = parse_address(address, settings)
    api = settings.api or ("messages" if address.startswith("anthropic:") else "chat")
    if api == "messages":
        from seedbed.models.formats.messages import Messages

        return Messages(model, settings.constraints)
    if api == "responses":
        from seedbed.models.formats.responses import Responses

        return Responses(model, settings.constraints)
    from seedbed.models.formats.chat_completions import ChatCompletions

    # OpenAI itself gave `max_tokens` up; everybody else's server knows it, and not always the new name.
    name = "max_completion_tokens" if base.startswith("https://api.openai.com/") else "max_tokens"
    return ChatCompletions(model, settings.constraints, max_tokens=name)
