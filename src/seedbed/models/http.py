"""Requests over HTTP, in any of the wire formats, to any server that speaks one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from pydantic_core import PydanticSerializationError, to_json
from yarl import URL

from seedbed.models.address import find_key, find_proxy, parse_address
from seedbed.models.draws import Several, together
from seedbed.models.formats import Answer, format_of
from seedbed.models.wire import Endpoint, Retryable
from seedbed.request import Failure, Reply, Request

_MOST_BYTES = 8 << 20
"""Far above any answer; a server that streams without end must not fill our memory."""
_CONNECT_S = 30.0
_MOST_DIALECTS = 8
"""Times one request is put otherwise because the server refused a parameter."""
_PLAIN_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "seedbed",
}


class Http:
    """A wire to an endpoint. One connection pool, opened in the loop that first sends.

    aiohttp because it takes the least of a small machine's time per request; the throttle above is the only limit on
    connections. What the session can prepare once (URL, headers, proxy) is not prepared per request, there is no
    cookie jar, and one timer covers the whole request.

    Args:
        address: See the top of `seedbed.models.address`.
        settings: Where and how fast, and in which format.

    Raises:
        ConfigError: The address or the key cannot work; nothing was sent.
    """

    def __init__(self, address: str, settings: Endpoint) -> None:
        self.address = address
        base, self.model = parse_address(address, settings)
        self.format = format_of(address, settings)
        self.url = f"{base}{self.format.path}"
        self._url = URL(self.url)
        self._proxy = find_proxy(base)
        self._key = find_key(address, settings)
        self._timeout = aiohttp.ClientTimeout(
            total=settings.timeout_s, sock_connect=min(_CONNECT_S, settings.timeout_s)
        )
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: Request) -> Reply | Failure | Retryable:
        """Put one question once; a lost connection or a timeout is `Retryable`.

        A request for `Several` draws comes back as one `Shared` answer, or as the one fault that stands for all.
        """
        draws = request.draws if isinstance(request, Several) else 1
        try:
            answers = await self._ask(request, draws)
        except aiohttp.ConnectionTimeoutError:
            return Retryable(f"no connection within {self._timeout.sock_connect:g} s", is_unreachable=True)
        except TimeoutError:
            return Retryable(f"no answer within {self._timeout.total:g} s", may_be_billed=True)
        except (aiohttp.ClientError, OSError) as error:
            # Only the type: the text of a client error may quote headers.
            no_way = isinstance(error, aiohttp.ClientConnectorError)
            why = f"the connection failed ({type(error).__name__})"
            return Retryable(why, may_be_billed=not no_way, is_unreachable=no_way)
        return answers[0] if draws == 1 else together(answers)

    async def close(self) -> None:
        """Close the connections; the next `send` opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, request: Request, draws: int) -> list[Answer]:
        """Put a question; where the server refuses a parameter that can be put otherwise, do so at once."""
        start = time.monotonic()
        sent = self.format.body(request, draws)
        for _ in range(_MOST_DIALECTS):
            status, headers, content = await self._post(_encoded(sent))
            if status not in (400, 422):
                break
            self.format.learn(request, status, content, sent)
            body = self.format.body(request, draws)
            if body == sent:
                break
            sent = body
        if len(content) > _MOST_BYTES:
            why = f"unreadable answer: longer than {_MOST_BYTES >> 20} MiB"
            return [Retryable(why, may_be_billed=True, is_unreadable=True)]
        return self.format.read(status, headers, content, seconds=time.monotonic() - start, draws=draws)

    async def _post(self, content: bytes) -> tuple[int, Mapping[str, str], bytes]:
        # A redirect could carry the key to another host, so none is followed.
        async with self._open().post(self._url, data=content, allow_redirects=False) as response:
            received = await _read(response.content)
            if self._key is not None:
                received = self._key.hide(received)
            return response.status, response.headers, received

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
                timeout=self._timeout,
                headers=_PLAIN_HEADERS | self.format.headers(self._key),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=self._proxy,
            )
            self._loop = loop
        return self._session


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        return to_json(body)
    except PydanticSerializationError:  # half a surrogate pair, which no UTF-8 holds
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """The body; one that does not end within `_MOST_BYTES` is left there, a little longer than that."""
    part = await stream.readany()
    if stream.at_eof():
        return part  # as a rule it all came with the headers
    parts, size = [], 0
    while part and size <= _MOST_BYTES:
        parts.append(part)
        size += len(part)
        part = await stream.readany()
    return b"".join(parts)
