"""Arithmetic inside prose: chains such as `3 * 4 = 12` as exact fractions.

The reader would rather skip an equation than misread it: what it reads becomes an accusation. Words between a number
and an operator are units and left out; any other word ends an expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

TOKEN = re.compile(
    r"""(?P<clock>\d{1,2}:\d\d\b)
      | (?P<number>\$?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\$?\.\d+)(?P<letter>[A-Za-z](?![A-Za-z]))?(?P<percent>\s*%)?
      | (?P<equals>=)
      | (?P<power>\*\*|\^)
      | (?P<op>[+*/\u00d7\u00f7\u00b7\u2212\u2013-])
      | (?P<open>[(\[]) | (?P<close>[)\]])
      | (?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)
      | (?P<other>\S)""",
    re.VERBOSE,
)
SAME = {"\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-", "\u2013": "-", "^": "**"}
SCALES = {"hundred", "thousand", "million", "billion", "trillion", "dozen", "k", "half", "remainder", "mod"}
"""A number before one of these is not the number that was meant."""
NO_UNITS = SCALES | {"and", "or", "then", "so", "is", "are", "was", "we", "get", "left", "from", "to", "plus", "minus"}
MOST_DIGITS = 40
MOST_POWER = 64
Environment = Mapping[str, Fraction]


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of an expression. `kind`: number, name, op, open, close, or word for all that is not arithmetic."""

    kind: str
    text: str
    start: int
    end: int
    value: Fraction = Fraction(0)
    decimals: int = 0
    percent: bool = False
    spaced: bool = False
    """White space follows: `- 5` after a word takes something away, `-5` is a number."""


@dataclass(frozen=True, slots=True)
class Term:
    """One side of an equation."""

    tokens: tuple[Token, ...]
    known: bool = True
    """False where the text was seen but is not arithmetic for sure; nothing is then said about it."""

    @property
    def name(self) -> str | None:
        """The variable, where the side is nothing else."""
        return self.tokens[0].text if len(self.tokens) == 1 and self.tokens[0].kind == "name" else None

    @property
    def text(self) -> str:
        """The expression as it can be shown."""
        return " ".join(token.text for token in self.tokens)

    @property
    def has_percent(self) -> bool:
        """True when a percent sign leaves two readings open."""
        return any(token.percent for token in self.tokens)

    @property
    def slack(self) -> Fraction:
        """Half a unit of the last decimal of a single number: what rounding may have moved."""
        numbers = [token for token in self.tokens if token.kind == "number"]
        if len(numbers) == 1 and numbers[0].decimals and not any(token.kind == "op" for token in self.tokens[1:]):
            return Fraction(1, 2 * 10 ** numbers[0].decimals)
        return Fraction(0)


def tokens(text: str) -> Iterator[Token]:
    """Cut text into numbers, names, operators and the rest."""
    for found in TOKEN.finditer(text):
        kind, shown = found.lastgroup or "other", found.group()
        spaced = text[found.end() : found.end() + 1].isspace()
        place = (found.start(), found.end())
        if found["clock"]:
            yield Token("word", "k", *place)  # `k` so that nothing beside it is taken for a number
        elif found["number"]:
            yield from _number(found, place)
        elif kind == "word":
            plain = len(shown) == 1 and shown.isupper()
            yield Token("name" if plain else "word", shown, *place, spaced=spaced)
        elif kind in ("op", "power"):
            yield Token("op", SAME.get(shown, shown), *place, spaced=spaced)
        elif kind in ("open", "close"):
            yield Token(kind, "(" if kind == "open" else ")", *place)
        else:
            yield Token(kind if kind == "equals" else "word", shown, *place, spaced=spaced)


def _number(found: re.Match[str], place: tuple[int, int]) -> Iterator[Token]:
    digits = found["number"].lstrip("$").replace(",", "")
    if found["letter"] or len(digits) > MOST_DIGITS:  # `2x` is algebra, not two of something
        yield Token("word", "k", *place)
        return
    decimals = len(digits.partition(".")[2])
    yield Token("number", found.group(), *place, Fraction(digits), decimals, bool(found["percent"]))


def chains(text: str) -> list[list[Term]]:
    """Every chain of equal signs in a text: `a = b = c` is one chain of three sides.

    Returns:
        Chains of at least two sides each, in reading order; a side that cannot be read for sure is marked so.
    """
    pieces: list[list[Token]] = [[]]
    for token in tokens(text):
        if token.kind == "equals":
            pieces.append([])
        else:
            pieces[-1].append(token)
    found: list[list[Term]] = []
    chain: list[Term] = []
    for number, piece in enumerate(pieces):
        runs = _runs(_products(piece))
        whole = len(runs) == 1 and _unmatched(runs[0].inside) == (None, None)
        if number and whole:
            chain.append(_right(runs))
            continue
        if number:
            found.append([*chain, _right(runs)])
        chain = [_left(runs)]
    found.append(chain)
    return [chain for chain in found if len(chain) > 1]


@dataclass(frozen=True, slots=True)
class _Run:
    """Tokens of one expression, with the words on its two sides."""

    before: str
    inside: list[Token]
    after: str = ""
    mixed: bool = False
    """True after "1 and": then `1/4` is the smaller part of a number."""


def _products(piece: Sequence[Token]) -> list[Token]:
    """Turn the words that multiply into operators: `3 x 4`, `60 students x 2`, `20% of 50`."""
    found = list(piece)
    for at in range(1, len(found) - 1):
        near = found[max(at - 3, 0) : at] if found[at].text in ("x", "X", "times") else found[at - 1 : at]
        says = found[at].text in ("x", "X", "of", "times") and found[at + 1].kind in ("number", "open")
        if says and any(token.kind in ("number", "close") for token in near):
            found[at] = Token("op", "*", found[at].start, found[at].end)
    return found


def _runs(piece: Sequence[Token]) -> list[_Run]:
    """Cut a piece at its words. The first run begins at the equal sign before, the last ends at the one after."""
    runs = [_Run("", [])]
    for at, token in enumerate(piece):
        if token.kind != "word":
            runs[-1].inside.append(token)
        elif not _is_unit(piece, at):
            last = runs[-1]
            runs[-1] = _Run(last.before, last.inside, token.text, last.mixed)
            mixed = token.text == "and" and at > 0 and piece[at - 1].kind == "number"
            runs.append(_Run(token.text, [], mixed=mixed))
    return runs


def _is_unit(piece: Sequence[Token], at: int) -> bool:
    """True for the words between a number and what goes on with the expression, such as `3 red apples + 4`."""
    first = at
    while first > 0 and piece[first - 1].kind == "word":
        first -= 1
    last = at
    while last < len(piece) - 1 and piece[last + 1].kind == "word":
        last += 1
    words = piece[first : last + 1]
    if first == 0 or piece[first - 1].kind not in ("number", "close") or len(words) > 3:
        return False
    if any(not word.text.isalpha() or word.text.lower() in NO_UNITS for word in words):
        return False
    return last + 1 == len(piece) or piece[last + 1].kind in ("op", "close")


def _unmatched(inside: Sequence[Token]) -> tuple[int | None, int | None]:
    """Places of the first bracket that closes nothing and of the last one that is never closed."""
    opened: list[int] = []
    stray: int | None = None
    for at, token in enumerate(inside):
        if token.kind == "open":
            opened.append(at)
        elif token.kind == "close" and opened:
            opened.pop()
        elif token.kind == "close" and stray is None:
            stray = at
    return stray, opened[-1] if opened else None


def _left(runs: Sequence[_Run]) -> Term:
    """What stands before an equal sign: the expression after the last word, or inside the bracket still open.

    A number alone is not taken: it is more often the end of something that could not be read than a claim.
    """
    run = runs[-1]
    inside = run.inside
    stray, opened = _unmatched(inside)
    if opened is not None:
        inside = inside[opened + 1 :]
    elif inside and inside[0].kind == "op" and inside[0].spaced and len(runs) == 1:
        inside = inside[1:]  # the dash of a list
    leads_on = bool(inside) and inside[0].kind == "op" and inside[0].spaced
    says_more = any(token.kind in ("op", "name") for token in inside[1:]) or (inside and inside[0].kind == "name")
    known = stray is None and not leads_on and bool(says_more) and not run.mixed
    return Term(tuple(inside), known=known and run.before.lower() not in SCALES)


def _right(runs: Sequence[_Run]) -> Term:
    """What stands after an equal sign: the expression up to the first word, or up to a bracket opened before."""
    run = runs[0]
    stray, _ = _unmatched(run.inside)
    inside = run.inside if stray is None else run.inside[:stray]
    # `2 hours 30 minutes` is neither 2 nor 30.
    mixed = (
        stray is None and len(runs) > 1 and run.after.isalpha() and [t.kind for t in runs[1].inside[:1]] == ["number"]
    )
    return Term(tuple(inside), known=bool(inside) and run.after.lower() not in SCALES and not mixed)


def value(term: Term, named: Environment, percent: Fraction = Fraction(1, 100)) -> Fraction | None:
    """Exact value of one side; None where it cannot be read, names something unknown, or divides by zero.

    Args:
        term: Side of an equation.
        named: Values of the variables.
        percent: What a percent sign multiplies with: 1/100, or 1 where it is but a unit.
    """
    if not term.known:
        return None
    reader = _Reader(term.tokens, named, percent)
    try:
        found = reader.sum()
    except (_Unreadable, ZeroDivisionError):
        return None
    return found if reader.at == len(term.tokens) else None


class _Unreadable(Exception):
    """Not an expression; caught in `value`, never seen outside."""


class _Reader:
    """Recursive descent over tokens; `*` binds before `+`, and what binds alike goes from left to right."""

    def __init__(self, found: Sequence[Token], named: Environment, percent: Fraction) -> None:
        self.tokens, self.named, self.percent, self.at = found, named, percent, 0

    def peek(self) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        return "" if token is None else token.text if token.kind == "op" else token.kind

    def take(self) -> Token:
        if self.at >= len(self.tokens):
            raise _Unreadable
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self) -> Fraction:
        total = self.product()
        while self.peek() in ("+", "-"):
            sign = 1 if self.take().text == "+" else -1
            total += sign * self.product()
        return total

    def product(self) -> Fraction:
        total = self.signed()
        while self.peek() in ("*", "/", "open"):
            how = "*" if self.peek() == "open" else self.take().text
            by = self.signed()
            total = total * by if how == "*" else total / by
        return total

    def signed(self) -> Fraction:
        if self.peek() in ("+", "-"):
            sign = 1 if self.take().text == "+" else -1
            return sign * self.signed()
        return self.power()

    def power(self) -> Fraction:
        under = self.atom()
        if self.peek() != "**":
            return under
        self.take()
        by = self.signed()
        if by.denominator != 1 or abs(by) > MOST_POWER:
            raise _Unreadable
        return under ** int(by)

    def atom(self) -> Fraction:
        token = self.take()
        if token.kind == "number":
            return token.value * (self.percent if token.percent else 1)
        if token.kind == "name" and token.text in self.named:
            return self.named[token.text]
        if token.kind == "open":
            inside = self.sum()
            if self.take().kind == "close":
                return inside
        raise _Unreadable
