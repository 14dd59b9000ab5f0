"""The equations in a chain of thought, whatever words stand between their numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, zip_longest

from seedbed.verification.numerals import plain

LOOK = 20_000
"""Characters of a solution that are read; bounds the time on hostile text."""
DEEPEST = 20
"""Brackets inside brackets."""

_MARK = re.compile(r"<<([^<>\n]{1,200})>>")
_TOKEN = re.compile(
    r"(?P<mixed>\d{1,9} \d{1,3}/\d{1,3}(?![\d/]))"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!,?\d)|\d{1,30})(?:\.\d{1,30})?(?!\d)|(?<!\d)\.\d{1,30})"
    r"|(?P<word>[A-Za-z][A-Za-z'’]*)|(?P<sign>[-+*/=()])|(?P<percent>\\?%)|(?P<skip>[ \t$€£¥\\_~]+)|(?P<break>.)",
    re.ASCII | re.DOTALL,
)
_SPELLED = re.compile(
    r"(?<=\d) (plus|minus|times|multiplied by|divided by|equals|is equal to) (?=[$\d])", re.ASCII | re.IGNORECASE
)
_SIGNS = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/"}
_UNITS_BETWEEN = 5
"""Words between a number and the sign that goes on with it: "7 stickers on each page * 6"."""


@dataclass(slots=True)
class Part:
    """One side of an equation: its tokens, its numbers and its value."""

    tokens: list[str] = field(default_factory=list)
    operands: list[Fraction] = field(default_factory=list)
    """The numbers as written; a percentage is its number, "25%" is 25."""
    decimals: int = 0
    """Digits after the point of the last number: how far it may have been rounded."""
    has_percent: bool = False
    is_algebra: bool = False
    values: dict[int, Fraction | None] = field(default_factory=dict)
    """What `value_of` has found, by the meaning of a percent sign."""

    @property
    def is_sum(self) -> bool:
        """True when something was computed: more than one number."""
        return len(self.operands) > 1


@dataclass(frozen=True, slots=True)
class Equation:
    """`left = right` as it stood in the text, sides still unevaluated."""

    left: Part
    right: Part
    line: int
    is_marked: bool = False
    is_torn: bool = False
    """Something before it could not be read, so that its left side may lack a part: no evidence when it is wrong."""

    def __str__(self) -> str:
        return f"{shown(self.left)} = {shown(self.right)}"


@dataclass(frozen=True, slots=True)
class Chain:
    """All equations of a solution in order, and whether it holds others that cannot be computed ("5x = 20")."""

    equations: list[Equation]
    has_algebra: bool


def equations_of(solution: str) -> Chain:
    """The equations of a solution, in order; "a = b = c" is two.

    Read are calculator marks (`<<2*9=18>>`) and what is written out (`$2 * 9 = $18`, `2 x 9 eggs = 18 eggs`,
    `10% of 50 = 5`), with +, -, *, x, /, the printed signs, "plus", "times", brackets, percent signs, units and
    currency between. A side with a letter that stands for a number is algebra: it is noted and left out.

    Args:
        solution: What the model wrote; only the first `LOOK` characters are read.
    """
    equations: list[Equation] = []
    has_algebra = False
    for index, text in enumerate(plain(solution[:LOOK]).splitlines()):
        line = _SPELLED.sub(lambda sign: f" {_SIGNS.get(sign[1].lower(), '=')} ", text)
        marks = _MARK.findall(line)
        found = [(run, False) for run in _runs(_MARK.sub("", line))] if "=" in line else []
        for mark in marks:
            found += [(run, True) for run in _runs(mark)]
        for run, is_marked in found:
            has_algebra |= run.is_algebra
            for left, right in pairwise(run.sides):
                # "14 hours = 14 * 60" names or converts something: only a mark or a computation claims equality.
                is_readable = not (left.is_algebra or right.is_algebra)
                if is_readable and (is_marked or left.is_sum):
                    equations.append(Equation(left, right, index, is_marked, run.is_torn))
    return Chain(equations, has_algebra)


def value_of(part: Part, percent: int = 100) -> Fraction | None:
    """What a side comes to, exactly; None when it cannot be computed (division by zero, brackets that do not close).

    Args:
        part: The side.
        percent: What a percent sign divides by: 100, or 1 to read it as a unit.
    """
    if percent not in part.values:
        try:
            value, rest = _sum(part.tokens, 0, percent, 0)
            part.values[percent] = value if rest == len(part.tokens) else None
        except (ZeroDivisionError, IndexError, ValueError):
            part.values[percent] = None
    return part.values[percent]


@lru_cache(maxsize=4096)
def _exact(digits: str) -> Fraction:
    """Reading a fraction from text is the slowest part of a check, and the same numbers come again and again."""
    return Fraction(digits)


def shown(part: Part) -> str:
    """The side as text, one space between tokens."""
    return " ".join(part.tokens).replace("( ", "(").replace(" )", ")").replace(" %", "%")


def side_key(part: Part) -> str:
    """The side with its numbers in one spelling, and operands of + and * (through - and / too) sorted.

    >>> side_key(equations_of("16 - 3.0 - 4 = 9").equations[0].left)
    '16-3-4'
    """
    try:
        terms, rest = _terms(part.tokens, 0, 0)
    except (IndexError, ValueError):
        return "".join(part.tokens)
    return _joined(terms, "+-") if rest == len(part.tokens) else "".join(part.tokens)


@dataclass(slots=True)
class _Run:
    """Sides joined by "=", as far as they could be read."""

    sides: list[Part] = field(default_factory=list)
    is_algebra: bool = False
    is_torn: bool = False


def _runs(line: str) -> list[_Run]:
    reader = _Reader()
    tokens = [match for match in _TOKEN.finditer(line) if match.lastgroup != "skip"]
    for match, following in zip_longest(tokens, tokens[1:]):
        reader.take(match, following)
    reader.close()
    return reader.runs


class _Reader:
    """Goes through a line once and holds the side that is being read."""

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.run = _Run()
        self.part = Part()
        self.words = 0

    @property
    def is_after_number(self) -> bool:
        tokens = self.part.tokens
        return bool(tokens) and _ends_operand(tokens[-1])

    def take(self, match: re.Match[str], following: re.Match[str] | None) -> None:
        """Read one piece."""
        kind, piece = match.lastgroup, match[0]
        if kind == "number":
            self._number(piece.replace(",", ""))
        elif kind == "mixed":
            self._mixed(piece)
        elif kind == "word":
            self._word(match, following)
        elif kind == "sign":
            self._sign(piece, following)
        elif kind == "percent":
            if self.is_after_number:
                self.part.tokens.append("%")
                self.part.has_percent = True
        elif piece == "^":
            self.run.is_algebra = self.part.is_algebra = True
        elif piece not in ",:;" or following is None or following.lastgroup != "sign":
            self.close(is_sentence_end=piece == ".")

    def _number(self, digits: str) -> None:
        if self.is_after_number:
            # Two numbers with nothing to join them: the first belonged to the sentence, not to the equation.
            self.close()
        self.part.tokens.append("0" + digits if digits.startswith(".") else digits)
        self.part.operands.append(_exact(digits))
        self.part.decimals = len(digits.partition(".")[2])
        self.words = 0

    def _mixed(self, piece: str) -> None:
        whole, fraction = piece.split(" ")
        top, bottom = fraction.split("/")
        if self.is_after_number:
            self.close()
        self.part.tokens += ["(", whole, "+", top, "/", bottom, ")"]
        self.part.operands.append(Fraction(whole) + (Fraction(int(top), int(bottom)) if int(bottom) else 0))
        self.part.decimals, self.words = 0, 0

    def _word(self, match: re.Match[str], following: re.Match[str] | None) -> None:
        word, tokens = match[0].lower(), self.part.tokens
        goes_on = following is not None and (following.lastgroup in ("number", "mixed") or following[0] == "(")
        if self.is_after_number and goes_on and (word == "x" or (word == "of" and {"%", "/"} & set(tokens))):
            tokens.append("*")
        elif self._is_variable(match, following):
            self.run.is_algebra = self.part.is_algebra = True
        elif self.is_after_number and self.words < _UNITS_BETWEEN:
            self.words += 1
        elif tokens and tokens[-1] == "/" and self.part.operands:
            # "7 stickers/page": a unit, no division.
            tokens.pop()
            self.words += 1
        elif tokens or self.run.sides:
            self.close()

    def _is_variable(self, match: re.Match[str], following: re.Match[str] | None) -> bool:
        """True for a letter that stands for a number: glued to one ("5x"), or beside a sign ("x + 2")."""
        if len(match[0]) > 1:
            return False
        is_glued = match.start() > 0 and match.string[match.start() - 1].isdigit()
        is_operand = following is not None and following[0] in "+-*/^=" and following.start() - match.end() < 2
        return is_glued or (is_operand and not self.is_after_number)

    def _equals(self) -> None:
        tokens = self.part.tokens
        if self.is_after_number:
            while tokens[0] == "(" and tokens.count("(") > tokens.count(")"):
                # The bracket is the sentence's: "6 pets (4 + 2 = 6)".
                del tokens[0]
            self.run.sides.append(self.part)
        elif self.run.is_algebra:
            self.run.sides.append(Part(is_algebra=True))
        else:
            self.close()
        self.part, self.words = Part(), 0

    def _sign(self, sign: str, following: re.Match[str] | None) -> None:
        tokens = self.part.tokens
        if sign == "=":
            self._equals()
        elif sign in "+-*/" and self.is_after_number:
            tokens.append(sign)
        elif sign in "*/":
            self.close()
        elif sign == "(" and self.is_after_number:
            if following is not None and following.lastgroup == "number" and self.words == 0:
                tokens += ["*", "("]
            else:
                self.close()
        elif sign in "(-" or (self.is_after_number and "(" in tokens):
            tokens.append(sign)

    def close(self, is_sentence_end: bool = False) -> None:
        """End of a run: what was read so far stands, if it holds an equation."""
        tokens, was_computing = self.part.tokens, False
        while tokens and not _ends_operand(tokens[-1]):
            was_computing |= tokens.pop() in "+-*/"
        if self.part.operands and tokens:
            was_computing |= self.part.is_sum
            self.run.sides.append(self.part)
        if len(self.run.sides) > 1 or self.run.is_algebra:
            was_computing = self.run.is_algebra
            self.runs.append(self.run)
        self.run, self.part, self.words = _Run(is_torn=was_computing and not is_sentence_end), Part(), 0


def _ends_operand(piece: str) -> bool:
    return piece in ")%" or piece[-1].isdigit()


def _sum(tokens: list[str], position: int, percent: int, depth: int) -> tuple[Fraction, int]:
    value, position = _product(tokens, position, percent, depth)
    while position < len(tokens) and tokens[position] in "+-":
        more, after = _product(tokens, position + 1, percent, depth)
        value, position = (value + more if tokens[position] == "+" else value - more), after
    return value, position


def _product(tokens: list[str], position: int, percent: int, depth: int) -> tuple[Fraction, int]:
    value, position = _operand(tokens, position, percent, depth)
    while position < len(tokens) and tokens[position] in "*/":
        more, after = _operand(tokens, position + 1, percent, depth)
        value, position = (value * more if tokens[position] == "*" else value / more), after
    return value, position


def _operand(tokens: list[str], position: int, percent: int, depth: int) -> tuple[Fraction, int]:
    piece = tokens[position]
    if depth > DEEPEST:
        raise ValueError
    if piece == "-":
        value, position = _operand(tokens, position + 1, percent, depth + 1)
        return -value, position
    if piece == "(":
        value, position = _sum(tokens, position + 1, percent, depth + 1)
        if tokens[position] != ")":
            raise ValueError
        position += 1
    else:
        value, position = _exact(piece), position + 1
    if position < len(tokens) and tokens[position] == "%":
        return value / percent, position + 1
    return value, position


_Terms = list[tuple[int, str]]
"""Operands, each with 0 for the plain sign (+ or *) and 1 for its inverse (- or /)."""


def _joined(terms: _Terms, signs: str) -> str:
    text = "".join(signs[inverse] + operand for inverse, operand in sorted(terms))
    return text.removeprefix(signs[0])


def _terms(tokens: list[str], position: int, depth: int) -> tuple[_Terms, int]:
    terms: _Terms = []
    sign = 0
    while True:
        factors, position = _factors(tokens, position, depth)
        inner = factors[0][1] if len(factors) == 1 and factors[0][0] == 0 else _joined(factors, "*/")
        terms.append((sign, inner))
        if position >= len(tokens) or tokens[position] not in "+-":
            return terms, position
        sign, position = int(tokens[position] == "-"), position + 1


def _factors(tokens: list[str], position: int, depth: int) -> tuple[_Terms, int]:
    factors: _Terms = []
    sign = 0
    while True:
        operand, position = _factor(tokens, position, depth)
        factors.append((sign, operand))
        if position >= len(tokens) or tokens[position] not in "*/":
            return factors, position
        sign, position = int(tokens[position] == "/"), position + 1


def _factor(tokens: list[str], position: int, depth: int) -> tuple[str, int]:
    if depth > DEEPEST:
        raise ValueError
    piece = tokens[position]
    if piece == "-":
        operand, position = _factor(tokens, position + 1, depth + 1)
        return f"(-{operand})", position
    if piece == "(":
        terms, position = _terms(tokens, position + 1, depth + 1)
        inner = _joined(terms, "+-")
        operand, position = (inner if len(terms) == 1 else f"({inner})"), position + 1
    else:
        operand, position = str(_exact(piece)), position + 1
    if position < len(tokens) and tokens[position] == "%":
        return f"{operand}%", position + 1
    return operand, position
