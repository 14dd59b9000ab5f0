"""The tables of a pass, from its results alone."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scenarios import FLOOR, IN_FLIGHT, OURS, PEERS, SYSTEMS

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
Run = dict[str, Any]
NOTHING = "-"


def line(run: Run) -> str:
    """One run in one line, for the terminal."""
    head = f"{run['scenario']:11s} {run['system']:14s}"
    if "wall_s" not in run:
        return f"{head} {run['ended']}"
    told = run["report"]
    text = (
        f"{head} {run['ended']:9s} wall {run['wall_s']:6.1f} s, active {run['active_s']:6.1f} s (ideal "
        f"{run['ideal_active_s']:.1f}), CPU {run['cpu_s']:6.2f} s = {per_row(run):.2f} ms a row, "
        f"peak {run['peak_mb']:.0f} MB, in flight {run['mean_in_flight']:.0f}, requests {run['server']['requests']}, "
        f"right {told.get('right', 0)}/{run['rows']}"
    )
    if kills := [each for each in run.get("kills", []) if each]:
        again = [each["asked_again_although_answered"] for each in kills]
        text += f", kills {len(kills)}: asked again although answered, most {max(again)}"
    return text


class Book:
    """The runs of a pass by scenario and system."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs

    def all(self, scenario: str, system: str) -> list[Run]:
        """Every run of a system in a scenario that came to its end."""
        return [run for run in self.tried(scenario, system) if run["ended"] == "finished"]

    def tried(self, scenario: str, system: str) -> list[Run]:
        """Every run, also those that failed or were left out."""
        return [run for run in self.runs if (run["scenario"], run["system"]) == (scenario, system)]

    def middle(self, scenario: str, system: str, value: Callable[[Run], float | None]) -> float | None:
        """Median of a value over the runs that finished."""
        found = [got for run in self.all(scenario, system) if (got := value(run)) is not None]
        return statistics.median(found) if found else None

    def why(self, scenario: str, system: str) -> str:
        """Why there is no number."""
        tried = self.tried(scenario, system)
        if not tried:
            return NOTHING
        run = tried[-1]
        if run["ended"] != "timed out":
            return str(run["ended"])
        return f"not done after {run['wall_s']:.0f} s: {run['server']['answered']:,} of {run['rows']:,}"

    def ratios(self, scenario: str, value: Callable[[Run], float]) -> list[float]:
        """Ours over the floor, pair by pair, in rising order."""
        pairs = zip(self.all(scenario, OURS), self.all(scenario, FLOOR), strict=False)
        return sorted(value(ours) / value(floor) for ours, floor in pairs)


def cpu(run: Run) -> float:
    """CPU seconds of the whole process tree, start included."""
    return float(run["cpu_s"])


def running_cpu(run: Run) -> float:
    """CPU seconds from the first request on, as the client itself measured them."""
    return float(run["report"]["running_cpu_s"])


def active(run: Run) -> float:
    """Seconds from the first request to the last answer, as the server saw them."""
    return float(run["active_s"])


def per_row(run: Run) -> float:
    """CPU in milliseconds a row, start included."""
    return 1000 * run["cpu_s"] / run["rows"]


def growth(book: Book, system: str, few: str, many: str) -> float | None:
    """CPU in milliseconds that one more row costs, from two sizes: what a start costs drops out."""
    small, large = book.middle(few, system, cpu), book.middle(many, system, cpu)
    if small is None or large is None:
        return None
    rows = book.all(many, system)[0]["rows"] - book.all(few, system)[0]["rows"]
    return 1000 * (large - small) / rows


def number(value: float | None, digits: int = 2, why: str = NOTHING) -> str:
    """A number, or why there is none."""
    return why if value is None else f"{value:,.{digits}f}"


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    if not values:
        return NOTHING
    return f"{statistics.median(values):.2f} [{values[0]:.2f} to {values[-1]:.2f}, {len(values)} pairs]"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]
    return "\n".join(lines)


def many(book: Book) -> str:
    """How many rows the larger size has; a quick look takes fewer."""
    return next((f"{run['rows']:,} rows" for run in book.runs if run["scenario"] == "rows_20k"), "20,000 rows")


def cost(book: Book) -> str:
    """Plain, growth and cached."""
    heads = ["system", "plain: CPU ms a row", "one more row, CPU ms", "plain: answers/s", f"{many(book)}: wall s"]
    heads += [f"{many(book)}: peak MB", "cached: rows per CPU s", "one more cached row, CPU ms", "requests sent again"]
    rows = []
    for name in SYSTEMS:
        seconds = book.middle("plain", name, active)
        cached = book.middle("cached", name, lambda run: run["rows"] / run["cpu_s"])
        sent = book.middle("cached", name, lambda run: run["server"]["requests"] - run["server"]["unmarked"])
        rows.append(
            [
                name,
                number(book.middle("plain", name, per_row), why=book.why("plain", name)),
                number(growth(book, name, "plain", "rows_20k")),
                number(book.all("plain", name)[0]["rows"] / seconds if seconds else None, 0),
                number(book.middle("rows_20k", name, lambda run: run["wall_s"]), 1, book.why("rows_20k", name)),
                number(book.middle("rows_20k", name, lambda run: run["peak_mb"]), 0),
                number(cached, 0, book.why("cached", name)),
                number(growth(book, name, "cached", "cached_20k"), 3),
                number(sent, 0),
            ]
        )
    return table(heads, rows)


def trouble(book: Book) -> str:
    """Faults, tail, capacity and poison."""
    heads = ["system", "429s: time / calm", "500s: time / calm", "long tail: occupancy", "long tail: time / ideal"]
    heads += ["capacity: settled, of the limit", "capacity: whole, of the limit", "poison: rows delivered, named"]
    rows = []
    for name in SYSTEMS:
        calm = book.middle("calm", name, active)
        cells = [name]
        for fault in ("r429", "e500"):
            took = book.middle(fault, name, active)
            cells.append(
                number(took / calm if took and calm else None, why=book.why(fault, name)) + _short(book, fault, name)
            )
        cells.append(
            number(book.middle("long_tail", name, lambda run: run["occupancy"]), why=book.why("long_tail", name))
        )
        cells.append(number(book.middle("long_tail", name, lambda run: run["active_s"] / run["ideal_active_s"])))
        cells.append(
            number(book.middle("capacity", name, _of_limit), why=book.why("capacity", name))
            + _short(book, "capacity", name)
        )
        cells.append(number(book.middle("capacity", name, lambda run: run["ideal_active_s"] / run["active_s"])))
        cells.append(_poison(book, name))
        rows.append(cells)
    return table(heads, rows)


def _of_limit(run: Run) -> float | None:
    """Answers a second once settled, as a share of what the capacity allows."""
    settled = run["settled_per_s"]
    return None if settled is None else settled * run["ideal_active_s"] / run["rows"]


def _short(book: Book, scenario: str, name: str) -> str:
    """A remark where rows are missing."""
    for run in book.all(scenario, name)[-1:]:
        if (right := run["report"].get("right", 0)) != run["rows"]:
            return f" ({run['rows'] - right} rows lost)"
    return ""


def _poison(book: Book, name: str) -> str:
    runs = book.all("poison", name)
    if not runs:
        return book.why("poison", name)
    told = runs[-1]["report"]
    return f"{told['right']:,} of {runs[-1]['rows']:,}, {told.get('named', 0)} named"


def kills(book: Book) -> str:
    """What a SIGKILL costs."""
    heads = [
        "system",
        "kills",
        "answered before",
        "in flight at the kill",
        "asked again although answered: median, most",
    ]
    heads += ["both together, most", "run again: rows right"]
    rows = []
    for name in SYSTEMS:
        for run in book.tried("kill", name)[-1:]:
            found = [each for each in run.get("kills", []) if each]
            again = sorted(each["asked_again_although_answered"] for each in found)
            if not found:
                rows.append([name, "0", *[NOTHING] * 4, run["ended"]])
                continue
            right = min(each["delivered_right"] or 0 for each in found)
            state = f"{right:,} of {run['rows']:,}" if run["ended"] == "finished" else run["ended"]
            before, flying = (_range([each[key] for each in found]) for key in ("answered", "in_flight"))
            both = max(each["in_flight"] + each["asked_again_although_answered"] for each in found)
            lost = [f"{statistics.median(again):g}, {again[-1]}", str(both)]
            rows.append([name, str(len(found)), before, flying, *lost, state])
    return table(heads, rows)


def _range(values: Sequence[int]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def claims(book: Book) -> str:
    """Ours beside what it promises."""
    rows = [
        [
            "CPU over bare aiohttp, plain, from the first request on",
            spread(book.ratios("plain", running_cpu)),
            "at most 1.5",
        ],
        [f"CPU over bare aiohttp, {many(book)}, start included", spread(book.ratios("rows_20k", cpu)), "at most 1.5"],
        [
            "throughput over bare aiohttp, plain",
            spread(sorted(1 / each for each in book.ratios("plain", active))),
            "at least 0.9",
        ],
        [f"CPU of the cheapest peer over ours, {many(book)}", _best_peer(book, "rows_20k", cpu), "at least 4"],
        ["long tail: occupancy", number(book.middle("long_tail", OURS, lambda run: run["occupancy"])), "at least 0.9"],
        ["cached: rows per CPU second after the start", number(_cached_rate(book), 0), "at least 20,000"],
        ["3 % of 429: time over calm", number(_over(book, "r429", "calm")), "at most 1.2"],
        ["capacity: settled, of the limit", number(book.middle("capacity", OURS, _of_limit)), "at least 0.8"],
        [
            "peak memory at 100,000 over 10,000 rows",
            number(_over(book, "rows_100k", "rows_10k", "peak_mb")),
            "at most 1.3",
        ],
    ]
    return table(["ours", "measured", "promised"], rows)


def _over(book: Book, many: str, few: str, key: str = "active_s") -> float | None:
    above, below = (book.middle(name, OURS, lambda run: run[key]) for name in (many, few))
    return above / below if above and below else None


def _cached_rate(book: Book) -> float | None:
    for name in ("cached_20k", "cached"):
        if found := book.middle(name, OURS, lambda run: run["rows"] / running_cpu(run)):
            return found
    return None


def _best_peer(book: Book, scenario: str, value: Callable[[Run], float]) -> str:
    ours = book.middle(scenario, OURS, value)
    found = [(got, name) for name in PEERS if (got := book.middle(scenario, name, value)) is not None]
    if not found or ours is None:
        return NOTHING
    best, name = min(found)
    return f"{best / ours:.1f} ({name})"


def markdown(kept: dict[str, Any]) -> str:
    """All tables of a pass."""
    book = Book(kept["runs"])
    machine = kept["machine"]
    server = [run["server"] for run in kept["runs"] if "server" in run]
    cpu_ms = 1000 * sum(each["server_cpu_s"] for each in server) / max(1, sum(each["requests"] for each in server))
    load = sorted(run["load"] for run in kept["runs"])
    head = (
        f"`{kept['command']}`, commit {kept['commit']}, {kept['when']}, {machine['cores']} cores, Python "
        f"{machine['python']}, {IN_FLIGHT} in flight. The server cost {cpu_ms:.3f} ms CPU a "
        f"request; load average {load[0]:.1f} to {load[-1]:.1f}. {', '.join(kept['versions'].values())}."
    )
    return "\n\n".join([head, claims(book), cost(book), trouble(book), kills(book)])


def write(readme: Path, kept: dict[str, Any]) -> None:
    """Put the tables of a pass into the README."""
    text = readme.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    readme.write_text(f"{before}\n\n{markdown(kept)}\n\n{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write README's tables again from results/full.json.")
    parser.parse_args()
    here = Path(__file__).resolve().parent
    write(here / "README.md", json.loads((here / "results" / "full.json").read_text(encoding="utf-8")))
