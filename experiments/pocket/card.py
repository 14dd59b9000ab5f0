"""Writes the tables of the model card from results/*.json: `python experiments/pocket/card.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path("experiments/pocket/results")
CARD = Path("src/seedbed/pocket/weights/README.md")
NAMES = ("weak", "strong", "base")


def main() -> None:
    """Put the tables between their marks."""
    text = CARD.read_text(encoding="utf-8")
    for mark, table in {"measured": measured(), "trained": trained()}.items():
        pattern = rf"(<!-- {mark}: begin -->).*?(<!-- {mark}: end -->)"
        text = re.sub(pattern, lambda found, table=table: f"{found[1]}\n\n{table}\n\n{found[2]}", text, flags=re.DOTALL)
    CARD.write_text(text, encoding="utf-8")


def measured() -> str:
    """Coverage, false positives and lengths; then by steps."""
    found = {name: _read(f"measured-{name}") for name in NAMES}
    first = found["weak"]
    intro = f"{first['problems']} fresh problems of 2 to 6 steps, {first['draws']} draws each"
    columns = "| model | pass@1 | pass@4 | pass@16 | pass@64 | wrong steps among right answers, % |"
    lines = [
        f"{intro}, temperature {first['temperature']}; 95 % intervals over problems.",
        "",
        f"{columns} unique sound solutions in 64 | tokens in, out |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        coverage = " | ".join(_shown(one["pass_at_k"][k]) for k in ("1", "4", "16", "64"))
        wrong, unique = 100 * one["false_positives_of_samples"], one["unique_sound_solutions"]
        length = f"{one['prompt_tokens']:.0f}, {one['tokens_per_solution']:.0f}"
        lines.append(f"| `{name}` | {coverage} | {wrong:.1f} | {_shown(unique, 1)} | {length} |")
    lines += ["", "| pass@1 by steps | 2 | 3 | 4 | 5 | 6 |", "|---|---|---|---|---|---|"]
    for name, one in found.items():
        lines.append(
            f"| `{name}` | " + " | ".join(_shown(one["pass_at_1_by_steps"][str(s)]) for s in range(2, 7)) + " |"
        )
    return "\n".join(lines)


def trained() -> str:
    """Sizes and what the training took, with the trainings that one went on from."""
    lines = [
        "| model | parameters | layers x width (inner, heads) | tokens read | CPU seconds |",
        "|---|---:|---|---:|---:|",
    ]
    for name in NAMES:
        chain = [_read(f"train-{name}")]
        while (earlier := chain[-1]["plan"]["begin"]) is not None:
            chain.append(_read(f"train-{earlier}"))
        one, plan = chain[0], chain[0]["plan"]
        shape = f"{plan['layers']} x {plan['width']} ({plan['inner']}, {plan['heads']})"
        tokens, seconds = (sum(part[key] for part in chain) for key in ("tokens", "cpu_seconds"))
        lines.append(f"| `{name}` | {one['parameters']:,} | {shape} | {tokens / 1e6:.1f} million | {seconds:,.0f} |")
    return "\n".join(lines)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _shown(one: dict[str, float], digits: int = 3) -> str:
    return f"{one['value']:.{digits}f} [{one['low']:.{digits}f}, {one['high']:.{digits}f}]"


if __name__ == "__main__":
    main()
