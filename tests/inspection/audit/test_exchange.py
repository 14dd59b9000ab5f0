"""Labels to and from files."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.exchange import LAYOUTS, Entry, label_studio_config, read, write
from seedbed.inspection.audit.queue import Drawn, Reading
from seedbed.inspection.audit.rules import Pick

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('\n",;'), max_size=30)
NAME = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
FIELDS = st.dictionaries(NAME, TEXT.filter(bool), max_size=3)


def draw_of(row, step):
    return Drawn(step, row, step + 3, Pick(step + 3, 1 / (step + 7), 100 - step, 0.3), "find", "")


@st.composite
def files(draw):
    """Entries as an audit exports them: rows in order, each unread or read up to three times."""
    made = []
    for step in range(1, draw(st.integers(1, 4)) + 1):
        row, fields = f"row-{step}", draw(FIELDS)
        head = Entry(row, fields, draw_of(row, step) if draw(st.booleans()) else None)
        turns = ("first", "second", "adjudicated")[: draw(st.integers(0, 3))]
        readers = draw(st.permutations(["ann", "bo", "cy"]))
        labels = st.sampled_from(["good", "bad", "skip"])
        made += [
            replace(head, reading=Reading(row, who, draw(labels), turn, draw(st.sampled_from([None, 0.0, 2.25])),
                                          draw(TEXT), "2026-01-02T03:04:05+00:00"))
            for turn, who in zip(turns, readers, strict=False)
        ] or [head]  # fmt: skip
    return made


@pytest.mark.parametrize("layout", ["jsonl", "csv", "label-studio"])
@settings(max_examples=30, deadline=None)
@given(entries=files())
def test_what_was_written_is_read_back(layout, entries):
    assert read(write(entries, layout), layout) == entries


@settings(max_examples=30, deadline=None)
@given(entries=files())
def test_argilla_keeps_all_but_what_it_has_no_place_for(entries):
    # Argilla knows no adjudication: a third reading is nobody's turn.
    kept = [one for one in entries if one.reading is None or one.reading.turn != "adjudicated"]
    expected = [
        one if one.reading is None else replace(one, reading=replace(one.reading, seconds=None, read_at=""))
        for one in kept
    ]
    assert read(write(entries, "argilla"), "argilla") == expected


def test_an_export_of_label_studio_is_understood():
    task = {
        "id": 7, "project": 3, "data": {"text": "Two and two is five.", "seedbed_row": "r1"}, "meta": {},
        "annotations": [
            {"id": 1, "completed_by": 10, "was_cancelled": False, "lead_time": 4.288, "created_at": "2021-03-09T22:16Z",
             "result": [
                 {"id": "x", "from_name": "label", "to_name": "row", "type": "choices", "value": {"choices": ["bad"]}},
                 {"id": "y", "from_name": "note", "to_name": "row", "type": "textarea", "value": {"text": ["sum"]}},
             ]},
            {"id": 2, "completed_by": {"id": 4, "email": "bo@x.org"}, "was_cancelled": True, "result": []},
        ],
    }  # fmt: skip
    first, second = (entry.reading for entry in read(json.dumps([task]), "label-studio"))
    assert first == Reading("r1", "10", "bad", "first", 4.288, "sum", "2021-03-09T22:16Z")
    assert (second.reader, second.label, second.turn) == ("bo@x.org", "skip", "second")


def test_the_labelling_interface_shows_every_field_and_escapes_its_name():
    config = label_studio_config(["question", 'a"<b'])
    assert 'value="$question"' in config and 'a"<b' not in config
    assert all(f'value="{label}"' in config for label in ("good", "bad", "skip"))


GOOD = {"row": "a", "label": "good", "reader": "ann"}


@pytest.mark.parametrize(
    ("layout", "text", "said"),
    [
        ("jsonl", '{"row": "a"\n', "line 1"),
        ("jsonl", "[1]\n", "not a JSON object"),
        ("jsonl", '{"label": "good"}\n', "which row"),
        ("jsonl", json.dumps({**GOOD, "label": "fine"}), "'fine'"),
        ("jsonl", json.dumps({"row": "a", "label": "good"}), "without its reader"),
        ("jsonl", json.dumps({**GOOD, "seconds": "long"}), "`seconds`"),
        ("jsonl", json.dumps({**GOOD, "seconds": -1}), "less than no time"),
        ("jsonl", json.dumps({**GOOD, "turn": "third"}), "'third'"),
        ("jsonl", json.dumps({**GOOD, "step": 1, "place": 0, "probability": 1.5, "left": 2, "least": 1}), "chance"),
        ("jsonl", json.dumps({**GOOD, "step": 1, "place": 0, "probability": "NaN"}), "`probability`"),
        ("jsonl", json.dumps({**GOOD, "fields": "text"}), "`fields`"),
        ("csv", "id,verdict\n1,good\n", "columns row and label"),
        ("csv", "row,label,reader\na,good\n", "row 1"),
        ("csv", "", "columns row and label"),
        ("label-studio", '{"data": {}}', "JSON list"),
        ("label-studio", '[{"data": {"text": "x"}}]', "seedbed_row"),
        ("label-studio", '[{"data": {"seedbed_row": "a"}, "annotations": [{"result": []}]}]', "without a label"),
        ("label-studio", '[{"id": 1, "label": "bad"}]', "JSON-MIN"),
        ("argilla", "row,label\n", "one JSON list"),
        ("argilla", '[{"text": "x"}]', "not an Argilla record"),
        ("argilla", '[{"id": "a", "fields": {}, "responses": {"quality": [{"value": 1}]}}]', "'quality'"),
    ],
)
def test_a_wrong_file_says_where_and_what(layout, text, said):
    with pytest.raises(DataError) as caught:
        read(text, layout, source="labels")
    assert said in str(caught.value) and caught.value.fix


def test_a_layout_nobody_knows_is_named():
    for act in (lambda: read("", "xml"), lambda: write([], "xml")):
        with pytest.raises(ConfigError, match="jsonl, csv, label-studio, argilla"):
            act()
    assert len(LAYOUTS) == 4


def test_marks_before_the_text_and_line_separators_within_it_are_read():
    text = "\ufeff" + json.dumps({**GOOD, "note": "a\u2028b"}, ensure_ascii=False)
    assert read(text, "jsonl")[0].reading.note == "a\u2028b"
