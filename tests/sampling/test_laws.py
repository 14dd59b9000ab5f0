import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from seedbed.errors import DataError
from seedbed.sampling.coverage import coverage, coverage_curve, pass_at_k
from seedbed.sampling.fitting import fold
from seedbed.sampling.laws import LAWS, BetaBinomial, Law, LogitNormal, PowerLaw, PowerLawWithAsymptote

DATE = Path(__file__).parents[3] / "shared" / "data" / "date" / "samples.jsonl.gz"
Counts = tuple[np.ndarray, np.ndarray]


def world(rng_seed: int, problems: int = 4000, draws: int = 30) -> Counts:
    rng = np.random.default_rng(rng_seed)
    chance = rng.beta(0.6, 0.9, problems) * (rng.random(problems) > 0.15)
    return np.full(problems, draws), rng.binomial(draws, chance)


@pytest.fixture(scope="module")
def date() -> dict[tuple[str, str], Counts]:
    if not DATE.exists():
        pytest.skip("the recorded date-understanding samples are not here")
    with gzip.open(DATE) as file:
        rows = pl.read_ndjson(file.read())
    counted = rows.group_by("model", "setting", "problem_id").agg(pl.len().alias("n"), pl.col("correct").sum())
    return {
        (str(model), str(setting)): (mine["n"].to_numpy(), mine["correct"].to_numpy())
        for (model, setting), mine in counted.group_by("model", "setting")
    }


def test_recorded_coverage_is_what_was_published(date: dict[tuple[str, str], Counts]) -> None:
    weak, strong = date["gpt-3.5-turbo", "pot2_t=0.8"], date["gpt-4", "pot2"]
    assert [round(each.value, 3) for each in coverage_curve(*weak, [1, 20])] == [0.720, 0.908]
    assert [round(each.value, 3) for each in coverage_curve(*strong, [1, 3])] == [0.884, 0.892]


@pytest.mark.parametrize(
    ("setting", "a", "b", "asymptote"),
    [
        (("llama-2-13b", "cot1"), -0.63, -0.38, 0.84),
        (("gpt-3.5-turbo", "cot1_40"), -0.30, -0.24, 1.00),
        (("gpt-3.5-turbo", "pot2_t=0.8"), -0.31, -0.42, 0.94),
    ],
)
def test_fits_of_recorded_curves_agree_with_earlier_ones(
    date: dict[tuple[str, str], Counts], setting: tuple[str, str], a: float, b: float, asymptote: float
) -> None:
    plain, bent = PowerLaw().fit(*date[setting]), PowerLawWithAsymptote().fit(*date[setting])
    assert (plain.a, plain.b) == (pytest.approx(a, abs=0.01), pytest.approx(b, abs=0.01))
    assert bent.asymptote == pytest.approx(asymptote, abs=0.01)


def test_the_plain_power_law_claims_too_much_where_problems_are_out_of_reach() -> None:
    n, c = world(0)
    first = np.random.default_rng(1).hypergeometric(c, n - c, 10)
    truth = coverage(n, c, 30).value
    plain = PowerLaw().fit(n * 0 + 10, first).coverage(30)
    honest = BetaBinomial().fit(n * 0 + 10, first).coverage(30)
    assert plain - truth > 0.01 and abs(honest - truth) < 0.01


def test_the_beta_binomial_recovers_the_world_it_was_drawn_from() -> None:
    law = BetaBinomial().fit(*world(2))
    assert law.unsolvable == pytest.approx(0.15, abs=0.03)
    assert law.shape == (pytest.approx(0.6, abs=0.08), pytest.approx(0.9, abs=0.08))


def test_the_fit_of_the_beta_binomial_is_the_highest_likelihood() -> None:
    n, c = world(3, problems=400, draws=8)

    def likelihood(law: BetaBinomial) -> float:
        a, b = law.shape
        z = law.unsolvable
        return float(np.log((1 - z) * stats.betabinom.pmf(c, n, a, b) + z * (c == 0)).sum())

    law = BetaBinomial().fit(n, c)
    best, fitted = likelihood(law), law.parameters_
    rng = np.random.default_rng(0)
    for size in (0.01, 0.1, 1.0):
        law.parameters_ = fitted + size * rng.normal(size=3)
        assert likelihood(law) <= best + 1e-6


def test_the_logit_normal_recovers_the_world_it_was_drawn_from() -> None:
    rng = np.random.default_rng(0)
    chance = 1 / (1 + np.exp(-rng.normal(-1, 2, 6000)))
    law = LogitNormal().fit(np.full(6000, 25), rng.binomial(25, chance))
    assert law.parameters_ == pytest.approx([-1, np.log(2)], abs=0.06)
    assert law.coverage([1, 40]) == pytest.approx([chance.mean(), (1 - (1 - chance) ** 40).mean()], abs=0.015)


@pytest.mark.parametrize("kind", LAWS)
def test_every_law_grows_stays_a_fraction_and_meets_the_curve(kind: type[Law]) -> None:
    n, c = world(4)
    law = kind().fit(n, c)
    curve = law.coverage(np.arange(1, 500))
    assert (np.diff(curve) >= 0).all() and curve[0] >= 0 and curve[-1] <= 1
    seen = [each.value for each in coverage_curve(n, c, range(1, 31))]
    assert np.abs(curve[:30] - seen).max() < (0.04 if kind in (PowerLaw, LogitNormal) else 0.01)
    assert law.coverage(7).shape == ()


def test_the_score_is_the_mean_log_chance_of_the_first_correct_draw() -> None:
    law = BetaBinomial().fit(*world(5, problems=300, draws=5))
    reached = np.concatenate([[0.0], law.coverage(np.arange(1, 5))])
    # 1 correct of 4: the first correct draw is any of the four. 0 of 3: none of three.
    one = np.log(np.diff(reached)).mean()
    assert law.log_likelihood([4, 3], [1, 0]) == pytest.approx([one, np.log(1 - reached[3])])


def test_the_score_prefers_the_law_that_the_draws_come_from() -> None:
    learnt, held_out = world(6), world(7)
    scores = {kind.name: kind().fit(*learnt).log_likelihood(*held_out).mean() for kind in LAWS}
    assert max(scores, key=lambda name: scores[name]) == BetaBinomial.name
    assert scores[PowerLaw.name] < scores[BetaBinomial.name] - 0.005


def test_many_weightings_at_once_give_what_each_gives_alone() -> None:
    n, c = world(8, problems=200, draws=9)
    table = fold(n, c)
    weights = np.random.default_rng(0).multinomial(200, table.times / 200, 5).astype(float)
    for kind in LAWS:
        together = kind().fit_many(table, weights)
        for row, weight in zip(together, weights, strict=True):
            alone = kind().fit(np.repeat(table.n, weight.astype(int)), np.repeat(table.c, weight.astype(int)))
            curve = alone.curves(row[None, :], np.array([1.0, 5, 20]))[0]
            assert curve == pytest.approx(alone.coverage([1, 5, 20]), abs=2e-3), kind.name


def test_problems_may_have_different_numbers_of_draws() -> None:
    n, c = world(9, problems=2000)
    some = np.random.default_rng(1).integers(2, 31, 2000)
    fewer = np.random.default_rng(2).hypergeometric(c, n - c, some)
    for kind in LAWS:
        law = kind().fit(some, fewer)
        assert law.coverage(20) == pytest.approx(pass_at_k(n, c, 20).mean(), abs=0.04), kind.name
        assert np.isfinite(law.log_likelihood(some, fewer)).all()


def test_a_law_without_draws_is_refused() -> None:
    with pytest.raises(DataError, match="run a pilot"):
        PowerLaw().fit([0, 0], [0, 0])


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("right", [0, 6])
def test_all_or_nothing_solved_still_gives_a_law(kind: type[Law], right: int) -> None:
    law = kind().fit([6] * 30, [right] * 30)
    assert law.coverage(12) == pytest.approx(right / 6, abs=0.05)
