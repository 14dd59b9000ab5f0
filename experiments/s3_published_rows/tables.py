"""The README's tables, made from results/*.json and from nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
TITLES = {"rte": "RTE", "sst2": "SST-2", "qnli": "QNLI"}
KINDS = {
    "shared_context": "same premise or passage",
    "copied_context": "nearly the same",
    "copied_text": "nearly the same written text",
}
PAPER_RTE = """\
Beside it, RTE in the paper (DistilBERT-base, other seed rows, no intervals given): S3 73.29, without extrapolation
at the same size 65.71, ZeroGen 59.93, gold 58.12; with MiniLM S3 76.17, ZeroGen 72.2, gold 71.50."""
PAPER_ADQA = """\
Beside it, AdQA in the paper (DistilBERT-base, 30,000 gold rows, 3,000 test rows; exact match / F1): gold 18.6 / 29.85,
S3 12.50 / 24.38, without extrapolation 8.70 / 20.03, ZeroGen 6.33 / 9.96. Its best checkpoint was chosen on the test
rows and its F1 counts token ids."""


def write_tables(here: Path, *, check: bool) -> int:
    """Put the tables between the markers of README.md; with `check`, only say whether they are already there."""
    readme = here / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    made = f"{before}{BEGIN}\n\n{tables(here / 'results')}\n{END}{rest.split(END)[1]}"
    if check:
        if made != text:
            print(f"{readme.name} and results/*.json differ: run `python run.py table`", file=sys.stderr)
        return int(made != text)
    readme.write_text(made, encoding="utf-8")
    return 0


def tables(results: Path) -> str:
    """All tables, for the results that are there."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))}
    blocks: list[str] = []
    for task, title in TITLES.items():
        whole = {s: found[f"{task}_{s}"] for s in ("linear", "embedding") if f"{task}_{s}" in found}
        if whole:
            blocks += [f"### {title}: {_seeds(whole)}", _table(_accuracy(whole)), _table(_gains(whole))]
        if encoder := found.get(f"{task}_encoder"):
            one = {"encoder": encoder}
            blocks += [f"### {title}, fine-tuned encoder: {_seeds(one)}", _table(_accuracy(one)), _table(_gains(one))]
        if task == "rte" and whole:
            blocks.append(PAPER_RTE)
    if reader := found.get("adqa_reader"):
        blocks += [f"### AdQA: {_seeds({'reader': reader})}", _table(_reader(reader)), PAPER_ADQA]
    blocks += ["### Rows removed because they repeat a test row", _table(_removed(found))]
    return "\n\n".join(blocks) + "\n"


def _seeds(found: dict[str, Any]) -> str:
    counts = {name: len(one["rng_seeds"]) for name, one in found.items()}
    parts = [f"{name} {count} rng seed{'s' if count > 1 else ''}" for name, count in counts.items()]
    n = next(iter(found.values()))["arms"][0]["n"]
    return f"{n} test rows, {', '.join(parts)}"


def _accuracy(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["trained on", "rows", *(f"{name}, accuracy %" for name in found)]
    names = list(dict.fromkeys(arm["arm"] for one in found.values() for arm in one["arms"]))
    for name in names:
        cells = [next((arm for arm in one["arms"] if arm["arm"] == name), None) for one in found.values()]
        sizes = sorted({size for cell in cells if cell for size in cell["n_train"]})
        yield [name, _range(sizes), *(_points(cell) if cell else "" for cell in cells)]


def _gains(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["gain of", "over", *(f"{name}, points" for name in found)]
    pairs = list(dict.fromkeys((gain["arm"], gain["against"]) for one in found.values() for gain in one["gains"]))
    for arm, control in pairs:
        cells = [
            next((gain for gain in one["gains"] if (gain["arm"], gain["against"]) == (arm, control)), None)
            for one in found.values()
        ]
        yield [arm, control, *(_gain(cell) if cell else "" for cell in cells)]


def _reader(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["trained on", "rows", "exact match %", "F1 %"]
    for arm in found["arms"]:
        yield [arm["arm"], _range(sorted(set(arm["n_train"]))), _points(arm["exact_match"]), _points(arm["f1"])]
    for gain in found["gains"]:
        name = f"gain of {gain['arm']} over {gain['against']}"
        yield [name, "", _gain(gain["exact_match"]), _gain(gain["f1"])]
    counts = found["round"]
    yield [
        f"mistakes {_range(counts['mistakes'])}, answered by a recorded question {_range(counts['answered'])}",
        "",
        "",
        "",
    ]


def _removed(found: dict[str, Any]) -> Iterator[list[str]]:
    yield ["task", "source", "rows", *KINDS.values()]
    for task, title in TITLES.items():
        one = found.get(f"{task}_linear")
        for source, counts in (one["removed"] if one else {}).items():
            yield [title, source, f"{counts['rows']:,}", *(str(counts.get(kind, 0)) for kind in KINDS)]


def _range(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _points(cell: dict[str, Any]) -> str:
    return f"{100 * cell['value']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"


def _gain(cell: dict[str, Any]) -> str:
    shown = f"{100 * cell['value']:+.1f} [{100 * cell['low']:+.1f}, {100 * cell['high']:+.1f}]"
    return f"**{shown}**" if cell["low"] > 0 or cell["high"] < 0 else shown


def _table(lines: Iterator[list[str]]) -> str:
    head, *rest = lines
    rows = [head, ["---"] * len(head), *rest]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
