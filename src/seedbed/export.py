"""Rows of a run, with a card that says which models made them, how, at what cost, and from which gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from seedbed.errors import ConfigError
from seedbed.estimate import Estimate
from seedbed.rows import accepted, write_jsonl, write_parquet, write_whole
from seedbed.run import Folder

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def export_rows(
    run: Path,
    folder: Path,
    *,
    form: str = "jsonl",
    with_gold: bool = False,
    licence: str | None = None,
    language: str | None = None,
) -> list[Path]:
    """Write the accepted rows of a finished run and their card.

    Args:
        run: The run's directory.
        folder: Where to write `train.jsonl` or `train.parquet`, and `README.md`.
        form: "jsonl" or "parquet".
        with_gold: Also the gold rows that were trained on; by default only rows that a teacher wrote leave.
        licence: Put on the card only if given: nobody can guess the terms of somebody else's model.
        language: Likewise.

    Returns:
        The files written.

    Raises:
        ConfigError: The directory holds no finished run, or no row may leave.
    """
    result = Folder(run).read("result.json")
    if result is None:
        raise ConfigError("the directory holds no finished run", str(run), "run its recipe first, or go on with it")
    rows = accepted(pl.read_parquet(run / "data" / f"{result['steps'][-1]['name']}.parquet"))
    if not with_gold:
        rows = rows.filter(pl.col("made_by") != "gold")
    if rows.is_empty():
        raise ConfigError(
            "there is no row to export", "0 accepted synthetic rows", "see `seedbed show RUN --rows rejected`"
        )
    columns = rows.drop("status", "why")
    data = folder / f"train.{form}"
    (write_jsonl if form == "jsonl" else write_parquet)(columns, data)
    prompts = sorted(set(result["task"].get("prompts", {})))
    card = folder / "README.md"
    write_whole(card, _card(result, rows, data.name, (licence, language), prompts).encode())
    return [data, card]


def _card(
    result: dict[str, Any], rows: pl.DataFrame, file: str, given: tuple[str | None, str | None], prompts: Sequence[str]
) -> str:
    licence, language = given
    head: dict[str, Any] = {
        "pretty_name": result["name"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "size_categories": [next((name for size, name in _SIZES if rows.height < size), "n>1M")],
        "task_categories": [
            "text-classification" if result["task"]["kind"] == "classification" else "question-answering"
        ],
        "tags": ["synthetic", "seedbed"],
        "configs": [{"config_name": "default", "data_files": file}],
    }
    if licence:
        head["license"] = licence
    if language:
        head["language"] = [language]
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n".join(_body(result, rows, prompts, licence)) + "\n"


def _body(result: dict[str, Any], rows: pl.DataFrame, prompts: Sequence[str], licence: str | None) -> list[str]:
    teacher, gold, spend = result["teacher"], result["gold"], result["spend"]
    account = result["account"]
    lost = [
        f"{count} {status}: {reason}" for status in ("rejected", "failed") for reason, count in account[status].items()
    ]
    made = rows.group_by("made_by", maintain_order=True).len().iter_rows()
    versions, identity = result["manifest"]["versions"], result["identity"]
    lost_text = f" ({'; '.join(lost)})" if lost else ""
    own_prompts = f", replaced: {', '.join(prompts)}" if prompts else ""
    sampling = f"temperature {teacher['temperature']}, top-p {teacher['top_p']}, at most {teacher['max_tokens']} tokens"
    price = "unknown" if spend["usd"] is None else f"{spend['usd']:.4f} usd"
    lines = [
        f"# {result['name']}",
        "",
        f"{rows.height} rows for: {result['task']['instruction']}",
        "",
        "## How the rows were made",
        "",
        f"- Teacher: `{teacher['model']}`"
        + (" (a simulation: no language model wrote these rows)" if result["is_simulated"] else ""),
        f"- Sampling: {sampling}",
        f"- Prompts: built in{own_prompts}; the recipe is in the run's recipe.yaml",
        f"- Requests: {spend['requests']}; cost: {price}",
        f"- Of {account['requested']} rows asked for, {account['accepted']} were accepted{lost_text}",
        f"- Program: seedbed {versions['seedbed']}, identity {identity}, rng seed {result['rng_seed']}",
        "",
        "| made by | rows |",
        "|---|---:|",
        *(f"| {name} | {count} |" for name, count in made),
        "",
        "## Gold",
        "",
        (
            f"{gold['steer']} gold rows steered what was written, {gold['select']} chose between rounds, "
            f"{gold['test']} test rows stayed sealed until the end. Near-copies of test rows were removed."
        ),
    ]
    gold_too = result["gold_rows_trained_on"] - rows.filter(pl.col("made_by") == "gold").height
    on = "these rows" + (f" and {gold_too} gold rows" if gold_too else "")
    if result["stages"] and (test := result["stages"][-1]["test"]):
        lines += [
            "",
            (
                f"A student ({result['student']['kind']}) trained on {on} reaches {result['metric']} "
                f"{Estimate.from_dict(test)} on the test rows."
            ),
        ]
    lines += [
        "",
        "## Licence",
        "",
        licence or "None was given. The terms of the teacher and of the gold rows may bind their use.",
    ]
    return lines
