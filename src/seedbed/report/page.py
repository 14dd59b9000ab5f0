"""The page around the sections, and the blocks that all of them are built of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from seedbed import __version__
from seedbed.report.html import Content, Markup, join, tag

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for this page: nothing. Even a mistake in the escaping could not send or fetch a thing."""


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; `name` is its anchor."""

    name: str
    title: str
    content: Content


@dataclass(frozen=True)
class Line:
    """One line of a table; the first cell is its heading."""

    cells: Sequence[Content]
    class_: str | None = None


def page(title: str, over: str, head: Content, sections: Sequence[Section | None]) -> str:
    """A whole HTML file.

    Args:
        title: The page's heading.
        over: A short line above it: what kind of report this is.
        head: What stands before the first section.
        sections: In order; None is left out.
    """
    kept = [section for section in sections if section is not None]
    way = tag("nav", tag("ul", [tag("li", tag("a", s.title, href=f"#{s.name}")) for s in kept]), aria_label="Sections")
    main = tag(
        "main",
        tag("p", over, class_="over"),
        tag("h1", title),
        head,
        way,
        [tag("section", tag("h2", s.title), s.content, id=s.name) for s in kept],
    )
    ending = tag(
        "footer", f"Written by seedbed {__version__}. This file stands alone: it loads nothing and runs no code."
    )
    style = Markup(resources.files("seedbed.report").joinpath("style.css").read_text(encoding="utf-8"))
    whole = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title),
            tag("style", style),
        ),
        tag("body", main, ending),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{whole}\n"


def table(
    caption: str, head: Sequence[Content], lines: Iterable[Line], *, text: Sequence[int] = (), last: Line | None = None
) -> Markup:
    """A table that scrolls by itself where it is wider than the page.

    Args:
        caption: What the table holds; also the name a screen reader gives it.
        head: Column headings.
        lines: One per row of the body; the first cell is its heading.
        text: Columns of words beside the first; the others are numbers and stand to the right.
        last: The sum, set apart.
    """
    left = {0, *text}
    heads = [tag("th", cell, scope="col", class_="left" if at in left else None) for at, cell in enumerate(head)]
    made = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", tag("tr", heads)),
        tag("tbody", [_line(one, left) for one in lines]),
        tag("tfoot", _line(last, left)) if last else None,
    )
    return tag("div", made, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _line(line: Line, left: set[int]) -> Markup:
    first, *rest = line.cells
    cells = [tag("td", cell, class_="words" if at in left else None) for at, cell in enumerate(rest, start=1)]
    return tag("tr", tag("th", first, scope="row"), cells, class_=line.class_)


def figure(title: str, note: Content, *content: Content) -> Markup:
    """A picture under what it shows and how to read it."""
    return tag("figure", tag("figcaption", title, tag("span", note) if note else None), *content)


def figures(*made: Markup | None) -> Markup:
    """Pictures side by side where there is room."""
    return tag("div", [one for one in made if one is not None], class_="figures")


def tiles(pairs: Sequence[tuple[str, Content]]) -> Markup:
    """A few numbers, large."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="tiles")


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Names beside what they are."""
    return tag("dl", [join([tag("dt", name), tag("dd", value)]) for name, value in pairs], class_="facts")


def folded(title: str, *content: Content) -> Markup:
    """Something for those who want to know more."""
    return tag("details", tag("summary", title), *content)


def lead(*content: Content) -> Markup:
    """The first words of a section."""
    return tag("p", *content, class_="lead")


def warning(*content: Content) -> Markup:
    """What a reader must not overlook."""
    return tag("p", *content, class_="warning")


def quote(text: object, *, longest: int = 700) -> Markup:
    """Text of a row, shown as it is; a long one is cut and says so."""
    said = str(text)
    if len(said) <= longest:
        return tag("p", said, class_="quote", dir="auto")
    left = f" … ({longest} of {len(said):,} characters)"
    return tag("p", said[:longest], tag("small", left), class_="quote", dir="auto")
