"""Tokens fall as often as the model says, whoever shares the batch; rows come and go, and none is lost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare
from tests.pocket.tiny_llama import write_llama

from seedbed.pocket.net import Net, sample
from seedbed.pocket.sampler import Draw, Sampler, Written, choose

LOGITS = [1.0, 0.0, 2.0, -1.0, 2.0, float("-inf")]
N = 4000


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Net:
    return Net.load(write_llama(tmp_path_factory.mktemp("net"), is_tied=False, end=3, eager=0.25))


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    weights = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return weights / weights.sum(-1, keepdims=True)


def all_of(sampler: Sampler, draws: list[Draw]) -> dict[int, Written]:
    for ticket, draw in enumerate(draws):
        sampler.add(ticket, draw)
    found: dict[int, Written] = {}
    while len(found) < len(draws):
        found |= sampler.step()
    assert len(sampler) == 0
    return found


def draw(prompt: tuple[int, ...], number: int, most: int = 40, **settings: object) -> Draw:
    return Draw(prompt, np.random.default_rng(number).random(most), **settings)  # type: ignore[arg-type]


def shares(temperature: float, top_p: float) -> np.ndarray:
    """How often each token is chosen when the random numbers are spread evenly."""
    logits = np.tile(np.array(LOGITS, np.float32), (N, 1))
    uniforms = (np.arange(N) + 0.5) / N
    chosen = choose(logits, np.full(N, temperature, np.float32), np.full(N, top_p), uniforms)
    return np.bincount(chosen, minlength=len(LOGITS)) / N


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_fall_as_often_as_the_softmax_says(temperature: float) -> None:
    assert shares(temperature, 1.0) == pytest.approx(softmax(np.array(LOGITS), temperature), abs=2 / N)


def test_top_p_keeps_the_fewest_likeliest_tokens_that_reach_it() -> None:
    weights = softmax(np.array(LOGITS))
    two, three = np.where(weights == weights.max(), weights, 0), np.where(weights >= weights[0], weights, 0)
    assert shares(1.0, 0.6) == pytest.approx(two / two.sum(), abs=2 / N)
    assert shares(1.0, float(two.sum()) + 0.01) == pytest.approx(three / three.sum(), abs=2 / N)
    assert shares(1.0, 1e-9).max() <= 0.5 + 1 / N, "the two likeliest are equals, and both are kept"
    assert shares(0.0, 1.0)[2] == 1.0, "the first of two equals"


def test_two_tokens_in_a_row_fall_as_often_as_the_model_says(net: Net) -> None:
    prompt, temperature = [5, 6, 7, 8], 0.7
    found = sample(net, [prompt], draws=N, temperature=temperature, max_tokens=2)
    first = softmax(net.logits(prompt)[-1].astype(float), temperature)
    counts, expected = [], []
    for token in np.argsort(-first)[:4].tolist():
        second = softmax(net.logits([*prompt, token])[-1].astype(float), temperature)
        said = [answer[1] for answer in found if answer[0] == token and len(answer) == 2]
        if token in net.shape.ends:
            assert not said
            continue
        likely = np.argsort(-second)[:2]
        counts += [said.count(next_one) for next_one in likely]
        expected += (N * first[token] * second[likely]).tolist()
    rest = N - sum(expected)
    assert min(expected) > 5
    assert chisquare([*counts, N - sum(counts)], [*expected, rest]).pvalue > 0.001


def test_an_answer_is_the_same_alone_and_in_any_batch(net: Net) -> None:
    prompts = [tuple(np.random.default_rng(number).integers(4, 40, 3 + number).tolist()) for number in range(9)]
    draws = [
        draw(prompts[number % (1 + number % 9)], number, temperature=0.4 * (number % 4), top_p=(1.0, 0.8)[number % 2])
        for number in range(120)
    ]
    together = all_of(Sampler(net, 24), draws)
    assert len({len(one.tokens) for one in together.values()}) > 10
    for number in range(0, 120, 5):
        assert all_of(Sampler(net, 1), [draws[number]])[0].tokens == together[number].tokens
    large = all_of(Sampler(net, 200), draws)
    assert [large[number].tokens for number in range(120)] == [together[number].tokens for number in range(120)]


def test_an_answer_ends_with_its_end_or_at_its_most_tokens(net: Net) -> None:
    found = all_of(Sampler(net, 16), [draw((7, 8), number, most=6 + number % 9) for number in range(60)])
    for number, written in found.items():
        assert (3 in written.tokens) == written.has_ended and 3 not in written.tokens[: written.whole]
        assert written.has_ended or len(written.tokens) == 6 + number % 9 == written.whole
    assert 5 < sum(one.has_ended for one in found.values()) < 60


def test_a_prompt_is_read_once_for_all_its_draws_however_late_they_come(net: Net) -> None:
    found = all_of(Sampler(net, 4), [draw((9, 10, 11), number) for number in range(30)])
    assert [one.read for one in found.values() if one.read] == [3]


def test_watched_rows_carry_the_logprobs_of_a_plain_forward_pass(net: Net) -> None:
    draws = [draw((4, 5, 6 + number % 3), number, temperature=0.5, is_watched=number % 2 == 0) for number in range(12)]
    for number, written in all_of(Sampler(net, 12), draws).items():
        if number % 2:
            assert written.logprobs == ()
            continue
        read = net.logits([*draws[number].prompt, *written.tokens])[2:-1]
        np.testing.assert_allclose(np.stack(written.logprobs), np.log(softmax(read)), atol=1e-4)


def test_rows_that_nobody_waits_for_make_room(net: Net) -> None:
    sampler = Sampler(net, 4)
    for ticket in range(8):
        sampler.add(ticket, draw((5, 6), ticket + 100, most=200))
    sampler.step()
    sampler.drop([0, 1, 2, 6, 7])
    found: dict[int, Written] = {}
    while len(sampler):
        found |= sampler.step()
    assert sorted(found) == [3, 4, 5]
    assert found[3].tokens == all_of(Sampler(net, 1), [draw((5, 6), 103, most=200)])[0].tokens
