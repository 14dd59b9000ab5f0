"""What a recipe says: frozen settings, checked for their form and for whether they go together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from seedbed.budget import Budget, Caps
from seedbed.fingerprint import fingerprint
from seedbed.ledger import Ledger
from seedbed.models import Endpoint
from seedbed.recipe.order import idle_caps, order_problems, sampling_problems
from seedbed.steps import AnyStep
from seedbed.students import LinearSettings, StudentSettings
from seedbed.task import Task


class Settings(BaseModel):
    """Frozen settings; a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldSettings(Settings):
    """Where trusted rows come from, and what each of them may be used for."""

    source: str
    """A file (.jsonl, .csv, .parquet), `hf:NAME[:CONFIG][@SPLIT]`, or `sim:WORLD` for rows of a known world."""
    rows: int | None = Field(None, ge=1)
    """Rows to draw from a known world; with a file, take only so many."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Task column to the source's column, where they differ."""
    labels: dict[str, str] = Field(default_factory=dict)
    """The source's label value to the task's label name, where they differ."""
    steer: int = Field(ge=0)
    """Rows whose mistakes tell the teacher what to write."""
    select: int = Field(0, ge=0)
    """Rows that choose checkpoints and stop rounds."""
    test: int | Literal["rest"] = "rest"
    """Sealed rows, opened once at the end."""
    test_source: str | None = None
    """Test rows from a source of their own; `source` then feeds `steer` and `select` only."""
    rng_seed: int = 0
    """Decides the test split. It is not the run's rng seed: the test rows stay the same over all seeds of a run."""
    label_noise: float = Field(0.0, ge=0, lt=1)
    """Share of `steer` and `select` rows whose label is replaced by a wrong one: a stress test, never for real work."""


_ADDRESS = re.compile(r"(sim|recorded|openai|anthropic|hf|pocket|vllm):.+|https?://[^#]+#.+", re.S)


class TeacherSettings(Settings):
    """Which model writes, how it samples, and how it is reached."""

    model: str
    """`sim:WORLD`, `openai:NAME`, `anthropic:NAME`, `http://HOST:PORT/v1#NAME`, `hf:NAME` or `hf:FOLDER` (in this
    process), `pocket:weak|strong|base`, `vllm:NAME` or `recorded:FILE`."""
    temperature: float = Field(0.9, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(512, ge=1)
    endpoint: Endpoint = Endpoint()
    """Where and how fast; never part of the identity of a reply."""

    @field_validator("model")
    @classmethod
    def _is_address(cls, model: str) -> str:
        if not _ADDRESS.fullmatch(model):
            raise ValueError(
                "no model can be at such an address: "
                "use sim:WORLD, pocket:NAME, openai:NAME, http://HOST:PORT/v1#NAME, hf:NAME, ..."
            )
        return model


class BudgetSettings(Caps):
    """Caps on what a run may use. The worst case is reserved before sending, so a cap holds under any concurrency."""

    steps: dict[str, Caps] = Field(default_factory=dict)
    """Step name such as `extrapolate-2`, or a verb for all its executions together, to caps of its own. A step that
    reaches its own cap ends early, and the run goes on."""
    models: dict[str, Caps] = Field(default_factory=dict)
    """Model address, as `teacher.model` has it, to caps of its own."""

    def open(self, ledger: Ledger, scope: str, addresses: Mapping[str, str]) -> Budget:
        """The budget with these caps, less what the scope spent before.

        Args:
            ledger: Where that is read from.
            scope: Usually a run.
            addresses: A model's address in the recipe to the one its answers are kept under.
        """
        return Budget(ledger, scope, self, steps=self.steps, models=self.models, addresses=addresses)


SHORT = {"teacher": "model", "student": "kind"}
"""Settings that may be one word, and the key that the word stands for."""


def _named(value: Any, key: str) -> Any:
    return {key: value} if isinstance(value, str) else value


Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=40)]


class Recipe(Settings):
    """A named list of steps and everything they need."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    task: Task | str
    """A task written out, a YAML file, or `sim:WORLD` for the task of a known world."""
    gold: GoldSettings
    teacher: Annotated[TeacherSettings, BeforeValidator(lambda value: _named(value, SHORT["teacher"]))]
    """Who writes the rows; with `teachers`, the first of them. See [teacher](#teacher). A plain address stands for
    `{model: ADDRESS}`."""
    teachers: dict[Word, Annotated[TeacherSettings, BeforeValidator(lambda value: _named(value, "model"))]] = Field(
        default_factory=dict
    )
    """Several models by name, each as [teacher](#teacher), for verbs that choose between them."""
    student: Annotated[StudentSettings, BeforeValidator(lambda value: _named(value, SHORT["student"]))] = (
        LinearSettings()
    )
    budget: BudgetSettings = BudgetSettings()
    rng_seed: int = Field(0, ge=0)
    contexts: str | None = None
    """Real contexts from a source of their own, in a column named like the task's context. Without it the contexts of
    the steering gold serve."""
    steps: tuple[AnyStep, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _first_teacher_writes(cls, found: Any) -> Any:
        if isinstance(found, dict) and "teacher" not in found and isinstance(found.get("teachers"), dict):
            return {**found, "teacher": next(iter(found["teachers"].values()), None)}
        return found

    @property
    def by_name(self) -> dict[str, TeacherSettings]:
        """Every teacher by its name; `teacher` where there is one."""
        return self.teachers or {"teacher": self.teacher}

    @model_validator(mode="after")
    def _order_makes_sense(self) -> Recipe:
        alike = {name: one.model_dump_json(exclude={"endpoint"}) for name, one in self.by_name.items()}
        problems = [*order_problems(self.steps), *sampling_problems(self.steps, alike)]
        if self.teachers and self.teacher != next(iter(self.teachers.values())):
            problems.append("`teacher` and `teachers` name different models: give one of the two")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _caps_are_on_something(self) -> Recipe:
        asked = [one.model for one in self.by_name.values()]
        found = list(idle_caps(self.steps, self.budget.model_dump(include={"steps", "models"}), asked))
        if found:
            place, message = found[0]
            message = "; ".join([message, *(f"{'.'.join(where)}: {said}" for where, said in found[1:])])
            raise PydanticCustomError("idle_cap", "{said}", {"said": message, "place": place})
        return self

    def identity(self, task: Task, read: Sequence[str], addresses: Mapping[str, str]) -> str:
        """What decides which rows come out. Names, paths, budgets and endpoints do not.

        Args:
            task: What a row is.
            read: Fingerprints of the content of every file that rows come from.
            addresses: A model's address here to the one its answers are kept under, which names the content of a file.
        """
        kept = self.model_dump(mode="json", include={"student", "rng_seed"})
        steps = [step.settings() for step in self.steps]
        asked = [
            [name, addresses[one.model], one.model_dump(mode="json", exclude={"endpoint", "model"})]
            for name, one in self.by_name.items()
        ]
        return fingerprint([task.model_dump(mode="json"), list(read), asked, kept, steps])
