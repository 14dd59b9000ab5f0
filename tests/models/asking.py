"""A process to be killed: asks COUNT questions through a ledger and writes all answers in the end.

python -m tests.models.asking ADDRESS LEDGER OUT COUNT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from seedbed.budget import Budget
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Request

SETTINGS = Endpoint(concurrency=16, timeout_s=5)
SCOPE = "run"


def questions(count: int) -> Iterator[Request]:
    """Different questions; every 100th is poisoned."""
    for number in range(count):
        yield Request((("user", f"question {number}{' POISON' if number % 100 == 50 else ''}"),))


def main(address: str, ledger_path: str, out: str, count: str) -> None:
    """Ask everything, then write one line per answer."""
    with Ledger.at(Path(ledger_path)) as ledger:
        model = open_model(address, ledger=ledger, budget=Budget(ledger, SCOPE), settings=SETTINGS)
        lines = []
        for answer in model.generate(questions(int(count))):
            said = getattr(answer, "text", None) or getattr(answer, "message", None)
            lines.append(json.dumps([type(answer).__name__, said, answer.tokens_in, answer.tokens_out]))
    Path(out).write_text("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
