"""Before any question: is there a key, does something listen at the address, does it list the model."""

from __future__ import annotations

import asyncio
import difflib
import os
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from seedbed.models.address import SERVICES, find_key, find_proxy, parse_address
from seedbed.models.formats.reading import clean, items, mapping, parsed
from seedbed.models.probe.desk import Desk
from seedbed.models.probe.finding import Finding
from seedbed.models.wire import Endpoint

_CONNECT_S = 10.0
_MOST_BYTES = 4 << 20
"""A list of models is long at some services, and never this long."""


def where(address: str, settings: Endpoint, path: str) -> Finding:
    """What the address stands for."""
    base, model = parse_address(address, settings)
    return Finding("address", "ok", f"model {model} at {base}{path}")


def key(address: str, settings: Endpoint) -> Finding:
    """Whether a key goes along, and from which variable; never the key.

    Raises:
        ConfigError: A key is needed and not there, or no header can hold it.
    """
    service = SERVICES.get(address.partition(":")[0])
    name = settings.api_key_env or (service.key_variable if service else None)
    if name is None:
        fix = "if the server wants one: --set api_key_env=NAME_OF_THE_VARIABLE"
        return Finding("key", "ok", "none is sent, since no variable is named", fix)
    if find_key(address, settings) is None:
        return Finding("key", "no", f"the variable {name} is empty: none is sent", f"export {name}=...")
    return Finding("key", "ok", f"from {name}, {len(os.environ[name].strip())} characters")


def connection(desk: Desk) -> Finding:
    """Name, connection and TLS, with the time each took."""
    base, _ = parse_address(desk.address, desk.settings)
    proxy = find_proxy(base)
    url = urlsplit(proxy or base)
    host, is_tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    at = f"{host}:{port}" + (" (the proxy)" if proxy else "")
    try:
        said: str = desk.run(_connect(host, port, is_tls))
    except socket.gaierror:
        return Finding("reachable", "failed", f"no machine is called {host}", "check the name and the network")
    except ssl.SSLError as error:
        seen = clean(getattr(error, "verify_message", "") or error.reason or "no TLS")
        return Finding("reachable", "failed", f"{at}: {seen}", "check the certificate, or http and https")
    except TimeoutError:
        return Finding("reachable", "failed", f"{at}: no answer in {_CONNECT_S:g} s", "check port, firewall and proxy")
    except ConnectionRefusedError:
        return Finding("reachable", "failed", f"{at}: nothing listens there", "start the server, or check the port")
    except OSError as error:
        fix = "check host, port and network"
        return Finding("reachable", "failed", f"{at}: {clean(error.strerror or type(error).__name__)}", fix)
    return Finding("reachable", "ok", f"{at}: {said}")


async def _connect(host: str, port: int, is_tls: bool) -> str:
    loop, start = asyncio.get_running_loop(), time.monotonic()
    async with asyncio.timeout(_CONNECT_S):
        await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        named = time.monotonic()
        context = ssl.create_default_context() if is_tls else None
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        opened = time.monotonic()
        tls = writer.get_extra_info("ssl_object")
        writer.transport.abort()
    version = f" with {tls.version()}" if tls else ""
    return f"name in {1000 * (named - start):.0f} ms, connection{version} in {1000 * (opened - named):.0f} ms"


def listed(desk: Desk) -> Finding:
    """Whether the endpoint's own list has the model. Many servers have no list, so nothing here is a failure."""
    assert desk.http is not None
    base, model = parse_address(desk.address, desk.settings)
    try:
        status, content = desk.run(_get(f"{base}/models", desk))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Finding("model listed", "unknown", f"GET {base}/models: {type(error).__name__}")
    if status in (401, 403):
        return Finding("model listed", "unknown", f"{base}/models answers {status}", "check the key")
    found = mapping(parsed(content))
    entries = items(found.get("data")) or items(found.get("models"))
    names = [name for entry in entries if isinstance(name := mapping(entry).get("id"), str)]
    if status != 200 or not names:
        return Finding("model listed", "unknown", f"{base}/models answers {status} and lists no models")
    if model in names:
        return Finding("model listed", "ok", f"among {len(names)}" if len(names) > 1 else "the only one")
    near = difflib.get_close_matches(model, names, n=3, cutoff=0.5) or sorted(names)[:3]
    fix = f"its list has {', '.join(clean(name, 80) for name in near)}" + (", ..." if len(names) > len(near) else "")
    return Finding("model listed", "no", f"not among {len(names)}; some servers answer all the same", fix)


async def _get(url: str, desk: Desk) -> tuple[int, bytes]:
    assert desk.http is not None
    secret = find_key(desk.address, desk.settings)
    headers = desk.http.format.headers(secret)
    limit = aiohttp.ClientTimeout(total=_CONNECT_S)
    async with (
        aiohttp.ClientSession(timeout=limit, headers=headers, proxy=find_proxy(url)) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        content = b""
        while len(content) < _MOST_BYTES and (part := await response.content.readany()):
            content += part
        return response.status, secret.hide(content) if secret else content


def rate_limits(desk: Desk) -> Finding:
    """What the headers of the answers said about limits."""
    seen = {name: value for name, value in desk.books.limits.items() if "limit" in name.replace("ratelimit", "")}
    if not seen:
        return Finding("rate limits", "unknown", "no header tells them; the limit is found by trying")
    said = ", ".join(f"{name} {value}" for name, value in sorted(seen.items()))
    return Finding("rate limits", "ok", said, settings={"endpoint": _caps(seen)} if _caps(seen) else {})


def _caps(seen: dict[str, str]) -> dict[str, Any]:
    """Settings for those that are known to count by the minute: Anthropic's say so, OpenAI's may count by the day."""
    names = {
        "anthropic-ratelimit-requests-limit": "requests_per_minute",
        "anthropic-ratelimit-tokens-limit": "tokens_per_minute",
    }
    return {
        names[name]: int(value)
        for name, value in seen.items()
        if name in names and value.isascii() and value.isdigit() and int(value)
    }
