"""sdg_hub: a flow of one chat block, through litellm, with checkpoints every 500 rows."""

from __future__ import annotations

from typing import Any

from job import Job, in_row_order, row_of


def main() -> None:
    """Ask through sdg_hub."""
    job = Job()
    import pandas as pd
    from sdg_hub import Flow, FlowMetadata
    from sdg_hub.core.blocks.llm import LLMChatBlock

    block = LLMChatBlock(block_name="ask", input_cols=["messages"], output_cols=["text"], async_mode=True)
    flow = Flow(blocks=[block], metadata=FlowMetadata(name="bench", id="bench-flow-1"))
    flow.set_model_config(model="openai/loopback", api_base=job.base, api_key="none")
    prompts = list(job.prompts())
    messages = [[{"role": "user", "content": prompt}] for prompt in prompts]
    table = pd.DataFrame({"prompt": prompts, "messages": messages})
    job.ready()
    found = flow.generate(
        table,
        max_concurrency=job.in_flight,
        runtime_params={"ask": {"async_mode": True}},
        checkpoint_dir=str(job.folder / "checkpoints"),
        save_freq=500,
    )
    answers = {row_of(prompt): text_of(text) for prompt, text in zip(found["prompt"], found["text"], strict=True)}
    job.report(**job.checked(in_row_order(answers, job.rows)))


def text_of(found: Any) -> str | None:
    """The text of a cell, which is the message or a list of one message."""
    if isinstance(found, list):
        return text_of(found[0]) if found else None
    if isinstance(found, dict):
        return str(found.get("content"))
    return found if isinstance(found, str) else None


if __name__ == "__main__":
    main()
