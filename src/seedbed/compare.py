"""Hold a recipe against its baselines: same gold, same teacher, same student, same budget, several rng seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from seedbed.errors import BudgetExceeded, ConfigError
from seedbed.estimate import Estimate, gain_over_seeds, mean_over_seeds, paired_gain, share
from seedbed.methods import Family, family, is_applicable, method_recipe
from seedbed.prepare import prepare
from seedbed.recipe import Recipe
from seedbed.run import Folder, run_recipe
from seedbed.steps import Evaluate
from seedbed.steps.context import Progress


def compare(
    recipe: Recipe,
    path: Path,
    *,
    methods: Sequence[str] | None = None,
    rng_seeds: Sequence[int] = (0, 1, 2),
    progress: Callable[[str], Progress] = lambda _title: lambda _step, _done, _total, _usd: None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> dict[str, Any]:
    """Run every method under every rng seed and compare them on the same sealed test rows.

    The recipe runs first under each seed; what it asked for is the budget, in requests, of the other methods under
    that seed. The test rows are the same throughout; teacher replies, steering rows and students vary with the seed.

    Args:
        recipe: An S3 recipe, or one that samples.
        path: Where the runs go, one folder per method and seed; the same command goes on after a kill.
        methods: Some of the recipe's `family`, all of them by default; the recipe itself is always among them.
        rng_seeds: At least one; the intervals carry the doubt over seeds only from two on.
        progress: Called with the title of each run; returns that run's progress callback.
        on_event: Called with the events of every run.

    Returns:
        methods (rows, requests, usd, test score, stages, runs), gains (method over baseline), verdicts.

    Raises:
        ConfigError, DataError: As `run_recipe`; an rng seed is given twice; the recipe has no `evaluate` step.
    """
    if len(set(rng_seeds)) < len(rng_seeds) or not rng_seeds:
        # The same run counted twice would look like less doubt.
        raise ConfigError("a comparison needs rng seeds, each once", f"{list(rng_seeds)}", "e.g. rng_seeds=(0, 1, 2)")
    task = prepare(recipe, lambda _event: None).task
    known = family(recipe)
    chosen = _chosen(recipe, known, methods, has_context=task.context is not None)
    first = chosen[0]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    # Method to one table per seed: what every student of the run answered, one line per student.
    correct: dict[str, list[np.ndarray]] = {name: [] for name in chosen}
    clusters: list[str] | None = None
    for rng_seed in rng_seeds:
        seeded = recipe.model_copy(update={"rng_seed": rng_seed})
        if rng_seed != rng_seeds[0]:
            # The shift is shown for one seed: it takes longer than everything else a linear student needs.
            seeded = seeded.model_copy(update={"steps": (*seeded.steps[:-1], Evaluate(shift=False))})
        for name in chosen:
            budget = results[first][-1]["spend"]["requests"] if name != first else 0
            folder = path / name / f"seed-{rng_seed}"
            found = run_recipe(
                method_recipe(seeded, name, budget),
                folder,
                ledger=path / "ledger.sqlite",
                progress=progress(f"{name}, rng seed {rng_seed}"),
                on_event=on_event,
            )
            _check_complete(found, f"{name}, rng seed {rng_seed}")
            answers = [answers_of(folder, found, stage["student"]) for stage in found["stages"]]
            results[name].append(found)
            correct[name].append(np.stack([one["correct"].cast(pl.Float64).to_numpy() for one in answers]))
            clusters = answers[-1]["cluster"].to_list() if task.context else None
    last = {name: np.stack([table[-1] for table in tables]) for name, tables in correct.items()}
    gains = _gains(last, known.baselines, clusters)
    comparison = {
        "name": recipe.name,
        "task": task.model_dump(mode="json"),
        "metric": task.metric,
        "teacher": recipe.teacher.model,
        "is_simulated": recipe.teacher.model.startswith("sim:"),
        "student": recipe.student.model_dump(mode="json"),
        "gold": {key: results[first][0]["gold"][key] for key in ("source", "steer", "select", "test")},
        "rng_seeds": list(rng_seeds),
        "itself": first,
        "baselines": list(known.baselines),
        "methods": {name: _method(known.methods[name], results[name], correct[name], clusters) for name in chosen},
        "gains": gains,
        "verdicts": verdicts(gains, [name for name in chosen if name not in (*known.baselines, "zerogen")]),
    }
    Folder(path).write("comparison.json", comparison)
    return comparison


def _chosen(recipe: Recipe, known: Family, methods: Sequence[str] | None, *, has_context: bool) -> list[str]:
    """The methods to run, the recipe itself first; each is checked before the first request is paid for."""
    wanted = known.methods if methods is None else [known.itself, *methods]
    chosen = [name for name in known.methods if name in wanted and is_applicable(recipe, name, has_context=has_context)]
    for name in chosen:
        method_recipe(recipe, name, 10**9)
    return chosen


def _check_complete(found: dict[str, Any], run: str) -> None:
    """What S3 asked for is the others' budget: until it has asked for all of it there is nothing to compare."""
    if not found["complete"]:
        seen = f"{run}: {found['account']['pending']} rows pending"
        fix = "raise the recipe's budget and run the same command again"
        raise BudgetExceeded("the budget ended before the comparison did", seen, fix)


def answers_of(folder: Path, result: dict[str, Any], student: str) -> pl.DataFrame:
    """Test answers of one of a run's students, in the order of the test rows."""
    name = next(step["name"] for step in result["steps"] if step["verb"] == "evaluate")
    answers = pl.read_parquet(folder / "predictions" / f"{name}.parquet")
    return answers.filter((pl.col("split") == "test") & (pl.col("student") == student))


def _mean(scores: np.ndarray, clusters: list[str] | None) -> Estimate:
    if len(scores) == 1:
        return share(scores[0], clusters=clusters)
    return mean_over_seeds(scores, clusters=clusters)


def _gain(before: np.ndarray, after: np.ndarray, clusters: list[str] | None) -> Estimate:
    if len(before) == 1:
        return paired_gain(before[0], after[0], clusters=clusters)
    return gain_over_seeds(before, after, clusters=clusters)


def _method(
    what: str, runs: Sequence[dict[str, Any]], tables: Sequence[np.ndarray], clusters: list[str] | None
) -> dict[str, Any]:
    stages = _stages(runs, tables, clusters)
    spends = [run["spend"] for run in runs]
    return {
        "what": what,
        "trained_on": stages[-1]["trained_on"],
        "requests": _average([spend["requests"] for spend in spends]),
        "usd": _average([spend["usd"] for spend in spends]),
        "test": _mean(np.stack([table[-1] for table in tables]), clusters).to_dict(),
        "stages": stages,
        "account": runs[0]["account"],
        "stopped": [run["stopped"] for run in runs],
        "shift": runs[0]["evaluation"].get("shift"),
        "sampling": runs[0].get("sampling"),
    }


def _stages(
    runs: Sequence[dict[str, Any]], tables: Sequence[np.ndarray], clusters: list[str] | None
) -> list[dict[str, Any]]:
    """Round by round, over the seeds that got so far."""
    stages = []
    for number in range(max(len(run["stages"]) for run in runs)):
        here = [run["stages"][number] for run in runs if len(run["stages"]) > number]
        scores = np.stack([table[number] for table in tables if len(table) > number])
        truth = [stage["truth"] for stage in here if stage.get("truth")]
        stages.append(
            {
                "round": here[0]["round"],
                "runs": len(here),
                "trained_on": _average([stage["trained_on"] for stage in here]),
                "requests": _average([stage["spend"]["requests"] for stage in here]),
                "usd": _average([stage["spend"]["usd"] for stage in here]),
                "test": _mean(scores, clusters).to_dict(),
                "truth": {key: _average([one[key] for one in truth]) for key in truth[0]} if truth else None,
            }
        )
    return stages


def _average(values: Sequence[float | None]) -> float | None:
    """The mean; None where one of them is unknown."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _gains(
    correct: dict[str, np.ndarray], baselines: Sequence[str], clusters: list[str] | None
) -> dict[str, dict[str, Any]]:
    return {
        method: {
            baseline: _gain(correct[baseline], correct[method], clusters).to_dict()
            for baseline in baselines
            if baseline in correct and baseline != method
        }
        for method in correct
    }


def verdicts(gains: dict[str, dict[str, Any]], methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Whether each teaching method is clearly better than every baseline that was run.

    Returns:
        Method to {helps: bool, beaten: [...], not_beaten: [...]}; a gain counts when its whole interval is above zero.
        Without a baseline nothing helps.
    """
    made = {}
    for method in methods:
        beaten = [name for name, gain in gains[method].items() if gain["low"] > 0]
        missed = [name for name in gains[method] if name not in beaten]
        made[method] = {"helps": bool(beaten) and not missed, "beaten": beaten, "not_beaten": missed}
    return made
