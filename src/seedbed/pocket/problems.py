"""Multi-step arithmetic word problems with solutions that a checker can follow step by step."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from seedbed.errors import ConfigError
from seedbed.pocket import phrases
from seedbed.pocket.working import LARGEST, Equation, Quantity, given, solution

MOST_WAITING = 1000
Split = Literal["fresh", "trained"]
_EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


@dataclass(frozen=True)
class Problem:
    """A problem, one right solution, the final answer and the number of steps every right solution takes."""

    text: str
    solution: str
    answer: str
    steps: int
    asked: Quantity = field(repr=False, compare=False)
    thing: str = field(repr=False, compare=False)

    def another_solution(self, rng_seed: int) -> str:
        """A right solution in an order, a grouping and words drawn anew."""
        return solution(self.asked, self.thing, random.Random(f"solution {rng_seed} {self.text}"))

    def equations(self) -> set[Equation]:
        """Every equation `(left, sign, right, result)` that a right solution may hold."""
        return self.asked.equations()

    def is_sound(self, text: str) -> bool:
        """Whether a solution gets to the right answer by right steps alone, as only the maker of the problem can tell.

        Args:
            text: Anything that a model wrote for the problem.

        Returns:
            True when each equation belongs to the problem, the last one makes the answer and that answer is given.
        """
        found = [(int(a), sign, int(b), int(c)) for a, sign, b, c in _EQUATION.findall(text)]
        if not text.rstrip().endswith(phrases.ANSWER.format(n=self.answer)) or not set(found) <= self.equations():
            return False
        known = self.asked.numbers()
        for left, _, right, result in found:
            if not {left, right} <= known:
                return False  # a right equation, but with a number that nothing before it gave
            known.add(result)
        worked_out = {result for *_, result in found}
        return bool(found) and str(found[-1][3]) == self.answer and {q.value for q in self.asked.needed()} <= worked_out


def write(
    n: int, rng_seed: int, steps: tuple[int, int] = (2, 6), *, crowd: bool = False, split: Split = "fresh"
) -> list[Problem]:
    """Distinct problems, as many for each number of steps as for any other.

    A hash of the bare calculation (numbers and operations, without names, things and words) decides whether a problem
    is fresh or one the shipped models may have been trained on. So no fresh problem, nor a paraphrase of it, was ever
    in their training, whatever the seeds.

    Args:
        n: How many problems.
        rng_seed: The same seed gives the same problems, in the same order, on every machine.
        steps: Fewest and most steps, 1 to 8: the first knob of difficulty.
        crowd: Tell of up to five people instead of mostly one or two: much harder for a small model.
        split: `fresh` for work with the models, `trained` for the quarters that their training drew from.

    Returns:
        The problems, no two with the same text.

    Raises:
        ConfigError: The numbers of steps cannot be had.
    """
    fewest, most = steps
    if not 1 <= fewest <= most <= 8:
        raise ConfigError(
            "no problem can be written with these numbers of steps", f"steps={steps}", "fewest <= most, both in 1..8"
        )
    rng = random.Random(f"problems {rng_seed} {fewest} {most} {split}")
    return [problem for problem, _ in zip(stream(rng, steps, crowd=crowd, split=split), range(n), strict=False)]


def stream(rng: random.Random, steps: tuple[int, int], *, crowd: bool, split: Split) -> Iterator[Problem]:
    """Distinct problems without end, of one split."""
    seen: set[str] = set()
    # Stories come out with as many steps as they happen to have: what is not wanted yet waits for its turn.
    waiting: dict[int, list[Problem]] = {count: [] for count in range(steps[0], steps[1] + 1)}
    while True:
        wanted = waiting[rng.randint(*steps)]
        while not wanted:
            story = _Story(rng, crowd)
            if (asked := story.tell(rng.randint(*steps))) is None:
                continue
            queue = waiting.get(asked.steps())
            if queue is None or len(queue) == MOST_WAITING or split_of(asked) != split:
                continue
            if (text := story.text()) not in seen:
                seen.add(text)
                told = solution(asked, story.thing, rng)
                found = Problem(text, told, str(asked.value), asked.steps(), asked, story.thing)
                queue.append(found)
        yield wanted.pop(0)


def split_of(asked: Quantity) -> Split:
    """Which split a calculation belongs to: a quarter of them is fresh, by a hash of nothing but the calculation."""
    digest = hashlib.blake2b(asked.calculation().encode(), digest_size=1).digest()[0]
    return "fresh" if digest < 64 else "trained"


class _Story:
    """One attempt at a problem: facts first, then what happens, then the question; `None` where numbers do not fit."""

    def __init__(self, rng: random.Random, crowd: bool) -> None:
        self.rng = rng
        self.crowd = crowd
        self.people = rng.sample(phrases.NAMES, 7)
        self.thing, *self.others = rng.sample(phrases.THINGS, 3)
        self.facts: list[str] = []
        self.events: list[str] = []
        self.question = ""
        self.have: dict[str, Quantity] = {}

    def text(self) -> str:
        """The telling: facts may come in any order, events only in theirs, asides anywhere before the question."""
        facts = list(self.facts)
        if self.rng.random() < 0.25:
            self.rng.shuffle(facts)
        told = facts + self.events
        for _ in range(self.rng.choice((0, 0, 1, 1, 2) if self.crowd else (0, 0, 0, 1, 1, 2))):
            told.insert(self.rng.randint(0, len(facts)), self._aside())
        return " ".join([*told, self.question])

    def tell(self, steps: int) -> Quantity | None:
        """Facts, events and a question, of about `steps` steps, or None where numbers did not fit."""
        if self.crowd:
            people = self.rng.randint(1, min(steps + 1, 5))
        else:  # mostly the story of one or two: small models learn who is meant last of all, and slowly
            people = min(steps + 1, self.rng.choices((1, 2, 3, 4), (10, 6, 2, 1))[0])
        for _ in range(people):
            if not self._introduce():
                return None
        starts = dict(self.have)
        for _ in range(self._events(steps, people)):
            if not self._happen(starts):
                return None
        return self._ask()

    def _events(self, steps: int, people: int) -> int:
        if self.crowd:
            return self.rng.choice((0, 1, 1, 2, 3)) if steps > 1 else self.rng.choice((0, 1))
        return self.rng.randint(0, steps if people == 1 else min(steps, 3))

    def _say(self, texts: tuple[str, ...], **slots: object) -> str:
        return self.rng.choice(texts).format(o=self.thing, **slots)

    def _number(self) -> int:
        low, high = self.rng.choice(((2, 12), (2, 20), (5, 40), (11, 99), (20, 300)))
        return self.rng.randint(low, high)

    def _aside(self) -> str:
        who, what = self.rng.choice(self.people), self.rng.choice(self.others)
        return self.rng.choice(phrases.ASIDE).format(W=who, n=self._number(), x=what)

    def _introduce(self) -> bool:
        who = self.people[len(self.have)]
        start: Quantity | None
        if not self.have or self.rng.random() < 0.25:
            start = self._packed(who) if self.rng.random() < 0.3 else self._stated(who)
        else:
            # Most often the one told of last: a chain is harder than a star.
            others = list(self.have)
            other = others[-1] if self.rng.random() < 0.6 else self.rng.choice(others)
            start = self._related(who, other)
        if start is None or not 1 <= start.value <= LARGEST:
            return False
        self.have[who] = start
        return True

    def _stated(self, who: str) -> Quantity:
        n = self._number()
        self.facts.append(self._say(phrases.GIVEN, P=who, n=n))
        return given(n)

    def _packed(self, who: str) -> Quantity:
        k, n = self.rng.randint(2, 9), self.rng.randint(2, 30)
        self.facts.append(self._say(phrases.PACKED, P=who, k=k, n=n, b=self.rng.choice(phrases.BOXES)))
        return Quantity("times", k * n, (given(k), given(n)), owner=who)

    def _related(self, who: str, other: str) -> Quantity | None:
        base, rng = self.have[other], self.rng
        kind = rng.choice(("more", "more", "fewer", "fewer", "times", "times", "part", "pair"))
        n = rng.randint(2, 5) if rng.random() < 0.6 else rng.randint(2, 9)
        if kind == "times":
            self.facts.append(self._say(phrases.TWICE if n == 2 else phrases.TIMES, P=who, R=other, k=n))
            return Quantity("times", n * base.value, (given(n), base), owner=who)
        if kind == "part":
            if base.value % n:
                return None
            self.facts.append(self._say(phrases.HALF if n == 2 else phrases.PART, P=who, R=other, k=n))
            return Quantity("over", base.value // n, (base, given(n)), owner=who)
        n = self._number()
        if kind == "more":
            self.facts.append(self._say(phrases.MORE, P=who, R=other, n=n))
            return Quantity("sum", base.value + n, (base, given(n)), (1, 1), owner=who)
        if kind == "fewer":
            self.facts.append(self._say(phrases.FEWER, P=who, R=other, n=n))
            return Quantity("sum", base.value - n, (base, given(n)), (1, -1), owner=who)
        self.facts.append(self._say(phrases.PAIR, P=who, R=other, n=base.value + n))
        return Quantity("sum", n, (given(base.value + n), base), (1, -1), owner=who)

    def _happen(self, starts: dict[str, Quantity]) -> bool:
        who, n = self.rng.choice(list(self.have)), self._number()
        others = [one for one in self.have if one != who]
        kind = self.rng.choice(("gain", "loss", "gift") if others else ("gain", "loss"))
        if kind == "gain":
            self.events.append(self._say(phrases.GAIN, P=who, n=n))
            return self._change(who, n, 1, starts)
        if kind == "loss":
            self.events.append(self._say(phrases.LOSS, P=who, n=n))
            return self._change(who, n, -1, starts)
        other = self.rng.choice(others)
        self.events.append(self._say(phrases.GIFT, P=who, R=other, n=n))
        return self._change(who, n, -1, starts) and self._change(other, n, 1, starts)

    def _change(self, who: str, n: int, sign: int, starts: dict[str, Quantity]) -> bool:
        now = self.have[who]
        parts, signs = (now.parts, now.signs) if now is not starts[who] else ((now,), (1,))
        value = now.value + sign * n
        self.have[who] = Quantity("sum", value, (*parts, given(n)), (*signs, sign), owner=who)
        return 1 <= value <= LARGEST

    def _ask(self) -> Quantity | None:
        people = list(self.have)
        who, kind = people[-1], self.rng.choice(("one", "sum", "sum", "gap", "coins", "boxes", "share"))
        if kind == "one":
            self.question = self._say(phrases.ASK_ONE, P=who)
            now = self.have[who]
            return Quantity(now.op, now.value, now.parts, now.signs, asked=True)
        if kind in ("sum", "gap"):
            return self._ask_of_several(kind, people)
        return self._ask_of_one(kind, who, self.have[who])

    def _ask_of_several(self, kind: str, people: list[str]) -> Quantity | None:
        if len(people) < 2:
            return None
        if kind == "gap":
            who, other = self.rng.sample(people, 2)
            more, less = self.have[who], self.have[other]
            self.question = self._say(phrases.ASK_GAP, P=who, R=other)
            gap = more.value - less.value
            return Quantity("sum", gap, (more, less), (1, -1), asked=True) if gap > 0 else None
        chosen = self.rng.sample(people, self.rng.randint(2, min(len(people), 4)))
        parts = tuple(self.have[one] for one in chosen)
        total = sum(part.value for part in parts)
        listed = f"{', '.join(chosen[:-1])} and {chosen[-1]}"
        self.question = self._say(phrases.ASK_SUM, A=listed)
        return Quantity("sum", total, parts, (1,) * len(parts), asked=True) if total <= LARGEST else None

    def _ask_of_one(self, kind: str, who: str, now: Quantity) -> Quantity | None:
        n = self.rng.randint(2, 9)
        if kind == "coins":
            self.question = self._say(phrases.ASK_COINS, P=who, n=n)
            total = now.value * n
            return Quantity("times", total, (now, given(n)), asked=True) if total <= LARGEST else None
        if now.value % n or now.value == n:
            return None
        texts, box = (phrases.ASK_BOXES if kind == "boxes" else phrases.ASK_SHARE), self.rng.choice(phrases.BOXES)
        self.question = self._say(texts, P=who, n=n, b=box)
        return Quantity("over", now.value // n, (now, given(n)), asked=True)
