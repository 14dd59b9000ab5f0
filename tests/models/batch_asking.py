"""A process to be killed: asks COUNT questions through batch files and writes all answers in the end.

python -m tests.models.batch_asking ADDRESS LEDGER OUT COUNT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.models.scripted import ask

from seedbed.budget import Budget
from seedbed.ledger import Ledger
from seedbed.models.batch import BatchModel, Limits
from seedbed.models.booking import Tariff
from seedbed.models.prices import Price
from seedbed.models.wire import Endpoint

SCOPE = "run"
LIMITS = Limits(requests=40, at_once=3, poll_s=0.005, longest_poll_s=0.01)


def main(address: str, ledger_path: str, out: str, count: str) -> None:
    """Ask everything, then write one line per answer."""
    with Ledger.at(Path(ledger_path)) as ledger:
        tariff, settings = Tariff(Price(1.0, 3.0)), Endpoint(batch=True, timeout_s=5)
        made = BatchModel(
            address, settings, ledger, Budget(ledger, SCOPE), tariff, limits=LIMITS, notify=lambda _: None
        )
        lines = []
        for answer in made.generate(ask(f"question {number}") for number in range(int(count))):
            said = getattr(answer, "text", None) or getattr(answer, "message", None)
            lines.append(json.dumps([type(answer).__name__, said, answer.tokens_in, answer.usd]))
    Path(out).write_text("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
