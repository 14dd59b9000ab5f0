"""The student that writes: a causal language model fine-tuned on problems and their worked solutions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import ConfigError, DataError
from seedbed.students.checkpoint import device, fixed_arithmetic, need_torch
from seedbed.students.contract import Examples, TextRow, checked_rows, checked_training, read_card, write_card
from seedbed.students.lm_checkpoint import open_lm, save_lm
from seedbed.students.lm_training import Dialogues, row_losses, train
from seedbed.students.lm_writing import Wish, write, write_pocket
from seedbed.students.settings import LmSettings


class LmStudent:
    """Learns to answer a problem with a whole solution text. Fields of a row are joined by blank lines.

    Whoever knows the task reads the answer out of its text: this student neither finds nor checks one.

    Args:
        settings: See `LmSettings`.
        labels: Must be empty; there so that all students are opened alike.
    """

    def __init__(self, settings: LmSettings | None = None, labels: Sequence[str] = ()) -> None:
        self.settings = settings or LmSettings()
        self.labels = tuple(labels)
        if self.labels:
            raise ConfigError("a language model has no labels", f"{self.labels[:5]}", "use `linear` or `encoder`")

    @property
    def classes_(self) -> list[str]:
        """Empty: answers are texts, not labels."""
        return []

    def fit(
        self,
        X: Sequence[TextRow],
        y: Sequence[str],
        *,
        sample_weight: ArrayLike | None = None,
        select: Examples | None = None,
        rng_seed: int = 0,
    ) -> Self:
        """Learn from the checkpoint, keeping the weights with the lowest loss on `select`; see `Student.fit`.

        The loss counts the tokens of solutions, never those of problems.

        Raises:
            DataError: A problem leaves no room for its solution within `max_length` tokens.
        """
        need_torch()
        rows, weight = checked_training(X, y, sample_weight)
        with self._arithmetic(rng_seed):
            model, self.texts_ = open_lm(self.settings.checkpoint)
            self.model_ = model.to(device())
            held_out = None if select is None else self._dialogues(checked_rows(select[0]), select[1])

            def loss() -> float:
                assert held_out is not None
                return float(row_losses(self.model_, held_out).sum() / held_out.answer_lengths().sum())

            self.select_losses_ = train(
                self.model_,
                self._dialogues(rows, y),
                weight,
                loss if held_out is not None and held_out.prompts else None,
                settings=self.settings,
                rng_seed=rng_seed,
            )
        return self

    def predict(self, X: Sequence[TextRow]) -> list[str]:
        """(n,) the solution that takes the likeliest token each time."""
        return [texts[0] for texts in self.sample(X, 1, temperature=0.0)]

    def sample(
        self, X: Sequence[TextRow], draws: int, *, temperature: float = 1.0, rng_seed: int = 0
    ) -> list[list[str]]:
        """(n, draws) solutions drawn from the student, for coverage and majority votes.

        Args:
            X: (n,) rows.
            draws: Solutions of each row.
            temperature: Divides the scores before the softmax; 0 takes the likeliest token.
            rng_seed: The same seed draws the same texts for the same rows in the same order.
        """
        rows = checked_rows(X)
        if not rows:
            return []
        with self._arithmetic(rng_seed):
            prompts = [self.texts_.prompt(self._message(row)) for row in rows]
            wish = Wish(self.settings.max_new, draws, temperature, rng_seed)
            if self.settings.is_pocket:
                found = write_pocket(self.model_, prompts, wish)
            else:
                found = write(self.model_.to(device()), self.texts_, prompts, wish)
        return [[self.texts_.decode(tokens) for tokens in texts] for texts in found]

    def predict_proba(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """Always refuses: texts have no columns. `confidence` gives the probability of the predicted text.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError("a language model has no label probabilities", f"{len(X)} rows", "use `confidence`")

    def confidence(self, X: Sequence[TextRow]) -> NDArray[np.float64]:
        """(n,) geometric mean of the probabilities of the predicted solution's tokens, its end among them.

        The product itself would say of every long solution that it is improbable.
        """
        rows = checked_rows(X)
        if not rows:
            return np.zeros(0)
        told = self.predict(rows)
        with self._arithmetic():
            written = self._dialogues(rows, told)
            lost = row_losses(self.model_.to(device()), written)
        return np.exp(-lost / np.maximum(1, written.answer_lengths()))

    def _message(self, row: TextRow) -> str:
        return "\n\n".join([*([self.settings.instruction] if self.settings.instruction else []), *row])

    def _dialogues(self, rows: Sequence[TextRow], answers: Sequence[str]) -> Dialogues:
        most = self.settings.max_length
        prompts = [self.texts_.prompt(self._message(row)) for row in rows]
        longest = max(map(len, prompts), default=0)
        if longest >= most:
            fix = "raise `max_length`, or leave such rows out"
            raise DataError("a problem leaves no room for its solution", f"{longest} tokens of {most}", fix)
        told = [self.texts_.answer(text)[: most - len(p)] for p, text in zip(prompts, answers, strict=True)]
        return Dialogues(prompts, told, self.texts_.pad)

    @contextmanager
    def _arithmetic(self, rng_seed: int = 0) -> Iterator[None]:
        # On so small a model a second thread costs more than it gives; seeds are better run side by side.
        with fixed_arithmetic(rng_seed, threads=1 if self.settings.is_pocket else None):
            yield

    def save(self, folder: Path) -> None:
        """Write a checkpoint that opens as `pocket:FOLDER` or `hf:FOLDER`, and `student.json` beside it."""
        write_card(folder, self.settings)
        save_lm(self.model_, self.texts_, folder)

    @classmethod
    def load(cls, folder: Path) -> LmStudent:
        """Read what `save` wrote."""
        student = cls(LmSettings.model_validate(read_card(folder)["settings"]))
        student.model_, student.texts_ = open_lm(student.settings.checkpoint, folder)
        student.select_losses_ = []
        return student

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "model_"):
            self.model_.cpu()  # so that a machine without this accelerator can read the pickle
        return dict(self.__dict__)
