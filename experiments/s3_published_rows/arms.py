"""What each arm trains on. An arm is a name and a function from the pools of one rng seed to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from published import Pair, Published

from seedbed.randomness import stream
from seedbed.students import Student, open_student

STUDENTS = {
    "linear": {"kind": "linear"},
    "embedding": {"kind": "embedding"},
    "encoder": {
        "kind": "encoder",
        "max_length": 96,
        "epochs": 2,
        "batch": 32,
        "lr": 1e-4,
        "frozen_layers": 4,
    },
}
ENCODER_SEED = 3_000
"""Seed rows of the encoder's arms; see README."""


@dataclass
class Draw:
    """The pools as one rng seed deals them, with `select` held out of gold."""

    student: str
    rng_seed: int
    pools: dict[str, list[Pair]]
    select: list[Pair]
    labels: list[str]
    _mistakes: list[Pair] | None = None

    def some(self, pool: str, n: int) -> list[Pair]:
        """`n` random rows of a pool; a smaller draw is the beginning of a larger one."""
        rows = self.pools[pool]
        order = stream(self.rng_seed, "subset", pool).permutation(len(rows))
        return [rows[i] for i in order[:n]]

    def fit(self, rows: list[Pair]) -> Student:
        """A student trained on these rows."""
        X, y = [row[0] for row in rows], [row[1] for row in rows]
        select = ([row[0] for row in self.select], [row[1] for row in self.select])
        student = open_student(STUDENTS[self.student], labels=self.labels)
        return student.fit(X, y, select=select, rng_seed=self.rng_seed)

    def mistakes(self) -> list[Pair]:
        """Gold rows that a student trained on the seed gets wrong, in random order."""
        if self._mistakes is None:
            student, gold = self.fit(self.pools["seed"]), self.some("gold", len(self.pools["gold"]))
            found = student.predict([row[0] for row in gold])
            self._mistakes = [row for row, label in zip(gold, found, strict=True) if label != row[1]]
        return self._mistakes


def deal(data: Published, student: str, rng_seed: int) -> Draw:
    """Hold a random tenth of gold out as `select`; the other pools stay whole."""
    gold = data.pools["gold"]
    order = stream(rng_seed, "select").permutation(len(gold))
    held = set(order[: len(gold) // 10].tolist())
    pools = {**data.pools, "gold": [row for i, row in enumerate(gold) if i not in held]}
    return Draw(student, rng_seed, pools, [gold[i] for i in sorted(held)], list(data.task.labels))


Arm = Callable[[Draw], list[Pair]]


def rte_arms(data: Published) -> dict[str, Arm]:
    """The arms of `linear` and `embedding`: whole pools, and the same number of rows for every comparison."""
    n_seed = len(data.pools["seed"])
    n1, n12 = len(data.pools["round 1"]), len(data.pools["round 1"]) + len(data.pools["round 2"])

    def both(draw: Draw) -> list[Pair]:
        return draw.pools["round 1"] + draw.pools["round 2"]

    return {
        "gold": lambda d: d.pools["gold"],
        "seed": lambda d: d.pools["seed"],
        "seed + round 1": lambda d: d.pools["seed"] + d.pools["round 1"],
        "seed + rounds 1+2": lambda d: d.pools["seed"] + both(d),
        "seed, swapped for round 1": lambda d: d.some("seed", n_seed - n1) + d.pools["round 1"],
        "seed, swapped for rounds 1+2": lambda d: d.some("seed", n_seed - n12) + both(d),
        "seed, swapped for gold": lambda d: d.some("seed", n_seed - n12) + d.some("gold", n12),
        "seed + gold mistakes": lambda d: d.pools["seed"] + d.mistakes()[:n1],
        "seed + random gold": lambda d: d.pools["seed"] + d.some("gold", n1),
        "seed + gold": lambda d: d.pools["seed"] + d.pools["gold"],
        "seed + gold + rounds 1+2": lambda d: d.pools["seed"] + d.pools["gold"] + both(d),
        "gold + rounds 1+2": lambda d: d.pools["gold"] + both(d),
        "rounds 1+2 alone": both,
        "seed, as many": lambda d: d.some("seed", n12),
        "gold, as many": lambda d: d.some("gold", n12),
    }


def rte_encoder_arms(data: Published) -> dict[str, Arm]:
    """The arms of `encoder`, with half of the seed."""
    n12 = len(data.pools["round 1"]) + len(data.pools["round 2"])

    def both(draw: Draw) -> list[Pair]:
        return draw.pools["round 1"] + draw.pools["round 2"]

    return {
        "seed": lambda d: d.some("seed", ENCODER_SEED),
        "seed, swapped for rounds 1+2": lambda d: d.some("seed", ENCODER_SEED - n12) + both(d),
        "seed, swapped for gold": lambda d: d.some("seed", ENCODER_SEED - n12) + d.some("gold", n12),
        "gold": lambda d: d.pools["gold"],
    }


RTE_GAINS = {
    "seed + round 1": ("seed", "seed + random gold", "seed + gold mistakes"),
    "seed + rounds 1+2": ("seed", "seed + round 1", "seed + gold", "gold"),
    "seed, swapped for round 1": ("seed",),
    "seed, swapped for rounds 1+2": ("seed", "seed, swapped for gold"),
    "seed + gold mistakes": ("seed + random gold",),
    "seed + gold": ("gold",),
    "seed + gold + rounds 1+2": ("seed + gold", "gold"),
    "gold + rounds 1+2": ("gold",),
    "rounds 1+2 alone": ("seed, as many", "gold, as many"),
}
"""Arm to the controls that it is compared with, on the same test rows and rng seeds."""


def rivals(data: Published, student: str) -> dict[str, Arm]:
    """SST-2 and QNLI: the seed against as much gold, and against all of it."""
    size = min(len(data.pools["seed"]), int(0.9 * len(data.pools["gold"])))
    arms: dict[str, Arm] = {
        "seed": lambda d: d.pools["seed"],
        "seed, as many": lambda d: d.some("seed", size),
        "gold, as many": lambda d: d.some("gold", size),
        "gold": lambda d: d.pools["gold"],
        "seed + gold, as many": lambda d: d.pools["seed"] + d.some("gold", size),
    }
    if size == len(data.pools["seed"]):
        del arms["seed, as many"]  # the seed is the smaller pool
    if len(data.pools["gold"]) < 1.2 * size or student != "linear":
        del arms["gold"]  # it is the same again, or too much to embed in the minutes there are
    return arms


RIVAL_GAINS = {
    "seed": ("gold, as many",),
    "seed, as many": ("gold, as many",),
    "seed + gold, as many": ("gold, as many",),
    "gold": ("gold, as many",),
}


def correct(student: Student, test: list[Pair]) -> np.ndarray:
    """(n,) whether each test row is right."""
    found = student.predict([row[0] for row in test])
    return np.array([label == row[1] for label, row in zip(found, test, strict=True)])
