"""Is the reasoning right, not only the answer: every equation of a chain, checked without a model."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from seedbed.similarity import normalise
from seedbed.verdict import Verdict
from seedbed.verification.answers import find_answer
from seedbed.verification.equations import LOOK, Chain, Equation, equations_of, side_key, value_of
from seedbed.verification.numerals import numbers_in, plain, words_as_numbers

BY = "step checker"

PASSED, FALSE_EQUATION, LOOSE_ANSWER, UNKNOWN_NUMBER = 0.95, 0.02, 0.1, 0.2

ALWAYS = (0, 1, 2, 100)
"""Numbers that any step may use: nothing, the whole, a half or a double, and per cent."""

CONSTANTS: dict[str, tuple[int, ...]] = {
    "second": (60, 3600),
    "minute": (60,),
    "hour": (60, 24),
    "day": (24, 7, 30, 31, 365),
    "week": (7, 4, 52, 5),
    "weekend": (2,),
    "month": (12, 30, 4, 31, 28),
    "year": (12, 52, 365, 366, 10),
    "decade": (10,),
    "century": (100,),
    "dozen": (12,),
    "pair": (2,),
    "couple": (2,),
    "inch": (12, 36),
    "foot": (12, 3, 5280),
    "feet": (12, 3, 5280),
    "yard": (3, 36),
    "mile": (5280, 1760),
    "ounce": (16,),
    "pound": (16, 2000),
    "gallon": (4, 8, 16),
    "quart": (4, 2, 32),
    "pint": (2, 8),
    "cup": (8, 16),
    "kilometer": (1000,),
    "meter": (100, 1000),
    "kilogram": (1000,),
    "gram": (1000,),
    "liter": (1000,),
    "ton": (1000, 2000),
    "penny": (1,),
    "nickel": (5,),
    "dime": (10,),
    "quarter": (4, 25),
    "half": (2,),
    "twice": (2,),
    "double": (2,),
    "triple": (3,),
    "thrice": (3,),
    "third": (3,),
    "quadruple": (4,),
    "fourth": (4,),
    "fifth": (5,),
    "sixth": (6,),
    "seventh": (7,),
    "eighth": (8,),
    "ninth": (9,),
    "tenth": (10,),
    "average": (2, 3, 4),
    "square": (4,),
    "rectangle": (4,),
    "triangle": (3,),
    "cube": (6, 3),
    "degree": (360, 180, 90),
    "leg": (4,),
    "wheel": (4,),
    "car": (4,),
    "bicycle": (2,),
    "tricycle": (3,),
    "spider": (8,),
    "finger": (10, 5),
    "both": (2,),
    "twin": (2,),
}
"""Numbers that a step may use when the problem or the solution names the unit or thing that they belong to."""

_PARTS = {
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
}
_WORD = re.compile(r"[a-z]+")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?!\d)")
_SCALED = re.compile(r"(?<![\d.,])(\d{1,9}(?:\.\d{1,9})?) (?=million|thousand|billion|hundred)")
_MONEY_OR_PERCENT = re.compile(r"[$%¢£€]|cent|dollar|nickel|dime|quarter", re.IGNORECASE)
_FRACTION = re.compile(r"(?<![\d/])(\d{1,4})\s?/\s?(\d{1,4})(?![\d/])")


def check_steps(problem: str, solution: str) -> Verdict:
    """Say whether a chain of equations leads from the problem's numbers to its answer.

    Three things are checked, and the first that fails is the reason:

    1. Every equation is true. A result with decimals may be rounded or cut off in its last place. A percent sign may
       be read as hundredths or as a unit. "16 - 3 = 13 - 4 = 9" is false: an equals sign claims equality.
    2. Every number in it stands in the problem (digits, words, a percentage also as its decimal or as what is left of
       the whole), is the result of an earlier equation, or is a constant: `ALWAYS`, or `CONSTANTS` whose unit or thing
       the text names (7 only where weeks or days are spoken of).
    3. The answer is the result of the last equation, or of an earlier one that no later one goes on from; a result
       with decimals may be rounded to a whole.

    What it does not see: a step that is true, uses numbers at hand, and makes no sense ("16 + 2" where "16 * 2" was
    meant). So use it beside the gold answer: it finds right answers reached by wrong steps. Where the solution uses
    algebra ("5x = 20"), a number of unknown origin is no evidence, and the checker abstains.

    How strict that is, measured: of GSM8K's 8,792 gold solutions 91.6 % pass, 5.0 % are flagged (0.9 % for an
    equation that is mostly false as written, 3.7 % for a number that a reader infers, such as three friends named one
    by one) and the checker abstains from 3.4 %. Of 5,276 solutions by GPT-3, 1.9 % of those with the right answer are
    flagged and 13.5 % of those with a wrong one. Change one number of a gold solution and leave its answer: 87 % are
    flagged.

    Args:
        problem: The question; empty skips the second check.
        solution: The chain of thought with its final answer.

    Returns:
        The verdict; `p_good` is None where there is no equation to check. It is a grade, not a frequency: 0.95 all
        good, 0.2 a number from nowhere, 0.1 an answer that does not follow, 0.02 a false equation.

    Source:
        The check of calculator marks is that of Cobbe et al. 2021, arXiv:2110.14168. Differs: equations written out
        are checked too, and where their numbers come from.

    >>> check_steps("Tom has 12 pens and buys 30.", "12 + 30 = 42. The answer is 42.").p_good
    0.95
    >>> check_steps("Tom has 12 pens and buys 30.", "12 + 30 = 43. The answer is 43.").reason
    'false: 12 + 30 = 43'
    """
    chain = equations_of(solution)
    if not any(equation.left.is_sum for equation in chain.equations):
        return Verdict(None, "no equation to check", BY)
    if (wrong := _false_equation(chain)) is not None:
        return Verdict(FALSE_EQUATION, f"false: {wrong}", BY, evidence=str(wrong))
    if problem.strip() and (stray := _stray_number(problem, solution, chain)) is not None:
        number, equation = stray
        reason = f"{number} comes from nowhere in {equation}"
        if chain.has_algebra:
            return Verdict(None, f"algebra that cannot be checked, and {reason}", BY, evidence=str(equation))
        return Verdict(UNKNOWN_NUMBER, reason, BY, evidence=str(equation))
    return _ending(solution, chain)


def step_key(solution: str) -> str:
    """What makes two solutions the same reasoning: their set of equations, whatever the words around them.

    Same: other wording, units, currency, notation of a number ("1,200" and "1200.0"), operands of + and * in another
    order (also through a chain of - and /), independent steps in another order, an equation said twice (as GSM8K's
    calculator marks do). Not the same: a step split in two ("16 - 3 - 4 = 9" against "3 + 4 = 7, 16 - 7 = 9"), another
    path to the same answer, brackets that change what is computed first.

    Returns:
        Equations in sorted order, joined by "; ". Without any equation it is "text: " and the `text_key`, so that
        solutions in words alone are told apart by their words.

    >>> step_key("First 3 + 12 = 15 pens. Then 15 * 2 = 30.") == step_key("2 x 15 = 30, since 12 + 3 = 15.")
    True
    """
    chain = equations_of(solution)
    keys = {f"{side_key(equation.left)}={side_key(equation.right)}" for equation in chain.equations}
    return "; ".join(sorted(keys)) if keys else f"text: {text_key(solution)}"


def text_key(solution: str) -> str:
    """The text without case, punctuation and spacing: the strictest notion of "the same solution".

    Calculator marks go too, but numbers and signs of arithmetic stay: "3 + 4" and "3 * 4" are two solutions.

    >>> text_key("So  3 + 4 = <<3+4=7>>7!") == text_key("so 3+4=7")
    True
    """
    text = re.sub(r"<<[^<>\n]*>>", "", plain(solution))
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    signs = re.sub(r"(?<=\d)\.(?=\d)", " point ", text).replace("+", " plus ").replace("*", " times ")
    signs = re.sub(r"\s-\s|(?<=\d)-(?=\d)", " minus ", signs)
    return normalise(re.sub(r"(?<=[\d\s])/(?=[\d\s])", " over ", signs))


def _false_equation(chain: Chain) -> Equation | None:
    results = {(equation.line, value_of(equation.right)) for equation in chain.equations if equation.is_marked}
    for equation in chain.equations:
        if _holds(equation):
            continue
        # Beside a mark with the same result, the words of the line were misread; the mark is what was computed.
        is_misread = not equation.is_marked and (equation.line, value_of(equation.right)) in results
        if not (is_misread or equation.is_torn):
            return equation
    return None


def _holds(equation: Equation) -> bool:
    for percent in (100, 1) if equation.left.has_percent or equation.right.has_percent else (1,):
        left, right = value_of(equation.left, percent), value_of(equation.right, percent)
        if left is None or right is None:
            continue
        last_place = Fraction(1, 10**equation.right.decimals) / (percent if equation.right.has_percent else 1)
        # Calculators leave 99.00000000000001 behind.
        noise = abs(left) / 10**12 if equation.right.decimals > 8 else 0
        if left == right or (equation.right.decimals and abs(left - right) < max(last_place, noise)):
            return True
    # A percentage computed without its "* 100": 12 / 48 = 25%.
    left, right = value_of(equation.left), value_of(equation.right)
    return left is not None and left == right


def _stray_number(problem: str, solution: str, chain: Chain) -> tuple[str, Equation] | None:
    given, words = _given(problem[:LOOK])
    known = given | _constants(words | frozenset(_WORD.findall(solution[:LOOK].lower())))
    for equation in chain.equations:
        # What was computed on the left may be written out again on the right: 3 + 2 * 10 = 3 + 20.
        part = equation.left if equation.left.is_sum or not equation.right.is_sum else equation.right
        strays = [operand for operand in part.operands if operand not in known]
        if strays and not equation.is_torn:
            return _decimal(strays[0]), equation
        known |= _results(equation)
    return None


# A pool holds many solutions of one problem.
@lru_cache(maxsize=1024)
def _given(problem: str) -> tuple[frozenset[Fraction], frozenset[str]]:
    """The problem's numbers with what a reader takes from them without a step, and its words."""
    text = plain(problem)
    known = {Fraction(int(part)) for clock in _CLOCK.findall(text) for part in (*clock, "".join(clock))}
    known |= set(words_as_numbers(text)) | {Fraction(digits) for digits in _SCALED.findall(text)}
    found = list(numbers_in(text))
    for number in found:
        known.add(abs(number.value))
        if number.is_percent:
            known |= {100 - number.value, 100 + number.value}
    known.add(Fraction(len(found)))
    for top, bottom in ((Fraction(int(a)), Fraction(int(b))) for a, b in _FRACTION.findall(text)):
        known |= {top, bottom, abs(bottom - top)}
    words = frozenset(_WORD.findall(text.lower()))
    for part in {_PARTS[word.removesuffix("s")] for word in words if word.removesuffix("s") in _PARTS}:
        known |= {Fraction(top, part) for top in range(1, part)}
    if "and a half" in text.lower():
        known |= {value + Fraction(1, 2) for value in known}
    known |= {1 / value for value in known if value and (value <= 12 or value.denominator > 1)}
    if _MONEY_OR_PERCENT.search(text):
        hundredths = {value / 100 for value in known}
        known |= hundredths | {1 - share for share in hundredths} | {1 + share for share in hundredths}
        known |= {100 * value for value in known} | {100 / value for value in known if value > 1} | {Fraction(1, 100)}
    return frozenset(known), words


def _constants(words: frozenset[str]) -> set[Fraction]:
    return set(_FREE).union(*(_NAMED[word] for word in words & _NAMED.keys()))


def _by_form() -> dict[str, frozenset[Fraction]]:
    """The constants of each form of a word ("hours", "inches", "tripled"), with their unit fractions."""
    found: dict[str, frozenset[Fraction]] = {}
    for word, values in CONSTANTS.items():
        numbers = {Fraction(value) for value in values} | {Fraction(1, value) for value in values if value <= 12}
        # A quarter is a fourth and 25 cents; a nickel is 5 cents and 0.05 dollars.
        numbers |= {Fraction(value, 100) for value in values} if word in _COINS else set()
        found |= dict.fromkeys((word, f"{word}s", f"{word}es", f"{word}d"), frozenset(numbers))
    return found


_COINS = ("penny", "nickel", "dime", "quarter")
_FREE = {*(Fraction(value) for value in ALWAYS), Fraction(1, 2)}
_NAMED = _by_form()


def _results(equation: Equation) -> set[Fraction]:
    """What later steps may use: the result as written, as computed, and as a share or percentage."""
    values = {value_of(part, percent) for part in (equation.left, equation.right) for percent in (1, 100)}
    found = {abs(value) for value in values if value is not None}
    return found | {100 * value for value in found} | {value / 100 for value in found}


def _ending(solution: str, chain: Chain) -> Verdict:
    found = find_answer(solution, "number")
    if found is None:
        return Verdict(LOOSE_ANSWER, "no final answer", BY)
    answer = abs(Fraction(found.answer))
    last = chain.equations[-1]
    if _follows(answer, last):
        return Verdict(PASSED, f"{len(chain.equations)} equations hold and lead to {_decimal(answer)}", BY)
    for index, equation in reversed(list(enumerate(chain.equations))):
        if _follows(answer, equation):
            later = chain.equations[index + 1 :]
            user = next((other for other in later if answer in other.left.operands), None)
            if user is None:
                return Verdict(PASSED, f"{len(chain.equations)} equations hold; {equation} is the answer", BY)
            return Verdict(LOOSE_ANSWER, f"the answer {_decimal(answer)} is used further in {user}", BY, str(user))
    if chain.has_algebra:
        return Verdict(None, f"algebra that cannot be checked leads to {_decimal(answer)}", BY)
    return Verdict(LOOSE_ANSWER, f"the answer {_decimal(answer)} is no equation's result; the last is {last}", BY)


def _follows(answer: Fraction, equation: Equation) -> bool:
    """True when the answer is the equation's result, or the result rounded to the places that the answer has."""
    results = _results(equation)
    if answer in results:
        return True
    places = next((places for places in range(5) if answer * 10**places % 1 == 0), None)
    return places is not None and any(abs(answer - value) < Fraction(1, 10**places) for value in results)


def _decimal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.6g}"
