"""The floor: workers over one iterator, JSON in and out. No store, no retry: it only says what HTTP costs."""

from __future__ import annotations

import asyncio
import json

import aiohttp
from job import Job, row_of


async def ask_all(job: Job) -> list[str | None]:
    """Every answer, in the order of the rows."""
    answers: list[str | None] = [None] * job.rows
    prompts = job.prompts()
    url = f"{job.base}/chat/completions"
    connector = aiohttp.TCPConnector(limit=job.in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def worker() -> None:
            for prompt in prompts:
                body = {"model": "loopback", "messages": [{"role": "user", "content": prompt}], "max_tokens": 128}
                async with session.post(url, json=body) as response:
                    found = await response.json()
                    answers[row_of(prompt)] = found["choices"][0]["message"]["content"]

        await asyncio.gather(*(worker() for _ in range(job.in_flight)))
    return answers


def main() -> None:
    """Ask, then write everything."""
    job = Job()
    job.ready()
    answers = asyncio.run(ask_all(job))
    with (job.folder / "answers.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in answers)
    job.report(**job.checked(answers))


if __name__ == "__main__":
    main()
