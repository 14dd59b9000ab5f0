"""The world `claims`: who did what, where and when; does a claim follow from the report?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from seedbed.models.worlds import claims_words as w
from seedbed.models.worlds.grammar import Attributes, Choice, Dice, Network
from seedbed.models.worlds.world import World
from seedbed.task import Task

_POSITIONS = ("first", "second", "third")

TASK = Task(
    name="claims",
    kind="classification",
    instruction="Decide whether a claim follows from a short report.",
    row="a claim",
    fields=("premise", "hypothesis"),
    context="premise",
    labels={
        "entailment": "the claim is surely true if the report is",
        "not_entailment": "the claim may be false although the report is true",
    },
)

_DOMAINS = dict.fromkeys(w.VERBS, 1 / len(w.VERBS))

NETWORK = Network(
    (
        Choice("label", {"": {"entailment": 0.5, "not_entailment": 0.5}}),
        Choice("domain", {"": _DOMAINS}),
        Choice(
            "relation",
            {
                "entailment": {"kept": 0.28, "synonym": 0.28, "wider": 0.22, "bound": 0.22},
                "not_entailment": {
                    "negated": 0.17,
                    "opposite": 0.19,
                    "place": 0.15,
                    "swapped": 0.15,
                    "day": 0.12,
                    "too_many": 0.12,
                    "extra": 0.10,
                },
            },
            parent="label",
            said={
                "synonym": "saying the same with another verb",
                "wider": "naming the things by a wider word",
                "bound": "giving a number that is surely reached",
                "negated": "denying what happened",
                "opposite": "telling the contrary deed",
                "place": "moving it to another place",
                "swapped": "naming somebody else who was there",
                "day": "putting it on another day",
                "too_many": "giving a number that is not reached",
                "extra": "adding a detail that nobody mentioned",
            },
            # Annotators and language models alike reach for a "not" first.
            habit={"negated": 6.0, "kept": 2.0, "swapped": 0.5},
        ),
        Choice("voice", {"": {"active": 0.7, "passive": 0.3}}, said={"passive": "what was done to the things"}),
        Choice("frame", {"": {"bare": 0.6, "report": 0.25, "concession": 0.15}}),
        Choice("detail", {"": {"short": 0.55, "full": 0.45}}, said={"full": "repeating every detail"}),
        Choice("focus", {"": {"first": 0.34, "second": 0.33, "third": 0.33}}),
    )
)

_ENTAILED = ("kept", "synonym", "wider", "bound")


@dataclass(frozen=True)
class Fact:
    """One thing that somebody did."""

    name: str
    verb: str
    number: str
    things: str
    place: str | None
    day: str | None
    extra: str | None = None
    is_denied: bool = False


_DOMAIN_OF = {things: domain for domain, objects in w.OBJECTS.items() for pair in objects for things in pair}
_WIDER = {things: wide for objects in w.OBJECTS.values() for things, wide in objects}
_NARROW = {wide: things for things, wide in _WIDER.items()}
_BASE = {past: verb for verbs in w.VERBS.values() for verb, past, _, _ in verbs}
_PAST = {verb: past for past, verb in _BASE.items()}
_SAME = {same: past for verbs in w.VERBS.values() for _, past, same, _ in verbs}
_OPPOSITE = {opposite: past for verbs in w.VERBS.values() for _, past, _, opposite in verbs}
_TURNED = {past: (same, opposite) for verbs in w.VERBS.values() for _, past, same, opposite in verbs}
# The only verb here whose participle is not its past.
_PARTICIPLE = {"chose": "chosen", "forgot": "forgotten"}
_PLAIN = {participle: past for past, participle in _PARTICIPLE.items()}

_NAME = "|".join(w.NAMES)
_DAY = "|".join(w.DAYS)
_WHEN = rf"(?: at the (?P<place>[a-z]+))?(?: on (?P<day>{_DAY}))?"
_EXTRA = rf"(?: (?P<extra>{'|'.join(w.EXTRAS)}))?"
_MANY = r"(?P<number>more than \d+|\d+)"
_REPORTED = re.compile(
    rf"(?:On (?P<early>{_DAY}), )?(?P<name>{_NAME}) (?P<verb>[a-z]+) (?P<number>\d+) (?P<things>[a-z]+)"
    rf" at the (?P<place>[a-z]+)(?: on (?P<day>{_DAY}))?"
)
_ACTIVE = re.compile(
    rf"(?P<name>{_NAME}) (?P<denied>did not )?(?P<verb>[a-z]+) {_MANY} (?P<things>[a-z]+){_EXTRA}{_WHEN}"
)
_PASSIVE = re.compile(
    rf"(?P<number>[Mm]ore than \d+|\d+) (?P<things>[a-z]+) were (?P<denied>not )?(?P<verb>[a-z]+) by (?P<name>{_NAME})"
    rf"{_EXTRA}{_WHEN}"
)
_FRAMES = [
    (frame, re.compile(re.escape(_printed).replace(r"\{core\}", "(?P<core>.+)"), re.IGNORECASE))
    for frame, texts in w.FRAMES.items()
    for text in texts
    if (_printed := text.replace(" ,", ","))
]


class Claims(World):
    """Claims that keep, reword or widen a reported fact, or change one thing about it."""

    name = "claims"
    task = TASK
    network = NETWORK
    cell_attributes = ("domain", "relation", "voice")
    fresh_attributes = ("focus",)

    def write_context(self, dice: Dice) -> str:
        """Three facts with different people, verbs, things, places and days, and a sentence that matters to nobody."""
        domain = dice.draw(_DOMAINS)
        columns = (
            dice.distinct(w.NAMES, 3),
            dice.distinct([past for _, past, _, _ in w.VERBS[domain]], 3),
            dice.distinct([things for things, _ in w.OBJECTS[domain]], 3),
            dice.distinct(w.PLACES[domain], 3),
            dice.distinct(w.DAYS, 3),
        )
        sentences = []
        for name, verb, things, place, day in zip(*columns, strict=True):
            number = 4 + int(dice.roll() * 30)
            if dice.chance(0.3):
                sentences.append(f"On {day}, {name} {verb} {number} {things} at the {place}.")
            else:
                sentences.append(f"{name} {verb} {number} {things} at the {place} on {day}.")
        sentences.insert(int(dice.roll() * 4), dice.pick(w.FILLERS))
        return " ".join(sentences)

    def write(self, attributes: Mapping[str, str], dice: Dice, context: str | None = None) -> dict[str, str]:
        """A claim with these attributes about the context."""
        facts = facts_of(context or "") or ()
        fact = facts[_POSITIONS.index(attributes["focus"])]
        claim = _changed(fact, attributes["relation"], facts, dice)
        if attributes["detail"] == "short":
            keep = attributes["relation"]
            claim = replace(
                claim, place=claim.place if keep == "place" else None, day=claim.day if keep == "day" else None
            )
        core = _said(claim, attributes["voice"])
        if attributes["frame"] != "bare" and core.startswith("More"):
            core = "m" + core[1:]
        text = dice.pick(w.FRAMES[attributes["frame"]]).replace(" ,", ",").replace("{core}", core)
        text = text[0].upper() + text[1:] + "."
        return {"premise": context or "", "hypothesis": text, "label": attributes["label"]}

    def read(self, row: Mapping[str, str]) -> Attributes | None:
        """The attributes of a claim, by comparing it with the facts of its report."""
        facts = facts_of(row["premise"])
        found = _frame_of(row["hypothesis"])
        if facts is None or found is None:
            return None
        frame, voice, claim = found
        things = _NARROW.get(claim.things, claim.things)
        focus = next((i for i, fact in enumerate(facts) if fact.things == things), None)
        if focus is None:
            return None
        relations = _deviations(facts[focus], claim, facts)
        detail = "full" if claim.place and claim.day else "short"
        shown = {"place": bool(claim.place), "day": bool(claim.day)}
        if relations is None or len(relations) > 1:
            return None
        relation = relations[0] if relations else "kept"
        due = {"place": detail == "full" or relation == "place", "day": detail == "full" or relation == "day"}
        if shown != due:
            return None
        return {
            "label": "entailment" if relation in _ENTAILED else "not_entailment",
            "domain": _DOMAIN_OF[things],
            "relation": relation,
            "voice": voice,
            "frame": frame,
            "detail": detail,
            "focus": _POSITIONS[focus],
        }

    def _given(self, context: str | None) -> Attributes:
        facts = facts_of(context or "")
        return {} if facts is None else {"domain": _DOMAIN_OF[facts[0].things]}

    def pins(self, context: str | None, answer: str) -> Attributes | None:
        """Its label and the place its report is about; None where the report is not of this world."""
        return super().pins(context, answer) if facts_of(context or "") is not None else None


@lru_cache(maxsize=4096)
def facts_of(premise: str) -> tuple[Fact, ...] | None:
    """The three facts of a report; None if it is not one of this world."""
    facts = []
    for sentence in premise.split(". "):
        if sentence.rstrip(".") + "." in w.FILLERS:
            continue
        match = _REPORTED.fullmatch(sentence.rstrip("."))
        if match is None or match["verb"] not in _BASE or match["things"] not in _WIDER:
            return None
        day = match["early"] or match["day"]
        facts.append(Fact(match["name"], match["verb"], match["number"], match["things"], match["place"], day))
    return tuple(facts) if len(facts) == 3 else None


def _changed(fact: Fact, relation: str, facts: tuple[Fact, ...], dice: Dice) -> Fact:
    """The fact as a claim with this relation tells it."""
    same, opposite = _TURNED[fact.verb]
    number, others = int(fact.number), [other for other in facts if other is not fact]
    domain = _DOMAIN_OF[fact.things]
    changes: dict[str, dict[str, Any]] = {
        "kept": {},
        "synonym": {"verb": same},
        "wider": {"things": _WIDER[fact.things]},
        "bound": {"number": f"more than {number - 1 - int(dice.roll() * 3)}"},
        "negated": {"is_denied": True},
        "opposite": {"verb": opposite},
        "swapped": {"name": dice.pick(others).name},
        "place": {"place": dice.pick([place for place in w.PLACES[domain] if place != fact.place])},
        "day": {"day": dice.pick([day for day in w.DAYS if day != fact.day])},
        "too_many": {"number": f"more than {number + int(dice.roll() * 3)}"},
        "extra": {"extra": dice.pick(w.EXTRAS)},
    }
    return replace(fact, **changes[relation])


def _deviations(fact: Fact, claim: Fact, facts: tuple[Fact, ...]) -> list[str] | None:
    """Names of the relations in which a claim differs from its fact; None if it differs in a way this world has not."""
    found = []
    if claim.things != fact.things:
        found.append("wider")
    if claim.verb != fact.verb:
        found.append("synonym" if _SAME.get(claim.verb) == fact.verb else "opposite")
        if fact.verb not in (_SAME.get(claim.verb), _OPPOSITE.get(claim.verb)):
            return None
    if claim.name != fact.name:
        found.append("swapped")
        if claim.name not in {other.name for other in facts}:
            return None
    if claim.number != fact.number:
        if not claim.number.startswith("more than"):
            return None
        found.append("bound" if int(claim.number.split()[-1]) < int(fact.number) else "too_many")
    if claim.place not in (None, fact.place):
        found.append("place")
    if claim.day not in (None, fact.day):
        found.append("day")
    found += ["extra"] * bool(claim.extra) + ["negated"] * claim.is_denied
    return found


def _said(claim: Fact, voice: str) -> str:
    tail = "".join(
        (
            f" {claim.extra}" if claim.extra else "",
            f" at the {claim.place}" if claim.place else "",
            f" on {claim.day}" if claim.day else "",
        )
    )
    if voice == "active":
        verb = f"did not {_BASE[claim.verb]}" if claim.is_denied else claim.verb
        return f"{claim.name} {verb} {claim.number} {claim.things}{tail}"
    verb = ("not " if claim.is_denied else "") + _PARTICIPLE.get(claim.verb, claim.verb)
    core = f"{claim.number} {claim.things} were {verb} by {claim.name}{tail}"
    return core[0].upper() + core[1:]


def _frame_of(hypothesis: str) -> tuple[str, str, Fact] | None:
    """Frame, voice and content of a claim; None if its form is not of this world."""
    if not hypothesis.endswith("."):
        return None
    for frame, pattern in reversed(_FRAMES):  # "bare" fits everything, so it is tried last
        match = pattern.fullmatch(hypothesis[:-1])
        if match is None:
            continue
        for voice, form in (("active", _ACTIVE), ("passive", _PASSIVE)):
            if (core := form.fullmatch(match["core"])) is not None:
                return frame, voice, _content(core, voice)
        return None
    return None


def _content(core: re.Match[str], voice: str) -> Fact:
    verb = _PLAIN.get(core["verb"], core["verb"]) if voice == "passive" else core["verb"]
    is_denied = core["denied"] is not None
    if is_denied and voice == "active":
        verb = _PAST.get(verb, verb)
    return Fact(
        core["name"],
        verb,
        core["number"].lower(),
        core["things"],
        core["place"],
        core["day"],
        core["extra"],
        is_denied,
    )
