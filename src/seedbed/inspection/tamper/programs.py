"""Defects of Python programs: off by one, another operator, another value returned.

Edits are made in the source itself, so comments and layout stay and give nothing away. Whether a change does harm is
for a run to say: a program may not notice `<` where `<=` stood. Hence all of these need a check.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

import numpy as np

from seedbed.inspection.tamper.edits import Edit, Operator, replaced, shuffled

ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "//": "/", "%": "//", "**": "*"}
COMPARISONS = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "=="}
EDGES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
SIGNS = re.compile(r"\*\*|//|<=|>=|==|!=|[+\-*/%<>]|\b(?:and|or)\b")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # as the parser counts; str.splitlines knows more
COMMENT = re.compile(r"#[^\n]*")
Span = tuple[int, int, str]


def off_by_one(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """A whole number one too high or too low, or an edge taken in or left out (`<` for `<=`)."""
    source = _Source(text)
    spans: list[Span] = []
    for node in source.nodes:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            spans.append((*source.span(node), str(node.value + (1 if rng.random() < 0.5 or node.value == 0 else -1))))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
            last = node.args[min(len(node.args), 2) - 1]
            start, end = source.span(last)
            inside = text[start:end] if isinstance(last, ast.Name | ast.Call | ast.Constant) else f"({text[start:end]})"
            spans.append((start, end, f"{inside} {'+' if rng.random() < 0.5 else '-'} 1"))
    spans += [(start, end, EDGES[sign]) for start, end, sign in source.signs() if sign in EDGES]
    yield from source.edits(shuffled(rng, spans))


def change_operator(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """Another arithmetic sign, a comparison turned round, `and` for `or`."""
    source = _Source(text)
    other = ARITHMETIC | COMPARISONS | {"and": "or", "or": "and"}
    spans = [(start, end, other[sign]) for start, end, sign in source.signs() if sign in other]
    yield from source.edits(shuffled(rng, spans))


def swap_return(text: str, rng: np.random.Generator) -> Iterator[Edit]:
    """Another value returned: a name of the same function, or two values in the other order."""
    source = _Source(text)
    spans: list[Span] = []
    for function in source.nodes:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = {
            node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        names |= {argument.arg for argument in function.args.args}
        for node in ast.walk(function):
            if not isinstance(node, ast.Return) or node.value is None:
                continue
            start, end = source.span(node.value)
            spans += [(start, end, name) for name in sorted(names) if name != text[start:end]]
            if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
                first, second = (text[slice(*source.span(part))] for part in node.value.elts)
                spans.append((start, end, f"({second}, {first})"))
            elif isinstance(node.value, ast.Compare | ast.Constant) and not names:
                spans.append((start, end, f"not ({text[start:end]})"))
    yield from source.edits(shuffled(rng, spans))


class _Source:
    """A program with places in characters; one that does not parse has no places."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            tree: ast.AST = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            tree = ast.Module([], [])
        # Nodes inside an f-string have no place of their own before Python 3.12.
        quoted = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
        self.nodes = [node for node in ast.walk(tree) if id(node) not in quoted]
        self.lines = LINE.findall(text)
        self.starts = np.cumsum([0, *map(len, self.lines)]).tolist()

    def place(self, line: int, column: int) -> int:
        """The parser counts columns in bytes of UTF-8."""
        before = self.lines[line - 1].encode()[:column].decode() if line <= len(self.lines) else ""
        return int(self.starts[line - 1]) + len(before)

    def span(self, node: ast.expr) -> tuple[int, int]:
        return (
            self.place(node.lineno, node.col_offset),
            self.place(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset),
        )

    def signs(self) -> Iterator[Span]:
        """Every sign that stands between two operands."""
        for node in self.nodes:
            match node:
                case ast.BinOp(left=left, right=right):
                    parts = [left, right]
                case ast.Compare(left=left, comparators=[right]):
                    parts = [left, right]
                case ast.BoolOp(values=[left, right, *_]):
                    parts = [left, right]
                case _:
                    continue
            start, end = self.span(parts[0])[1], self.span(parts[1])[0]
            between = COMMENT.sub(lambda comment: " " * len(comment.group()), self.text[start:end])
            if found := SIGNS.search(between):
                yield start + found.start(), start + found.end(), found.group()

    def edits(self, spans: Sequence[Span]) -> Iterator[Edit]:
        """The edits that still parse."""
        for start, end, now in spans:
            edit = replaced(self.text, start, end, now)
            try:
                ast.parse(edit.text)
            except (SyntaxError, ValueError, RecursionError):
                continue
            if edit.was != now:
                yield edit


PROGRAMS = (
    Operator("off by one", off_by_one, needs_check=True),
    Operator("operator", change_operator, needs_check=True),
    Operator("return", swap_return, needs_check=True),
)
