"""bespokelabs-curator: one `LLM` with its own OpenAI processor; its cache folder lies in the job's folder.

What it needs to run beside the others: rate limits far above what the server gives (its defaults are those of a small
OpenAI account), a model name that its price map knows, and tiktoken's vocabulary, which it fetches from the network;
litellm, one of its dependencies, carries a copy. It gives up the whole run when a request has no answer, unless
`require_all_responses` is off.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from job import Job, in_row_order, row_of


def main() -> None:
    """Ask through curator."""
    job = Job()
    litellm = find_spec("litellm")
    assert litellm is not None and litellm.origin is not None
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers")
    os.environ["CURATOR_CACHE_DIR"] = str(job.folder / "cache")
    os.environ["CURATOR_DISABLE_RICH_DISPLAY"] = "1"
    from bespokelabs import curator

    class Question(curator.LLM):  # type: ignore[misc]  # curator is in an environment of its own, unknown to mypy here
        """A prompt per row, the answer as text."""

        return_completions_object = False

        def prompt(self, row: dict[str, str]) -> str:
            return row["prompt"]

        def parse(self, row: dict[str, str], response: str) -> dict[str, Any]:
            return {"row": row_of(row["prompt"]), "text": response}

    limits = {
        "base_url": job.base,
        "max_requests_per_minute": 10_000_000,
        "max_tokens_per_minute": 10_000_000_000,
        "max_concurrent_requests": job.in_flight,
        "require_all_responses": not job.is_tolerant,
    }
    asker = Question(model_name="gpt-4o-mini", backend="openai", backend_params=limits)
    job.ready()
    found = asker([{"prompt": prompt} for prompt in job.prompts()]).dataset
    answers = dict(zip(found["row"], found["text"], strict=True))
    failed = [path.read_text(encoding="utf-8") for path in (job.folder / "cache").rglob("failed_requests.jsonl")]
    named = {int(row) for text in failed for row in re.findall(r"\[row (\d{8})\]", text)}
    job.report(**job.checked(in_row_order(answers, job.rows)), named=len(named))


if __name__ == "__main__":
    main()
