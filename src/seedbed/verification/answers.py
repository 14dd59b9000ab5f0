"""Final answers: which one a solution gives, and whether two are the same. No text makes anything here raise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from seedbed.errors import ConfigError
from seedbed.verification.expressions import same_expression
from seedbed.verification.numerals import numbers_in, plain, words_as_numbers

Kind = Literal["number", "expression", "text", "choice"]
How = Literal["boxed", "hashes", "stated", "whole text", "last line", "last number", "last letter"]

LOOK = 20_000
"""Characters at the end of a solution in which its answer is looked for; bounds the time on hostile text."""
SHORT = 200
"""Characters of a text that can be an answer as it stands."""

_NEXT_PROBLEM = re.compile(r"\n\s*(?:Q|Question|Problem)\s*\d{0,4}\s*:")
_STATED = re.compile(
    r"\b(?:final\s+answer|answer)\b\s{0,3}(?:\([^()\n]{0,40}\)\s{0,3})?(?:is\b|was\b|:|=)"
    r"|^[ \t>*_]{0,8}(?:A|Ans|ans)[ \t*_]{0,3}(?::|=)",
    re.IGNORECASE | re.MULTILINE,
)
_HASHES = re.compile(r"####[ \t]*")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_DATE = re.compile(r"(?<!\d)(\d{1,2})/(\d{1,2})/(\d{4})(?!\d)")
_LETTER = re.compile(
    r"^(?:option|choice|answer)?\s{0,3}(?:[\(\[]\s?([A-Za-z])\s?[\)\]]|([A-Za-z])(?=[).:,]|$)|([B-HJ-Z])(?=\s))",
    re.IGNORECASE,
)
_MARKED_LETTER = re.compile(r"\(([A-Z])\)|(?<=\s)([A-Z])\.?$")
_THING = re.compile(r"(?:option|choice)\s{1,3}\(?([A-Za-z])\b", re.IGNORECASE)
_ARTICLES = {"a", "an", "the"}


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and how it was marked; a guess is what stood last, not what was called the answer."""

    answer: str
    how: How

    @property
    def is_guess(self) -> bool:
        """True when nothing in the text marked this as the answer."""
        return self.how in ("last line", "last number", "last letter")


def final_answer(text: str, kind: Kind, choices: Sequence[str] = ()) -> str | None:
    """The answer that a solution ends with, or None; see `find_answer`, which also says how it was found.

    Args:
        text: What the model wrote, of any length; only the last `LOOK` characters are read.
        kind: What an answer is.
        choices: The options' texts in order, for kind "choice".

    Returns:
        number: digits as an exact value ("1234", "7/2"). choice: the capital letter. expression and text: as written.

    Raises:
        ConfigError: No such kind. Never on account of the text.

    >>> final_answer("16 - 3 - 4 = 9, so she makes 9 * 2 = $18.", "number")
    '18'
    >>> final_answer("The answer is (b).", "choice"), final_answer("A: a dog", "choice", ["a cat", "a dog"])
    ('B', 'B')
    """
    found = find_answer(text, kind, choices)
    return None if found is None else found.answer


def find_answer(text: str, kind: Kind, choices: Sequence[str] = ()) -> Found | None:
    """The answer and how it was marked.

    The last mark in the text counts: `\\boxed{X}`, `#### X`, "the answer is X", "Answer: X", a line "A: X". Without
    any mark, the last number, the last line or the last "(C)" is taken, and `is_guess` says so. What follows a new
    question ("Q:" at the start of a line) is another problem and is not read.

    Args:
        text: As in `final_answer`.
        kind: As in `final_answer`.
        choices: As in `final_answer`.

    Raises:
        ConfigError: No such kind.
    """
    if kind not in get_args(Kind):
        raise ConfigError("no such kind of answer", repr(kind), f"one of {', '.join(get_args(Kind))}")
    text = plain(_first_problem(text)[-LOOK:]).strip()
    if not text:
        return None
    marked = _marked(text)
    for span, how in marked:
        if (answer := _read(span, kind, choices)) is not None:
            return Found(answer, how)
    # An option that is not offered after "A:" must not make the "A" of the mark itself the answer.
    return None if marked and kind == "choice" else _unmarked(text, kind, choices)


def same_answer(found: str, right: str, kind: Kind) -> bool:
    """True when two answers mean the same.

    number: equal values, whatever the commas, currency, unit, percent sign or notation ("$3.50" is "7/2"); decimals
    that only a machine tells apart (0.30000000000000004) are equal, a rounded one (0.33 for 1/3) is not.
    expression: see `expressions.same_expression`. text: equal but for case, articles, punctuation, blanks and zeros in
    a date (05/01/2021 is 5/1/2021). choice: the same letter; turn an option's text into its letter with `final_answer`.

    Args:
        found: The model's answer.
        right: The gold answer.
        kind: What an answer is.

    Raises:
        ConfigError: No such kind. Never on account of the text.
    """
    if kind == "expression":
        return same_expression(found, right)
    mine, theirs = canonical(found, kind), canonical(right, kind)
    return mine is not None and mine == theirs


def canonical(answer: str, kind: Kind) -> str | None:
    """The one spelling that all answers with the same meaning share, so that equal answers can be counted as text.

    For kind "expression" only blanks are taken out: there is no one spelling for equal formulas.

    Returns:
        The spelling, or None where the text is no answer of this kind.

    Raises:
        ConfigError: No such kind.

    >>> canonical("$1,234.50", "number"), canonical("The Eiffel Tower.", "text"), canonical("(b)", "choice")
    ('2469/2', 'eiffel tower', 'B')
    """
    if kind not in get_args(Kind):
        raise ConfigError("no such kind of answer", repr(kind), f"one of {', '.join(get_args(Kind))}")
    answer = plain(answer[:LOOK]).strip()
    if kind == "number":
        return _number(answer)
    if kind == "choice":
        return _letter(answer, 26) or _same_text(answer) or None
    return ("".join(answer.split()) if kind == "expression" else _same_text(answer)) or None


def _first_problem(text: str) -> str:
    """The text up to where the model goes on with a problem of its own."""
    start = len(text) - len(text.lstrip())
    match = _NEXT_PROBLEM.search(text, start)
    return text[: match.start()] if match and text[: match.start()].strip() else text


def _marked(text: str) -> list[tuple[str, How]]:
    """What stands after each mark, the last mark first."""
    spans: list[tuple[int, str, How]] = [
        (match.start(), _braced(text, match.end()), "boxed") for match in _last(_BOXED, text)
    ]
    spans += [(match.start(), _tail(text, match.end()), "hashes") for match in _last(_HASHES, text)]
    spans += [(match.start(), _tail(text, match.end()), "stated") for match in _last(_STATED, text)]
    return [(span, how) for _, span, how in sorted(spans, key=lambda found: -found[0])]


def _last(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """The last few matches: a text that says "the answer is" a thousand times is not read a thousand times."""
    return list(pattern.finditer(text))[-5:]


def _tail(text: str, start: int) -> str:
    """The rest of the line, or the next line where the mark ended its own."""
    rest = text[start : start + 4 * SHORT].lstrip(" \t*_:")
    if rest.startswith("\n"):
        rest = rest.lstrip()
    return rest.partition("\n")[0].strip()


def _braced(text: str, start: int) -> str:
    depth = 1
    for position in range(start, min(len(text), start + 4 * SHORT)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return text[start:position].strip()
    return _tail(text, start)


def _read(span: str, kind: Kind, choices: Sequence[str]) -> str | None:
    if kind == "number":
        return _number(span)
    if kind == "choice":
        return _choice(span, choices)
    if kind == "text" and len(span) > SHORT:
        return None
    if kind == "text" and (date := _DATE.match(_bare(span))):
        return date[0]
    return _bare(span) or None


def _unmarked(text: str, kind: Kind, choices: Sequence[str]) -> Found | None:
    line = text.rpartition("\n")[2].strip()
    if kind == "number":
        values = [found.value for found in numbers_in(text)]
        if values:
            return Found(_spelled(values[-1]), "last number")
        words = words_as_numbers(text)
        return Found(_spelled(words[-1]), "last number") if words else None
    if kind == "choice":
        return _unmarked_choice(text, choices)
    if kind == "text" and (dates := _DATE.findall(line)):
        return Found("/".join(dates[-1]), "whole text" if _DATE.fullmatch(text) else "last line")
    if not (answer := _bare(line)) or len(line) > SHORT:
        return None
    return Found(answer, "whole text" if line == text else "last line")


def _unmarked_choice(text: str, choices: Sequence[str]) -> Found | None:
    said = [first or last for first, last in _MARKED_LETTER.findall(text)]
    marked = [letter for letter in said if _is_offered(letter, len(choices))]
    is_short = len(text) <= SHORT and len(set(marked)) < 2
    if is_short and (letter := _choice(text, choices)) is not None:
        return Found(letter, "whole text")
    return Found(marked[-1], "last letter") if marked else None


def _bare(span: str) -> str:
    """Without the wrapping: emphasis, quotation marks, a full stop, dollars around a formula."""
    span = span.strip().strip("*_`").strip()
    if span.endswith(".") and not span.endswith(".."):
        span = span[:-1].rstrip()
    for left, right in (("$", "$"), ('"', '"'), ("“", "”"), ("'", "'"), ("\\(", "\\)"), ("**", "**")):
        if len(span) > len(left + right) and span.startswith(left) and span.endswith(right):
            span = span[len(left) : -len(right)].strip()
    if boxed := _BOXED.match(span):
        return _braced(span, boxed.end())
    return span


def _number(span: str) -> str | None:
    """The value of the first number after the last equals sign, in digits or else in words."""
    last = re.sub(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", span.rpartition("=")[2] or span)
    last = re.sub(r"^([^\w\s]{0,3})-\s+(?=[\d$.])", r"\1-", last.replace("{,}", ",").replace("\\!", "").strip())
    for found in numbers_in(last):
        return _spelled(found.value)
    words = words_as_numbers(last[:SHORT])
    return _spelled(words[0]) if words else None


def _spelled(value: Fraction) -> str:
    # What floating point left over (0.1 + 0.2) is rounded off; a third written with seven digits becomes a third.
    return str(value if value.denominator == 1 else value.limit_denominator(10**6))


def _choice(span: str, choices: Sequence[str]) -> str | None:
    """The letter of an option named by its text, else by its letter, else by being the only option contained."""
    said, options = _same_text(_bare(span)), [_same_text(choice) for choice in choices]
    if said and options.count(said) == 1:
        return chr(65 + options.index(said))
    if (letter := _letter(_bare(span), len(choices))) is not None:
        return letter
    if (match := _THING.search(span)) and _is_offered(match[1], len(choices)):
        return match[1].upper()
    padded = f" {said} "
    held = [index for index, option in enumerate(options) if option and f" {option} " in padded]
    # "New York City" also contains "New York": the longest one that holds the others is meant.
    longest = [index for index in held if all(options[other] in options[index] for other in held)]
    return chr(65 + longest[0]) if len(longest) == 1 and longest[0] < 26 else None


def _letter(span: str, count: int) -> str | None:
    match = _LETTER.match(span)
    letter = next(filter(None, match.groups()), None) if match else None
    if letter is None or not _is_offered(letter, count):
        return None
    # "a dog" and "I think" begin with words, not with options.
    return letter.upper() if match and (match[3] is None or letter.isupper()) else None


def _is_offered(letter: str, count: int) -> bool:
    return count == 0 or ord(letter.upper()) - 65 < count


def _same_text(text: str) -> str:
    """Case, articles, punctuation and blanks taken out; signs that carry meaning ("C++", "-5", "3.5") stay."""
    text = _DATE.sub(lambda date: f"{int(date[1]):02d}/{int(date[2]):02d}/{date[3]}", text)
    whole = text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<!\d)\.|\.(?!\d)|(?<=\S)-|-(?!\d)|[^\w\s.+#%&@*$€£<>=^°-]|_", " ", text)
    words = text.split()
    return " ".join([word for word in words if word not in _ARTICLES] or words) or whole
