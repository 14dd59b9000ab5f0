"""Run and comparison directories written by hand, and a reader for the pages made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from seedbed.compare import verdicts
from seedbed.estimate import paired_gain, wilson
from seedbed.report import write_report

VOID = {"meta", "br", "hr", "col"}


@dataclass
class Element:
    """One element of a page."""

    name: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, spaces made one."""
        parts = [child if isinstance(child, str) else f" {child.text} " for child in self.children]
        return " ".join("".join(parts).split())

    def all(self, name: str = "", class_: str = "") -> Iterator[Element]:
        """Elements inside, in order, of a name and class if given."""
        for child in self.children:
            if isinstance(child, Element):
                classes = (child.attributes.get("class") or "").split()
                if (not name or child.name == name) and (not class_ or class_ in classes):
                    yield child
                yield from child.all(name, class_)

    def one(self, name: str = "", class_: str = "") -> Element:
        """The first of these."""
        return next(self.all(name, class_))


class Reader(HTMLParser):
    """Builds the tree and refuses a page whose elements do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert len(self._open) == 1, [element.name for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parse(page: str) -> Element:
    """The page as a tree."""
    return Reader(page).root


def report_of(path: Path) -> Element:
    """Write the report of a directory and read it back."""
    return parse(write_report(path).read_text(encoding="utf-8"))


def section(page: Element, name: str) -> Element:
    """The section with this anchor."""
    return next(element for element in page.all("section") if element.attributes["id"] == name)


def cells(table: Element) -> list[list[str]]:
    """A table's body and foot as text."""
    return [[cell.text for cell in line.all() if cell.name in ("th", "td")] for line in list(table.all("tr"))[1:]]


def share(right: int, n: int) -> dict[str, Any]:
    """An Estimate as plain data."""
    return wilson(right, n).to_dict()


def gain(gained: int, lost: int, n: int) -> dict[str, Any]:
    """A paired gain with so many rows won and lost."""
    before = [0.0] * gained + [1.0] * lost + [1.0] * (n - gained - lost)
    after = [1.0] * gained + [0.0] * lost + [1.0] * (n - gained - lost)
    return paired_gain(before, after).to_dict()


def spend(requests: int) -> dict[str, Any]:
    """What so many requests had cost; seven of them were owned before, one answer was lost with a process."""
    used = {"requests": requests, "sent": requests - 7, "usd": requests / 1e4, "paid_usd": (requests - 7) / 1e4}
    tokens = {"tokens_in": 80 * requests, "tokens_out": 30 * requests, "tokens_at_most": 110 * requests}
    return used | tokens | {"unknown_price": 0, "in_doubt": 1, "in_doubt_usd": 0.0003}


def account(requested: int, leaks: int = 2, refused: int = 3) -> dict[str, Any]:
    """Counts that add up."""
    rest = requested - leaks - refused
    return {
        "requested": requested,
        "accepted": rest,
        "rejected": {"leak": leaks} if leaks else {},
        "failed": {"refused": refused} if refused else {},
        "pending": 0,
    }


def rows_of(made: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that this account counts."""
    rows = [{"made_by": made, "status": "accepted", "why": None}] * found["accepted"]
    for status in ("rejected", "failed"):
        for why, n in found[status].items():
            rows += [{"made_by": made, "status": status, "why": f"{why}: a detail"}] * n
    return rows


def added(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two accounts as one."""
    sums = {key: first[key] + second[key] for key in ("requested", "accepted", "pending")}
    return sums | {
        status: {why: first[status].get(why, 0) + second[status].get(why, 0) for why in first[status] | second[status]}
        for status in ("rejected", "failed")
    }


TASK = {
    "name": "mood",
    "kind": "classification",
    "instruction": "Say whether the writer was content.",
    "row": "a review",
    "fields": ["text"],
    "context": None,
    "labels": {"content": "was", "cross": "was not"},
    "prompts": {},
}


def result() -> dict[str, Any]:
    """A result.json of a real teacher's run: seed rows, one round, a clear gain."""
    seeds, more = account(300), account(100, 1, 0)
    truth = {"total_variation": 0.4, "total_variation_of_gold": 0.1, "wrong_labels": 0.05, "missing_tails": 0.3}
    steps = [
        {
            "name": "synthesise-1",
            "verb": "synthesise",
            "round": 0,
            "complete": True,
            "spend": spend(302),
            "asked": seeds,
        },
        {"name": "train-1", "verb": "train", "round": 0, "complete": True, "spend": spend(302)},
        {"name": "extrapolate-1", "verb": "extrapolate", "round": 1, "complete": True, "spend": spend(402)}
        | {"steer": 50, "mistakes": 12, "asked": more},
        {"name": "train-2", "verb": "train", "round": 1, "complete": True, "spend": spend(402)},
        {"name": "evaluate-1", "verb": "evaluate", "round": 0, "complete": True, "spend": spend(402)},
    ]
    stages = [
        {"student": "train-1", "round": 0, "trained_on": 295, "spend": spend(302), "truth": truth}
        | {"select": share(30, 40), "test": share(140, 200)},
        {"student": "train-2", "round": 1, "trained_on": 394, "spend": spend(402), "truth": truth}
        | {"select": share(33, 40), "test": share(168, 200)},
    ]
    slices = [
        {
            "name": "text has a negation",
            "n": 30,
            "before": share(9, 30),
            "after": share(21, 30),
            "gain": gain(14, 2, 30),
        }
    ]
    return {
        "name": "mood-run",
        "identity": "0123456789abcdef",
        "task": TASK,
        "metric": "accuracy",
        "teacher": {"model": "openai:some-model", "temperature": 0.9, "top_p": 1.0, "max_tokens": 512},
        "is_simulated": False,
        "student": {"kind": "linear", "c": None, "max_features": 20000},
        "rng_seed": 5,
        "steps": steps,
        "stages": stages,
        "gain": {"before": "train-1", "after": "train-2", **gain(38, 10, 200)},
        "evaluation": {
            "test": {"train-1": stages[0]["test"], "train-2": stages[1]["test"]},
            "final": "train-2",
            "labels": ["content", "cross"],
            "confusion": [[90, 12], [20, 78]],
            "slices": slices,
            "shift": {
                "auc": share(60, 100),
                "coverage": share(80, 100),
                **{key: {"gold": 0.3, "made": 0.2} for key in ("distinct_1", "distinct_2", "nearest")},
                "rows": 50,
            },
            "map": {"gold": [[0.1, 0.2], [0.5, -0.4]], "seed rows": [[-0.5, 0.2]], "additions": [[0.3, 0.9]]},
        },
        "account": added(seeds, more),
        "gold_rows_trained_on": 0,
        "spend": spend(402),
        "gold": {"source": "gold.jsonl", "steer": 50, "select": 40, "test": 200, "reads": READS},
        "stopped": ["no clear gain"],
        "complete": True,
        "manifest": {"identity": "x", "made_at": "2026-01-02T03:04:05Z", "versions": {"seedbed": "0.1.0"}},
    }


def examples(text: str = "I was not unhappy.") -> list[dict[str, Any]]:
    """One mistake and what was written after it."""
    wrote = [
        {"text": text, "status": "accepted", "why": None},
        {"text": None, "status": "failed", "why": f"refused: {text}"},
    ]
    return [{"context": text, "mistake": text, "expected": "content", "predicted": "cross", "wrote": wrote}]


READS = [
    {"at": "t", "split": "test", "why": "leak check", "rows": 200, "step": "synthesise-1"},
    {"at": "t", "split": "select", "why": "early stopping", "rows": 40, "step": "train-1"},
    {"at": "t", "split": "test", "why": "leak check", "rows": 200, "step": "extrapolate-1"},
    {"at": "t", "split": "test", "why": "final evaluation", "rows": 200, "step": "evaluate-1"},
]


def run_directory(
    path: Path, found: dict[str, Any] | None = None, *, shown: list[dict[str, Any]] | None = None
) -> Path:
    """A finished run's directory, as far as the report reads it."""
    for folder in ("steps", "data"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    rows = rows_of("gold", account(9, 0, 0)) + rows_of("synthesise-1", account(300))
    rows += rows_of("extrapolate-1", account(100, 1, 0))
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path / "data" / "evaluate-1.parquet")
    write(path / "result.json", found or result())
    write(path / "steps" / "extrapolate-1.json", {"metrics": {"examples": shown if shown is not None else examples()}})
    endpoint = {"url": "http://inside.example/v1", "headers": {"x": "secret-header"}}
    recipe = {"name": "mood-run", "teacher": {"model": "openai:some-model", "endpoint": endpoint}}
    (path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


def mean(value: float, low: float, high: float, n: int = 40) -> dict[str, Any]:
    """An Estimate as plain data, with the ends given."""
    return {"value": value, "low": low, "high": high, "n": n, "method": "t over problems"}


def drawn_from(name: str, draws: int, right: int, cost: float) -> dict[str, Any]:
    """One teacher of a pool."""
    told = {"address": f"pocket:{name}", "draws": draws, "problems": 40, "correct": right, "right": share(right, draws)}
    told |= {"false_positives": share(right // 10, right) | {"unchecked": 3}, "cost": cost * draws}
    return told | {"cost_per_draw": cost, "tokens_in": 61.4, "tokens_out": 44.0}


def pool(**changed: Any) -> dict[str, Any]:
    """`sampling` of a result: a pilot of two teachers, an adaptive plan, and a forecast that held."""
    weak = {"name": "fixed weak", "kind": "fixed", "draws": {"weak": 24.2}, "spent": 3.9e10}
    strong = {"name": "fixed strong", "kind": "fixed", "draws": {"strong": 3.1}, "spent": 3.9e10}
    adaptive = {"name": "adaptive", "kind": "adaptive", "draws": {"weak": 17.5, "strong": 0.9}, "spent": 3.8e10}
    options = [
        adaptive | {"forecast": mean(150.0, 120.0, 180.0)},
        weak | {"forecast": mean(131.0, 100.0, 165.0)},
        strong | {"forecast": mean(90.0, 70.0, 110.0)},
    ]
    plan = {"objective": "unique", "budget": 4e10, "problems": 40, "options": options}
    found = {
        "objective": "unique",
        "strategy": "auto",
        "unit": "flops",
        "pilot": {"problems": 12, "samples": 5, "spent": 5.2e9}
        | {"teachers": {"weak": drawn_from("weak", 60, 15, 3.1e7), "strong": drawn_from("strong", 60, 33, 2.4e8)}},
        "plan": plan | {"better": "weak", "better_probability": 0.9132, "recommended": "adaptive"},
        "forecasts": {
            "weak": {"law": "power law", "curve": _curve([0.26, 0.37, 0.48, 0.57])},
            "strong": {"law": "logit-normal", "curve": _curve([0.55, 0.66])},
        },
        "chosen": "adaptive",
        "forecast": options[0]["forecast"],
        "came_out": 157.0,
        "budget": 4e10,
        "problems": 40,
        "spent": 3.96e10,
        "teachers": {"weak": drawn_from("weak", 700, 190, 3.1e7), "strong": drawn_from("strong", 72, 40, 2.4e8)},
        "outcome": outcome(),
    }
    return found | changed


def _curve(values: list[float]) -> list[dict[str, Any]]:
    return [{"k": 2**at, **mean(value, value - 0.08, value + 0.07, 28)} for at, value in enumerate(values)]


def outcome(**changed: Any) -> dict[str, Any]:
    """What a pool of 40 problems holds."""
    found = {"draws": 772, "solved": 33, "found": 157, "cost": 3.96e10, "coverage": share(33, 40)}
    found |= {"unique": mean(3.925, 3.1, 4.7), "false_positives": share(12, 230) | {"unchecked": 3}}
    found |= {"cost_per_solved": mean(1.2e9, 1.1e9, 1.42e9), "cost_per_unique": mean(2.52e8, 2.1e8, 3.3e8)}
    return found | changed


def alone(**changed: Any) -> dict[str, Any]:
    """`sampling` of a run that spends everything on one teacher: no pilot, no plan, no forecast."""
    found = pool(strategy="weak", teachers={"weak": drawn_from("weak", 772, 230, 3.1e7)})
    return {key: found[key] for key in found if key not in PLANNED} | changed


PLANNED = ("pilot", "plan", "forecasts", "chosen", "forecast", "came_out")
"""What only a run with a pilot has."""


def sampled(found: dict[str, Any] | None = None) -> dict[str, Any]:
    """A result.json of a run that draws a pool and trains nobody."""
    task = TASK | {"kind": "reasoning", "fields": ["problem"], "labels": {}, "answer": "number"}
    step = {"name": "sample-1", "verb": "sample", "round": 0, "complete": True, "spend": spend(772), "capped": None}
    whole = result() | {"name": "problems", "task": task, "sampling": found or pool(), "gain": None, "evaluation": {}}
    account_ = account(772, 12, 0)
    whole |= {"stages": [], "stopped": [], "steps": [step | {"asked": account_}], "account": account_}
    return whole | {"teacher": {"model": "pocket:weak", "temperature": 0.9}, "spend": spend(772)}


def sampled_directory(path: Path, found: dict[str, Any] | None = None) -> Path:
    """The directory of such a run."""
    whole = sampled(found)
    run_directory(path, whole, shown=[])
    rows = rows_of("sample-1", whole["account"])
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path / "data" / "sample-1.parquet")
    (path / "data" / "evaluate-1.parquet").unlink()
    return path


def method(what: str, right: int, rounds: int, requests: int) -> dict[str, Any]:
    """One method of a comparison."""
    stages = [
        {"round": at, "runs": 3, "trained_on": 300.0, "requests": float(requests), "usd": 0.01 * (at + 1)}
        | {"test": right / 200 - 0.05 * (rounds - at - 1), "truth": None}
        for at in range(rounds)
    ]
    return {
        "what": what,
        "trained_on": 300.0,
        "requests": float(requests),
        "usd": 0.01 * rounds if requests else 0.0,
        "test": share(right, 200),
        "stages": stages,
        "account": account(requests, 2, 3) if requests else account(0, 0, 0),
        "stopped": [[], [], []],
        "shift": None,
    }


def comparison(gains: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """A comparison.json: S3 clearly beats gold, and it is not clear whether it beats plain rows."""
    found = {
        "s3": {"plain": gain(12, 9, 200), "gold": gain(40, 10, 200)},
        "gold": {"plain": gain(10, 40, 200)},
        "plain": {"gold": gain(40, 10, 200)},
    }
    found |= gains or {}
    return {
        "name": "mood-compare",
        "task": TASK,
        "metric": "accuracy",
        "teacher": "openai:some-model",
        "is_simulated": False,
        "student": {"kind": "linear"},
        "gold": {"source": "gold.jsonl", "steer": 50, "select": 40, "test": 200},
        "rng_seeds": [0, 1, 2],
        "itself": "s3",
        "baselines": ["plain", "gold", "plain+gold"],
        "methods": {
            "s3": method("the recipe <itself>", 160, 2, 400),
            "gold": method("gold alone", 130, 1, 0),
            "plain": method("plain rows", 157, 1, 400),
        },
        "gains": found,
        "verdicts": verdicts(found, ["s3"]),
    }


def comparison_directory(path: Path, found: dict[str, Any] | None = None) -> Path:
    """A finished comparison's directory."""
    path.mkdir(parents=True, exist_ok=True)
    write(path / "comparison.json", found or comparison())
    return path


def write(path: Path, value: Any) -> None:
    """A JSON file."""
    path.write_text(json.dumps(value), encoding="utf-8")
