"""What a batch keeps on disk instead of in memory: the order of the answers, the lines that go out and come back."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from seedbed.errors import BoundaryError
from seedbed.models.formats import Format, reading
from seedbed.request import Request

_ENTRY = 17
"""Bytes of a request in the order's file: its key, and two bits."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_LONGEST_LINE = 16 << 20
"""Far above any answer; a server's line without an end must not fill our memory."""


class Place(NamedTuple):
    """A request in the order it was asked."""

    key: str
    was_owned: bool
    """Its answer was in the ledger when it was asked for."""
    is_constrained: bool = False


class Order:
    """The requests that were read and not yet answered to the caller, in order: 17 bytes each, in a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._head: deque[Place] = deque()
        self._read = self._written = 0

    def __len__(self) -> int:
        return len(self._head) + (self._written - self._read) // _ENTRY

    def extend(self, places: Iterable[Place]) -> None:
        """Add requests at the end."""
        packed = b"".join(bytes.fromhex(it.key) + bytes([it.was_owned + 2 * it.is_constrained]) for it in places)
        self._file.seek(self._written)
        try:
            self._file.write(packed)
        except OSError as error:
            raise _no_space("the order of the requests", self._file.name, error) from error
        self._written += len(packed)

    def head(self, most: int) -> list[Place]:
        """Up to so many of the first requests, at least one where there is any."""
        if not self._head:
            found = self._at(self._read, most)
            self._read += _ENTRY * len(found)
            self._head.extend(found)
        return list(islice(self._head, most))

    def scan(self, most: int) -> Iterator[list[Place]]:
        """All of them in order, so many at a time; none is added or dropped meanwhile."""
        if self._head:
            yield list(self._head)
        start = self._read
        while found := self._at(start, most):
            yield found
            start += _ENTRY * len(found)

    def _at(self, start: int, most: int) -> list[Place]:
        self._file.seek(start)
        packed = self._file.read(_ENTRY * most) or b""
        entries = (packed[at : at + _ENTRY] for at in range(0, len(packed), _ENTRY))
        return [Place(entry[:-1].hex(), bool(entry[-1] & 1), bool(entry[-1] & 2)) for entry in entries]

    def drop(self) -> None:
        """Forget the first request: it was answered."""
        self._head.popleft()
        if not len(self):
            self._file.truncate(0)
            self._read = self._written = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Result(NamedTuple):
    """One line of a batch's results."""

    key: str
    status: int
    """Of the request, as if it had been sent alone; 0 where it was not executed."""
    content: bytes
    """The body, or the words of the error."""


def line_of(key: str, request: Request, wire_format: Format, endpoint: str) -> bytes:
    """A request as one line of the file that goes out."""
    line = {"custom_id": key, "method": "POST", "url": endpoint, "body": wire_format.body(request)}
    return _encode(line).encode("utf-8", "replace") + b"\n"


def write_lines(lines: Iterable[bytes], to: Path) -> tuple[int, int]:
    """Write lines to a file; returns how many they were, and how many bytes."""
    count = size = 0
    try:
        with to.open("wb") as file:
            for line in lines:
                file.write(line)
                count, size = count + 1, size + len(line)
    except OSError as error:
        raise _no_space("the requests of a batch", str(to), error) from error
    return count, size


def read_results(path: Path) -> Iterator[Result]:
    """The results in a file, in its order; a line that makes no sense names no request and is left out."""
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            found = reading.mapping(reading.parsed(line))
            key = found.get("custom_id")
            if isinstance(key, str):
                yield _result(key, found)


def _result(key: str, found: dict[str, Any]) -> Result:
    response, error = reading.mapping(found.get("response")), reading.mapping(found.get("error"))
    status = response.get("status_code")
    if type(status) is int and status > 0:
        body = response.get("body")
        # Some services put the words of an error beside the status instead of into a body.
        content = body if body not in (None, "", {}) else {"error": response | {"body": None} | error}
        return Result(key, status, _encode(content).encode("utf-8", "replace"))
    words = f"{error.get('code') or 'no status'}: {error.get('message') or 'the request was not executed'}"
    return Result(key, 0, reading.clean(words).encode())


def _no_space(what: str, path: str, error: OSError) -> BoundaryError:
    fix = "free disk space there, or set TMPDIR to another disk; the same command goes on"
    return BoundaryError(f"{what} cannot be written", f"{path}: {error}", fix)
