"""Are two formulas the same? Asked by exact values at several points, never by running what a model wrote."""

from __future__ import annotations

import ast
import cmath
import math
import operator
import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from seedbed.randomness import stream
from seedbed.verification.numerals import plain

LONGEST = 400
"""Characters of a formula that is still read; longer ones equal only themselves."""
BITS = 4096
"""Size of the exact numbers: 9**9**9 is refused before it is computed."""
POINTS = 6

Value = Fraction | complex

_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "exp": cmath.exp,
    "log": cmath.log,
    "ln": cmath.log,
}
_CONSTANTS = {"pi": complex(math.pi), "e": complex(math.e), "i": 1j}
_NAMES = ("sqrt", "cbrt", "abs", *_FUNCTIONS, "pi")
_TOKEN = re.compile(rf"\s*(?:(\d+(?:\.\d+)?|\.\d+)|({'|'.join(_NAMES)}|[a-zA-Zα-ω])|(\*\*|[-+*/^()|]))")
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")
_ROOT = re.compile(r"\\sqrt\s*(?:\[(\d+)\])?\s*(?:\{([^{}]*)\}|(\w))")
_BARS = re.compile(r"\|([^|]*)\|")
_RADICAL = re.compile(r"√\s*(\w+)")
_WORDING = re.compile(
    r"\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}|\\(?:left|right|displaystyle|,|;|!|:|quad|\s)|\^\\circ|\\%|\$|%"
)
_SYMBOLS = {"\\cdot": "*", "\\times": "*", "\\div": "/", "\\pi": " pi ", "π": " pi ", "√": " sqrt ", "\\ln": " ln "}
_SET = {"\\{": "⟦", "\\}": "⟧"}


class _NoValue(Exception):
    """The formula has no value here: outside what is read, or undefined at this point."""


def same_expression(left: str, right: str) -> bool:
    """True when two formulas agree at every tried point, or are the same text.

    Polynomials, rational functions and anything made of them with roots, powers and the usual functions; LaTeX or
    plain ("\\frac{1}{2}x^2", "x*x/2", "2(x+1)"). Rational functions are compared exactly at random rational points of
    both signs, so two different ones pass with a chance below one in a million. Under roots and logarithms the
    variables are taken positive, values are floating point, and a relative difference of 1e-9 is none. Lists and
    tuples are compared part by part, bare lists and sets in any order.

    Args:
        left: One formula; an equation counts as its right side ("y = 2x" is "2x").
        right: The other.

    Returns:
        True when equal. False also for what cannot be read: only the same text is then the same answer.

    >>> same_expression("(x+1)^2", "x^2 + 2x + 1"), same_expression("\\\\frac{1}{\\\\sqrt{2}}", "sqrt(2)/2")
    (True, True)
    """
    left, right = _flat(left), _flat(right)
    if left.replace(" ", "") == right.replace(" ", ""):
        return left.strip() != ""
    if max(len(left), len(right)) > LONGEST:
        return False
    one, other = _parts(left), _parts(right)
    if len(one) != len(other) or _bracket(left) != _bracket(right):
        return False
    if len(one) == 1 or _bracket(left) in "([":
        return all(_same_part(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    return _same_set(one, other)


def _flat(text: str) -> str:
    """Plain notation for LaTeX: fractions, roots, signs, and nothing that only sets type."""
    text = plain(text[: 4 * LONGEST]).strip().rstrip(".")
    for brace, kept in _SET.items():
        text = text.replace(brace, kept)
    text = _BARS.sub(r"abs(\1)", _RADICAL.sub(r"((\1)**(1/2))", _WORDING.sub(" ", text)))
    for latex, spelled in _SYMBOLS.items():
        text = text.replace(latex, spelled)
    for _ in range(20):
        was = text
        text = _FRACTION.sub(lambda m: f"(({m[1] or m[2]})/({m[3] or m[4]}))", text)
        text = _ROOT.sub(lambda m: f"(({m[2] or m[3]})**(1/{m[1] or 2}))", text)
        text = re.sub(r"\^\s*\{([^{}]*)\}", r"**(\1)", text)
        if text == was:
            break
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return text.rpartition("=")[2].replace("⟦", "{").replace("⟧", "}").strip()


def _bracket(text: str) -> str:
    """How a list is written: "(" or "[" is ordered, "{" (also bare) is a set."""
    return text[0] if len(_parts(text)) > 1 and text[0] in "([" else "{"


def _parts(text: str) -> list[str]:
    """The parts of a list at its top level; a formula that is no list is its own only part."""
    inner = text[1:-1] if text[:1] in ("(", "[", "{") and text[-1:] in (")", "]", "}") else text
    parts, depth = [""], 0
    for letter in inner:
        depth += (letter in "([{") - (letter in ")]}")
        if depth < 0:
            return [text]
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if len(parts) > 1 or text[:1] == "{" else [text]


def _same_set(one: Sequence[str], other: Sequence[str]) -> bool:
    left = list(other)
    for mine in one:
        match = next((index for index, theirs in enumerate(left) if _same_part(mine, theirs)), None)
        if match is None:
            return False
        del left[match]
    return True


def _same_part(left: str, right: str) -> bool:
    if left.replace(" ", "") == right.replace(" ", ""):
        return left.strip() != ""
    one, other = _tree(left), _tree(right)
    if one is None or other is None:
        return False
    names = sorted({node.id for tree in (one, other) for node in ast.walk(tree) if isinstance(node, ast.Name)})
    is_rooted = _is_rooted(one) or _is_rooted(other)
    agreed = 0
    for point in range(POINTS):
        values = [_at(tree, _point(names, point, is_rooted)) for tree in (one, other)]
        if values[0] is None and values[1] is None:
            continue
        if values[0] is None or values[1] is None or not _close(values[0], values[1]):
            return False
        agreed += 1
    return agreed >= 3


def _tree(text: str) -> ast.expr | None:
    """The formula as a tree, or None. Every token is ours, so the parser meets no name, call or text of a model."""
    tokens: list[str] = []
    position, text = 0, text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        number, name, sign = match.groups()
        ends = bool(tokens) and (tokens[-1] == ")" or tokens[-1][-1].isalnum()) and tokens[-1] not in _CALLED
        if ends and (number or name or sign == "("):
            tokens.append("*")
        tokens.append(number or name or sign.replace("^", "**"))
        position = match.end()
    try:
        # A leading zero ("007") is an octal number to the parser; a number is therefore handed over as a float is.
        return ast.parse(" ".join(_handed(token) for token in tokens), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _is_rooted(tree: ast.expr) -> bool:
    """True when a negative variable could leave the real numbers: roots, logarithms, powers of no plain number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ROOTS:
            return True
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and not isinstance(node.right, ast.Constant):
            return True
    return False


_ROOTS = {"sqrt", "cbrt", "log", "ln"}
_CALLED = {"sqrt", "cbrt", "abs", *_FUNCTIONS}


def _handed(token: str) -> str:
    return f"'{token}'" if token[0].isdigit() or token[0] == "." else token


def _point(names: Sequence[str], point: int, is_positive: bool) -> dict[str, Fraction]:
    """Values of the variables, the same in every run; a third of the points are negative where that is allowed."""
    rng = stream(0, "point of a formula", point)
    values = {}
    for name in names:
        value = Fraction(int(rng.integers(3, 98)), int(rng.integers(2, 30)))
        values[name] = -value if point % 3 == 2 and not is_positive else value
    return values


def _at(tree: ast.expr, point: dict[str, Fraction]) -> Value | None:
    try:
        return _evaluate(tree, point)
    except (_NoValue, ArithmeticError, ValueError, RecursionError):
        return None


def _evaluate(node: ast.expr, point: dict[str, Fraction]) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return Fraction(node.value)
    if isinstance(node, ast.Name):
        return _CONSTANTS[node.id] if node.id in _CONSTANTS else point[node.id]
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand, point)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _combined(node.op, _evaluate(node.left, point), _evaluate(node.right, point))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        return _called(node.func.id, _evaluate(node.args[0], point))
    raise _NoValue


_OPERATORS: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _combined(sign: ast.operator, left: Value, right: Value) -> Value:
    if isinstance(sign, ast.Pow):
        return _power(left, right)
    if type(sign) not in _OPERATORS:
        raise _NoValue
    value = _OPERATORS[type(sign)](left, right)
    if isinstance(value, Fraction) and _bits(value) > BITS:
        raise _NoValue
    return value


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            if abs(exponent.numerator) * _bits(base) > BITS:
                raise _NoValue
            return Fraction(base**exponent.numerator)
        if (root := _exact_root(base, exponent.denominator)) is not None:
            return _power(root, Fraction(exponent.numerator))
    return complex(base) ** complex(exponent)


def _exact_root(value: Fraction, degree: int) -> Fraction | None:
    """The root where it is rational: 9/4 has one, 2 has none."""
    if value < 0 or degree > 64 or _bits(value) > 1000:
        return None
    parts = []
    for whole in (value.numerator, value.denominator):
        guess = round(whole ** (1 / degree))
        if guess**degree != whole:
            return None
        parts.append(guess)
    return Fraction(parts[0], parts[1])


def _called(name: str, value: Value) -> Value:
    if name == "abs":
        return abs(value) if isinstance(value, Fraction) else complex(abs(value))
    if name in ("sqrt", "cbrt"):
        return _power(value, Fraction(1, 2 if name == "sqrt" else 3))
    return complex(_FUNCTIONS[name](complex(value)))


def _close(left: Value, right: Value) -> bool:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    one, other = complex(left), complex(right)
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other), 1e-9)
