"""Takes assert statements apart, so that the program under test never sees what the right answer is.

    assert sorted(f([3, 1])) == [1, 3]

becomes a question for the program's process, `f([3, 1])`, and a condition on the answer, `sorted(_0) == [1, 3]`, which
is evaluated in another process that holds the values but not the program.
"""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.errors import DataError

KNOWN = frozenset(dir(builtins)) | {"math"}
"""Names that a condition may use by itself. Every other name is the program's, and asking for it is a question."""

_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda


@dataclass(frozen=True)
class Check:
    """One statement of a test.

    Attributes:
        text: The statement as it was written.
        questions: Expressions for the program's process, in order.
        condition: On the answers, which it calls `_0`, `_1`, ...; empty for a statement that is not an assert.
        sealed: Whether everything that says what is right stays out of the program's process.
    """

    text: str
    questions: tuple[str, ...]
    condition: str
    sealed: bool


def checks(text: str, entry_point: str = "", defined: frozenset[str] = frozenset()) -> list[Check]:
    """What one must ask and compare to know whether assert statements hold.

    Args:
        text: Statements. A function `check(candidate)` in the style of HumanEval is unrolled.
        entry_point: The function that such a `check` is about.
        defined: Names that the program defines, see `names_in`: one may be called `sum`.

    Raises:
        DataError: It is not Python, or claims nothing.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(
            "a test is not Python", f"{error}: {text[:200]!r}", "give assert statements as source text"
        ) from error
    found = [
        _assert(statement, defined) if isinstance(statement, ast.Assert) else _other(statement)
        for statement in _unrolled(body, entry_point)
    ]
    if not any(check.condition or not check.sealed for check in found):
        raise DataError("a test claims nothing", repr(text[:200]), "give at least one assert, or leave the test out")
    return found


def names_in(source: str) -> frozenset[str]:
    """Functions and classes that a program defines at its top. Found by their text: it need not even be Python."""
    return frozenset(re.findall(r"^(?:async +)?(?:def|class) +(\w+)", source, re.MULTILINE))


def _unrolled(body: Sequence[ast.stmt], entry_point: str) -> list[ast.stmt]:
    statements: list[ast.stmt] = []
    for statement in body:
        is_check = isinstance(statement, ast.FunctionDef) and statement.name == "check"
        if entry_point and isinstance(statement, ast.FunctionDef) and is_check:
            name = statement.args.args[0].arg if statement.args.args else "candidate"
            statements += ast.parse(f"{name} = {entry_point}").body
            statements += statement.body
        else:
            statements.append(statement)
    return statements


def _other(statement: ast.stmt) -> Check:
    """A statement to execute: it fails when it raises. Asserts within loops and `try` stay within, unsealed."""
    has_claim = any(isinstance(node, ast.Assert) for node in ast.walk(statement))
    return Check(ast.unparse(statement), (), "", sealed=not has_claim)


def _assert(statement: ast.Assert, defined: frozenset[str]) -> Check:
    asking = _Asking(defined & KNOWN)
    condition = asking.visit(ast.parse(ast.unparse(statement.test), mode="eval").body)
    sealed = not any(isinstance(node, ast.Compare) for question in asking.found for node in ast.walk(question))
    questions = tuple(ast.unparse(question) for question in asking.found)
    return Check(ast.unparse(statement), questions, ast.unparse(condition), sealed)


class _Asking(ast.NodeTransformer):
    """Replaces each largest expression that starts from a name of the program by the name of its answer."""

    def __init__(self, shadowed: frozenset[str]) -> None:
        self._shadowed = shadowed
        self.found: list[ast.expr] = []

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.GeneratorExp) and _names_program(node):
            return self._ask(
                ast.ListComp(node.elt, node.generators)
            )  # a list can leave the process, a generator cannot
        if isinstance(node, _Comprehension):
            return self._ask(node) if _names_program(node) else node
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript | ast.Name) and self._is_question(node):
            return self._ask(node)
        return self.generic_visit(node)

    def _is_question(self, node: ast.expr) -> bool:
        """Whether it starts from a name of the program.

        A program's own `abs` is asked only for what it makes of plain arguments: around an answer, as in
        `abs(f(2) - 1.5) < 0.1`, the real one is used, or a program could make any answer right.
        """
        root = _root(node)
        if root in self._shadowed and isinstance(node, ast.Call):
            return not any(_names_program(argument) for argument in node.args)
        return root is not None and root not in KNOWN

    def _ask(self, node: ast.expr) -> ast.Name:
        self.found.append(node)
        return ast.Name(f"_{len(self.found) - 1}", ast.Load())


def _root(node: ast.AST) -> str | None:
    """The name that an expression starts from; None where it starts from a constant or an operation."""
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _names_program(node: ast.AST) -> bool:
    """Whether an expression uses a name that is neither known nor its own, as a comprehension's variable is."""
    names = [name for name in ast.walk(node) if isinstance(name, ast.Name)]
    own = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    own |= {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    return any(name.id not in KNOWN | own for name in names)


def literal(value: object) -> str:
    """An expression whose value is a given plain value, the floats that have no literal included.

    Raises:
        DataError: It is no plain value.
    """
    if value is None or isinstance(value, (bool, int, str, bytes)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"float('{value}')"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        inner = "[" + ", ".join(literal(item) for item in value) + "]"
        return inner if isinstance(value, list) else f"{type(value).__name__}({inner})"
    if isinstance(value, complex):
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if type(value).__name__ == "Fraction":
        return f"__import__('fractions').Fraction('{value}')"
    raise DataError(
        "a test's value is no plain data", f"a {type(value).__name__}", "use numbers, text and containers of them"
    )
