"""distilabel: a pipeline of one text-generation step; its cache lies in the job's folder.

Its unit is the batch: as many rows as may be in flight, so the next batch starts when the slowest of this one is done.
`requests`, which it imports and does not declare, has to be installed beside it.
"""

from __future__ import annotations

from job import Job, in_row_order, row_of


def main() -> None:
    """Ask through distilabel."""
    job = Job()
    from distilabel.models import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    with Pipeline(name="bench", cache_dir=str(job.folder / "cache")) as pipeline:
        load = LoadDataFromDicts(data=[{"instruction": prompt} for prompt in job.prompts()], batch_size=job.in_flight)
        model = OpenAILLM(model="loopback", base_url=job.base, api_key="none")
        ask = TextGeneration(llm=model, input_batch_size=job.in_flight, add_raw_output=False, add_raw_input=False)
        load >> ask
    job.ready()
    found = pipeline.run(use_cache=True)["default"]["train"]
    answers = {row_of(prompt): text for prompt, text in zip(found["instruction"], found["generation"], strict=True)}
    job.report(**job.checked(in_row_order(answers, job.rows)))


if __name__ == "__main__":
    main()
