"""The first wrong step of a trace that closes brackets with a stack."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from seedbed.inspection.symbolic.finding import FirstError

CLOSES = {"(": ")", "[": "]", "{": "}", "<": ">"}
BRACKETS = "".join(CLOSES) + "".join(CLOSES.values())
MOVE = re.compile(r"^\s*(?P<symbol>[\[\](){}<>]?)\s*;?\s*stack\s*:\s*(?P<stack>.*)$", re.IGNORECASE | re.DOTALL)
ANSWER = re.compile(r"\bso the answer is:?(?P<answer>.*)$", re.IGNORECASE | re.DOTALL)
Check = Callable[[str], str | None]
"""Text of a step to what is wrong with it; None where nothing is."""


def stack_after(read: str) -> str | None:
    """Brackets still open after reading these, outermost first; None where one is closed that was not open last."""
    stack: list[str] = []
    for symbol in read:
        if symbol in CLOSES:
            stack.append(symbol)
        elif not stack or CLOSES[stack.pop()] != symbol:
            return None
    return "".join(stack)


def first_error(question: str, steps: Sequence[str]) -> FirstError:
    """The first step whose stack, order or answer is not what the brackets read so far give; no model is asked.

    Knows the steps `SYMBOL ; stack: STACK`, "the final stack is", "pop out" and "we need", and the final answer;
    others are skipped. Brackets in words around them are read wherever they stand, spaced or quoted.

    Args:
        question: The brackets to close; what is not a bracket is ignored.
        steps: The trace, in order.

    Returns:
        The first wrong step with its reason; step None where all steps that are known hold.

    Source:
        The task is that of Tyen et al. 2023, LLMs cannot find reasoning errors, arXiv:2311.08516. Differs: symbolic,
        where they prompt models.

    >>> first_error("( [ ]", ["( ; stack: (", "[ ; stack: ( [", "] ; stack: [", "So the answer is )"]).step
    2
    """
    walk = _Walk(_brackets(question))
    for number, step in enumerate(steps):
        if (wrong := walk.check(step)) is not None:
            return FirstError(number, wrong, walk.checked)
    return FirstError(None, "", walk.checked)


def _brackets(text: str) -> str:
    return "".join(symbol for symbol in text if symbol in BRACKETS)


class _Walk:
    """How much of the input was read, and what each step should therefore say."""

    def __init__(self, brackets: str) -> None:
        self.brackets = brackets
        self.read = 0
        self.checked = 0
        self.left = stack_after(brackets)

    def check(self, step: str) -> str | None:
        """What is wrong with the next step; None where nothing is, or where it says nothing that is known."""
        body, answer = step, None
        if found := ANSWER.search(step):
            body, answer = step[: found.start()], found["answer"]
        lowered = body.lower()
        if move := MOVE.match(body):
            wrong = self._move(move["symbol"], move["stack"])
        elif "reached the end" in lowered or "final stack" in lowered:
            wrong = self._end(body)
        elif "pop out" in lowered:
            wrong = self._listed(body, (self.left or "")[::-1], "to be popped")
        elif "we need" in lowered or "don't need" in lowered:
            wrong = self._listed(body, self.missing, "needed")
        else:
            wrong = None
        if wrong is None and answer is not None:
            wrong = self._answer(answer)
        return wrong

    @property
    def missing(self) -> str:
        """The right answer."""
        return "".join(CLOSES[symbol] for symbol in reversed(self.left or ""))

    def _move(self, symbol: str, stated: str) -> str | None:
        self.checked += 1
        if symbol:
            expected = self.brackets[self.read : self.read + 1]
            if symbol != expected:
                return f"the next bracket is {expected or 'none'}, not {symbol}"
            self.read += 1
        right = stack_after(self.brackets[: self.read])
        stack = _brackets(stated)
        return None if stack == right else f"the stack is {right or 'empty'}, not {stack or 'empty'}"

    def _end(self, body: str) -> str | None:
        self.checked += 1
        if self.read < len(self.brackets):
            return f"{len(self.brackets) - self.read} brackets were not read, next {self.brackets[self.read]}"
        stack = _brackets(body)
        return None if stack == (self.left or "") else f"the final stack is {self.left or 'empty'}, not {stack}"

    def _listed(self, body: str, right: str, what: str) -> str | None:
        stated = _brackets(body)
        if not stated and right:
            # "all elements in the stack" names none and is not wrong.
            return f"{right} is {what}, not nothing" if "nothing" in body or "n't" in body else None
        self.checked += 1
        return None if stated == right else f"{right or 'nothing'} is {what}, not {stated}"

    def _answer(self, answer: str) -> str | None:
        self.checked += 1
        stated = _brackets(answer)
        return None if stated == self.missing else f"the answer is {self.missing or 'nothing'}, not {stated or answer}"
