import numpy as np
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.binomial import Ints, exact_interval
from seedbed.inspection.guarantees.rates import (
    cut_strata,
    estimate_rate,
    neyman,
    ppi_rate,
    stratified_rate,
    weighted_rate,
)
from seedbed.randomness import stream


def world(name: str, size: int, slope: float, base: float = -2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(11, name)
    said = 4 * rng.normal(size=size)
    return said, rng.random(size) < 1 / (1 + np.exp(-base - slope * said))


def measured(said: np.ndarray, bad: np.ndarray, n: int, trials: int) -> tuple[float, float, set[str]]:
    found = [estimate_rate(said, n, lambda rows: bad[rows], rng_seed=seed) for seed in range(trials)]
    covered = np.mean([one.low <= bad.mean() <= one.high for one in found])
    return float(covered), float(np.mean([one.high - one.low for one in found])), {one.method for one in found}


def test_scores_that_say_much_save_labels_and_the_interval_holds() -> None:
    said, bad = world("sharp", 3000, 2.5)
    covered, width, _ = measured(said, bad, 200, 40)
    plain = exact_interval(round(200 * bad.mean()), 200)
    assert covered >= 0.9
    assert ((plain.high - plain.low) / width) ** 2 > 2


def test_scores_that_say_nothing_give_the_exact_interval() -> None:
    said, bad = world("blind", 3000, 0.0)
    covered, width, methods = measured(said, bad, 200, 30)
    plain = exact_interval(round(200 * bad.mean()), 200)
    assert methods == {"exact, finite"}
    assert covered >= 0.9 and ((plain.high - plain.low) / width) ** 2 > 0.9


def test_no_row_is_read_twice_and_no_label_beyond_the_budget() -> None:
    said, bad = world("reads", 1500, 2.5)
    asked: list[int] = []

    def read(rows: Ints) -> np.ndarray:
        asked.extend(rows.tolist())
        return bad[rows]

    estimate_rate(said, 120, read, rng_seed=5)
    assert len(asked) == len(set(asked)) == 120


def test_neyman_spends_all_labels_and_more_where_labels_spread() -> None:
    predicted = np.repeat([0.001, 0.5, 0.999], [800, 100, 100])
    strata = cut_strata(predicted)
    quota = neyman(strata, predicted, 120)
    assert quota.sum() == 120
    assert quota[1] > quota[0] > 0 and quota[1] <= 100


def test_strata_that_are_read_whole_leave_no_doubt() -> None:
    found = stratified_rate([True, False, False, False], [0, 0, 1, 1], [2, 2])
    assert (found.low, found.value, found.high) == (0.25, 0.25, 0.25)


def test_a_stratum_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="each stratum needs labels"):
        stratified_rate([True], [0], [5, 5])


def test_prediction_powered_intervals_are_narrower_and_hold() -> None:
    said, bad = world("ppi", 20_000, 2.5)
    predicted, rng = 1 / (1 + np.exp(2 - said)), stream(3, "ppi")
    covered, saved = [], []
    for _ in range(200):
        rows = rng.choice(len(bad), 300, replace=False)
        found = ppi_rate(bad[rows], predicted[rows], predicted)
        plain = exact_interval(int(bad[rows].sum()), 300)
        covered.append(found.low <= bad.mean() <= found.high)
        saved.append((plain.high - plain.low) / (found.high - found.low))
    assert np.mean(covered) >= 0.92 and np.mean(saved) > 1.2


def test_with_few_defects_predictions_are_not_trusted() -> None:
    bad = np.zeros(100, dtype=bool)
    bad[:9] = True
    assert ppi_rate(bad, bad.astype(float), np.full(1000, 0.1)).method == "exact, finite"


def test_rows_chosen_by_an_audit_give_an_unbiased_rate() -> None:
    said, bad = world("audit", 4000, 1.0)
    predicted = 1 / (1 + np.exp(2 - 0.5 * said))
    inclusion = np.clip(0.04 + 0.3 * predicted, 0, 1)
    rng = stream(4, "audit")
    found = []
    for _ in range(200):
        rows = rng.random(4000) < inclusion
        found.append(weighted_rate(bad[rows], inclusion[rows], predicted[rows], predicted))
    assert np.mean([one.value for one in found]) == pytest.approx(bad.mean(), abs=0.005)
    assert np.mean([one.low <= bad.mean() <= one.high for one in found]) >= 0.92


def test_a_rate_from_hardly_any_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="40 labels"):
        estimate_rate(np.zeros(100), 20, lambda rows: rows > 0, rng_seed=0)
    with pytest.raises(DataError, match="too few defects"):
        weighted_rate([True], [0.5], [0.5], [0.5, 0.5])
