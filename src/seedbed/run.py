"""A run: a directory that can be resumed, shown, compared and shared.

recipe.yaml        the recipe as it was resolved
manifest.json      identity, versions, when it was made
events.jsonl       every gold read, every stop and its reason, with times
steps/NAME.json    what a finished step measured; its presence means the step is finished
data/NAME.parquet  every row known after that step
predictions/NAME.parquet   what a student answered
pools/NAME.parquet   what was sampled, with teacher, tokens and cost of each solution
students/NAME/     a trained student
result.json        everything the report shows
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import yaml
from threadpoolctl import threadpool_limits

from seedbed import __version__
from seedbed.budget import Budget
from seedbed.errors import ConfigError
from seedbed.fingerprint import fingerprint
from seedbed.ledger import Ledger
from seedbed.models import flops_per_token, open_model, price_of, shares_prompts
from seedbed.prepare import Prepared, prepare
from seedbed.recipe import Recipe, TeacherSettings, walk
from seedbed.result import summarise
from seedbed.rows import frame, write_parquet, write_whole
from seedbed.steps import Curate, Extrapolate, Repeat, Sample, Step
from seedbed.steps.context import Context, Progress, State, Teacher, TrainedStudent
from seedbed.steps.train import gain
from seedbed.students import load_student
from seedbed.synthesis.drafts import Sampling


@dataclass
class Folder:
    """The files of one run."""

    path: Path
    event_sink: Callable[[dict[str, Any]], None] = lambda _event: None
    early: list[dict[str, Any]] = field(default_factory=list)
    """Events from before the directory was made: preparing a run may fail, and then nothing is written."""

    def log(self, event: dict[str, Any]) -> None:
        """Append an event with its time."""
        stamped = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **event}
        self.early.append(stamped)
        if self.path.exists():
            with (self.path / "events.jsonl").open("ab+") as file:
                # A line torn by a kill must not swallow this one.
                file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
                torn = file.read(1) not in (b"", b"\n")
                lines = [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in self.early]
                file.write(b"\n" * torn + b"".join(lines))
            self.early.clear()
        self.event_sink(stamped)

    def events(self) -> list[dict[str, Any]]:
        """All events, oldest first; a line torn by a kill is left out."""
        file = self.path / "events.jsonl"
        found = []
        # Not `splitlines`: a reply quoted in an event may hold other signs that end a line.
        for line in file.read_text(encoding="utf-8", errors="replace").split("\n") if file.exists() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON file of the run, or None where there is none."""
        file = self.path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def write(self, name: str, value: Any) -> None:
        """Write a JSON file whole or not at all."""
        write_whole(self.path / name, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process works in the folder.

        Raises:
            ConfigError: Another one does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    "another process works on this run", str(self.path), "wait for it, or stop it"
                ) from error
            yield


@dataclass
class Execution:
    """Goes through the steps, skipping those that are finished."""

    folder: Folder
    prepared: Prepared
    ctx: Context
    budget: Budget
    ordinals: Counter[str] = field(default_factory=Counter)
    chain: str = ""
    stopped: list[str] = field(default_factory=list)
    resuming: bool = True
    steps: list[dict[str, Any]] = field(default_factory=list)

    def go(self, steps: Sequence[Step], state: State, round_: int = 0) -> State:
        """Run the steps in order and return the last state."""
        for step in steps:
            state = self._rounds(step, state) if isinstance(step, Repeat) else self._one(step, state, round_)
            if round_ and self._mistakes_left(step) == 0:
                break
        return state

    def _rounds(self, repeat: Repeat, state: State) -> State:
        for round_ in range(1, repeat.rounds + 1):
            before = state.student
            state = self.go(repeat.steps, state, round_)
            reason = self._reason_to_stop(repeat, before, state)
            if reason:
                break
        else:
            reason = "rounds"
        self.stopped.append(reason)
        self.ctx.log({"event": "stopped", "reason": reason, "after_round": round_})
        return state

    def _reason_to_stop(self, repeat: Repeat, before: TrainedStudent | None, state: State) -> str | None:
        if self.ctx.purse.ended is not None:
            return "budget"
        if any(self._mistakes_left(step) == 0 for step in repeat.steps):
            return "gold exhausted"
        if self._is_spent(repeat):
            return "budget"
        # By name: a step that was finished before loads its students anew.
        if repeat.stop_without_gain and before and state.student and state.student.name != before.name:
            low = self._gain_on_select(before.name, state.student.name)
            if low is not None and low <= 0:
                return "no clear gain"
        return None

    def _mistakes_left(self, step: Step) -> int | None:
        if not isinstance(step, Extrapolate) or not self.steps:
            return None
        last = next((s for s in reversed(self.steps) if s["verb"] == step.verb), None)
        return last["metrics"].get("mistakes") if last else None

    def _is_spent(self, repeat: Repeat) -> bool:
        """True where every inner step that asks has used up the cap on its verb: a further round would add nothing."""
        last = {record["verb"]: record["capped"] for record in self.steps}
        capped = [last.get(step.verb) for step in walk(repeat.steps) if step.asks()]
        return bool(capped) and all(cap and cap["part"] == f"steps.{cap['verb']}" for cap in capped)

    def _gain_on_select(self, before: str, after: str) -> float | None:
        """Lower end of the paired gain on `select`; None where there are no such rows."""
        answers = [self.folder.path / "predictions" / f"{name}.parquet" for name in (before, after)]
        if not all(file.exists() for file in answers):
            return None
        found = gain(*(pl.read_parquet(file) for file in answers))
        return None if found is None else found.low

    def _one(self, step: Step, state: State, round_: int) -> State:
        self.ordinals[step.verb] += 1
        name = f"{step.verb}-{self.ordinals[step.verb]}"
        self.chain = fingerprint([self.chain, name, step.settings()])
        done = self.folder.read(f"steps/{name}.json") if self.resuming else None
        if done is not None and done["chain"] == self.chain and self._is_done(done):
            self.steps.append(done)
            return self._load(done, state)
        self.resuming = False
        ctx = self.ctx.at(name, round_)
        ctx.log({"event": "step started", "step": name})
        started = time.perf_counter()
        after = step.run(ctx, state)
        self._save(ctx, step, state, after)
        seconds = round(time.perf_counter() - started, 3)
        told = {
            key: after.metrics[key] for key in ("asked", "checked", "disagreed", "near_copies") if key in after.metrics
        }
        ctx.log({"event": "step finished", "step": name, "seconds": seconds, **told})
        return after

    def _is_done(self, record: dict[str, Any]) -> bool:
        """False where the budget ended the step, and where its own cap did that has changed since."""
        capped = record["capped"]
        return bool(record["complete"] and (capped is None or self.budget.caps(capped["part"]) == capped["caps"]))

    def _save(self, ctx: Context, step: Step, before: State, after: State) -> None:
        path, name = self.folder.path, ctx.step
        write_parquet(after.rows, path / "data" / f"{name}.parquet")
        if after.predictions is not None:
            write_parquet(after.predictions, path / "predictions" / f"{name}.parquet")
        if after.pool is not None:
            write_parquet(after.pool, path / "pools" / f"{name}.parquet")
        if after.student is not None and after.student is not before.student:
            after.student.student.save(path / "students" / name)
        record = {
            "name": name,
            "verb": step.verb,
            "round": ctx.round_,
            "chain": self.chain,
            "complete": self.ctx.purse.ended is None,
            "capped": self._capped(ctx, step),
            "students": [trained.name for trained in after.students],
            "metrics": dict(after.metrics),
            "spend": self.budget.spend().to_dict(),
        }
        self.folder.write(f"steps/{name}.json", record)
        self.steps.append(record)

    def _capped(self, ctx: Context, step: Step) -> dict[str, Any] | None:
        """Which cap of its own ended a step, and its value then."""
        reached = ctx.purse.ended_steps.get(ctx.step)
        if reached is None:
            return None
        return {"part": reached.part, "verb": step.verb, "why": reached.seen, "caps": self.budget.caps(reached.part)}

    def _load(self, done: dict[str, Any], before: State) -> State:
        """The state after a finished step; students that are loaded already are not read again."""
        path, known = self.folder.path, {trained.name: trained for trained in before.students}
        students = tuple(
            known.get(name) or TrainedStudent(name, load_student(path / "students" / name)) for name in done["students"]
        )
        return State(pl.read_parquet(path / "data" / f"{done['name']}.parquet"), students, done["metrics"])


def run_recipe(
    recipe: Recipe,
    path: Path,
    *,
    ledger: Path | None = None,
    progress: Progress = lambda _step, _done, _total, _usd: None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> dict[str, Any]:
    """Run a recipe in a directory, or go on with it, and return its result.

    Args:
        recipe: What to do.
        path: The run's directory; made if it does not exist.
        ledger: The ledger's file; `ledger.sqlite` beside the run's directory by default, so that the runs of one
            folder share what was paid for.
        progress: Called with (step, answered, asked).
        on_event: Called with each event that is also written to events.jsonl.

    Returns:
        The content of result.json; see `docs/reference/run.md`.

    Raises:
        ConfigError: The recipe is wrong, the directory belongs to another one, or another process works in it.
        DataError: Gold cannot be read or does not fit.
        EndpointRefused: The endpoint would refuse every further request; the same command goes on later.
    """
    folder = Folder(path, on_event)
    prepared = prepare(recipe, folder.log)
    with folder.locked(), Ledger.at(ledger or path.parent / "ledger.sqlite") as open_ledger:
        _check_identity(folder, prepared)
        manifest = _manifest(folder, prepared)
        budget = recipe.budget.open(open_ledger, f"{recipe.name}@{manifest['run']}", prepared.addresses)
        ctx = make_context(prepared, open_ledger, budget, log=folder.log, progress=progress)
        execution = Execution(folder, prepared, ctx, budget)
        with _few_threads(recipe.student.kind):
            execution.go(recipe.steps, State(frame(prepared.task, [])))
        result = summarise(folder, prepared, execution.steps, execution.stopped)
        folder.write("result.json", result)
    return result


def run_sampling(
    recipe: Recipe,
    path: Path,
    *,
    progress: Progress = lambda _step, _done, _total, _usd: None,
) -> dict[str, Any]:
    """Run a recipe as far as its pool of solutions goes: up to the last `sample` or `curate` step.

    The ledger beside the directory keeps every draw, so that running the whole recipe pays for none of them again.

    Raises:
        ConfigError: The recipe samples nothing; or as `run_recipe`.
    """
    last = max((place for place, step in enumerate(recipe.steps) if isinstance(step, Sample | Curate)), default=-1)
    if last < 0:
        raise ConfigError("the recipe samples nothing", recipe.name, "add a step `{verb: sample, budget: ...}`")
    return run_recipe(recipe.model_copy(update={"steps": recipe.steps[: last + 1]}), path, progress=progress)


def _few_threads(student: str) -> AbstractContextManager[object]:
    """One thread for numpy and scikit-learn where no large matrix comes up.

    Measured on two busy cores: a small run took 1.3 s with one thread and 24 s with two, which wait for each other.
    """
    if student != "linear":
        return nullcontext()
    # A limit holds only for libraries that are loaded already.
    importlib.import_module("sklearn.cluster")
    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def make_context(
    prepared: Prepared,
    ledger: Ledger,
    budget: Budget,
    *,
    log: Callable[[dict[str, Any]], None] = lambda _event: None,
    progress: Progress = lambda _step, _done, _total, _usd: None,
) -> Context:
    """The world the steps of a prepared recipe run in."""
    return Context(
        task=prepared.task,
        gold=prepared.gold,
        teachers={name: _teacher(name, one, ledger, budget) for name, one in prepared.recipe.by_name.items()},
        student=prepared.recipe.student,
        rng_seed=prepared.recipe.rng_seed,
        contexts=prepared.contexts,
        contexts_are_gold=prepared.task.context is not None and prepared.recipe.contexts is None,
        world=prepared.world,
        budget=budget,
        log=log,
        progress=progress,
    )


def _teacher(name: str, settings: TeacherSettings, ledger: Ledger, budget: Budget) -> Teacher:
    address, endpoint = settings.model, settings.endpoint
    return Teacher(
        name,
        open_model(address, ledger=ledger, budget=budget, settings=endpoint),
        Sampling(settings.temperature, settings.top_p, settings.max_tokens),
        price_of(address, endpoint),
        flops_per_token(address, endpoint),
        shares_prompts=shares_prompts(address, endpoint),
    )


def named(steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """Each step with the name of its first execution: its verb and how often that verb has come before."""
    ordinals: Counter[str] = Counter()
    for step in walk(steps):
        ordinals[step.verb] += 1
        yield f"{step.verb}-{ordinals[step.verb]}", step


def _check_identity(folder: Folder, prepared: Prepared) -> None:
    known = folder.read("manifest.json")
    if known is not None and known["identity"] != prepared.identity:
        raise ConfigError(
            "the run directory was made with other settings",
            f"{folder.path} has identity {known['identity']}, this recipe has {prepared.identity}",
            "choose another directory with --out, or delete this one",
        )


def _manifest(folder: Folder, prepared: Prepared) -> dict[str, Any]:
    """The run's manifest; written, with the resolved recipe beside it, when the run begins."""
    if (known := folder.read("manifest.json")) is not None:
        return known
    resolved = prepared.recipe.model_dump(mode="json", exclude_none=True)
    resolved["task"] = prepared.task.model_dump(mode="json")
    write_whole(folder.path / "recipe.yaml", yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True).encode())
    versions = {name: metadata.version(name) for name in ("numpy", "polars", "scikit-learn")}
    manifest = {
        # Under this name the ledger books what the run uses: a moved directory keeps it, a second run has its own.
        "run": uuid4().hex[:12],
        "identity": prepared.identity,
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": {"seedbed": __version__, "python": platform.python_version(), **versions},
    }
    folder.write("manifest.json", manifest)
    return manifest
