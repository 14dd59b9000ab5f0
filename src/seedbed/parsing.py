"""Reading what a model wrote. Everything here takes text as data and answers None where it finds nothing."""

from __future__ import annotations

import re

_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("‘", "’"), ("`", "`"))
# The blanks before the first line break are none themselves: a million empty lines must not be tried in pairs.
_FENCE = re.compile(r"^```[a-zA-Z0-9_-]*[^\S\n]*\n(.*?)\n?```\s*$", re.DOTALL)
_NUMBERED = re.compile(r"^\s*(?:\d{1,3}\s*[.):]|[-*•])\s+(.+?)\s*$")
_REFUSAL = re.compile(
    r"^\s*(?:i['’]?m sorry|i am sorry|sorry,|i can(?:not|['’]t)|i am (?:unable|not able)|i['’]m (?:unable|not able)"
    r"|as an ai\b|i won['’]t)[^\n]{0,300}$",
    re.IGNORECASE,
)


def bare_text(reply: str) -> str | None:
    """Take the wrapping off a reply that should be one text: code fence, one pair of quotation marks, blanks.

    Returns:
        The text, or None when nothing is left.

    >>> bare_text('```\\n"Good food."\\n```')
    'Good food.'
    >>> bare_text("  ") is None
    True
    """
    text = reply.strip()
    if match := _FENCE.match(text):
        text = match[1].strip()
    for left, right in _QUOTES:
        inner = text[1:-1]
        if len(text) > 2 and text[0] == left and text[-1] == right and left not in inner and right not in inner:
            text = inner.strip()
            break
    return text or None


def numbered_list(reply: str) -> list[str]:
    """Items of a numbered or bulleted list, in order; lines that are no items are left out.

    >>> numbered_list("Here you are:\\n1. the food\\n2) the staff\\n- the price")
    ['the food', 'the staff', 'the price']
    """
    return [match[1] for line in reply.splitlines() if (match := _NUMBERED.match(line))]


def one_of(reply: str, choices: list[str]) -> str | None:
    """The choice that a reply names, or None when it names none or more than one.

    Longer choices are tried first and consume their text, so "not_entailment" is never read as "entailment".

    >>> one_of("Label: Not_Entailment.", ["entailment", "not_entailment"])
    'not_entailment'
    >>> one_of("entailment or not_entailment", ["entailment", "not_entailment"]) is None
    True
    """
    rest, found = reply.lower(), []
    for choice in sorted(choices, key=len, reverse=True):
        pattern = re.compile(rf"(?<!\w){re.escape(choice.lower())}(?!\w)")
        if pattern.search(rest):
            found.append(choice)
            rest = pattern.sub(" ", rest)
    return found[0] if len(found) == 1 else None


def is_refusal(reply: str) -> bool:
    """True when the whole reply is one short apology or statement of inability."""
    return bool(_REFUSAL.match(reply.strip()))
