"""Answers as models spoil them, with what must come of each. Written by hand after faults that are met in practice."""

import json
from dataclasses import dataclass

from seedbed.request import Choice, Constraint, JsonSchema, Regex

REVIEW = JsonSchema.of(
    {
        "type": "object",
        "properties": {
            "label": {"enum": ["positive", "negative"]},
            "text": {"type": "string"},
            "stars": {"type": "integer", "minimum": 1, "maximum": 5},
            "topics": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["label"],
        "additionalProperties": False,
    }
)
NUMBERS = JsonSchema.of({"type": "array", "items": {"type": "number"}})
BOXES = JsonSchema.of({"type": "array"})
INTEGER = JsonSchema.of({"type": "integer"})
TEXT = JsonSchema.of({"type": "string"})
OPTIONAL = JsonSchema.of({"type": ["object", "null"]})
TREE = JsonSchema.of(
    {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["name"],
            }
        },
    }
)
LABEL = Choice(("entailment", "not_entailment", "Neutral"))
DATE = Regex(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Case:
    """One answer."""

    name: str
    constraint: Constraint
    answer: str
    kind: str
    expected: object = None
    """The value of the salvaged JSON, or the salvaged text; for an invalid answer, words of the problem."""

    def value(self, text: str) -> object:
        return json.loads(text) if isinstance(self.constraint, JsonSchema) else text


GOOD = {"label": "positive", "stars": 4}
PLAIN = '{"label": "positive", "stars": 4}'

CASES = [
    # -- as asked
    Case("plain", REVIEW, PLAIN, "valid"),
    Case("blanks around it", REVIEW, f"\n  {PLAIN}\n", "valid"),
    Case("an escaped line break", REVIEW, '{"label": "positive", "text": "a\\nb"}', "valid"),
    Case("a fence inside a text", REVIEW, '{"label": "positive", "text": "```json\\n{}\\n```"}', "valid"),
    Case("a name twice with one value", REVIEW, '{"label": "positive", "label": "positive"}', "valid"),
    Case("a bare integer", INTEGER, "4", "valid"),
    Case("null where it may be", OPTIONAL, "null", "valid"),
    Case("a choice", LABEL, "entailment", "valid"),
    Case("a match", DATE, "2024-02-29", "valid"),
    # -- something around it
    Case("a fence", REVIEW, f"```json\n{PLAIN}\n```", "salvaged", GOOD),
    Case("a fence without a language", REVIEW, f"```\n{PLAIN}\n```", "salvaged", GOOD),
    Case("a fence on one line", REVIEW, f"```json {PLAIN}```", "salvaged", GOOD),
    Case("a fence that is never closed", REVIEW, f"```json\n{PLAIN}", "salvaged", GOOD),
    Case("a closing fence only", REVIEW, f"{PLAIN}\n```", "salvaged", GOOD),
    Case("prose and a fence", REVIEW, f"Sure! Here it is:\n\n```json\n{PLAIN}\n```\n\nLet me know!", "salvaged", GOOD),
    Case("prose around it", REVIEW, f"Here you are: {PLAIN} I hope this helps.", "salvaged", GOOD),
    Case("a byte order mark", REVIEW, f"\ufeff{PLAIN}", "salvaged", GOOD),
    Case("one bracket too many", REVIEW, f"{PLAIN}}}", "salvaged", GOOD),
    Case("an end token", REVIEW, f"{PLAIN}<|im_end|>", "salvaged", GOOD),
    Case("a semicolon", REVIEW, f"{PLAIN};", "salvaged", GOOD),
    Case("the word json", REVIEW, f"json\n{PLAIN}", "salvaged", GOOD),
    Case("doubled brackets as in a template", REVIEW, f"{{{PLAIN}}}", "salvaged", GOOD),
    Case("the answer twice", REVIEW, f"{PLAIN}\n\n{PLAIN}", "salvaged", GOOD),
    Case("brackets in prose", REVIEW, f"As [1] says {{see above}}: {PLAIN}", "salvaged", GOOD),
    Case("another value that fits not", REVIEW, f'Instead of {{"label": "mixed"}}: {PLAIN}', "salvaged", GOOD),
    Case(
        "an example before the fence", REVIEW, f'Not {{"label": "negative"}}.\n```json\n{PLAIN}\n```', "salvaged", GOOD
    ),
    Case("thoughts that hold JSON", REVIEW, f'<think>{{"label": "negative"}}?</think>\n{PLAIN}', "salvaged", GOOD),
    Case("thoughts that only end", REVIEW, f'{{"label": "negative"}}?\n</think>\n\n{PLAIN}', "salvaged", GOOD),
    Case(
        "a text that names them",
        REVIEW,
        '{"label": "positive", "text": "</think>",}',
        "salvaged",
        {"label": "positive", "text": "</think>"},
    ),
    Case("a tool call's JSON in JSON", REVIEW, json.dumps(PLAIN), "salvaged", GOOD),
    Case("a fenced number", INTEGER, "```\n4\n```", "salvaged", 4),
    Case("a list after a sentence", NUMBERS, "The scores are [0.5, 1.10, 2].", "salvaged", [0.5, 1.1, 2]),
    # -- mended inside
    Case("a comma before the end", REVIEW, '{"label": "positive", "stars": 4,}', "salvaged", GOOD),
    Case("a comma before the end of a list", NUMBERS, "[1, 2,\n]", "salvaged", [1, 2]),
    Case(
        "a line break in a text",
        REVIEW,
        '{"label": "positive", "text": "Good.\nVery\tgood."}',
        "salvaged",
        {"label": "positive", "text": "Good.\nVery\tgood."},
    ),
    Case("single quotes", REVIEW, "{'label': 'positive', 'stars': 4}", "salvaged", GOOD),
    Case(
        "single quotes and an apostrophe",
        REVIEW,
        "{'label': 'positive', 'text': 'it's \"good\"'}",
        "salvaged",
        {"label": "positive", "text": 'it\'s "good"'},
    ),
    Case(
        "a single quote escaped as in Python",
        REVIEW,
        "{'label': 'positive', \"text\": \"it\\'s\"}",
        "salvaged",
        {"label": "positive", "text": "it's"},
    ),
    Case("Python's None", OPTIONAL, "{'a': None, 'b': [True, False]}", "salvaged", {"a": None, "b": [True, False]}),
    Case("a bare None", OPTIONAL, "None", "salvaged", None),
    Case("quotation marks of a word processor", REVIEW, "{“label”: “positive”, “stars”: 4}", "salvaged", GOOD),
    Case(
        "such marks around straight ones",
        REVIEW,
        '{“label”: “positive”, “text”: “a "b" ’s”}',
        "salvaged",
        {"label": "positive", "text": 'a "b" ’s'},
    ),
    Case("names without marks", REVIEW, '{label: "positive", stars: 4}', "salvaged", GOOD),
    Case("comments", REVIEW, '{"label": "positive", // sure\n "stars": 4 /* of 5 */}', "salvaged", GOOD),
    Case("blanks that are no ASCII", REVIEW, '{\u00a0"label":\u00a0"positive",\u200b"stars": 4,}', "salvaged", GOOD),
    # -- choices and matches
    Case("a choice with a full stop", LABEL, "Entailment.", "salvaged", "entailment"),
    Case("a choice in quotes and bold", LABEL, ' **"not_entailment"**\n', "salvaged", "not_entailment"),
    Case("a choice in a fence", LABEL, "```\nneutral\n```", "salvaged", "Neutral"),
    Case("a choice after thoughts", LABEL, "<think>neutral?</think>\n\nentailment", "salvaged", "entailment"),
    Case("a match in blanks", DATE, " 2024-02-29\n", "salvaged", "2024-02-29"),
    Case("a match in backticks", DATE, "`2024-02-29`.", "salvaged", "2024-02-29"),
    # -- never guessed
    Case("nothing", REVIEW, "", "invalid", "empty"),
    Case("blanks", REVIEW, " \n", "invalid", "empty"),
    Case("an apology", REVIEW, "I'm sorry, I can't do that.", "invalid", "not JSON"),
    Case("cut in a text", REVIEW, '{"label": "positive", "text": "Goo', "invalid", "breaks off"),
    Case("cut before the bracket", REVIEW, '{"label": "positive", "stars": 4', "invalid", "breaks off"),
    Case("cut after a complete part", TREE, '{"name": "a", "parts": [{"name": "b"}, {"na', "invalid", "breaks off"),
    Case("cut in a fence", REVIEW, '```json\n{"label": "positive",\n```', "invalid", "quoted name"),
    Case("thoughts without an end", REVIEW, f"<think>perhaps {PLAIN}", "invalid", "empty"),
    Case("nothing after the thoughts", REVIEW, f"{PLAIN}\n</think>\n", "invalid", "empty"),
    Case("two answers", REVIEW, '{"label": "positive"} or {"label": "negative"}', "invalid", "several different"),
    Case("lines of JSON", REVIEW, '{"label": "positive"}\n{"label": "negative"}', "invalid", "several different"),
    Case("two fences", REVIEW, f'```\n{PLAIN}\n```\n```\n{{"label": "negative"}}\n```', "invalid", "several different"),
    Case("a number as text", REVIEW, '{"label": "positive", "stars": "4"}', "invalid", 'at stars: "4" is not of type'),
    Case("a text as number", TEXT, "4", "invalid", "not of type"),
    Case("an integer in a text", INTEGER, '"4"', "invalid", "not of type"),
    Case("an integer in prose", INTEGER, "I would say 4.", "invalid", "not JSON"),
    Case("another label", REVIEW, '{"label": "mixed"}', "invalid", 'at label: "mixed" is not one of'),
    Case("a label in capitals", REVIEW, '{"label": "Positive"}', "invalid", "not one of"),
    Case("a name too many", REVIEW, '{"label": "positive", "why": 1}', "invalid", "'why'"),
    Case("a name too few", REVIEW, '{"stars": 4}', "invalid", '"label" is a required property'),
    Case("out of range", REVIEW, '{"label": "positive", "stars": 6}', "invalid", "at stars: 6 is greater"),
    Case("wrapped in an object", REVIEW, f'{{"answer": {PLAIN}}}', "invalid", "answer"),
    Case("wrapped in a list", REVIEW, f"[{PLAIN}]", "invalid", "not of type"),
    Case("unescaped quotes", REVIEW, '{"label": "positive", "text": "a "b" c"}', "invalid", "a comma or }"),
    Case(
        "single quotes, two readings", REVIEW, "{'label': 'positive', 'text': 'dogs' tails'}", "invalid", "a comma or }"
    ),
    Case("a Windows path", REVIEW, '{"label": "positive", "text": "C:\\new\\Users"}', "invalid", "doubled"),
    Case("LaTeX", REVIEW, '{"label": "positive", "text": "\\frac{1}{2} \\alpha"}', "invalid", "doubled"),
    Case("a name twice", REVIEW, '{"label": "positive", "label": "negative"}', "invalid", "stands twice"),
    Case("NaN", NUMBERS, "[1, NaN]", "invalid", "NaN is no JSON"),
    Case("Infinity", NUMBERS, "[1, -Infinity]", "invalid", "expected a value"),
    Case("a number beyond any float", NUMBERS, "[1e999]", "invalid", "too large"),
    Case("a leading zero", NUMBERS, "[007]", "invalid", "expected a value"),
    Case("a thousands separator", INTEGER, "1,000", "invalid", "not JSON"),
    Case("an ellipsis", NUMBERS, "[1, 2, ...]", "invalid", "expected a value"),
    Case("a list broken before its last part", NUMBERS, "[1, 2 of 3, [4]]", "invalid", "a comma or ]"),
    Case("a list of lists, the first broken", BOXES, "[[one], [2]]", "invalid", "one is no JSON"),
    Case("a missing comma", REVIEW, '{"label": "positive" "stars": 4}', "invalid", "a comma or }"),
    Case("half a character", TEXT, '"\\ud83d"', "invalid", "surrogate"),
    Case("single quotes around it all", REVIEW, "'label': 'positive'", "invalid", "not JSON"),
    Case("XML", REVIEW, "<label>positive</label>", "invalid", "not JSON"),
    Case("YAML", REVIEW, "label: positive\nstars: 4", "invalid", "not JSON"),
    Case("two options", LABEL, "entailment or not_entailment", "invalid", "none of the options"),
    Case("an option in a sentence", LABEL, "The label is entailment.", "invalid", "none of the options"),
    Case("no option", LABEL, "", "invalid", "none of the options"),
    Case("a match in a sentence", DATE, "on 2024-02-29", "invalid", "does not match"),
    Case("a match and a line break more", Regex(r"\d+$"), "42\nx", "invalid", "does not match"),
]
