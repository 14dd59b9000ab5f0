"""Where a model answers and with which key: `openai:NAME`, `anthropic:NAME`, `http(s)://HOST/v1#NAME`.

openai:MODEL                     OpenAI, or what OPENAI_BASE_URL or the settings name; always with a key
anthropic:MODEL                  Anthropic, or what ANTHROPIC_BASE_URL or the settings name; always with a key
http://HOST:PORT/v1#MODEL        any other server; with a key only when the settings name its variable, so that
https://HOST/v1#MODEL            no service's key is ever sent to somebody else because it happened to be set
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from seedbed.errors import ConfigError
from seedbed.models.wire import Endpoint

FORMS = "use openai:MODEL, anthropic:MODEL or http://HOST:PORT/v1#MODEL"


@dataclass(frozen=True, slots=True)
class Service:
    """What an address with a name of its own stands for."""

    base_url: str
    base_variable: str
    key_variable: str


SERVICES = {
    "openai": Service("https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "anthropic": Service("https://api.anthropic.com/v1", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
}
SCHEMES = (*SERVICES, "http", "https")


class Secret:
    """A key that shows itself only to who asks for it by name: not in repr, str, format, pickles or tracebacks."""

    __slots__ = ("_bytes", "_value")

    def __init__(self, value: str) -> None:
        self._value, self._bytes = value, value.encode()

    def reveal(self) -> str:
        """The key itself, for the one header that carries it."""
        return self._value

    def hide(self, content: bytes) -> bytes:
        """Blank the key where a server quotes it back."""
        # A short one ("EMPTY", "ollama") is a placeholder, and blanking it would damage answers that hold the word.
        return content if len(self._bytes) < 8 else content.replace(self._bytes, b"***")

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> str:
        raise TypeError("a key is not written anywhere; open the model again instead")


def is_on_http(address: str) -> bool:
    """Whether the model at an address is asked over HTTP."""
    return address.partition(":")[0] in SCHEMES


def parse_address(address: str, settings: Endpoint) -> tuple[str, str]:
    """Base URL (without a trailing slash) and model name of an address.

    Raises:
        ConfigError: No model name, no host, a scheme that is not http or https, or a key inside the URL.
    """
    scheme, _, rest = address.partition(":")
    service = SERVICES.get(scheme)
    if service is not None:
        base, model = settings.base_url or os.environ.get(service.base_variable) or service.base_url, rest
    else:
        base, _, model = address.partition("#")
    url = _web_address(base)
    if not model.strip():
        raise ConfigError("the address names no model", address, FORMS)
    base = base.rstrip("/")
    if scheme == "anthropic" and url.path.rstrip("/").rpartition("/")[2] != "v1":
        base += "/v1"  # Anthropic's own packages take the base URL without it
    return base, model.strip()


_ENDS = ("/completions", "/responses", "/messages")
"""What a format adds itself."""


def _web_address(base: str) -> SplitResult:
    try:
        url = urlsplit(base)
        port_is_fine = url.port != 0
    except ValueError:
        raise ConfigError("the address is not a web address", base, FORMS) from None
    if not port_is_fine or url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError("the address is not a web address", base, FORMS)
    if url.path.rstrip("/").endswith(_ENDS):
        raise ConfigError(
            "the address goes on behind its base URL", base, "leave the end off: http://HOST:PORT/v1#MODEL"
        )
    if url.username or url.password or url.query:
        seen = f"user name, password or ? in {url.hostname}"
        raise ConfigError("a base URL must not carry a key", seen, "set api_key_env")
    return url


def find_key(address: str, settings: Endpoint) -> Secret | None:
    """The key for this address from its environment variable; None where none is to be sent.

    Raises:
        ConfigError: The address of a service and an empty variable, or a key that no header can hold.
    """
    service = SERVICES.get(address.partition(":")[0])
    name = settings.api_key_env or (service.key_variable if service else None)
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value and service is not None:
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


def find_proxy(base_url: str) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY name for a base URL; None on this machine and where NO_PROXY
    says so. Looked up once per model: the environment does not change under a run."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return None if proxy is None or proxy_bypass(host) else proxy
