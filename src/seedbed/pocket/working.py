"""The working behind a word problem: which quantities follow from which, in every order that is right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from seedbed.pocket import phrases

LARGEST = 999
Equation = tuple[int, str, int, int]


@dataclass(frozen=True, eq=False)
class Quantity:
    """A whole number a problem states or lets one work out.

    A sum keeps its terms with their signs, so that every grouping of them stays open; products and quotients have
    two parts. `owner` is whom the number is told of, empty for a bare number and for what the question asks.
    """

    op: Literal["given", "sum", "times", "over"]
    value: int
    parts: tuple[Quantity, ...] = ()
    signs: tuple[int, ...] = ()
    owner: str = ""
    asked: bool = field(default=False)

    def needed(self) -> list[Quantity]:
        """Every quantity to be worked out on the way, this one last, each once."""
        found: dict[int, Quantity] = {}
        for part in self.parts:
            found.update((id(one), one) for one in part.needed())
        if self.op != "given":
            found[id(self)] = self
        return list(found.values())

    def numbers(self) -> set[int]:
        """The numbers that the problem states and the answer rests on."""
        return {self.value} if self.op == "given" else set().union(*(part.numbers() for part in self.parts))

    def steps(self) -> int:
        """How many equations a solution has: every grouping and order takes the same number."""
        return sum(len(one.parts) - 1 for one in self.needed())

    def calculation(self) -> str:
        """The calculation with its numbers and without its story: paraphrases of one problem share it."""
        if self.op == "given":
            return str(self.value)
        inner = [part.calculation() for part in self.parts]
        if self.op == "sum":
            inner = sorted(("-" if sign < 0 else "") + text for sign, text in zip(self.signs, inner, strict=True))
        elif self.op == "times":
            inner.sort()
        return f"{self.op}({' '.join(inner)})"

    def equations(self) -> set[Equation]:
        """Every equation that may stand in a right solution, operands of + and * in both orders."""
        allowed: set[Equation] = set()
        for one in self.needed():
            for left, sign, right, result in _steps_of(one):
                allowed.add((left, sign, right, result))
                if sign in "+*":
                    allowed.add((right, sign, left, result))
        return allowed


def given(value: int) -> Quantity:
    """A number that the problem states."""
    return Quantity("given", value)


def _steps_of(one: Quantity) -> Iterator[Equation]:
    if one.op != "sum":
        left, right = one.parts
        yield left.value, "*" if one.op == "times" else "/", right.value, one.value
        return
    terms = [sign * part.value for sign, part in zip(one.signs, one.parts, strict=True)]
    # Each term goes left, right or stays out: every pair of disjoint groups that an equation may join.
    for places in product((0, 1, 2), repeat=len(terms)):
        groups = [[i for i, place in enumerate(places) if place == side] for side in (1, 2)]
        if all(groups) and (step := _joined([_group(terms, one.signs, group) for group in groups])):
            yield step


def _group(terms: list[int], signs: tuple[int, ...], group: list[int]) -> tuple[int, bool]:
    """The size of a group and whether it is taken away, which only a group of takings can be."""
    total = sum(terms[i] for i in group)
    return abs(total), all(signs[i] < 0 for i in group)


def _joined(sides: list[tuple[int, bool]]) -> Equation | None:
    (left, left_off), (right, right_off) = sides
    if left_off == right_off:
        return left, "+", right, left + right
    if left_off:
        return None  # the mirrored placement says it with the larger number first
    return (left, "-", right, left - right) if left > right else None


@dataclass(frozen=True)
class _Line:
    equation: Equation
    makes: object
    uses: tuple[object, ...]
    owner: str = ""
    asked: bool = False


def _lines(one: Quantity, rng: random.Random) -> Iterator[_Line]:
    """Binary steps for one quantity, its terms joined in an order drawn afresh."""
    if one.op != "sum":
        (equation,) = _steps_of(one)
        yield _Line(equation, id(one), tuple(id(part) for part in one.parts), one.owner, one.asked)
        return
    pool: list[tuple[int, bool, object]] = [
        (part.value, sign < 0, id(part)) for sign, part in zip(one.signs, one.parts, strict=True)
    ]
    while len(pool) > 1:
        # In the order of the telling more often than not: that is how most people add up.
        i, j = (0, 1) if rng.random() < 0.6 else sorted(rng.sample(range(len(pool)), 2))
        if (step := _joined([pool[i][:2], pool[j][:2]])) is None:
            i, j = j, i
            if (step := _joined([pool[i][:2], pool[j][:2]])) is None:
                rng.shuffle(pool)
                continue
        last = len(pool) == 2
        makes: object = id(one) if last else (id(one), len(pool))
        yield _Line(step, makes, (pool[i][2], pool[j][2]), one.owner if last else "", one.asked and last)
        merged = (step[3], pool[i][1] and pool[j][1], makes)
        pool = [*pool[: min(i, j)], merged, *[term for k, term in enumerate(pool) if k > min(i, j) and k not in (i, j)]]


def solution(asked: Quantity, thing: str, rng: random.Random) -> str:
    """One right solution: independent steps in an order, sums in a grouping and words in a style drawn from `rng`.

    Args:
        asked: What the question asks for.
        thing: The kind of things that are counted, as a plural.
        rng: The randomness; the same state gives the same solution.

    Returns:
        One line per step, each with its equation, then the line with the answer.
    """
    waiting = [line for one in asked.needed() for line in _lines(one, rng)]
    told_in_order = rng.random() < 0.5
    named, partial, last = (rng.choice(texts) for texts in (phrases.NAMED, phrases.PARTIAL, phrases.ASKED))
    text: list[str] = []
    while waiting:
        pending = {line.makes for line in waiting}
        ready = [line for line in waiting if not pending.intersection(line.uses)]
        line = ready[0] if told_in_order else rng.choice(ready)
        waiting.remove(line)
        left, sign, right, result = line.equation
        template = last if line.asked else named if line.owner else partial
        text.append(template.format(P=line.owner, o=thing, e=f"{left} {sign} {right} = {result}"))
    return "\n".join([*text, phrases.ANSWER.format(n=asked.value)])
