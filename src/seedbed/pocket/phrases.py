"""The closed vocabulary of the word problems: who, what, and in which words a fact, an event or a question is told."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ines", "Jack", "Kim", "Leo", "Mia", "Nora", "Omar",
    "Pia", "Quinn", "Rosa", "Sam", "Tom", "Uma", "Vera", "Will", "Zoe",
)  # fmt: skip
THINGS: Final = (
    "apples", "beads", "books", "buttons", "cards", "cookies", "eggs", "flowers", "keys", "marbles", "nuts", "oranges",
    "pears", "pens", "plums", "rings", "seeds", "shells", "stamps", "stickers", "stones", "tickets", "toys", "tulips",
)  # fmt: skip
BOXES: Final = ("bags", "baskets", "boxes", "crates", "jars", "trays")

# What a fact says of P (the one defined), R (the one it refers to), n or k (a number), o (the things), b (the boxes).
GIVEN: Final = ("{P} has {n} {o}.", "{P} owns {n} {o}.", "There are {n} {o} in the house of {P}.")
PACKED: Final = (
    "{P} has {k} {b} with {n} {o} each.",
    "{P} owns {k} {b} of {n} {o}.",
    "Each of the {k} {b} of {P} holds {n} {o}.",
)
MORE: Final = ("{P} has {n} more {o} than {R}.", "{P} has {n} {o} more than {R}.", "{R} has {n} fewer {o} than {P}.")
FEWER: Final = ("{P} has {n} fewer {o} than {R}.", "{P} has {n} {o} less than {R}.", "{R} has {n} more {o} than {P}.")
TIMES: Final = ("{P} has {k} times as many {o} as {R}.", "{P} owns {k} times the {o} of {R}.")
TWICE: Final = ("{P} has twice as many {o} as {R}.", "{P} has double the {o} of {R}.", "{R} has half the {o} of {P}.")
PART: Final = ("{R} has {k} times as many {o} as {P}.", "{R} owns {k} times the {o} of {P}.")
HALF: Final = ("{P} has half as many {o} as {R}.", "{P} has half the {o} of {R}.", "{R} has twice as many {o} as {P}.")
PAIR: Final = ("{P} and {R} have {n} {o} together.", "Together {R} and {P} own {n} {o}.")

GAIN: Final = ("{P} finds {n} more {o}.", "Then {P} buys {n} {o}.", "{P} gets {n} {o} from a friend.")
LOSS: Final = ("{P} loses {n} {o}.", "Then {P} sells {n} {o}.", "{P} gives {n} {o} to a friend.")
GIFT: Final = ("{P} gives {n} {o} to {R}.", "Then {R} gets {n} {o} from {P}.")

ASK_ONE: Final = ("How many {o} does {P} have now?", "How many {o} does {P} own in the end?")
ASK_SUM: Final = ("How many {o} do {A} have together?", "How many {o} do {A} own in all?")
ASK_GAP: Final = (
    "How many more {o} than {R} does {P} have now?",
    "How many {o} more than {R} does {P} own in the end?",
)
ASK_COINS: Final = (
    "{P} sells all {o} for {n} coins each. How many coins does {P} get?",
    "Each of the {o} of {P} costs {n} coins. How many coins is that in all?",
)
ASK_BOXES: Final = (
    "{P} puts all {o} into {b} of {n}. How many {b} does {P} fill?",
    "{P} needs {b} that hold {n} {o} each. How many {b} is that?",
)
ASK_SHARE: Final = (
    "{P} shares all {o} equally among {n} friends. How many {o} does each friend get?",
    "{n} friends share the {o} of {P} equally. How many {o} does each get?",
)

# Sentences with a number that the question does not need; {x} is another kind of thing, {W} anybody.
ASIDE: Final = (
    "{W} also has {n} {x}.",
    "{W} is {n} years old.",
    "{W} walks {n} steps to the house of a friend.",
    "{W} sells {n} {x}.",
    "There are {n} {x} on the table.",
    "{W} paid {n} coins for the {x}.",
)

# How a step names what it works out. One solution keeps one style.
NAMED: Final = ("{P} has {e}.", "{P}: {e}.", "The {o} of {P}: {e}.", "Now {P}: {e}.")
PARTIAL: Final = ("That makes {e}.", "{e}.", "First {e}.", "Then {e}.")
ASKED: Final = ("So we get {e}.", "{e}.", "In all: {e}.", "So {e}.")
ANSWER: Final = "The answer is {n}."


def every_text() -> tuple[str, ...]:
    """Every name, thing and template there is: what a tokenizer has to know.

    Returns:
        Templates with their `{slots}` and bare words, in the order of this file.
    """
    found: list[str] = []
    for value in globals().copy().values():
        if isinstance(value, tuple) and value and all(isinstance(text, str) for text in value):
            found.extend(value)
    return (*found, ANSWER, "Q: A:", "and , + - * / =")
