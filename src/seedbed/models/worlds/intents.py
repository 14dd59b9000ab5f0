"""The world `intents`: messages to a shop's support; what does the customer want?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seedbed.models.worlds import intents_words as w
from seedbed.models.worlds.grammar import (
    Attributes,
    Choice,
    Dice,
    Lexicon,
    Mark,
    Network,
    mistype,
    sentence_case,
    words_of_templates,
)
from seedbed.models.worlds.world import World
from seedbed.task import Task

_SENTENCES = {"short": 1, "medium": 1, "long": 2}
_FILLERS = {"short": 0, "medium": 1, "long": 2}

TASK = Task(
    name="intents",
    kind="classification",
    instruction="Sort messages to the support desk of a shop by what the customer wants.",
    row="a message of a customer",
    labels={
        "delivery": "the customer waits for goods",
        "refund": "the customer wants to be paid back",
        "billing": "the customer doubts what was charged",
        "login": "the customer cannot get into the account",
        "replacement": "the customer got faulty goods and wants others",
        "cancel": "the customer wants to end the order",
        "address": "the customer lives somewhere else now",
    },
)

_CALM = {"neutral": 0.65, "angry": 0.15, "polite": 0.20}
_ANGRY = {"neutral": 0.55, "angry": 0.35, "polite": 0.10}

NETWORK = Network(
    (
        Choice(
            "label",
            {
                "": {
                    "delivery": 0.24,
                    "refund": 0.20,
                    "billing": 0.16,
                    "login": 0.14,
                    "replacement": 0.11,
                    "cancel": 0.09,
                    "address": 0.06,
                }
            },
        ),
        Choice(
            "product",
            {"": {"phone": 0.28, "router": 0.22, "sofa": 0.17, "clothes": 0.14, "magazine": 0.11, "mower": 0.08}},
            said={
                "phone": "something to call with",
                "router": "a box for the internet",
                "sofa": "furniture",
                "clothes": "something to wear",
                "magazine": "something to read",
                "mower": "a machine for the garden",
            },
        ),
        Choice(
            "style",
            {"": {"plain": 0.38, "chatty": 0.24, "story": 0.16, "formal": 0.13, "terse": 0.09}},
            said={
                "chatty": "chatting with the team",
                "story": "telling how the day before went",
                "formal": "writing like a solicitor",
                "terse": "filling in a form in telegram style",
            },
        ),
        Choice(
            "manner",
            {"": {"direct": 0.46, "indirect": 0.34, "decoy": 0.20}},
            said={
                "indirect": "describing what happened without naming the wish",
                "decoy": "ruling out what others usually want",
            },
        ),
        Choice("wording", {"": {"common": 0.8, "rare": 0.2}}, said={"rare": "choosing words that few people use"}),
        Choice(
            "mood",
            {label: _ANGRY if label in ("refund", "billing", "replacement") else _CALM for label in TASK.labels},
            parent="label",
            said={"angry": "being cross", "polite": "being grateful beforehand"},
            habit={"polite": 3.0, "angry": 0.3},
        ),
        Choice("length", {"": {"short": 0.35, "medium": 0.40, "long": 0.25}}, habit={"medium": 2.0}),
        Choice("typos", {"": {"clean": 0.88, "typos": 0.12}}, said={"typos": "typing in a hurry"}),
    )
)


def _parted(clue: str) -> tuple[str, str]:
    sentence, _, mark = clue.partition("|")
    return sentence, mark


def _lexicon() -> Lexicon:
    marks: dict[tuple[str, str], tuple[str, ...]] = {("denial", "yes"): w.DENIALS, ("filler", "yes"): w.FILLER_MARKS}
    marks |= {("product", product): words for product, words in w.PRODUCTS.items()}
    for intent in TASK.labels:
        for i, band in enumerate(("common", "rare")):
            marks["noun", f"{intent} {band} any"] = w.NOUNS[intent][i]
            marks["clue", f"{intent} {band} any"] = tuple(_parted(clue)[1] for clue in w.CLUES[intent][i])
            marks |= {("noun", f"{intent} {band} {style}"): nouns[intent][i] for style, nouns in w.STYLE_NOUNS.items()}
    marks |= {("style", style): words for style, words in w.STYLE_MARKS.items()}
    marks |= {("mood", mood): words for mood, words in w.MOOD_MARKS.items()}
    groups = (w.OPENINGS, w.DIRECT, w.DECOY, w.MOOD_ENDINGS)
    texts = [text for group in groups for texts in group.values() for text in texts]
    texts += [_parted(clue)[0] for bands in w.CLUES.values() for band in bands for clue in band]
    return Lexicon(marks, words_of_templates([*texts, *w.FILLERS]))


class Intents(World):
    """Support messages that name the wish, only describe its cause, or first rule out another one."""

    name = "intents"
    task = TASK
    network = NETWORK
    cell_attributes = ("label", "style", "manner", "wording")

    def __init__(self) -> None:
        self._lexicon = _lexicon()

    def write(self, attributes: Mapping[str, str], dice: Dice, context: str | None = None) -> dict[str, str]:
        """A message with these attributes."""
        del context
        style, product, length = attributes["style"], attributes["product"], attributes["length"]
        parts = [dice.pick(w.OPENINGS[style]).replace("{product}", dice.pick(w.PRODUCTS[product]))]
        middle = self._wishes(attributes, _SENTENCES[length], dice) + dice.distinct(w.FILLERS, _FILLERS[length])
        parts += dice.distinct(middle, len(middle))
        if attributes["mood"] != "neutral":
            parts.append(dice.pick(w.MOOD_ENDINGS[attributes["mood"]]))
        text = " . ".join(parts) + " ."
        if attributes["typos"] == "typos":
            text = mistype(text, dice)
        return {"text": sentence_case(text), "label": attributes["label"]}

    def _wishes(self, attributes: Mapping[str, str], count: int, dice: Dice) -> list[str]:
        band = 0 if attributes["wording"] == "common" else 1
        intent, manner, style = attributes["label"], attributes["manner"], attributes["style"]
        if manner == "indirect":
            sentences = [_parted(clue)[0] for clue in dice.distinct(w.CLUES[intent][band], count)]
        else:
            nouns = dice.distinct(_nouns(intent, style, band), count)
            form = w.DIRECT if manner == "direct" else w.DECOY
            sentences = [dice.pick(form[style]).replace("{noun}", noun) for noun in nouns]
        others = [label for label in TASK.labels if label != intent]
        sentences = [
            text.replace("{decoy}", dice.pick(_nouns(dice.pick(others), style, band))) if "{decoy}" in text else text
            for text in sentences
        ]
        return [text.replace("{product}", dice.pick(w.PRODUCTS[attributes["product"]])) for text in sentences]

    def read(self, row: Mapping[str, str]) -> Attributes | None:
        """The attributes of a message, from its words."""
        found = self._lexicon.read(row["text"])
        if found is None:
            return None
        marks, typos = found
        wanted, ruled_out = _things(marks)
        manner = "decoy" if ruled_out else "direct"
        if any(mark.attribute == "clue" for mark in marks):
            manner = "indirect"
        said = {name: {mark.value for mark in marks if mark.attribute == name} for name in ("product", "style", "mood")}
        things = [thing.split() for thing in wanted + ruled_out]
        styles = said["style"] | {style for _, _, style in things if style != "any"}
        bands, labels = {band for _, band, _ in things}, {thing.split()[0] for thing in wanted}
        fillers = sum(mark.attribute == "filler" for mark in marks)
        lengths = [name for name, count in _SENTENCES.items() if (len(wanted), fillers) == (count, _FILLERS[name])]
        if any(len(group) != 1 for group in (said["product"], bands, labels, lengths)):
            return None
        if len(styles) > 1 or len(said["mood"]) > 1:
            return None
        return {
            "label": labels.pop(),
            "product": said["product"].pop(),
            "style": next(iter(styles), "plain"),
            "manner": manner,
            "wording": bands.pop(),
            "mood": next(iter(said["mood"]), "neutral"),
            "length": lengths[0],
            "typos": "typos" if typos else "clean",
        }


def _nouns(intent: str, style: str, band: int) -> Sequence[str]:
    own = w.STYLE_NOUNS[style][intent][band] if style in w.STYLE_NOUNS else ()
    return (*w.NOUNS[intent][band], *own)


def _things(marks: Sequence[Mark]) -> tuple[list[str], list[str]]:
    """What is wanted and what is ruled out: a thing named right after a denial is ruled out."""
    wanted: list[str] = []
    ruled_out: list[str] = []
    is_denied = False
    for mark in marks:
        if mark.attribute == "noun":
            (ruled_out if is_denied else wanted).append(mark.value)
            is_denied = False
        elif mark.attribute == "clue":
            wanted.append(mark.value)
        elif mark.attribute == "denial":
            is_denied = True
    return wanted, ruled_out
