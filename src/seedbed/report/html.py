"""Elements built from Python: all text is escaped unless this module made it.

Rows come from models and from files of strangers. Whatever they hold is text here: it cannot open a tag, leave an
attribute, or turn the direction of the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias, Union


class Markup(str):
    """Text that is already HTML. Only `tag` and `join` make it."""

    __slots__ = ()


Content: TypeAlias = Union[str, int, float, Iterable["Content"], None]  # noqa: UP007 - recursive

VOID = frozenset({"meta", "br", "hr", "col", "line", "path", "circle", "rect"})
"""Elements without content; those of SVG are closed like a tag that holds nothing."""

NOT_PRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What HTML forbids, and half characters that no UTF-8 file can hold."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9:-]*")


def escape(text: str) -> Markup:
    """The text as HTML shows it, safe between tags and inside a quoted attribute."""
    return Markup(html.escape(NOT_PRINTABLE.sub("�", text), quote=True))


def join(content: Content) -> Markup:
    """Content in order, escaped where it is not markup; None leaves nothing."""
    return Markup("".join(_flat(content)))


def tag(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """One element.

    Args:
        name: Such as "p" or "svg"; written here, never taken from data.
        content: Strings are escaped, markup is not, None is left out, lists are flattened.
        attributes: `class_` is class, `aria_label` is aria-label; True stands bare, None and False are left out.

    Raises:
        ValueError: A name has signs that no element or attribute name has.
    """
    given = "".join(_attributes(attributes))
    _check(name)
    if name in VOID and not content:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def number(value: float) -> str:
    """A coordinate: two decimals at most, so that a chart stays small."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _attributes(attributes: dict[str, str | float | bool | None]) -> Iterator[str]:
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        _check(name)
        if value is True:
            yield f" {name}"
        elif value is not None and value is not False:
            text = value if isinstance(value, str) else number(value)
            yield f' {name}="{escape(text)}"'


def _check(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an element or attribute")


def _flat(content: Content) -> Iterator[str]:
    if content is None:
        return
    if isinstance(content, Markup):
        yield content
    elif isinstance(content, str):
        yield escape(content)
    elif isinstance(content, (int, float)):
        yield escape(f"{content:,}")
    else:
        for part in content:
            yield from _flat(part)
