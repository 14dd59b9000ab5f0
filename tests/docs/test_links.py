"""Links between pages lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "experiments").rglob("*.md")),
]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    said = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in said}


def broken(page: Path) -> Iterator[str]:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        if not file.exists():
            yield target
        elif anchor and file.suffix == ".md" and anchor not in headings(file):
            yield target + anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_no_page_names_a_place_on_somebodys_machine() -> None:
    told = [*PAGES, *ROOT.rglob("recipes/**/*.yaml"), *ROOT.rglob("examples/*.py")]
    found = [page for page in told if re.search(r"(?<![\w./])/(work|home|root|tmp)/", page.read_text(encoding="utf-8"))]
    assert found == []
