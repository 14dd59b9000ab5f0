"""Run the code blocks of README.md and docs/, and compare the output that is shown with the real one.

python docs/run_blocks.py            exit 1 where a block fails or shows something else than it prints
python docs/run_blocks.py --write    put the real output into the files

A file's blocks run in order in one temporary folder that holds a copy of recipes/ and examples/. Python blocks share
one namespace. In bash blocks every line is a `seedbed` command; `# exits with 3` at its end says that it is meant to.
A `text` block that follows is what the block prints: all of it after Python; after bash, lines of it in their order,
where `...` stands for what was left out. A block after `<!-- not run: REASON -->` is left alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from seedbed.cli import main

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if path.parent.name != "reference"
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SKIP = re.compile(r"<!-- not run:((?:(?!-->).)*)-->\s*$", re.DOTALL)
_EXIT = re.compile(r"#\s*exits with (\d+)\s*$")


class Wrong(Exception):
    """A block does not do what the page says."""


@dataclass(frozen=True)
class Block:
    """A fenced block and the output shown after it."""

    language: str
    code: str
    line: int
    shown: str | None
    """The `text` block right after it; None where there is none."""
    shown_at: tuple[int, int]
    """Where the shown output stands in the file."""
    skipped: str | None
    """The reason why it is not run; None where it is."""


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, those that show output left out."""
    found = list(_FENCE.finditer(text))
    for number, match in enumerate(found):
        before = text[: match.start()]
        after = found[number + 1] if number + 1 < len(found) else None
        follows = after is not None and after[1] == "text" and not text[match.end() : after.start()].strip()
        skip = _SKIP.search(before)
        shown = after[2] if after is not None and follows else None
        span = after.span(2) if after is not None and follows else (0, 0)
        yield Block(match[1], match[2], before.count("\n") + 1, shown, span, skip[1].strip() if skip else None)


def run_file(path: Path, *, write: bool = False) -> None:
    """Run the blocks of one page.

    Raises:
        Wrong: A block fails, or shows something else than it prints.
    """
    text = path.read_text(encoding="utf-8")
    changes = run_text(text, path, write=write)
    for (start, end), printed in reversed(changes):
        text = text[:start] + printed + text[end:]
    if changes:
        path.write_text(text, encoding="utf-8")


def run_text(text: str, path: Path, *, write: bool = False) -> list[tuple[tuple[int, int], str]]:
    """Run the blocks of a text; with `write`, collect what is printed instead of comparing it."""
    changes: list[tuple[tuple[int, int], str]] = []
    with _workplace():
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for block in blocks(text):
            where = f"{path.relative_to(ROOT)}:{block.line}"
            if block.skipped is not None:
                if not block.skipped:
                    raise Wrong(f"{where}: say why the block is not run")
            elif block.language == "python":
                printed = _run_python(block, namespace, where)
                if block.shown is not None and write:
                    changes.append((block.shown_at, printed))
                elif block.shown is not None and block.shown != printed:
                    raise Wrong(f"{where}: shows\n{block.shown}\nbut prints\n{printed}")
            elif block.language in ("bash", "console", "sh"):
                printed = _run_commands(block, where)
                if block.shown is not None and write:
                    changes.append((block.shown_at, _refreshed(block.shown, printed)))
                else:
                    _compare_lines(block.shown, printed, where)
    return changes


def _run_python(block: Block, namespace: dict[str, Any], where: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        # Padding makes the line numbers of a traceback those of the page.
        code = compile("\n" * block.line + block.code, where, "exec", dont_inherit=True)
        exec(code, namespace)  # noqa: S102 - our own pages
    return printed.getvalue()


def _run_commands(block: Block, where: str) -> str:
    printed = ""
    for line in block.code.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ").strip()
        if not command or command.startswith("#"):
            continue
        if not command.startswith("seedbed"):
            raise Wrong(f"{where}: `{command}` is no seedbed command; put <!-- not run: REASON --> before the block")
        meant = _EXIT.search(command)
        result = CliRunner().invoke(main, shlex.split(command, comments=True)[1:])
        if result.exit_code != (int(meant[1]) if meant else 0):
            raise Wrong(f"{where}: `{command}` left with {result.exit_code}\n{result.output}")
        printed += result.stdout
    return printed


def _compare_lines(shown: str | None, printed: str, where: str) -> None:
    lines = iter(line.rstrip() for line in printed.splitlines())
    for line in (shown or "").splitlines():
        if line.strip() != "..." and line.rstrip() not in lines:
            raise Wrong(f"{where}: shows a line that is not printed, or not there:\n{line}\nprinted:\n{printed}")


def _refreshed(shown: str, printed: str) -> str:
    """The shown lines as they are printed now: each becomes the next printed line with the same first word."""
    lines = [line.rstrip() for line in printed.splitlines()]
    made = []
    for line in shown.splitlines():
        start = line.split()[:1]
        match = next((number for number, other in enumerate(lines) if other.split()[:1] == start), None)
        made.append(line if match is None else lines[match])
        lines = lines if match is None else lines[match + 1 :]
    return "".join(f"{line}\n" for line in made)


@contextlib.contextmanager
def _workplace() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("recipes", "examples"):
            shutil.copytree(ROOT / name, Path(folder) / name)
        with contextlib.chdir(folder):
            yield


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the real output into the files")
    parser.add_argument("files", nargs="*", type=Path, help="pages; all of them where none is named")
    asked = parser.parse_args()
    wrong = []
    for page in asked.files or FILES:
        try:
            run_file(page.resolve(), write=asked.write)
        except Wrong as error:
            wrong.append(str(error))
    sys.exit("\n\n".join(wrong) or 0)
