"""The recorded draws as pools, and what a draw cost."""

from __future__ import annotations

import gzip
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from seedbed.sampling.costs import SampleCost, flops_cost
from seedbed.sampling.replay import Pool

HERE = Path(__file__).resolve().parent
PRICES = yaml.safe_load((HERE / "prices.yaml").read_text(encoding="utf-8"))
PAIRS = {
    "gpt-3.5 or gpt-4": ("gpt-3.5-turbo pot2_t=0.8", "gpt-4 pot2"),
    "gpt-3.5 or gpt-4, no program": ("gpt-3.5-turbo cot1_40", "gpt-4 cot1"),
    "llama-2-13b or gpt-3.5": ("llama-2-13b pot2", "gpt-3.5-turbo pot2_t=0.8"),
}
GSM = ("6b_finetuning", "175b_finetuning")


def data_folder() -> Path:
    """Where the rows lie. Leaves the program with a message when they are absent."""
    folder = Path(os.environ.get("SEEDBED_DATA") or HERE.parents[2] / "shared" / "data")
    if not (folder / "date").is_dir():
        sys.exit(f"no recorded draws in {folder}: set SEEDBED_DATA to the folder that holds date/ and gsm8k/")
    return folder


@cache
def draws() -> pl.DataFrame:
    """Every recorded draw on the date problems; `model` is the model and its setting."""
    with gzip.open(data_folder() / "date" / "samples.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return pl.DataFrame(
        {
            "problem_id": [str(row["problem_id"]) for row in rows],
            "model": [f"{row['model']} {row['setting']}" for row in rows],
            "correct": [bool(row["correct"]) for row in rows],
            "key": [" ".join((row["text"] or "").lower().split()) for row in rows],
            "length": [len(row["text"] or "") for row in rows],
        }
    )


def gsm_draws() -> pl.DataFrame:
    """One draw of each of two models on GSM8K's test problems."""
    lines = (data_folder() / "gsm8k" / "model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(i, name, json.loads(line)[name]) for i, line in enumerate(lines) for name in GSM]
    return pl.DataFrame(
        {
            "problem_id": [str(i) for i, _, _ in rows],
            "model": [name for _, name, _ in rows],
            "correct": [bool(row["is_correct"]) for _, _, row in rows],
            "key": [" ".join(row["solution"].lower().split()) for _, _, row in rows],
            "length": [len(row["solution"]) for _, _, row in rows],
        }
    )


def pool_of(pair: tuple[str, ...]) -> Pool:
    """The pool of a pair of teachers."""
    return Pool.of_frame(gsm_draws() if pair == GSM else draws(), list(pair))


def costs_of(pair: tuple[str, ...]) -> dict[str, Any]:
    """USD per prompt and draw, under the stated assumptions; FLOPs for the GSM8K pair."""
    frame, per_token = (gsm_draws() if pair == GSM else draws()), PRICES["characters_per_token"]
    found: dict[str, Any] = {}
    for name in pair:
        written = frame.filter(pl.col("model") == name)["length"].mean() / per_token
        read = PRICES["prompt_characters"] / per_token
        if pair == GSM:
            # These were fine-tuned: the prompt is the question alone, about 235 characters.
            found[name] = flops_cost(PRICES["parameters"][name], 0, 0, 235 / per_token, written)
            continue
        price_in, price_out = PRICES["usd_per_1000_tokens"][name.split()[0]]
        found[name] = SampleCost(read * price_in / 1000, written * price_out / 1000, shared=True)
    return found
