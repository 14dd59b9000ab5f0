"""The world `facts`: short passages about buildings, and questions whose answer is a piece of the passage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from seedbed.models.worlds import facts_words as w
from seedbed.models.worlds.grammar import Attributes, Choice, Dice, Network, Table
from seedbed.models.worlds.world import World
from seedbed.task import Task

_PHRASINGS = ("outright", "request", "heading")

TASK = Task(
    name="facts",
    kind="extractive_qa",
    instruction="Answer a question about a building with a piece of the passage, word for word.",
    row="a question",
    fields=("context", "question"),
    context="context",
)

_ABSENT = {"years": 0.2, "people": 0.25, "sizes": 0.25, "places": 0.3}
_WEIGHTS = {
    "name": 1.0,
    "opened": 2.2,
    "renovated": 1.0,
    "designer": 2.0,
    "warden": 0.8,
    "length": 1.6,
    "height": 1.2,
    "town": 1.6,
    "quarry": 0.6,
}


def _present(absent: str) -> list[str]:
    return [name for name in _WEIGHTS if name not in w.PAIRS[absent]]


def _property_table(absent: str) -> Table:
    weights = {name: _WEIGHTS[name] for name in _present(absent)}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


_REFERENCES = {"name": 0.45, "kind": 0.35, "pronoun": 0.20}
# Asking "what is Orla Bridge called" would give the answer away.
_NAMELESS = {"kind": 0.65, "pronoun": 0.35}

NETWORK = Network(
    (
        Choice("absent", {"": _ABSENT}),
        Choice("property", {absent: _property_table(absent) for absent in w.PAIRS}, parent="absent"),
        Choice("wording", {"": {"common": 0.66, "rare": 0.34}}, said={"rare": "choosing words that few people use"}),
        Choice(
            "phrasing",
            {"": {"outright": 0.55, "request": 0.25, "heading": 0.20}},
            said={"request": "asking for a favour", "heading": "leaving the verb out"},
        ),
        Choice(
            "reference",
            {name: _NAMELESS if name == "name" else _REFERENCES for name in _WEIGHTS},
            parent="property",
            said={"pronoun": "not saying what is meant"},
        ),
    )
)

# What a question looks like with the building taken out -> property, wording, phrasing.
_SURFACES: dict[str, tuple[str, str, str]] = {
    form.replace("{q}", clause): (name, wording, phrasing)
    for name, by_wording in w.QUESTIONS.items()
    for wording, clauses in by_wording.items()
    for phrasing, clause in zip(_PHRASINGS, clauses, strict=True)
    for form in w.FORMS[phrasing]
}
_REPORTED = [
    (name, re.compile(re.escape(text).replace(r"\{v\}", "(?P<v>.+)").replace(r"\{kind\}", "(?P<kind>[a-z]+)")))
    for name, texts in w.SENTENCES.items()
    for text in texts
]


class Facts(World):
    """Questions about one of seven values in a passage; each value but the name has a twin that looks alike."""

    name = "facts"
    task = TASK
    network = NETWORK
    cell_attributes = ("property", "wording", "phrasing", "reference")

    def write_context(self, dice: Dice) -> str:
        """A passage about one building: its name, and three of four pairs of values in any order."""
        kind, present = dice.pick(w.KINDS), _present(dice.draw(_ABSENT))
        values = _values(kind, dice)
        body = [dice.pick(w.SENTENCES[name]).replace("{v}", values[name]) for name in present if name != "name"]
        body.append(dice.pick(w.FILLERS))
        first = dice.pick(w.SENTENCES["name"]).replace("{v}", values["name"]).replace("{kind}", kind)
        return " ".join([first, *dice.distinct(body, len(body))])

    def write(self, attributes: Mapping[str, str], dice: Dice, context: str | None = None) -> dict[str, str]:
        """A question with these attributes about the passage, and its answer."""
        values = values_of(context or "") or {}
        phrasing = attributes["phrasing"]
        clause = w.QUESTIONS[attributes["property"]][attributes["wording"]][_PHRASINGS.index(phrasing)]
        text = dice.pick(w.FORMS[phrasing]).replace("{q}", clause)
        text = text.replace("{it}", _references(values)[attributes["reference"]])
        text = text[0].upper() + re.sub(r"^i\b", "I", text)[1:]
        return {"context": context or "", "question": text, "answer": values[attributes["property"]]}

    def read(self, row: Mapping[str, str]) -> Attributes | None:
        """The attributes of a question, given its passage."""
        values = values_of(row["context"])
        question = row["question"]
        if values is None or not question:
            return None
        question = question[0].lower() + question[1:]
        for reference, said in _references(values).items():
            # A name keeps its capital, also where it opens the question.
            bare = re.sub(rf"\b{said}\b", "{it}", question, count=1)
            found = _SURFACES.get(bare)
            if bare != question and found is not None and found[0] in values:
                attributes = dict(zip(("property", "wording", "phrasing"), found, strict=True))
                return {"absent": values["absent"], **attributes, "reference": reference}
        return None

    def truth(self, row: Mapping[str, str]) -> str | None:
        """The answer to a question, from its passage; None if it has none."""
        attributes = self.read(row)
        return None if attributes is None else (values_of(row["context"]) or {})[attributes["property"]]

    def pins(self, context: str | None, answer: str) -> Attributes | None:
        """What the question must ask for; None where the passage says nothing that this is the answer to."""
        values = values_of(context or "") or {}
        name = next((name for name in _WEIGHTS if values.get(name) == answer), None)
        return None if name is None else {"absent": values["absent"], "property": name}

    def other_answer(self, context: str | None, answer: str, dice: Dice) -> str:
        """The value that looks most like the right one: its twin."""
        pins, values = self.pins(context, answer), values_of(context or "") or {}
        for pair in w.PAIRS.values():
            if pins is not None and pins["property"] in pair:
                return values[pair[1 - pair.index(pins["property"])]]
        return dice.pick([values[name] for name in _WEIGHTS if name in values and values[name] != answer])

    def gold_answer(self, context: str | None, dice: Dice) -> str:
        """The answer of a question as gold asks them of this passage."""
        drawn = self.network.draw(dice, self._given(context))
        return (values_of(context or "") or {})[drawn["property"]]

    def _given(self, context: str | None) -> Attributes:
        values = values_of(context or "")
        return {} if values is None else {"absent": values["absent"]}


def _values(kind: str, dice: Dice) -> dict[str, str]:
    designer, warden = dice.distinct(w.FORENAMES, 2)
    surnames, towns = dice.distinct(w.SURNAMES, 2), dice.distinct(w.TOWNS, 2)
    opened = 1850 + int(dice.roll() * 100)
    height = 12 + int(dice.roll() * 80)
    # "28 metres" must not lie inside "128 metres", or the offset of an answer would not be unique.
    length = 100 * (1 + int(dice.roll() * 8)) + (height + 1 + int(dice.roll() * 90)) % 100
    return {
        "name": f"{dice.pick(w.PROPER)} {kind.capitalize()}",
        "opened": str(opened),
        "renovated": str(opened + 10 + int(dice.roll() * 60)),
        "designer": f"{designer} {surnames[0]}",
        "warden": f"{warden} {surnames[1]}",
        "length": f"{length} metres",
        "height": f"{height} metres",
        "town": towns[0],
        "quarry": towns[1],
    }


def _references(values: Mapping[str, str]) -> dict[str, str]:
    return {"name": values["name"], "kind": f"the {values['kind']}", "pronoun": "it"}


@lru_cache(maxsize=4096)
def values_of(passage: str) -> dict[str, str] | None:
    """Property to its value in a passage, with its `kind` and which pair is `absent`; None if not of this world."""
    values: dict[str, str] = {}
    for sentence in re.split(r"(?<=\.) ", passage):
        if sentence in w.FILLERS:
            continue
        match = next(((name, found) for name, form in _REPORTED if (found := form.fullmatch(sentence))), None)
        if match is None or match[0] in values:
            return None
        values[match[0]] = match[1]["v"]
        if match[0] == "name":
            values["kind"] = match[1]["kind"]
    absent = [pair for pair, names in w.PAIRS.items() if not set(names) & set(values)]
    if "name" not in values or len(absent) != 1 or len(values) != len(_present(absent[0])) + 1:
        return None
    return {**values, "absent": absent[0]}
