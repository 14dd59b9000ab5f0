"""A model behind a batch endpoint: files of requests at half the price, answers within a day, the same `generate`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from seedbed.budget import Budget
from seedbed.errors import ConfigError
from seedbed.ledger import Ledger
from seedbed.models.address import SCHEMES
from seedbed.models.batch_books import Books
from seedbed.models.batch_desk import Desk, Limits
from seedbed.models.batch_flow import BatchFlow
from seedbed.models.batch_wire import BatchWire
from seedbed.models.booking import Answer, Tariff
from seedbed.models.formats import format_of
from seedbed.models.wire import Endpoint
from seedbed.request import Request

__all__ = ["BatchModel", "Limits", "open_batch"]

_LOG = logging.getLogger("seedbed.batch")


class BatchModel:
    """A model whose requests go out in files and whose answers come back in files, in the order of the requests.

    Answers are the ledger's like any other: what was answered online is not sent, and what a batch answered is there
    for online runs. `generate` waits until all answers are there. Ctrl-C or a kill leaves the batches at the service;
    the same command looks them up and goes on, and sends nothing twice.

    Not for an endless iterator of which little is taken: requests are read until as many files are filled as may be
    out at once. Draws of one prompt go out as requests of their own, since a batch has no discount to share.

    Args:
        address: Of an OpenAI-compatible service with the endpoints `/files` and `/batches`.
        settings: Where, in which format, how many tries.
        ledger: Owns every answer, and knows which batch holds which request; nothing is asked without one.
        budget: Caps, and the scope that uses are booked on.
        tariff: What the model's tokens cost in a batch.
        limits: How large files may be, how long to wait and how.
        notify: Told, in a line, what goes out and what is left behind; by default a warning of the logger
            `seedbed.batch`, which shows on the terminal unless the program says otherwise.

    Raises:
        ConfigError: The address or the key cannot work.
    """

    def __init__(
        self,
        address: str,
        settings: Endpoint,
        ledger: Ledger | None,
        budget: Budget | None,
        tariff: Tariff,
        *,
        limits: Limits | None = None,
        notify: Callable[[str], None] = _LOG.warning,
    ) -> None:
        self.address = address
        self.ledger, self.budget, self.tariff = ledger, budget, tariff
        self.limits = limits or Limits(tries=settings.attempts, stall_s=settings.stall_s)
        self._settings, self._notify = settings, notify
        # Made here too, so that what cannot work is known before anything is asked.
        BatchWire(address, settings)
        self._format = format_of(address, settings)

    def generate(self, requests: Iterable[Request], *, step: str = "") -> Iterator[Answer]:
        """See `seedbed.request.Model`."""
        if self.ledger is None:
            fix = "pass a ledger, or set batch: false"
            raise ConfigError("a batch endpoint needs a ledger", "its answers may come after this process ended", fix)
        clock = self.budget.asking(step=step, model=self.address) if self.budget else nullcontext()
        with clock, TemporaryDirectory(prefix="seedbed-batch-") as folder:
            wire = BatchWire(self.address, self._settings)
            books = Books(self.ledger, self.budget, self.address, self.tariff, step)
            desk = Desk(books, wire, self._format, self.limits, Path(folder), notify=self._notify)
            flow = BatchFlow(books, desk, self.limits, Path(folder))
            try:
                yield from flow.run(iter(requests))
            finally:
                try:
                    flow.close()
                finally:
                    wire.close()


def open_batch(
    address: str, ledger: Ledger | None, budget: Budget | None, settings: Endpoint, tariff: Tariff
) -> BatchModel:
    """Open the model at an address behind its batch endpoint.

    Raises:
        ConfigError: A service without files in OpenAI's format. Without a ledger, which must know what is where when
            this process has ended, `generate` raises.
    """
    scheme = address.partition(":")[0]
    if scheme not in SCHEMES or scheme == "anthropic" or settings.api == "messages":
        fix = "use openai:NAME or http://HOST:PORT/v1#NAME with api chat or responses, or set batch: false"
        raise ConfigError("only OpenAI's batch files are known", f"batch: true for {address}", fix)
    return BatchModel(address, settings, ledger, budget, tariff)
