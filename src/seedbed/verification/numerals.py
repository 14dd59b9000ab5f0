"""Numbers as people and models write them, read into exact fractions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 300
"""Digits of a number that are still read: a reply of a million nines must not be turned into an integer."""

_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅛": "1/8"}
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−‒–—﹣－", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f\u2007", " "),
        **dict.fromkeys("×⋅·∙", "*"),
        **dict.fromkeys("÷⁄∕", "/"),
        "’": "'",
        "％": "%",
        **{mark: f" {fraction}" for mark, fraction in _VULGAR.items()},
    }
)
_SPACED = re.compile(r"(?:(?<=[$€£¥])\d{1,3}(?: \d{3})+|(?<![\d.,/])\d{1,3}(?: 000)+)(?![\d.,]\d|\d)", re.ASCII)
"""Thousands grouped by blanks: only after a currency sign, or in full thousands; else "in 2 100 kg sacks" is one."""
_NUMBER = re.compile(
    r"""
    (?P<sign>(?<![\w)\]%])[-+])? (?:(?:\\?\$|[€£¥₹])\ ?(?P<negative>-)?)? (?<![A-Za-z_\d])
    (?: (?P<mixed>\d+)\ (?P<top>\d+)/(?P<bottom>\d+)(?![\d/])
      | (?P<whole>\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?P<decimals>\.\d+)?
      | (?P<bare>\.\d+) )
    (?: [eE](?P<exponent>[+-]?\d{1,3})(?!\w)
      | \ ?(?:[*x]|\\times|\\cdot)\ ?10\ ?(?:\^|\*\*)\ ?\{?(?P<power>-?\d{1,3})\}?
      | \ ?/\ ?(?P<under>\d+(?:\.\d+)?)(?![\d/]) )?
    (?P<percent>\ ?\\?%|\ percent\b)?
    (?:\ (?P<scale>thousand|million|billion|trillion)\b)?
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {name: value for value, name in enumerate(_UNITS.split())}
_SMALL |= {name: 10 * value for value, name in enumerate(_TENS.split(), 2)}
_WORD = re.compile(r"[a-z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Number:
    """A number found in a text: its exact value, where it stood, and whether a percent sign followed."""

    value: Fraction
    start: int
    end: int
    is_percent: bool = False


def plain(text: str) -> str:
    """The same text with one spelling for minus, times, division, blanks and the common printed fractions."""
    return _SPACED.sub(lambda number: number[0].replace(" ", ""), text.translate(_SIGNS))


def numbers_in(text: str) -> Iterator[Number]:
    """Every number written in digits, in order.

    Thousands are grouped by commas, decimals follow a point ("1,234.50"); fractions ("1/2", "2 1/2"), scientific
    notation ("1.2e5", "1.2 x 10^5") and scale words ("2 million") are one number. A minus belongs to the number when
    nothing that could be subtracted from stands before it. A percent sign is a unit: it changes no value.

    Args:
        text: Text after `plain`.

    >>> [str(number.value) for number in numbers_in("from $1,234.50 to -2 1/2, 5-3")]
    ['2469/2', '-5/2', '5', '3']
    """
    for match in _NUMBER.finditer(text):
        if match.end() - match.start() <= LONGEST and (value := _value(match)) is not None:
            yield Number(value, match.start(), match.end(), match["percent"] is not None)


def _value(match: re.Match[str]) -> Fraction | None:
    if match["mixed"]:
        bottom = int(match["bottom"])
        if bottom == 0:
            return None
        value = int(match["mixed"]) + Fraction(int(match["top"]), bottom)
    else:
        value = Fraction((match["whole"] or "0").replace(",", "") + (match["decimals"] or match["bare"] or ""))
    if power := match["exponent"] or match["power"]:
        value *= Fraction(10) ** int(power)
    if match["under"]:
        under = Fraction(match["under"])
        if under == 0:
            return None
        value /= under
    if match["scale"]:
        value *= _SCALES[match["scale"].lower()]
    return -value if (match["sign"] == "-") != (match["negative"] is not None) else value


def words_as_numbers(text: str) -> list[Fraction]:
    """Numbers spelled out in English, in order: "twenty-one", "two hundred and five", "three thousand".

    >>> [int(value) for value in words_as_numbers("Two hundred and five cats met twenty-one dogs.")]
    [205, 21]
    """
    found: list[Fraction] = []
    total, part, is_open = 0, 0, False
    for word in [*_WORD.findall(text.lower()), ""]:
        if word in _SMALL and not (is_open and _clashes(part, _SMALL[word])):
            part, is_open = part + _SMALL[word], True
        elif word in _SCALES and is_open:
            if word == "hundred":
                part *= 100
            else:
                total, part = total + part * _SCALES[word], 0
        elif not (word == "and" and is_open and part + total >= 100):
            if is_open:
                found.append(Fraction(total + part))
            total, part, is_open = 0, _SMALL.get(word, 0), word in _SMALL
    return found


def _clashes(part: int, more: int) -> bool:
    """Two number words in a row that are two numbers: "five six", "twenty ten"."""
    rest = part % 100
    return rest != 0 and not (rest >= 20 and rest % 10 == 0 and 0 < more < 10)
