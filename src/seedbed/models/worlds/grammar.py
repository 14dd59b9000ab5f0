"""The parts of a known world: dice, a network of hidden attributes, and a lexicon that can be read backwards."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Attributes = dict[str, str]
"""Hidden attribute to its value, such as {"topic": "hotel", "flip": "sarcasm"}."""
Table = dict[str, float]
"""Value to its probability; sums to 1."""

_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|\d+")


class Dice:
    """Uniform numbers drawn from a generator in blocks: one call per number would cost more than the text."""

    def __init__(self, rng: np.random.Generator, block: int = 64) -> None:
        self._rng = rng
        self._block = block
        self._numbers: list[float] = []

    def roll(self) -> float:
        """A number in [0, 1)."""
        if not self._numbers:
            self._numbers = self._rng.random(self._block).tolist()
        return self._numbers.pop()

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return self.roll() < p

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[int(self.roll() * len(options))]

    def draw(self, table: Mapping[str, float]) -> str:
        """A value of the table with its probability."""
        rest = self.roll()
        value = ""
        for value, p in table.items():
            rest -= p
            if rest < 0:
                return value
        # Rounding can leave a crumb after the last value, which must not go to a value that is never drawn.
        return value if table[value] > 0 else max(table, key=lambda name: table[name])

    def distinct(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options in random order."""
        left = list(options)
        return [left.pop(int(self.roll() * len(left))) for _ in range(min(count, len(left)))]


@dataclass(frozen=True)
class Choice:
    """One hidden attribute: its values and how likely gold has each, given at most one other attribute."""

    name: str
    tables: Mapping[str, Table]
    """Value of the parent to a table; the only key is "" where there is no parent."""
    parent: str | None = None
    said: Mapping[str, str] = field(default_factory=dict)
    """Value to the words in which a teacher names it as a reason; a value nobody would name is left out."""
    habit: Mapping[str, float] = field(default_factory=dict)
    """Value to a factor by which a fully narrow teacher likes it more (above 1) or less (below 1) than gold does."""

    @property
    def values(self) -> list[str]:
        """All values, in the order in which they were declared."""
        return list(dict.fromkeys(value for table in self.tables.values() for value in table))


@dataclass(frozen=True)
class Network:
    """Hidden attributes in an order in which each one's parent comes before it."""

    choices: tuple[Choice, ...]

    def draw(self, dice: Dice, given: Mapping[str, str] | None = None) -> Attributes:
        """Attributes from the distribution; those in `given` are kept as they are."""
        drawn: Attributes = dict(given or {})
        for choice in self.choices:
            if choice.name not in drawn:
                drawn[choice.name] = dice.draw(choice.tables["" if choice.parent is None else drawn[choice.parent]])
        return {choice.name: drawn[choice.name] for choice in self.choices}

    def probabilities(self, names: Sequence[str]) -> dict[tuple[str, ...], float]:
        """Exact joint distribution of some attributes: combination to probability, zeros left out."""
        needed = self._with_ancestors(names)
        joint: dict[tuple[str, ...], float] = {}
        for values in itertools.product(*(choice.values for choice in needed)):
            row = dict(zip((choice.name for choice in needed), values, strict=True))
            p = 1.0
            for choice in needed:
                table = choice.tables["" if choice.parent is None else row[choice.parent]]
                p *= table.get(row[choice.name], 0.0)
            if p > 0:
                key = tuple(row[name] for name in names)
                joint[key] = joint.get(key, 0.0) + p
        return joint

    def narrowed(self, narrowness: float, keep: Sequence[str] = ()) -> Network:
        """The same attributes as a narrow writer has them.

        Each probability is raised to a power above 1 and bent by the writer's habits; what falls under a floor
        is never written at all. 0 leaves the distribution as it is; 1 writes little but the head.

        Args:
            narrowness: In [0, 1].
            keep: Attributes that the prompt decides, left as they are.
        """
        if narrowness == 0:
            return self
        choices = []
        for choice in self.choices:
            tables = choice.tables
            if choice.name not in keep:
                tables = {key: _narrow(table, choice.habit, narrowness) for key, table in tables.items()}
            choices.append(Choice(choice.name, tables, choice.parent, choice.said, choice.habit))
        return Network(tuple(choices))

    def _with_ancestors(self, names: Sequence[str]) -> list[Choice]:
        wanted = set(names)
        for choice in reversed(self.choices):
            if choice.name in wanted and choice.parent is not None:
                wanted.add(choice.parent)
        return [choice for choice in self.choices if choice.name in wanted]


def _narrow(table: Table, habit: Mapping[str, float], narrowness: float) -> Table:
    bent = {value: p ** (1 + 3 * narrowness) * habit.get(value, 1.0) ** narrowness for value, p in table.items()}
    floor = 0.08 * narrowness * sum(bent.values())
    cut = {value: weight if weight >= floor else 0.0 for value, weight in bent.items()}
    whole = sum(cut.values())
    return {value: weight / whole for value, weight in cut.items()}


@dataclass(frozen=True)
class Mark:
    """What one word of a text gives away, and where it stands."""

    attribute: str
    value: str
    word: str


class Lexicon:
    """Words that give away a hidden attribute, and the words that give away nothing.

    Every word has one meaning and one typing error, so that a text can be read backwards exactly.

    Raises:
        ValueError: A word, or the typing error of one, stands for two things.
    """

    def __init__(self, marks: Mapping[tuple[str, str], Iterable[str]], neutral: Iterable[str]) -> None:
        self._marks: dict[str, Mark | None] = {}
        for (attribute, value), words in marks.items():
            for word in words:
                if self._marks.get(word, None) is not None:
                    raise ValueError(f"{word!r} stands for two things: {self._marks[word]} and {attribute}={value}")
                self._marks[word] = Mark(attribute, value, word)
        for word in ("a", "an", *neutral):
            self._marks.setdefault(word, None)
        self._meant = {wrong: word for word in self._marks if (wrong := typo(word)) is not None}
        if clash := sorted(set(self._meant) & set(self._marks)):
            raise ValueError(f"typing errors that are words: {clash}")

    def read(self, text: str) -> tuple[list[Mark], int] | None:
        """Marks in the order of the text and the number of typing errors; None if a word is unknown."""
        marks, typos = [], 0
        for found in words_of(text):
            word = found
            if word not in self._marks:
                if (word := self._meant.get(found, "")) == "":
                    return None
                typos += 1
            if (mark := self._marks[word]) is not None:
                marks.append(mark)
        return marks, typos


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation.

    >>> words_of("It wasn't 20, Bob!")
    ['it', "wasn't", '20', 'bob']
    """
    return _WORD.findall(text.lower())


def words_of_templates(texts: Iterable[str]) -> set[str]:
    """The words that templates always print, whatever stands in their slots.

    >>> sorted(words_of_templates(["the {aspect} was {op}"]))
    ['the', 'was']
    """
    return {word for text in texts for word in words_of(re.sub(r"\{\w+\}", " ", text))}


def typo(word: str) -> str | None:
    """The one way in which a word is mistyped: its first two different inner neighbours change places.

    >>> typo("delicious"), typo("was")
    ('dleicious', None)
    """
    if len(word) < 4 or not word.isalpha():
        return None
    for i in range(1, len(word) - 2):
        if word[i] != word[i + 1]:
            return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    return None


def mistype(text: str, dice: Dice, share: float = 0.15) -> str:
    """The text with about that share of its longer words mistyped, at least one."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if typo(word) is not None]
    if not long:
        raise ValueError(f"no word of this text can be mistyped: {text!r}")
    sure = dice.pick(long)
    for i in long:
        if i == sure or dice.chance(share):
            words[i] = typo(words[i]) or words[i]
    return " ".join(words)


def sentence_case(text: str) -> str:
    """A lower-case text whose punctuation stands apart, as it is printed.

    >>> sentence_case("oh , i see . fine .")
    'Oh, I see. Fine.'
    """
    text = re.sub(r" ([.,:?!])", r"\1", text)
    text = re.sub(r"\bi\b", "I", text)
    text = re.sub(r"\ba (?=[aeiou])", "an ", text)
    return re.sub(r"(?:^|(?<=[.?!] ))[a-z]", lambda match: match[0].upper(), text)
