import numpy as np
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.planning import Pilot, Plan, Rung, calibration, plan_selection
from seedbed.randomness import stream


def scored(size: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(7, "planning")
    said = rng.normal(size=size) * 3
    return said, rng.random(size) < 1 / (1 + np.exp(2 - slope * said))


def test_the_plan_spends_its_labels_inside_nested_sets() -> None:
    said, _ = scored(3000, 1.0)
    plan = plan_selection(said, 400, 0.05)
    assert plan.n_core <= plan.core and plan.n_core + plan.n_ring <= 400
    assert [rung.size for rung in plan.rungs] == sorted({rung.size for rung in plan.rungs})
    assert plan.rungs[-1].size <= plan.reach <= 3000


def test_calibration_moves_towards_the_pilot() -> None:
    said, bad = scored(3000, 0.3)
    rows = stream(1, "pilot").choice(3000, 200, replace=False)
    pilot = Pilot(tuple(rows.tolist()), tuple(bad[rows].tolist()))
    before, after = calibration(said, None), calibration(said, pilot)
    assert abs(after.mean() - bad.mean()) < 0.05 < abs(before.mean() - bad.mean())


def test_too_few_labels_are_refused_before_any_is_read() -> None:
    with pytest.raises(ConfigError, match="too few labels"):
        plan_selection(np.zeros(1000), 100, 0.02)


def test_a_pilot_row_is_labelled_once() -> None:
    with pytest.raises(DataError, match="one label"):
        Pilot((1, 1), (True, False))


def test_sets_that_are_not_nested_are_refused() -> None:
    with pytest.raises(ConfigError, match="nested"):
        Plan(100, 0.1, 0.05, 50, 80, 20, 20, (Rung(60, 1.0), Rung(40, 1.0)))
