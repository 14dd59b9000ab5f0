"""NVIDIA's Data Designer: prompts as a seed dataset, one text column; resumes from its artifacts where it can.

Its memory of a run is the row group (1,000 rows by default, left so). The seed lies in a file because the identity that
lets it resume covers the seed.
"""

from __future__ import annotations

import os

from job import Job, in_row_order, row_of


def main() -> None:
    """Ask through Data Designer."""
    job = Job()
    os.environ["DATA_DESIGNER_HOME"] = str(job.folder / "home")
    import data_designer.config as dd
    import pandas as pd
    from data_designer.interface import DataDesigner, ResumeMode

    provider = dd.ModelProvider(name="loopback", endpoint=job.base, provider_type="openai", api_key="none")
    limits = dd.ChatCompletionInferenceParams(max_parallel_requests=job.in_flight, timeout=60, max_tokens=128)
    model = dd.ModelConfig(
        alias="teacher", model="loopback", provider="loopback", skip_health_check=True, inference_parameters=limits
    )
    artifacts, seed = job.folder / "artifacts", job.folder / "seed.parquet"
    is_again = artifacts.exists()
    designer = DataDesigner(artifact_path=artifacts, model_providers=[provider])
    designer.set_run_config(dd.RunConfig(display_tui=False, otel_metrics_port=None))
    if not seed.exists():
        pd.DataFrame({"prompt": list(job.prompts())}).to_parquet(seed)
    config = dd.DataDesignerConfigBuilder(model_configs=[model])
    config.with_seed_dataset(dd.LocalFileSeedSource(path=str(seed)))
    config.add_column(dd.LLMTextColumnConfig(name="text", model_alias="teacher", prompt="{{ prompt }}"))
    resume = ResumeMode.ALWAYS if is_again else ResumeMode.NEVER
    job.ready()
    table = designer.create(config, num_records=job.rows, dataset_name="bench", resume=resume).load_dataset()
    answers = {row_of(prompt): text for prompt, text in zip(table["prompt"], table["text"], strict=True)}
    job.report(**job.checked(in_row_order(answers, job.rows)))


if __name__ == "__main__":
    main()
