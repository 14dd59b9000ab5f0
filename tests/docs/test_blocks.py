"""Every code block in README.md and docs/ does what the page says."""

import re
from pathlib import Path

import pytest

from docs import run_blocks as runner

ROOT = runner.ROOT


def is_slow(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    ran = [block for block in runner.blocks(text) if block.skipped is None and block.language in ("bash", "console")]
    return any(re.search(r"seedbed (run|compare)", block.code) for block in ran)


PAGES = [
    pytest.param(path, id=str(path.relative_to(ROOT)), marks=[pytest.mark.slow] if is_slow(path) else [])
    for path in runner.FILES
    if path.exists()
]


@pytest.mark.parametrize("path", PAGES)
def test_the_blocks_of_a_page_run_and_print_what_is_shown(path: Path) -> None:
    runner.run_file(path)


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "but prints"),
        ("```bash\nrm -rf x\n```\n", "no seedbed command"),
        ("<!-- not run: -->\n```bash\nmake demo\n```\n", "say why"),
        ("```bash\nseedbed show nowhere\n```\n", "left with 2"),
        ("```bash\nseedbed --version\n```\n\n```text\nseedbed 0.0.0\n```\n", "not printed"),
    ],
)
def test_a_page_that_promises_too_much_is_refused(page: str, complaint: str) -> None:
    file = runner.ROOT / "docs" / "nowhere.md"
    with pytest.raises(runner.Wrong, match=complaint):
        runner.run_text(page, file)


def test_a_block_with_a_reason_is_left_alone() -> None:
    runner.run_text("<!-- not run: needs a key -->\n```bash\ncurl x\n```\n", runner.ROOT / "docs" / "nowhere.md")
