"""What the student must do: the fields of a row, the answers it may give, and how each is said in a prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from seedbed.errors import ConfigError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]

RESERVED = ("id", "made_by", "parents", "round", "status", "why", "rationale", "solution", "weight")
"""Columns that the program writes; a task may not use them for its own fields."""


class Task(BaseModel):
    """A frozen description of one thing a student should do well.

    `classification` answers with one of `labels`; `extractive_qa` answers with a span of the context; `reasoning`
    answers with a worked solution whose end, or whose run, can be checked.
    A row's fields are `fields` in order; where one of them is real text that the teacher must not write (the
    premise of a pair, the passage of a question), `context` names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    kind: Literal["classification", "extractive_qa", "reasoning"]
    answer: Literal["number", "expression", "text", "choice", "program"] | None = None
    """What a solution ends in, and so how it is checked; reasoning only. With `program` the solution is Python, and a
    gold row's answer holds the unit tests it must pass."""
    instruction: str = Field(min_length=1)
    """What a person would be told before doing the task."""
    row: str = "a text"
    """What the teacher is asked to write, with its article: "a restaurant review", "a hypothesis"."""
    fields: tuple[Name, ...] = ("text",)
    """Columns the student sees, in the order in which it reads them."""
    context: Name | None = None
    """The one of `fields` that is real text and is never written by the teacher."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Label name to what it means, in words that complete "a row of this label is one where ..."."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Templates that replace the built-in ones, by verb; see `seedbed.synthesis.prompts`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Task:
        problems = []
        if len(set(self.fields)) != len(self.fields) or not self.fields:
            problems.append("`fields` must name at least one column, each once")
        if clash := sorted({*self.fields, self.target} & set(RESERVED)):
            problems.append(f"`fields` uses {clash}, which the program writes itself; rename the column")
        if self.context is not None and self.context not in self.fields:
            problems.append(f"`context: {self.context}` is not one of `fields`")
        if len(self.fields) != (1 if self.context is None else 2):
            problems.append("a row has one written field, or one written field and one `context` field")
        if self.kind == "classification" and len(self.labels) < 2:
            problems.append("classification needs at least two `labels`")
        if self.kind == "extractive_qa" and (self.labels or self.context is None):
            problems.append("extractive_qa has a `context` field and no `labels`")
        if self.kind == "reasoning" and (self.labels or self.context is not None or self.answer is None):
            problems.append("reasoning has an `answer` (number, expression, text, choice or program) and no `labels`")
        if self.kind != "reasoning" and self.answer is not None:
            problems.append(f"`answer` says how a reasoning task is checked; the task is {self.kind}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def written(self) -> str:
        """The field the teacher writes."""
        return next(name for name in self.fields if name != self.context)

    @property
    def target(self) -> str:
        """The column that holds the right answer."""
        return "label" if self.kind == "classification" else "answer"

    @property
    def taught(self) -> str:
        """The column a student learns to write: the whole solution, where there is one, and not its end alone."""
        return "solution" if self.kind == "reasoning" else self.target

    @property
    def metric(self) -> str:
        """Name of the headline metric; a fraction in [0, 1], higher is better."""
        return "exact_match" if self.kind == "extractive_qa" else "accuracy"

    @property
    def columns(self) -> tuple[str, ...]:
        """The task's own columns of a row: its fields, then the target."""
        return (*self.fields, self.target)


def load_task(path: Path) -> Task:
    """Read a task from YAML.

    Raises:
        ConfigError: The file is missing, is not YAML, or does not describe a task; all problems at once.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError("the task file cannot be read", f"{path}: {error.strerror}", "check `task:`") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("the task file is not YAML", f"{path}: {error}", "see recipes/ for an example") from error
    try:
        return Task.model_validate(found)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'task'}: {e['msg']}" for e in error.errors())
        raise ConfigError("the task does not fit together", f"{path}: {problems}", "mend these keys") from error
