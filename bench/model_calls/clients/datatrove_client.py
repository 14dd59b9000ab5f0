"""datatrove: the inference runner against an endpoint, one task, JSONL out, with its checkpoints and request cache on.

Beyond its declared dependencies it needs orjson, aiofiles, aiosqlite, xxhash below 4 and httpx; without httpx it waits
for the endpoint for ever. Checkpoints are per 500 rows, the request cache (SQLite) per answer.
"""

from __future__ import annotations

import json
from typing import Any

from job import Job, in_row_order


async def rollout(document: Any, generate: Any) -> str:
    """One question per document."""
    found = await generate({"messages": [{"role": "user", "content": document.text}], "max_tokens": 128})
    return str(found.text)


def main() -> None:
    """Ask through datatrove."""
    job = Job()
    from datatrove.data import Document
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
    from datatrove.pipeline.writers import JsonlWriter

    documents = [Document(text=prompt, id=str(row)) for row, prompt in enumerate(job.prompts())]
    config = InferenceConfig(
        server_type="endpoint",
        endpoint_url=job.base.removesuffix("/v1"),
        model_name_or_path="loopback",
        max_concurrent_generations=job.in_flight,
    )
    out = job.folder / "out"
    step = InferenceRunner(
        rollout_fn=rollout,
        config=config,
        output_writer=JsonlWriter(str(out), output_filename="${rank}_chunk_${chunk_index}.jsonl", compression=None),
        checkpoints_local_dir=str(job.folder / "checkpoints"),
        records_per_chunk=500,
    )
    executor = LocalPipelineExecutor(pipeline=[documents, step], tasks=1, logging_dir=str(job.folder / "logs"))
    job.ready()
    executor.run()
    answers: dict[int, str | None] = {}
    for path in out.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            results = found["metadata"].get("rollout_results") or [None]
            answers[int(found["id"])] = results[0]
    job.report(**job.checked(in_row_order(answers, job.rows)))


if __name__ == "__main__":
    main()
