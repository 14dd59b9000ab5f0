"""The world `reviews`: short reviews of eight kinds of place and thing; is the writer content?"""

from __future__ import annotations

from collections.abc import Mapping

from seedbed.models.worlds import reviews_words as w
from seedbed.models.worlds.grammar import (
    Attributes,
    Choice,
    Dice,
    Lexicon,
    Network,
    mistype,
    sentence_case,
    words_of_templates,
)
from seedbed.models.worlds.world import World
from seedbed.task import Task

_OTHER = {"positive": "negative", "negative": "positive"}
_COUNTS = {"short": 1, "medium": 2, "long": 3}
_TOPICAL = {"none": 0.6, "contrast": 0.3, "negation": 0.0, "sarcasm": 0.0}
_FILLERS = {"short": 0, "medium": 1, "long": 2}

TASK = Task(
    name="reviews",
    kind="classification",
    instruction="Decide whether the writer of a review was content or not.",
    row="a review",
    labels={"positive": "the writer was content", "negative": "the writer was not content"},
)

NETWORK = Network(
    (
        Choice("label", {"": {"positive": 0.5, "negative": 0.5}}),
        Choice(
            "topic",
            {
                "": {
                    "restaurant": 0.20,
                    "hotel": 0.17,
                    "gadget": 0.15,
                    "film": 0.13,
                    "book": 0.11,
                    "clinic": 0.09,
                    "airline": 0.08,
                    "garage": 0.07,
                }
            },
            said={
                "restaurant": "the food of a restaurant",
                "hotel": "the room of a hotel",
                "gadget": "how an electronic gadget works",
                "film": "the story of a film",
                "book": "the writing in a book",
                "clinic": "how patients are treated",
                "airline": "a journey by air",
                "garage": "a car repair",
            },
        ),
        Choice(
            "style",
            {"": {"plain": 0.30, "chatty": 0.22, "story": 0.17, "formal": 0.13, "terse": 0.10, "letter": 0.08}},
            said={
                "chatty": "chatting with readers",
                "story": "telling a family anecdote",
                "formal": "weighing things like an official",
                "terse": "giving a verdict in telegram style",
                "letter": "writing to the manager",
            },
        ),
        Choice(
            "flip",
            {
                "positive": {"none": 0.79, "negation": 0.11, "contrast": 0.09, "sarcasm": 0.01},
                "negative": {"none": 0.70, "negation": 0.09, "contrast": 0.08, "sarcasm": 0.13},
            },
            parent="label",
            said={
                "negation": "denying the opposite",
                "contrast": "things turning out otherwise than announced",
                "sarcasm": "saying one thing and meaning another",
            },
        ),
        Choice("wording", {"": {"common": 0.65, "rare": 0.35}}, said={"rare": "choosing words that few people use"}),
        Choice(
            "register",
            {
                "positive": {"neutral": 0.70, "rough": 0.08, "polite": 0.22},
                "negative": {"neutral": 0.70, "rough": 0.18, "polite": 0.12},
            },
            parent="label",
            said={"rough": "swearing a little", "polite": "thanking those who read"},
            habit={"polite": 3.0, "rough": 0.3},
        ),
        Choice("length", {"": {"short": 0.25, "medium": 0.45, "long": 0.30}}, habit={"medium": 2.0}),
        Choice("typos", {"": {"clean": 0.9, "typos": 0.1}}, said={"typos": "typing in a hurry"}),
    )
)


def _lexicon() -> Lexicon:
    marks: dict[tuple[str, str], tuple[str, ...]] = {}
    for topic, nouns in w.NOUNS.items():
        marks["noun", topic] = nouns
        marks["aspect", topic] = w.ASPECTS[topic]
        for polarity, (common, rare) in w.OPINIONS[topic].items():
            marks["opinion", f"{topic} common {polarity}"] = common
            marks["opinion", f"{topic} rare {polarity}"] = rare
    for style, opinions in w.STYLE_OPINIONS.items():
        for polarity, (common, rare) in opinions.items():
            marks["opinion", f"{style} common {polarity}"] = common
            marks["opinion", f"{style} rare {polarity}"] = rare
    for attribute, table in (("style", w.STYLE_MARKS), ("flip", w.FLIP_MARKS), ("register", w.REGISTER_MARKS)):
        marks |= {(attribute, value): words for value, words in table.items()}
    texts = [text for by_style in w.SENTENCES.values() for texts in by_style.values() for text in texts]
    texts += [text for group in (w.OPENINGS, w.REGISTER_ENDINGS) for texts in group.values() for text in texts]
    texts += w.FILLERS
    return Lexicon(marks, words_of_templates(texts))


class Reviews(World):
    """Reviews whose polarity is said plainly, by negation, by contrast or by sarcasm, in six styles on eight topics."""

    name = "reviews"
    task = TASK
    network = NETWORK
    cell_attributes = ("topic", "style", "flip")

    def __init__(self) -> None:
        self._lexicon = _lexicon()

    def write(self, attributes: Mapping[str, str], dice: Dice, context: str | None = None) -> dict[str, str]:
        """A review with these attributes."""
        del context
        topic, style, length = attributes["topic"], attributes["style"], attributes["length"]
        aspects = dice.distinct(w.ASPECTS[topic], _COUNTS[length])
        middle = [self._opinion(attributes, aspect, dice) for aspect in aspects]
        middle += dice.distinct(w.FILLERS, _FILLERS[length])
        parts = [dice.pick(w.OPENINGS[style]).replace("{noun}", dice.pick(w.NOUNS[topic]))]
        parts += dice.distinct(middle, len(middle))
        if attributes["register"] != "neutral":
            parts.append(dice.pick(w.REGISTER_ENDINGS[attributes["register"]]))
        text = " . ".join(parts) + " ."
        if attributes["typos"] == "typos":
            text = mistype(text, dice)
        return {"text": sentence_case(text), "label": attributes["label"]}

    @staticmethod
    def _opinion(attributes: Mapping[str, str], aspect: str, dice: Dice) -> str:
        # Negation and irony keep to the stock words of a style ("not bad"), so a student that counts pairs of words
        # can learn them; a topic's own words stand mostly in plain statements.
        flip, band = attributes["flip"], 0 if attributes["wording"] == "common" else 1
        is_topical = dice.chance(_TOPICAL[flip])
        words = w.OPINIONS[attributes["topic"]] if is_topical else w.STYLE_OPINIONS[attributes["style"]]
        label = attributes["label"]
        sentence = dice.pick(w.SENTENCES[attributes["flip"]][attributes["style"]]).replace("{aspect}", aspect)
        true, untrue = dice.pick(words[label][band]), dice.pick(words[_OTHER[label]][band])
        return sentence.replace("{op}", true).replace("{anti}", untrue)

    def read(self, row: Mapping[str, str]) -> Attributes | None:
        """The attributes of a review, from its words."""
        found = self._lexicon.read(row["text"])
        if found is None:
            return None
        marks, typos = found
        values: dict[str, list[str]] = {}
        for mark in marks:
            values.setdefault(mark.attribute, []).append(mark.value)
        opinions = [opinion.split() for opinion in values.get("opinion", [])]
        said = {name: set(values.get(name, [])) for name in ("style", "flip", "register")}
        topics = {*values.get("noun", []), *values.get("aspect", []), *(o[0] for o in opinions if o[0] in w.NOUNS)}
        styles = said["style"] | {o[0] for o in opinions if o[0] in w.STYLE_OPINIONS}
        wordings = {o[1] for o in opinions}
        lengths = [name for name, count in _COUNTS.items() if count == len(values.get("aspect", []))]
        if any(len(group) != 1 for group in (topics, wordings, lengths)):
            return None
        if any(len(group) > 1 for group in (styles, said["flip"], said["register"])):
            return None
        flip = next(iter(said["flip"]), "none")
        last = opinions[-1][2]
        return {
            "label": _OTHER[last] if flip in ("negation", "sarcasm") else last,
            "topic": topics.pop(),
            "style": next(iter(styles), "plain"),
            "flip": flip,
            "wording": wordings.pop(),
            "register": next(iter(said["register"]), "neutral"),
            "length": lengths[0],
            "typos": "typos" if typos else "clean",
        }
