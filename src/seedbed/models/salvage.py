"""JSON values inside what a model wrote around and into them, mended only where one reading is possible.

What is mended: text and code fences around a value, commas before a closing bracket, line breaks inside strings,
Python's literals and quotation marks, typographic quotation marks around strings, names without any, comments.
What is not: an answer that breaks off (its end would be invented), a quotation mark or a backslash that should have
been escaped (two readings), a name that stands twice, NaN and Infinity (no JSON, RFC 8259). Text is read once from
left to right; no input takes longer than its length warrants.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

DEEPEST = 64
"""Levels of brackets. Deeper ones are an attack or a model in a loop, and readers downstream recurse."""
MOST_VALUES = 32
"""Values in one text. Where there are more, which one is the answer is a guess."""
MOST_BRACKETS = 1000
"""Brackets in one text that hold no JSON. Finding out costs up to its length for each."""


class NotJson(ValueError):
    """The text is no JSON; the message says why, in one line."""


class _Broken(NotJson):
    """A value that began and cannot be read on at `at`, although the text goes on."""

    def __init__(self, problem: str, at: int, *, is_meant: bool) -> None:
        super().__init__(problem)
        self.at, self.is_meant = at, is_meant


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value that stands in a text."""

    text: str
    """Strict JSON; numbers are spelled as they were."""
    value: Any
    is_fenced: bool
    """It opens a code fence, which is how models mark their answer."""


def read(text: str) -> Any:
    """The value of a text that is JSON in every detail.

    A name may stand twice in one object only with the same value: readers differ on which of two they take.

    Raises:
        NotJson: It is none, or has a number that is not finite, or more than `DEEPEST` levels.

    >>> read('{"stars": 4}')
    {'stars': 4}
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise NotJson(_reason(error)) from None
    _check(text, value)
    return value


def values(text: str) -> list[Candidate]:
    """The objects and lists that stand in a text, outermost only and in order.

    Brackets that hold no JSON, as in prose, are passed over; but once some value has begun between them, whatever is
    wrong with it is an error, because what can be read further on may then be a part of the answer only.

    Raises:
        NotJson: There is none, or one breaks off, cannot be read, or they are too many.
    """
    found: list[Candidate] = []
    broken: NotJson = NotJson("it is text without JSON")
    at = passed = 0
    while match := _OPENING.search(text, at):
        start = match.start()
        try:
            mended, value, at = _value_at(text, start)
        except _Broken as error:
            if error.is_meant:
                raise
            # On after what was read, not from the next bracket: a part of something broken is not the answer.
            broken, at, passed = error if not passed else broken, max(error.at, start + 1), passed + 1
        else:
            is_fenced = _FENCE_OPENS.search(text, max(0, start - 40), start) is not None
            found.append(Candidate(mended, value, is_fenced))
        if len(found) > MOST_VALUES or passed > MOST_BRACKETS:
            raise NotJson("it holds too many brackets to tell which are the answer")
    if not found:
        raise broken
    return found


def scalar(text: str) -> Candidate:
    """The number, text, truth value or null that a text consists of, code fence and blanks aside.

    Raises:
        NotJson: It is something else.
    """
    inner = unfenced(text.strip(_BLANKS))
    mender = _Mender(inner, 0)
    if inner[:1] in ("{", "["):
        raise NotJson("it is no plain value")
    mender.value(0)
    mender.blanks()
    if mender.at < len(inner):
        mender.broken("text after the value")
    mended = "".join(mender.out)
    return Candidate(mended, read(mended), inner is not text)


def unfenced(text: str) -> str:
    """Without the code fence around the whole text, where there is one."""
    if len(text) < 6 or not (text.startswith("```") and text.endswith("```")):
        return text
    first = text.find("\n")
    return (text[3:-3] if first < 0 else text[first + 1 : -3]).strip(_BLANKS)


def _value_at(text: str, start: int) -> tuple[str, Any, int]:
    """The value that begins with the bracket at `start`: as JSON, as data, and where it ends."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        mender = _Mender(text, start)
        mender.value(0)
        mended = "".join(mender.out)
        return mended, read(mended), mender.at
    _check(text[start:end], value)
    return text[start:end], value, end


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, NotJson):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return f"more than {DEEPEST} levels of brackets" if isinstance(error, RecursionError) else "a number is too long"


def _check(text: str, value: Any) -> None:
    """What the decoder lets pass."""
    if text.count("[") + text.count("{") > DEEPEST:
        layer, level = [value], 0
        while layer := [each for each in layer if isinstance(each, (dict, list))]:
            level += 1
            if level > DEEPEST:
                raise NotJson(f"more than {DEEPEST} levels of brackets")
            layer = [child for each in layer for child in (each.values() if isinstance(each, dict) else each)]
    if not text.isascii() or _HALF.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NotJson("half of a surrogate pair, which is no character") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] is not value and json.dumps(found[name]) != json.dumps(value):
                raise NotJson(f"the name {json.dumps(name[:80])} stands twice with different values")
    return found


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise NotJson(f"the number {number[:40]} is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_constant)
_OPENING = re.compile(r"[\[{]")
_FENCE_OPENS = re.compile(r"```[A-Za-z0-9_-]*\s*\Z")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_BLANKS = " \t\r\n\f\v\u00a0\u200b\ufeff"
_BLANK = re.compile(rf"[\s{_BLANKS}]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.+-])")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_WORDS = {
    "true": "true",
    "false": "false",
    "null": "null",
    "True": "true",
    "False": "false",
    "None": "null",
}
_CLOSING = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_PLAIN = {opening: re.compile(rf'[^"\\\x00-\x1f{opening}{closing}]*') for opening, closing in _CLOSING.items()}
_COMMENTS = {"//": "\n", "/*": "*/"}
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')


class _Mender:
    """Reads one value by a wider grammar than JSON's and writes it as JSON into `out`; strict reading comes after."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at
        self.out: list[str] = []
        self.is_meant = False
        """A value inside the outermost brackets has begun, or a quoted name: this is no prose."""

    def value(self, level: int) -> None:
        self.blanks()
        opening = self.here()
        if opening in "[{":
            self.is_meant = self.is_meant or level > 0
            self.container(level + 1)
        elif opening in _CLOSING:
            self.string(opening)
        elif number := _NUMBER.match(self.text, self.at):
            self.is_meant = True
            self.take(number)
        elif (word := _WORD.match(self.text, self.at)) and word[0] in _WORDS:
            self.is_meant = True
            self.out.append(_WORDS[word[0]])
            self.at = word.end()
        else:
            self.broken(f"{word[0][:40]} is no JSON" if word else "expected a value")

    def container(self, level: int) -> None:
        if level > DEEPEST:
            raise NotJson(f"more than {DEEPEST} levels of brackets")
        opening = self.here()
        closing = "}" if opening == "{" else "]"
        self.put(opening)
        is_first = True
        while True:
            self.blanks()
            if self.here() == closing:  # also right after a comma, which is then left out
                break
            if not is_first:
                self.out.append(",")
            if opening == "{":
                self.name()
            self.value(level)
            self.blanks()
            if self.here() != ",":
                break
            self.at += 1
            is_first = False
        if self.here() != closing:
            self.broken(f"expected a comma or {closing}")
        self.put(closing)

    def name(self) -> None:
        opening = self.here()
        if opening in _CLOSING:
            self.string(opening)
        elif word := _WORD.match(self.text, self.at):
            self.out.append(f'"{word[0]}"')
            self.at = word.end()
        else:
            self.broken("expected a quoted name")
        self.blanks()
        if self.here() != ":":
            self.broken("expected a colon")
        self.put(":")

    def string(self, opening: str) -> None:
        closing, plain = _CLOSING[opening], _PLAIN[opening]
        self.is_meant = True
        self.at += 1
        self.out.append('"')
        while True:
            run = plain.match(self.text, self.at)
            assert run is not None
            self.take(run)
            character = self.here()
            if character == closing and not self.is_apostrophe():
                break
            if character == "\\":
                self.escape()
            elif character == opening != closing and opening == "“":
                self.broken("a quotation mark inside a text must be escaped")
            else:
                self.out.append(character if character > '"' else json.dumps(character)[1:-1])
                self.at += 1
        self.out.append('"')
        self.at += 1

    def is_apostrophe(self) -> bool:
        """Between two letters no quotation can end."""
        before, after = self.text[self.at - 1], self.text[self.at + 1 : self.at + 2]
        return self.text[self.at] in "'’" and before.isalnum() and after.isalnum()

    def escape(self) -> None:
        if match := _ESCAPE.match(self.text, self.at):
            self.take(match)
        elif self.text.startswith("\\'", self.at):
            self.out.append("'")
            self.at += 2
        elif self.at + 1 == len(self.text):
            self.at += 1
            self.here()
        else:
            # `\d` could only be a backslash and a d; but whoever wrote that may have meant `\n` the same way.
            self.broken("a backslash inside a text must be doubled")

    def blanks(self) -> None:
        while True:
            blank = _BLANK.match(self.text, self.at)
            assert blank is not None
            self.at = blank.end()
            closing = _COMMENTS.get(self.text[self.at : self.at + 2])
            if closing is None:
                return
            end = self.text.find(closing, self.at + 2)
            self.at = end + len(closing) if end >= 0 else len(self.text)

    def here(self) -> str:
        if self.at >= len(self.text):
            raise NotJson("it breaks off before the JSON is complete")
        return self.text[self.at]

    def put(self, character: str) -> None:
        self.out.append(character)
        self.at += 1

    def take(self, match: re.Match[str]) -> None:
        self.out.append(match[0])
        self.at = match.end()

    def broken(self, problem: str) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - self.text.rfind("\n", 0, self.at)
        raise _Broken(f"{problem} at line {line}, column {column}", self.at, is_meant=self.is_meant)
