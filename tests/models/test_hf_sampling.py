"""Tokens fall as often as the distribution says, and a row's draw depends on its own numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seedbed.models.hf_sampling import allowed, choose, only, uniforms, walk
from seedbed.request import Request

LOGITS = [1.0, 0.0, 2.0, -1.0, 2.0, float("-inf")]
N = 4000


def shares(temperature: float, top_p: float) -> Any:
    """How often each token is chosen when the random numbers are spread evenly."""
    import torch

    uniform = (torch.arange(N, dtype=torch.float64) + 0.5) / N
    logits = torch.tensor(LOGITS).expand(N, -1)
    chosen = choose(logits, torch.full((N,), temperature), torch.full((N,), top_p), uniform)
    return np.bincount(chosen.numpy(), minlength=len(LOGITS)) / N


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_fall_as_often_as_the_softmax_says(temperature: float) -> None:
    weights = np.exp(np.array(LOGITS) / temperature)
    assert shares(temperature, 1.0) == pytest.approx(weights / weights.sum(), abs=2 / N)


def test_top_p_keeps_the_fewest_likeliest_tokens_that_reach_it() -> None:
    weights = np.exp(np.array(LOGITS))
    weights /= weights.sum()
    two, three = np.where(weights == weights.max(), weights, 0), np.where(weights >= weights[0], weights, 0)
    assert shares(1.0, 0.6) == pytest.approx(two / two.sum(), abs=2 / N)
    assert shares(1.0, float(two.sum()) + 0.01) == pytest.approx(three / three.sum(), abs=2 / N)


def test_a_tiny_top_p_leaves_the_likeliest_and_temperature_0_takes_it() -> None:
    assert shares(1.0, 1e-9).max() == 1.0
    assert shares(0.0, 1.0)[2] == 1.0, "the first of two equals"


def test_a_nucleus_wider_than_the_first_guess_is_found_by_sorting() -> None:
    import torch

    wide = torch.zeros(1, 5000)
    chosen = [int(choose(wide, torch.ones(1), torch.tensor([0.5]), torch.tensor([u]).double())) for u in (0.0, 0.999)]
    assert min(chosen) >= 0 and 2400 < max(chosen) - min(chosen) < 2600


def test_rows_that_share_a_batch_do_not_change_each_other() -> None:
    import torch

    logits = torch.randn(64, 300, generator=torch.Generator().manual_seed(0))
    temperature, top_p = torch.linspace(0, 2, 64), torch.linspace(0.2, 1.0, 64)
    uniform = torch.rand(64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    together = choose(logits, temperature, top_p, uniform)
    alone = [choose(logits[i : i + 1], temperature[i : i + 1], top_p[i : i + 1], uniform[i : i + 1]) for i in range(64)]
    assert together.tolist() == [int(one) for one in alone]


def test_a_requests_numbers_come_from_what_it_says() -> None:
    plain = Request((("user", "write"),), max_tokens=4)
    same = Request((("user", "write"),), max_tokens=9, temperature=0.1, slots={"label": "x"})
    others = [
        Request((("user", "write"),), max_tokens=4, **change)
        for change in ({"draw": 1}, {"rng_seed": 1}, {"seed": 0}, {"seed": 1})
    ]
    assert uniforms(same)[:4].tolist() == uniforms(plain).tolist()
    assert len({tuple(uniforms(one)) for one in [plain, *others, Request((("user", "draw"),), max_tokens=4)]}) == 6


def test_paths_lead_to_their_ends_and_nowhere_else() -> None:
    import torch

    paths = ((5, 6), (5,), (7,))
    assert allowed(paths, frozenset({0})) == [5, 7]
    assert walk(paths, 5) == ((6,), ()) and allowed(walk(paths, 5), frozenset({0})) == [0, 6]
    assert walk(paths, 9) == ()
    assert only(torch.arange(4.0), [2]).tolist() == [float("-inf"), float("-inf"), 2.0, float("-inf")]
