"""OpenAI's files and batches endpoints over HTTP: upload, create, look up, download. Blocking calls, one at a time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import aiohttp

from seedbed.errors import BoundaryError, EndpointRefused
from seedbed.models.address import find_key, find_proxy, parse_address
from seedbed.models.formats import format_of, reading
from seedbed.models.formats.faults import error_of, error_text, read_fault
from seedbed.models.wire import Endpoint, Retryable

_MOST_BYTES = 8 << 20
"""Far above what any answer but a file's content takes."""
_PAGE = 100
_MOST_PAGES = 50
"""Batches are listed newest first; 5,000 of them are two hours at the most that OpenAI lets anybody make."""
_CLOCKS_S = 3600.0
"""How far the service's clock may be behind ours."""
_LARGE_FILE = ("file is too large", "file_too_large", "too_many_tasks", "maximum file size")
QUEUE_FULL = ("token_limit_exceeded", "enqueued token")
"""How a service says that it has too many tokens of this model in its queue of batches."""

T = TypeVar("T")


class Passing(Exception):
    """The service could not answer just now. `wait_s` is what it asked for, None where it named no time."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message, wait_s)
        self.message, self.wait_s = message, wait_s


class Unseen(Passing):
    """The service does not see what was uploaded just before. It said no, so nothing was done."""


class Missing(Exception):
    """The service does not have the batch or the file."""


class TooLarge(Exception):
    """The service takes no batch of this size: never, or not while its queue is this full."""

    def __init__(self, message: str, *, is_for_good: bool = False) -> None:
        super().__init__(message)
        self.is_for_good = is_for_good


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a service would not run a file."""

    code: str
    message: str
    line: int | None
    """Counted from 1; None where it is not about one line."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the service says about a batch."""

    remote: str
    state: str
    """validating, in_progress, finalizing, cancelling; completed, failed, expired, cancelled once it has ended."""
    output_file: str
    """Empty where there is none: every request met an error, or the service gives an empty name."""
    error_file: str
    faults: tuple[Fault, ...]
    done: int

    @property
    def is_over(self) -> bool:
        """True once nothing will change any more."""
        return self.state in ("completed", "failed", "expired", "cancelled")


class BatchWire:
    """The batch endpoint of a service.

    A call blocks until the service answered. Requests run in a loop in a thread of their own, so that it works in
    a notebook, and so that Ctrl-C ends the wait at once.

    Args:
        address: The model's.
        settings: Where and in which format.

    Raises:
        ConfigError: The address or the key cannot work; nothing was sent.

    Source:
        OpenAI API reference, Batch and Files (2026). Differs: the metadata carry our own id of each batch, because
        an answer to a submit can be lost.
    """

    def __init__(self, address: str, settings: Endpoint) -> None:
        self.address = address
        self._base, self._model = parse_address(address, settings)
        self._key = find_key(address, settings)
        self._headers = format_of(address, settings).headers(self._key) | {"User-Agent": "seedbed"}
        self._proxy = find_proxy(self._base)
        self._usual = aiohttp.ClientTimeout(total=settings.timeout_s)
        # A file of 200 MB takes as long as it takes, as long as something moves.
        self._file = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=settings.timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def upload(self, path: Path, name: str) -> str:
        """Upload a file of requests and return the service's name of it."""
        found = self._do(self._upload(path, name))
        file = found.get("id")
        if not isinstance(file, str) or not file:
            raise Passing("the service gave the uploaded file no name")
        return file

    def create(self, input_file: str, endpoint: str, ours: str) -> Status:
        """Start a batch that carries our id.

        Raises:
            Missing: The service does not know the file, or has no batches: their words for the two are the same.
        """
        content = {
            "input_file_id": input_file,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": {"seedbed": ours},
        }
        return _status(self._do(self._json("POST", "/batches", json=content)))

    def look_up(self, remote: str) -> Status:
        """How far a batch has come."""
        return _status(self._do(self._json("GET", f"/batches/{_plain(remote)}")))

    def find(self, ours: str, since: float) -> Status | None:
        """The batch that carries our id, made after a time (seconds since 1970); None where there is none.

        Raises:
            BoundaryError: The service does not list its batches, so that nobody knows.
        """
        try:
            return self._find(ours, since)
        except (EndpointRefused, Missing, TooLarge) as error:
            seen = f"{error.problem} ({error.seen})" if isinstance(error, EndpointRefused) else str(error)
            raise BoundaryError(
                "whether a batch was made is not known: the service does not list its batches",
                f"{seen}; among its metadata the batch would have seedbed: {ours}",
                "run the same command again with a key that may list batches; it looks for this one first",
            ) from error

    def _find(self, ours: str, since: float) -> Status | None:
        after = ""
        for _ in range(_MOST_PAGES):
            query = {"limit": str(_PAGE)} | ({"after": after} if after else {})
            listed = self._do(self._json("GET", "/batches", params=query))
            found = [reading.mapping(each) for each in reading.items(listed.get("data"))]
            for each in found:
                if reading.mapping(each.get("metadata")).get("seedbed") == ours:
                    return _status(each)
            last = found[-1] if found else {}
            made_at, after = last.get("created_at"), str(last.get("id") or "")
            is_older = isinstance(made_at, int | float) and made_at < since - _CLOCKS_S
            if not after or not listed.get("has_more") or is_older:
                break
        return None

    def download(self, file: str, to: Path) -> None:
        """Write the content of one of the service's files to a path."""
        self._do(self._download(file, to))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        loop, thread, session = self._loop, self._thread, self._session
        self._loop = self._thread = self._session = None
        if loop is None or thread is None:
            return
        if session is not None:
            asyncio.run_coroutine_threadsafe(session.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    # -- in the loop ---------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="seedbed-batch", daemon=True)
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _upload(self, path: Path, name: str) -> dict[str, Any]:
        with path.open("rb") as file:
            form = aiohttp.FormData()
            form.add_field("purpose", "batch")
            form.add_field("file", file, filename=name, content_type="application/jsonl")
            return await self._json("POST", "/files", data=form, timeout=self._file)

    async def _json(self, method: str, path: str, **sent: Any) -> dict[str, Any]:
        async with self._asking(method, path, **sent) as response:
            content = self._hidden(await response.content.read(_MOST_BYTES))
            while part := await response.content.read(_MOST_BYTES):
                content += part
                if len(content) > _MOST_BYTES:
                    raise Passing("the service's answer is too long")
            found = reading.parsed(content)
            if not 200 <= response.status < 300:
                _complain(response.status, response.headers, found, content, path)
            if not isinstance(found, dict):
                raise Passing(f"the service's answer to {method} {path} is not a JSON object")
            return found

    async def _download(self, file: str, to: Path) -> None:
        path = f"/files/{_plain(file)}/content"
        async with self._asking("GET", path, timeout=self._file) as response:
            if not 200 <= response.status < 300:
                content = self._hidden(await response.content.read(_MOST_BYTES))
                _complain(response.status, response.headers, reading.parsed(content), content, path)
            with to.open("wb") as out:
                async for part in response.content.iter_any():
                    _write(out, part)

    @asynccontextmanager
    async def _asking(self, method: str, path: str, **sent: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer being received; whatever the network does to it is `Passing`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers, timeout=self._usual, cookie_jar=aiohttp.DummyCookieJar(), proxy=self._proxy
            )
        try:
            # OpenAI serves files itself; a redirect could carry the key to another host, so none is followed.
            async with self._session.request(method, f"{self._base}{path}", allow_redirects=False, **sent) as response:
                yield response
        except TimeoutError:
            raise Passing(f"no answer to {method} {path} in time") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            # Only the type: the text of a client error may quote headers.
            raise Passing(f"the connection failed at {method} {path} ({type(error).__name__})") from None

    def _hidden(self, content: bytes) -> bytes:
        return content if self._key is None else self._key.hide(content)


def _complain(status: int, headers: Mapping[str, str], found: Any, content: bytes, path: str) -> None:
    """Raise what an answer that is no success means.

    Raises:
        TooLarge, Missing, Passing, EndpointRefused: Always one of these.
    """
    error = error_of(found)
    text = error_text(error, found, content)
    seen = f"{status} at {path}: {text}"
    words = f"{error.get('code')} {text}".lower()
    if status == 413 or any(phrase in words for phrase in _LARGE_FILE):
        raise TooLarge(seen, is_for_good=True)
    if any(phrase in words for phrase in QUEUE_FULL):
        raise TooLarge(seen)
    if (status == 404 and path == "/files") or (status == 405 and path in ("/files", "/batches")):
        raise EndpointRefused("there is no batch endpoint at this address", seen, "set teacher.endpoint.batch: false")
    if status in (404, 410):
        raise Missing(seen)
    meant = read_fault(status, headers, found, content, path=path)
    if isinstance(meant, Retryable):
        raise Passing(f"{status} at {path}: {text}", meant.retry_after_s)
    raise EndpointRefused("the batch endpoint refuses what it was sent", seen, "set teacher.endpoint.batch: false")


def _write(out: BinaryIO, part: bytes) -> None:
    try:
        out.write(part)
    except OSError as error:
        fix = "free disk space there, or set TMPDIR to another disk; the same command goes on"
        raise BoundaryError("the results of a batch cannot be written", f"{out.name}: {error}", fix) from error


def _status(found: Mapping[str, Any]) -> Status:
    remote, state = found.get("id"), found.get("status")
    if not isinstance(remote, str) or not remote or not isinstance(state, str):
        raise Passing(f"the service's answer is no batch: {reading.clean(json.dumps(found, default=str))}")
    faults = reading.items(reading.mapping(found.get("errors")).get("data"))
    return Status(
        remote,
        state,
        _name(found.get("output_file_id")),
        _name(found.get("error_file_id")),
        tuple(_fault(reading.mapping(each)) for each in faults),
        reading.count(reading.mapping(found.get("request_counts")).get("completed")) or 0,
    )


def _fault(found: dict[str, Any]) -> Fault:
    line = found.get("line")
    message = reading.clean(str(found.get("message") or "no message"))
    return Fault(reading.clean(str(found.get("code") or ""), 80), message, line if type(line) is int else None)


def _name(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _plain(name: str) -> str:
    """A name that a service gave, as one part of a path: it must not lead anywhere else."""
    if name in ("", ".", ".."):
        raise Missing(f"nothing can be called {name!r}")
    return quote(name, safe="")
