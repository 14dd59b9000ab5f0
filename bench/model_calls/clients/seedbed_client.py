"""seedbed with everything on (ledger, budget in usd, retry, throttle): what stands between a step and the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from job import Job

from seedbed.budget import Budget, Caps
from seedbed.ledger import Ledger
from seedbed.models import Endpoint, open_model
from seedbed.request import Failure, Reply, Request


class Answers:
    """The texts, None for a failure, and what else is counted on the way."""

    def __init__(self, answers: Iterable[Reply | Failure]) -> None:
        self._answers = answers
        self.named = self.cached = 0

    def __iter__(self) -> Iterator[str | None]:
        for answer in self._answers:
            self.cached += answer.is_cached
            self.named += isinstance(answer, Failure)
            yield answer.text if isinstance(answer, Reply) else None


def main() -> None:
    """Ask through `open_model`; the ledger lies in the job's folder, so another run there resumes."""
    job = Job()
    settings = Endpoint(concurrency=job.in_flight, usd_per_million_in=1.0, usd_per_million_out=1.0)
    with Ledger.at(job.folder / "ledger.sqlite") as ledger:
        budget = Budget(ledger, "bench", Caps(usd=1000.0))
        model = open_model(f"{job.base}#loopback", ledger=ledger, budget=budget, settings=settings)
        job.ready()
        answers = Answers(model.generate(Request((("user", prompt),), max_tokens=128) for prompt in job.prompts()))
        counts = job.checked(answers)
    # Answers come in the order of the requests, a failure in its place: that is how the bad rows are named.
    job.report(**counts, named=answers.named, cached=answers.cached)


if __name__ == "__main__":
    main()
