"""Requests over HTTP to anything that speaks OpenAI's chat completions: OpenAI, vLLM, SGLang, llama.cpp, Ollama, ...

openai:MODEL                     OpenAI, or what OPENAI_BASE_URL or the settings name; always with a key
http://HOST:PORT/v1#MODEL        any other server; with a key only when the settings name its variable, so that
https://HOST/v1#MODEL            OpenAI's key is never sent to somebody else because it happened to be set
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp

from seedbed.errors import ConfigError
from seedbed.models import chat_completions
from seedbed.models.wire import Endpoint, Retryable
from seedbed.request import Failure, Reply, Request

_OPENAI = "https://api.openai.com/v1"
_MOST_BYTES = 8 << 20
"""Far above any answer; a server that streams without end must not fill our memory."""
_CONNECT_S = 30.0


class Secret:
    """A key that shows itself only to who asks for it by name: not in repr, str, format, pickles or tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for the one header that carries it."""
        return self._value

    def hide(self, content: bytes) -> bytes:
        """Blank the key where a server quotes it back."""
        # A short one ("EMPTY", "ollama") is a placeholder, and blanking it would damage answers that hold the word.
        return content if len(self._value) < 8 else content.replace(self._value.encode(), b"***")

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere; open the model again instead")


def parse_address(address: str, settings: Endpoint) -> tuple[str, str]:
    """Base URL (without a trailing slash) and model name of an address.

    Raises:
        ConfigError: No model name, no host, a scheme that is not http or https, or a key inside the URL.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "openai":
        base = settings.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        model = rest
    else:
        base, _, model = address.partition("#")
    fix = "use openai:MODEL or http://HOST:PORT/v1#MODEL"
    if not model.strip():
        raise ConfigError("the address names no model", address, fix)
    try:
        url = urlsplit(base)
        port_is_fine = url.port != 0
    except ValueError:
        port_is_fine = False
    if not port_is_fine or url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError("the address is not a web address", base, fix)
    if url.username or url.password or url.query:
        raise ConfigError(
            "a base URL must not carry a key", f"user name, password or ? in {url.hostname}", "set api_key_env"
        )
    return base.rstrip("/"), model.strip()


def find_key(address: str, settings: Endpoint) -> Secret | None:
    """The key for this address from its environment variable; None where none is to be sent.

    Raises:
        ConfigError: An `openai:` address and an empty variable, or a key that no header can hold.
    """
    is_asked_for = address.startswith("openai:") or settings.api_key_env is not None
    if not is_asked_for:
        return None
    name = settings.api_key_env or "OPENAI_API_KEY"
    value = os.environ.get(name, "").strip()
    if not value and address.startswith("openai:"):
        raise ConfigError(
            "there is no key for the endpoint",
            f"the environment variable {name} is empty",
            f"export {name}=..., or use http://HOST:PORT/v1#MODEL for a server without keys",
        )
    if not all("!" <= character <= "~" for character in value):
        raise ConfigError(
            "the key holds characters no header can carry", f"{name}, {len(value)} characters", "copy it again"
        )
    return Secret(value) if value else None


class Http:
    """A wire to a chat-completions endpoint. One connection pool, opened in the loop that first sends.

    aiohttp because it takes the least of a small machine's time per request; the throttle above is the only limit on
    connections.

    Args:
        address: See the top of this file.
        settings: Where and how fast.

    Raises:
        ConfigError: The address or the key cannot work; nothing was sent.
    """

    def __init__(self, address: str, settings: Endpoint) -> None:
        self.address = address
        base, self.model = parse_address(address, settings)
        self.url = f"{base}/chat/completions"
        self._key = find_key(address, settings)
        self._timeout = aiohttp.ClientTimeout(
            total=settings.timeout_s, sock_connect=min(_CONNECT_S, settings.timeout_s), sock_read=settings.timeout_s
        )
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once; a lost connection or a timeout is `Retryable`."""
        content = json.dumps(chat_completions.body(request, self.model), ensure_ascii=False).encode("utf-8", "replace")
        start = time.monotonic()
        try:
            answer = await self._post(content)
        except TimeoutError:
            return Retryable(f"no answer within {self._timeout.total:g} s", may_be_billed=True)
        except (aiohttp.ClientError, OSError) as error:
            # Only the type: the text of a client error may quote headers.
            was_sent = not isinstance(error, aiohttp.ClientConnectorError)
            return Retryable(f"the connection failed ({type(error).__name__})", may_be_billed=was_sent)
        if isinstance(answer, Retryable):
            return answer
        return replace(answer, seconds=time.monotonic() - start)

    async def close(self) -> None:
        """Close the connections; the next `send` opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, content: bytes) -> Reply | Failure | Retryable:
        headers = {"Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        # A redirect could carry the key to another host, so none is followed.
        async with self._open().post(self.url, data=content, headers=headers, allow_redirects=False) as response:
            received = await _read(response)
            if received is None:
                return Failure("terminal", f"the answer is longer than {_MOST_BYTES >> 20} MiB")
            if self._key is not None:
                received = self._key.hide(received)
            return chat_completions.read_answer(response.status, response.headers, received)

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout)
            self._loop = loop
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            return None
    return b"".join(parts)
