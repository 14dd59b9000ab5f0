"""What a prompt asks for, read from its text alone, as a language model would have to read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Verb = Literal["reasons", "seed", "extrapolate", "feedback", "explain", "verify", "unknown"]

_BLOCK = re.compile(r"<<<\s*\n?(.*?)\n?\s*>>>", re.DOTALL)
_LABEL = re.compile(r'label "([^"\n]+)"')
_ANSWER = re.compile(r'right answer is "([^"\n]+)"')
_COUNT = re.compile(r"\bList (\d+)\b")
_ONE_OF = re.compile(r"one of: ([^.\n]+)\.")

# The sentence that tells each verb apart, in the order in which they are looked for.
_SIGNS: tuple[tuple[str, Verb], ...] = (
    ("different reasons", "reasons"),
    ("Which label fits", "verify"),
    ("the shortest piece of the text", "verify"),
    ("The right answer is", "explain"),
    ("another one like it", "extrapolate"),
    ("good examples", "feedback"),
    ("whose answer, word for word", "seed"),
    ("Write ", "seed"),
)


@dataclass(frozen=True)
class Asked:
    """A prompt, understood."""

    verb: Verb
    said: str
    """The words of the prompt without its data blocks."""
    context: str | None = None
    answer: str | None = None
    """The label, or the answer of a question, that the row should have."""
    examples: tuple[str, ...] = ()
    count: int = 0
    choices: tuple[str, ...] = ()


def read_prompt(text: str, *, has_context: bool, answers_in_text: bool) -> Asked:
    """Understand a prompt by its visible marks: data blocks, `label "..."`, and the sentence that gives the order.

    Args:
        text: The user's message.
        has_context: The task's rows have a real context, so the first data block is that.
        answers_in_text: The answer is a piece of the context and stands in a data block of its own.

    Returns:
        Verb "unknown" where the prompt lacks what its order needs.
    """
    blocks = [match.strip() for match in _BLOCK.findall(text)]
    said = _BLOCK.sub(" ", text)
    verb: Verb = next((verb for sign, verb in _SIGNS if sign in said), "unknown")
    context = blocks.pop(0) if has_context and blocks else None
    answer = _first(_LABEL, said) or _first(_ANSWER, said)
    if answers_in_text and verb in ("seed", "extrapolate"):
        answer = blocks.pop(0) if blocks else None
    asked = Asked(
        verb,
        said,
        context,
        answer,
        tuple(blocks),
        int(_first(_COUNT, said) or 0),
        tuple(name.strip() for name in (_first(_ONE_OF, said) or "").split(",") if name.strip()),
    )
    return asked if _is_whole(asked, has_context, answers_in_text) else Asked("unknown", said)


def _is_whole(asked: Asked, has_context: bool, answers_in_text: bool) -> bool:
    needs_context = has_context and asked.verb in ("seed", "extrapolate", "verify", "explain")
    needs_answer = asked.verb != "verify"
    needs_example = asked.verb in ("extrapolate", "feedback", "verify", "explain")
    needs_choices = asked.verb == "verify" and not answers_in_text
    return not (
        (needs_context and asked.context is None)
        or (needs_answer and asked.answer is None)
        or (needs_example and not asked.examples)
        or (needs_choices and not asked.choices)
        or (asked.verb == "reasons" and asked.count == 0)
    )


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match[1] if match else None
