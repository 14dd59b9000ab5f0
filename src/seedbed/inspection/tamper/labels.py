"""The defect of a labelled row: another label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seedbed.errors import ConfigError
from seedbed.inspection.tamper.edits import Edit, Operator, shuffled


def flip(labels: Sequence[str]) -> Operator:
    """An operator that gives a row another of these labels, each alike.

    Real annotators confuse some pairs more than others: what a verifier finds of these is what it finds of coarse
    errors.

    Raises:
        ConfigError: Fewer than two labels.
    """
    if len(set(labels)) < 2:
        raise ConfigError("a label can be flipped only where there is another", f"{list(labels)}", "name two or more")

    def candidates(text: str, rng: np.random.Generator) -> Iterator[Edit]:
        for other in shuffled(rng, (label for label in dict.fromkeys(labels) if label != text)):
            yield Edit(other, text, other, 0)

    return Operator("label", candidates)
