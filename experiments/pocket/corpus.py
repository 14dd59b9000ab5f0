"""What the pocket models read in training: problems with several right solutions, and drills of bare equations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seedbed.pocket import phrases, problems
from seedbed.pocket.tokenizer import Tokenizer

WIDEST = 208
SHARDS, PER_SHARD = 2, 40_000
CACHE = Path("runs/pocket")
PROMPT_WEIGHT = 0.1  # the words of a problem are worth learning, but what is marked is the solution


@dataclass(frozen=True)
class Rows:
    """Problems with a solution: tokens (n, longest) padded, where the prompt ends, where all ends, how many steps."""

    tokens: NDArray[np.int16]
    prompt: NDArray[np.int16]
    total: NDArray[np.int16]
    steps: NDArray[np.int16]


def rows(crowd: bool) -> Rows:
    """The training rows, made once and kept in the cache; only problems of the split `trained` are among them."""
    path = CACHE / ("crowd.npz" if crowd else "corpus.npz")
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with get_context("spawn").Pool(SHARDS) as pool:
            parts = pool.starmap(_shard, [(number, crowd) for number in range(SHARDS)])
        np.savez(path, **{key: np.concatenate([part[key] for part in parts]) for key in parts[0]})
    with np.load(path) as kept:
        return Rows(**{key: kept[key] for key in ("tokens", "prompt", "total", "steps")})


def _shard(number: int, crowd: bool) -> dict[str, NDArray[np.int16]]:
    """Two solutions each of as many problems as a shard holds; what does not fit the longest length is left out."""
    tokenizer = Tokenizer()
    source = problems.stream(random.Random(f"pocket corpus {number}"), (1, 6), crowd=crowd, split="trained")
    found = []
    for problem, _ in zip(source, range(PER_SHARD), strict=False):
        prompt = tokenizer.prompt(problem.text)
        for draw in range(2):
            solution = [*tokenizer.encode(problem.another_solution(draw)), tokenizer.eos]
            if len(prompt) + len(solution) <= WIDEST:
                found.append((prompt, solution, problem.steps))
    tokens = np.zeros((len(found), WIDEST), dtype=np.int16)
    for row, (prompt, solution, _) in enumerate(found):
        tokens[row, : len(prompt) + len(solution)] = prompt + solution
    return {
        "tokens": tokens,
        "prompt": np.array([len(prompt) for prompt, _, _ in found], dtype=np.int16),
        "total": np.array([len(prompt) + len(solution) for prompt, solution, _ in found], dtype=np.int16),
        "steps": np.array([steps for _, _, steps in found], dtype=np.int16),
    }


def _names_told(data: Rows) -> NDArray[np.int64]:
    ids = [Tokenizer().encode(name)[0] for name in phrases.NAMES]
    prompts = np.where(np.arange(WIDEST) < data.prompt[:, None], data.tokens, 0)
    return np.sum([(prompts == one).any(axis=1) for one in ids], axis=0)


def equation(rng: random.Random) -> str:
    """One true equation of the kind that solutions are made of."""
    sign = rng.choice("++---**/")
    low, high = rng.choice(((1, 12), (2, 40), (11, 99), (11, 99), (20, 300), (100, 900)))
    if sign in "+-":
        a, b = rng.randint(low, high), rng.randint(*rng.choice(((2, 12), (2, 99), (low, high))))
        if a + b > problems.LARGEST:
            a, b = a // 2, b // 2
        if sign == "-":
            return f"{a + b} - {b} = {a}"
        return f"{a} + {b} = {a + b}"
    k = rng.randint(2, 9)
    n = rng.randint(1, min(rng.choice((12, 30, 99, 400)), problems.LARGEST // k))
    if sign == "/":
        return f"{k * n} / {k} = {n}"
    return f"{k} * {n} = {k * n}" if rng.random() < 0.7 else f"{n} * {k} = {k * n}"


def drills(tokens: int, rng_seed: int) -> tuple[NDArray[np.int16], NDArray[np.float32], NDArray[np.int64]]:
    """A long row of equations: its tokens, the weight of each (1 on results, else 0), and where equations begin."""
    tokenizer, rng = Tokenizer(), random.Random(f"pocket drills {rng_seed}")
    ids: list[int] = []
    weights: list[float] = []
    begins: list[int] = []
    newline = tokenizer.encode("\n")
    equals = tokenizer.encode("=")[0]
    while len(ids) < tokens:
        begins.append(len(ids))
        found = tokenizer.encode(equation(rng)) + newline
        after = found.index(equals) + 1
        ids.extend(found)
        weights.extend([0.0] * after + [1.0] * (len(found) - after))
    return np.array(ids, np.int16), np.array(weights, np.float32), np.array(begins[:-60])


def batches(  # noqa: PLR0913 - what a plan says of its rows
    data: Rows,
    *,
    steps: int,
    batch_tokens: int,
    drill_share: tuple[float, float],
    warm: bool = False,
    names: int = 9,
    length: int = 176,
    rng_seed: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Batches of tokens (b, t) and the weight (b, t) of each token as something to be predicted.

    Rows are filled up with drills instead of padding, and a share of the rows, falling from first to last, is drills
    only. The first sixth of the training sees short problems alone, unless the model
    comes `warm` from another training; `names` is the most people that a problem may tell of. One `length` of rows
    means that a training step is compiled once.
    """
    rng = np.random.default_rng(rng_seed)
    ids, marks, begins = drills(1_500_000, rng_seed)
    fits = (data.total <= length) & (_names_told(data) <= names)
    pools = [np.flatnonzero(fits & (data.steps <= 3)), np.flatnonzero(fits)]
    count, place = batch_tokens // length, np.arange(length)[None, :]
    for step in range(steps):
        share = drill_share[0] + (drill_share[1] - drill_share[0]) * step / steps
        chosen = rng.choice(pools[warm or step * 6 >= steps], count)
        only_drills = rng.random(count) < share
        kept = np.where(only_drills, 0, data.total[chosen])[:, None]
        filler = rng.choice(begins, count)[:, None] + np.maximum(place - kept, 0)
        told = place < kept
        weight = np.where(place < data.prompt[chosen][:, None], PROMPT_WEIGHT, 1.0)
        tokens = np.where(told, data.tokens[chosen, :length], ids[filler])
        yield tokens.astype(np.int64), np.where(told, weight, marks[filler]).astype(np.float32)
