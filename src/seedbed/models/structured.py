"""Where an answer meets what it must look like: checked, taken out of what stands around it, or asked for again.

Nothing is coerced: "4" is not 4, an answer that breaks off is not completed, and where two readings are possible there
is none. Every text ends in a value, in time that grows with its length.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic_core import SchemaError, SchemaValidator, core_schema

from seedbed.errors import ConfigError
from seedbed.models import salvage
from seedbed.models.salvage import Candidate, NotJson
from seedbed.models.schemas import Schema, middle_cut, schema
from seedbed.request import Choice, Constraint, JsonSchema, Regex, Request

_QUOTED_BYTES = 4000
_TOLD_BYTES = 1500
_PROBLEM_CHARS = 400
RE_ASK_BYTES = _QUOTED_BYTES + _TOLD_BYTES + 4 * _PROBLEM_CHARS + 300
"""More bytes than a re-ask adds to the messages of its request, whatever the answer was, with what a chat template adds
for two messages: what a budget must reserve for it."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_THOUGHT, _THINKS = "</think>", "<think>"


class Checked(NamedTuple):
    """What came of holding an answer against its constraint."""

    kind: Literal["valid", "salvaged", "invalid"]
    text: str
    """What the caller gets: the answer itself, or the part of it that meets the constraint."""
    problem: str = ""
    """Of an invalid one: what is wrong, in one line."""


def check(constraint: Constraint, text: str) -> Checked:
    """Whether an answer meets its constraint, and the text that does.

    Args:
        constraint: One that `check_constraint` accepts.
        text: The whole answer.

    Returns:
        `valid` with the text as it is; `salvaged` with JSON that stood in it (or the option, or the match) where
        exactly one reading meets the constraint; `invalid` with the reason.

    Raises:
        ConfigError: The constraint itself is wrong.

    >>> check(Choice(("yes", "no")), "**Yes.**")
    Checked(kind='salvaged', text='yes', problem='')
    """
    if isinstance(constraint, JsonSchema):
        return _check_json(schema(constraint.text), text)
    return _check_choice(constraint, text) if isinstance(constraint, Choice) else _check_regex(constraint, text)


def check_constraint(constraint: Constraint) -> None:
    """Refuse a constraint that no answer can be held against; to be called before anything is sent.

    Raises:
        ConfigError: A schema that is none, options that are empty or repeat, an expression that is not regular.
    """
    if isinstance(constraint, JsonSchema):
        if not _NAME.fullmatch(constraint.name):
            raise ConfigError("no such name for a schema", constraint.name, "letters, digits, _ and -, at most 64")
        schema(constraint.text)
    elif isinstance(constraint, Regex):
        _matcher(constraint.pattern)
    else:
        options = constraint.options
        if not options or len(set(options)) < len(options) or not all(option.strip() for option in options):
            fix = "give at least one option, each once, none of them blank"
            raise ConfigError("these are no options to choose from", f"{options!r}"[:200], fix)


def instruction(constraint: Constraint) -> str:
    """One paragraph for a prompt that tells a model what its answer must look like.

    Servers that enforce a constraint mostly do not show it to the model, and others know nothing of it; a model that
    was told needs fewer re-asks either way. It is for the caller to put into the prompt: that decides the answers.

    >>> instruction(Choice(("yes", "no")))
    'Answer with exactly one of these, without the quotation marks, and nothing else: "yes", "no".'
    """
    if isinstance(constraint, JsonSchema):
        return (
            f"Answer with JSON alone, with no text and no code fence around it, by this JSON Schema: {constraint.text}"
        )
    if isinstance(constraint, Choice):
        options = ", ".join(f'"{option}"' for option in constraint.options)
        return f"Answer with exactly one of these, without the quotation marks, and nothing else: {options}."
    return f"Answer with nothing but a text that matches this regular expression as a whole: {constraint.pattern}"


def re_ask(request: Request, text: str, problem: str) -> Request:
    """The same question once more, with the answer that misses the constraint and what is wrong with it.

    Args:
        request: One with a constraint.
        text: The answer; of a long one its start and its end are repeated.
        problem: What `check` said.

    Returns:
        A request with two more messages, of fewer than `RE_ASK_BYTES` bytes; everything else is as it was.
    """
    told = "" if request.constraint is None else instruction(request.constraint)
    told = f" {told}" if len(told.encode("utf-8", "surrogatepass")) < _TOLD_BYTES else ""
    said = (
        f"This answer cannot be used: {_line(problem)}.{told} Reply with the corrected answer only, complete from its "
        "beginning, without a remark about the correction."
    )
    messages = (*request.messages, ("assistant", _quoted(text)), ("user", said))
    return replace(request, messages=messages)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _check_json(wanted: Schema, text: str) -> Checked:
    try:
        value = salvage.read(text)
    except NotJson:
        return _salvaged_json(wanted, text)
    if wanted.accepts(value):
        return Checked("valid", text)
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        # JSON inside a JSON text: the model, or a proxy, encoded its answer twice.
        try:
            if wanted.accepts(salvage.read(value)):
                return Checked("salvaged", value)
        except NotJson:
            pass
    return Checked("invalid", text, _line(wanted.problems(value)))


def _salvaged_json(wanted: Schema, text: str) -> Checked:
    try:
        found = _candidates(_spoken(text))
    except NotJson as error:
        return Checked("invalid", text, _line(f"not JSON: {error}"))
    good = [each for each in found if wanted.accepts(each.value)]
    # A fence is how models mark what they mean; without one, all that stands there counts.
    good = [each for each in good if each.is_fenced] or good
    if not good:
        return Checked("invalid", text, _line(wanted.problems(max(found, key=lambda each: len(each.text)).value)))
    if len(good) > 1 and len({_spelled(each.value) for each in good}) > 1:
        return Checked("invalid", text, "it holds several different answers")
    return Checked("salvaged", good[0].text)


def _candidates(text: str) -> list[Candidate]:
    if not text.strip():
        raise NotJson("it is empty")
    return salvage.values(text) if "[" in text or "{" in text else [salvage.scalar(text)]


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


# -- choices and regular expressions -----------------------------------------------------------------------------------


def _check_choice(constraint: Choice, text: str) -> Checked:
    options = constraint.options
    if text in options:
        return Checked("valid", text)
    for form in _peeled(text):
        if form in options:
            return Checked("salvaged", form)
        folded = form.casefold()
        if len(same := [option for option in options if option.casefold() == folded]) == 1:
            return Checked("salvaged", same[0])
    return Checked("invalid", text, f"{_shown(text)} is none of the options")


def _check_regex(constraint: Regex, text: str) -> Checked:
    matcher = _matcher(constraint.pattern)
    if matcher.isinstance_python(text):
        return Checked("valid", text)
    for form in _peeled(text):
        if matcher.isinstance_python(form):
            return Checked("salvaged", form)
    return Checked("invalid", text, _line(f"{_shown(text)} does not match {constraint.pattern}"))


_WRAPPINGS = (("**", "**"), ("__", "__"), *((mark, mark) for mark in "\"'`*_"), ("“", "”"), ("‘", "’"))


def _peeled(text: str) -> Iterator[str]:
    """The answer with one layer after the other of what models put around a short answer taken off."""
    form = _spoken(text).strip()
    for _ in range(6):
        if not form:
            return
        yield form
        if (bare := salvage.unfenced(form)) is not form:
            form = bare
        elif inner := next(filter(None, (_inside(form, *marks) for marks in _WRAPPINGS)), ""):
            form = inner
        elif form[-1] in ".。":
            form = form[:-1].rstrip()
        else:
            return


def _inside(text: str, left: str, right: str) -> str:
    is_around = len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right)
    return text[len(left) : -len(right)].strip() if is_around else ""


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> SchemaValidator:
    """Matches a whole text in linear time, whatever both are; so no pattern with look-around or references back.

    Python's `re` can be made to run for years by a pattern such as `(a+)+b`, and cannot be stopped. The engine here
    has another syntax in places; patterns that mean different things to the two are refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # "possible nested set": a set to this engine, brackets to Python
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        fix = "correct it; it is one that Python's re and others read alike"
        raise ConfigError("this is no regular expression", f"{pattern[:200]}: {error}", fix) from None
    if _WORD_EDGE.search(pattern):
        raise ConfigError(r"\< and \> mean edges of words to some engines", pattern[:200], "write < and > plainly")
    try:
        _linear(pattern)  # alone first, so that it cannot close the group it is put into
        return _linear(rf"\A(?:{pattern})\z")
    except SchemaError as error:
        seen = f"{pattern[:200]}: {str(error).strip().splitlines()[-1].strip()}"
        fix = "use what all engines share: no look-around, no references back, no huge repetitions"
        raise ConfigError("the regular expression cannot be matched in linear time", seen, fix) from None


_WORD_EDGE = re.compile(r"(?<!\\)(?:\\\\)*\\[<>]")


def _linear(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


# -- texts -------------------------------------------------------------------------------------------------------------


def _spoken(text: str) -> str:
    """What follows the thoughts that some servers leave in an answer; nothing where they never end."""
    if text.lstrip().startswith(_THINKS):
        return text.partition(_THOUGHT)[2]
    # Where the prompt opened them, only their end is in the answer; JSON has no such line break inside a text.
    _, is_there, rest = text.partition(f"{_THOUGHT}\n")
    return rest if is_there else text


def _line(text: str) -> str:
    """One printable line, without a full stop at its end."""
    cut = middle_cut(text, 2 * _PROBLEM_CHARS)
    plain = " ".join("".join(each if each.isprintable() else " " for each in cut).split())
    return middle_cut(plain.rstrip("."), _PROBLEM_CHARS)


def _shown(text: str) -> str:
    return repr(middle_cut(text.strip(), 80))


def _quoted(text: str) -> str:
    """An answer as it is repeated; a message must not be empty."""
    cut = text.strip()
    if len(cut.encode("utf-8", "surrogatepass")) > _QUOTED_BYTES:
        start = cut[:_QUOTED_BYTES].encode("utf-8", "surrogatepass")[: 3 * _QUOTED_BYTES // 4 - 10]
        end = cut[-_QUOTED_BYTES:].encode("utf-8", "surrogatepass")[-_QUOTED_BYTES // 4 + 10 :]
        cut = f"{start.decode('utf-8', 'ignore')} [...] {end.decode('utf-8', 'ignore')}"
    return cut or "(nothing)"
