"""The annotated map of the program for README.md, from the first sentence of every module."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "seedbed"
BEGIN, END = "<!-- map: begin, written by docs/generate.py -->\n", "<!-- map: end -->\n"

OTHERS = {
    "pocket/weights": "The trained models and their card; made by experiments/pocket",
    "pocket/words.txt": "The words a pocket model knows, one a line",
    "py.typed": "The package is typed.",
    "report/style.css": "Looks of the report, light and dark.",
}
"""Files that are no modules and cannot speak for themselves."""


def with_map(page: str) -> str:
    """The page with today's map between its marks."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n```text\n{tree()}\n```\n\n{END}{after}"


def tree() -> str:
    """Every file of the program with what it is for, highest floor first: a module imports only from lower ones."""
    lines = ["src/seedbed/"]
    for name in floors():
        path = SRC / name
        if not path.is_dir():
            lines.append(line(1, path.with_suffix(".py")))
            continue
        lines.append(line(1, path))
        lines += [line(depth, inner) for inner, depth in walk(path, 2)]
    return "\n".join([*lines, line(1, SRC / "py.typed")])


def floors() -> list[str]:
    """Modules and folders of the program in the order of the import contract."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    return [name for layer in contract["layers"] for name in re.split(r"\s*[|:]\s*", layer)]


def walk(folder: Path, depth: int) -> Iterator[tuple[Path, int]]:
    """Files of a folder, then its folders with theirs."""
    found = sorted(path for path in folder.iterdir() if path.name not in ("__init__.py", "__pycache__"))
    for path in sorted(found, key=Path.is_dir):
        yield path, depth
        # Weights are files of one kind: the folder's line says it all.
        if path.is_dir() and path.name != "weights":
            yield from walk(path, depth + 1)


def line(depth: int, path: Path) -> str:
    """One line of the map."""
    name = "  " * depth + path.name + ("/" if path.is_dir() else "")
    return f"{name:<26}{meaning(path)}"


def meaning(path: Path) -> str:
    """The first sentence of a module, or of a folder's `__init__`."""
    relative = path.relative_to(SRC).as_posix()
    if relative in OTHERS:
        return OTHERS[relative]
    module = path / "__init__.py" if path.is_dir() else path
    said = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").splitlines()[0]
    return re.split(r"(?<=[a-z`)])\. ", said)[0].rstrip(".")
