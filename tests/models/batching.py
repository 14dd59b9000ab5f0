"""A model behind the loopback batch service whose waits are counted instead of waited."""

from tests.models.batch_server import said
from tests.models.scripted import ask

from seedbed.models import Endpoint
from seedbed.models.batch import BatchModel, Limits
from seedbed.models.booking import Tariff
from seedbed.models.prices import Price

PRICE = Tariff(Price(1.0, 3.0))


class Waits:
    """Counts waits instead of waiting; something may happen in the midst of one."""

    def __init__(self, then=None):
        self.seconds, self._then = [], then or {}

    def __call__(self, seconds):
        self.seconds.append(seconds)
        assert len(self.seconds) < 400, "waits for ever"
        if (act := self._then.get(len(self.seconds))) is not None:
            act()


def model(server, ledger, budget=None, *, tariff=PRICE, notify=lambda _line: None, **limits):
    limits.setdefault("sleep", Waits())
    settings = Endpoint(batch=True, timeout_s=5)
    return BatchModel(server.address, settings, ledger, budget, tariff, limits=Limits(**limits), notify=notify)


def questions(count):
    return [ask(f"q{number}") for number in range(count)]


def unfinished(ledger):
    with ledger.reading() as db:
        return db.execute("SELECT count(*) FROM batches WHERE state != 'over'").fetchone()[0]


def in_doubt(ledger, scope="run"):
    return ledger.spend(scope).in_doubt


def by_prompt(**lines):
    """A script that answers some prompts by a list of lines, one per time; the last for ever."""

    def script(prompt, times, _body):
        told = lines.get(prompt)
        if told is None:
            return said(f"to {prompt}")
        return told[min(times, len(told) - 1)] if isinstance(told, list) else told

    return script


def stop():
    raise KeyboardInterrupt
