"""Labels and rows to read, to and from the files of other programs.

    jsonl         one line a reading, everything kept
    csv           the same as a table; the row's own fields are columns named field.NAME
    label-studio  a JSON list of tasks, readings as annotations; what was drawn how stands under `meta`
    argilla       a JSON list of records as Argilla 2 writes them; it has no place for times, notes are a question

Labels carry the chance their row was drawn with: in a queue that does not know it, a label without counts in no rate.
Rows handed out to be read carry none, for it would tell the reader what the model thinks.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, get_args
from xml.sax.saxutils import quoteattr

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.queue import LABELS, TURNS, Drawn, Reading
from seedbed.inspection.audit.rules import GOALS, Pick

Layout = Literal["jsonl", "csv", "label-studio", "argilla"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_DRAW = ("step", "place", "probability", "left", "least", "goal")
_READING = ("label", "reader", "turn", "seconds", "note", "read_at")


@dataclass(frozen=True)
class Entry:
    """One reading of one row, or a row that nobody has read yet."""

    row: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """What a reader sees."""
    draw: Drawn | None = None
    reading: Reading | None = None


def write(entries: Sequence[Entry], layout: Layout) -> str:
    """The text of a file.

    Args:
        entries: Readings of one row stand together.
        layout: Argilla drops seconds, turn and time of a reading: its layout has no place for them.
    """
    match layout:
        case "jsonl":
            return "".join(json.dumps(_flat(one), ensure_ascii=False) + "\n" for one in entries)
        case "csv":
            return _write_csv(entries)
        case "label-studio":
            found = [_task(row, list(of)) for row, of in groupby(entries, key=lambda one: one.row)]
            return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
        case "argilla":
            found = [_record(row, list(of)) for row, of in groupby(entries, key=lambda one: one.row)]
            return json.dumps(found, ensure_ascii=False, indent=1) + "\n"
        case other:
            raise ConfigError("an unknown layout", f"{other!r}", f"use one of {', '.join(LAYOUTS)}")


def read(text: str, layout: Layout, *, source: str = "the file", reader: str = "") -> list[Entry]:
    """The readings in a file, and the rows in it that nobody has read.

    Args:
        text: Content of the file.
        layout: What wrote it.
        source: Named in errors.
        reader: Whose readings they are where the file does not say.

    Raises:
        DataError: The file is of another layout, or an entry lacks its row or carries a label, a turn or a chance
            that cannot be; says which entry.
    """
    match layout:
        case "jsonl":
            return [_entry(one, where, reader) for where, one in _lines(text, source)]
        case "csv":
            return [_entry(_unflat(one), where, reader) for where, one in _table(text, source)]
        case "label-studio":
            return [entry for where, one in _list(text, source, layout) for entry in _from_task(one, where, reader)]
        case "argilla":
            return [entry for where, one in _list(text, source, layout) for entry in _from_record(one, where, reader)]
        case other:
            raise ConfigError("an unknown layout", f"{other!r}", f"use one of {', '.join(LAYOUTS)}")


def label_studio_config(fields: Iterable[str]) -> str:
    """The labelling interface to paste into a Label Studio project, so that its export can be read back."""
    shown = "".join(f'  <Header value={quoteattr(name)}/>\n  <Text name={quoteattr("text " + name)} '
                    f'value={quoteattr("$" + name)}/>\n' for name in fields)  # fmt: skip
    choices = "".join(f'    <Choice value="{label}"/>\n' for label in LABELS)
    return (
        f'<View>\n{shown}  <Choices name="label" toName="row" choice="single" required="true">\n{choices}  </Choices>\n'
        '  <Text name="row" value="$seedbed_row"/>\n  <TextArea name="note" toName="row"/>\n</View>\n'
    )


def _flat(one: Entry) -> dict[str, Any]:
    """An entry as plain data; what is not known is null."""
    said = one.reading
    reading = dict.fromkeys(_READING) if said is None else {name: getattr(said, name) for name in _READING}
    return {"row": one.row, **reading, **_facts(one.draw), "fields": dict(one.fields)}


def _facts(draw: Drawn | None) -> dict[str, Any]:
    if draw is None:
        return dict.fromkeys(_DRAW)
    pick = draw.pick
    chance = (None, None, None) if pick is None else (pick.probability, pick.left, pick.least)
    return dict(zip(_DRAW, (draw.step, draw.place, *chance, draw.goal), strict=True))


def _write_csv(entries: Sequence[Entry]) -> str:
    names = dict.fromkeys(name for one in entries for name in one.fields)
    out = io.StringIO()
    # Excel needs no help with "\n", and other readers choke on "\r\n" inside quotes.
    made = csv.writer(out, lineterminator="\n")
    made.writerow(["row", *_READING, *_DRAW, *(f"field.{name}" for name in names)])
    for one in entries:
        flat = _flat(one)
        head = [flat[name] for name in ("row", *_READING, *_DRAW)]
        made.writerow([*head, *(one.fields.get(name) for name in names)])
    return out.getvalue()


def _unflat(line: Mapping[str, str]) -> dict[str, Any]:
    fields = {name.removeprefix("field."): text for name, text in line.items() if name.startswith("field.") and text}
    return {**{name: text or None for name, text in line.items() if not name.startswith("field.")}, "fields": fields}


def _entry(one: Mapping[str, Any], where: str, reader: str) -> Entry:
    if not one.get("row"):
        fix = "name the layout that wrote it with --as, or give each line the id of its row as `row`"
        raise DataError("an entry does not say which row it is of", f"{where}: keys {sorted(map(str, one))[:8]}", fix)
    row, reading = str(one["row"]), None
    if one.get("label") is not None:
        reading = _reading({**one, "row": row, "reader": one.get("reader") or reader}, where)
    fields = one.get("fields") or {}
    if not isinstance(fields, Mapping):
        raise DataError("`fields` is not an object", f"{where}: {fields!r}", 'write {"name": "text", ...}')
    return Entry(row, {str(name): str(text) for name, text in fields.items()}, _draw(one, row, where), reading)


def _reading(one: Mapping[str, Any], where: str) -> Reading:
    label, turn = str(one["label"]).strip().lower(), one.get("turn") or "first"
    if label not in LABELS:
        raise DataError("a label nobody can use", f"{where}: {one['label']!r}", f"use one of {', '.join(LABELS)}")
    if turn not in TURNS:
        raise DataError("a turn that is none", f"{where}: {turn!r}", f"use one of {', '.join(TURNS)}")
    if not one["reader"]:
        raise DataError("a label without its reader", where, "name the reader in the file, or with --reader")
    seconds = _number(one.get("seconds"), where, "seconds")
    if seconds is not None and seconds < 0:
        raise DataError("a reading took less than no time", f"{where}: {seconds} s", "leave `seconds` out")
    note, at = str(one.get("note") or ""), str(one.get("read_at") or "")
    return Reading(one["row"], str(one["reader"]), label, turn, seconds, note, at)


def _draw(one: Mapping[str, Any], row: str, where: str) -> Drawn | None:
    step, place = _number(one.get("step"), where, "step"), _number(one.get("place"), where, "place")
    if step is None or place is None:
        return None
    chance, left, least = (_number(one.get(name), where, name) for name in ("probability", "left", "least"))
    goal, pick = one.get("goal") or None, None
    if goal is not None and goal not in GOALS:
        raise DataError("a goal that is none", f"{where}: {goal!r}", f"use one of {', '.join(GOALS)}")
    if chance is not None:
        if not 0 < chance <= 1 or left is None or left < 1 or least is None or not 0 < least <= 1 + 1e-9:
            seen = f"{where}: probability {chance}, left {left}, least {least}"
            raise DataError("a chance that cannot be", seen, "leave what seedbed wrote as it is")
        pick = Pick(int(place), chance, int(left), least)
    return Drawn(int(step), row, int(place), pick, goal, "")


def _number(value: Any, where: str, name: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"`{name}` is not a number", f"{where}: {value!r}", "leave what seedbed wrote as it is")
    return number


def _task(row: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """One Label Studio task. A field of the same name as ours would hide the row's id, hence `seedbed_row`."""
    first = entries[0]
    annotations = [_annotation(one.reading) for one in entries if one.reading is not None]
    return {
        "data": {**first.fields, "seedbed_row": row},
        "meta": {"seedbed": _facts(first.draw)} if first.draw else {},
        "annotations": annotations,
        "predictions": [],
    }


def _annotation(said: Reading) -> dict[str, Any]:
    head = {"to_name": "row"}
    result: list[dict[str, Any]] = []
    if said.label != "skip":
        result.append({"from_name": "label", **head, "type": "choices", "value": {"choices": [said.label]}})
    if said.note:
        result.append({"from_name": "note", **head, "type": "textarea", "value": {"text": [said.note]}})
    return {
        "completed_by": {"email": said.reader},
        "result": result,
        "was_cancelled": said.label == "skip",
        "ground_truth": said.turn == "adjudicated",
        "lead_time": said.seconds,
        "created_at": said.read_at,
    }


def _from_task(task: Mapping[str, Any], where: str, reader: str) -> list[Entry]:
    data = task.get("data")
    if not isinstance(data, Mapping) or "seedbed_row" not in data:
        fix = "export as JSON (not JSON-MIN) from the project into which seedbed's tasks were imported"
        raise DataError("a task does not say which row it is of", f"{where}: no data.seedbed_row", fix)
    fields = {name: text for name, text in data.items() if name != "seedbed_row"}
    meta = task.get("meta")
    facts = meta.get("seedbed") if isinstance(meta, Mapping) else None
    head = {"row": data["seedbed_row"], "fields": fields, **(facts if isinstance(facts, Mapping) else {})}
    annotations = task.get("annotations") or []
    if not isinstance(annotations, list) or not all(isinstance(one, Mapping) for one in annotations):
        raise DataError("`annotations` is not a list of objects", where, "export the project as JSON again")
    readings = [_from_annotation(one, where) for one in annotations]
    return [_entry({**head, **one}, where, reader) for one in _turns(readings)] or [_entry(head, where, reader)]


def _from_annotation(one: Mapping[str, Any], where: str) -> dict[str, Any]:
    by = one.get("completed_by")
    who = by.get("email") or by.get("id") if isinstance(by, Mapping) else by
    results = [part for part in one.get("result") or [] if isinstance(part, Mapping)]
    values = {part.get("from_name"): part.get("value") or {} for part in results}
    choices, texts = values.get("label", {}).get("choices") or [], values.get("note", {}).get("text") or []
    label = "skip" if one.get("was_cancelled") else next(iter(choices), None)
    if label is None:
        named = sorted(map(str, values))
        fix = "the choices must be named `label`: use the labelling interface that seedbed writes"
        raise DataError("an annotation without a label", f"{where}: results named {named}", fix)
    note = next(iter([texts] if isinstance(texts, str) else texts), "")
    turn = "adjudicated" if one.get("ground_truth") else None
    time = {"seconds": one.get("lead_time"), "read_at": one.get("created_at")}
    return {"label": label, "reader": None if who is None else str(who), "note": note, "turn": turn, **time}


def _turns(readings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say first and second of readings that come in order without saying so; a third is nobody's turn."""
    made, left = [], iter(("first", "second"))
    for one in readings:
        turn = one.get("turn") or next(left, None)
        if turn is not None:
            made.append({**one, "turn": turn})
    return made


def _record(row: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """One Argilla record: questions `label` (label) and `note` (text), facts of the draw as metadata."""
    first = entries[0]
    said = [one.reading for one in entries if one.reading is not None]
    responses = {"label": [{"value": one.label, "user_id": one.reader} for one in said]}
    if any(one.note for one in said):
        responses["note"] = [{"value": one.note, "user_id": one.reader} for one in said if one.note]
    facts = {f"seedbed_{name}": value for name, value in _facts(first.draw).items() if value is not None}
    status = "completed" if said else "pending"
    return {"id": row, "fields": dict(first.fields), "metadata": facts, "suggestions": {},
            "responses": responses if said else {}, "vectors": {}, "status": status}  # fmt: skip


def _from_record(record: Mapping[str, Any], where: str, reader: str) -> list[Entry]:
    fields, responses = record.get("fields"), record.get("responses") or {}
    if not record.get("id") or not isinstance(fields, Mapping) or not isinstance(responses, Mapping):
        fix = "export with dataset.records.to_json() of Argilla 2"
        raise DataError("this is not an Argilla record", f"{where}: keys {sorted(map(str, record))[:8]}", fix)
    facts = {name.removeprefix("seedbed_"): value for name, value in (record.get("metadata") or {}).items()}
    head = {**{name: facts.get(name) for name in _DRAW}, "row": record["id"], "fields": fields}
    answers = {name: [one for one in of if isinstance(one, Mapping)] for name, of in responses.items()}
    if answers and "label" not in answers:
        fix = "the question must be named `label`, with the labels good, bad and skip"
        raise DataError("a record without a label", f"{where}: questions {sorted(answers)}", fix)
    notes = {one.get("user_id"): one.get("value") for one in answers.get("note", [])}
    readings = [
        {"label": one.get("value"), "reader": one.get("user_id"), "note": notes.get(one.get("user_id"))}
        for one in answers.get("label", [])
    ]
    return [_entry({**head, **one}, where, reader) for one in _turns(readings)] or [_entry(head, where, reader)]


def _lines(text: str, source: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    # Not splitlines(): a JSON string may hold U+2028.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip():
            where = f"{source}, line {number}"
            try:
                found = json.loads(line)
            except ValueError as error:
                fix = "mend the line, or name the layout that wrote the file with --as"
                raise DataError("a line is not JSON", f"{where}: {error}", fix) from error
            if not isinstance(found, Mapping):
                raise DataError("a line is not a JSON object", f"{where}: {type(found).__name__}", "mend the line")
            yield where, found


def _table(text: str, source: str) -> Iterable[tuple[str, Mapping[str, str]]]:
    lines = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    if not {"row", "label"} <= set(lines.fieldnames or ()):
        seen = f"{source}: columns {list(lines.fieldnames or ())[:8]}"
        raise DataError("a table of labels has columns row and label", seen, "name its layout with --as")
    for number, line in enumerate(lines, start=1):
        if None in line or None in line.values():
            raise DataError("a line has another number of cells than the head", f"{source}, row {number}", "mend it")
        yield f"{source}, row {number}", line


def _list(text: str, source: str, layout: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    try:
        found = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        fix = "name the layout that wrote the file with --as"
        raise DataError(f"a file of {layout} is one JSON list", f"{source}: {error}", fix) from error
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        kind = type(found).__name__
        raise DataError(
            f"a file of {layout} is a JSON list of objects", f"{source}: {kind}", "name its layout with --as"
        )
    for number, one in enumerate(found, start=1):
        yield f"{source}, entry {number}", one
