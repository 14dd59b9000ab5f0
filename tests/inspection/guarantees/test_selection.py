import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.guarantees.planning import Pilot, Plan, Rung, plan_selection
from seedbed.inspection.guarantees.selection import decide, draw, order_rows
from seedbed.randomness import stream

PLAN = Plan(1000, 0.05, 0.05, 400, 800, 100, 80, tuple(Rung(size, 1.5) for size in (300, 400, 500, 600, 700, 800)))
SCORES = np.arange(1000.0)


def test_few_certificates_are_false_where_the_second_set_is_just_too_bad() -> None:
    rng = stream(0, "worst case")
    false, certified = 0, 0
    for trial in range(400):
        # 300 best rows nearly clean, then just enough defects to make the next set false.
        bad = np.zeros(1000, dtype=bool)
        bad[300 + rng.choice(100, 21, replace=False)] = True
        bad[400 + rng.choice(400, 120, replace=False)] = True
        order = order_rows(SCORES, trial)
        rows = draw(PLAN, order, trial)
        found = decide(PLAN, order, rows, dict(zip(rows.tolist(), bad[rows].tolist(), strict=True)))
        certified += found.is_certified
        false += len(found.kept) > 0 and bad[found.kept].mean() > 0.05
    assert false <= 20 + 2 * 4.4
    assert certified > 360


@pytest.mark.parametrize("where", ["core", "ring", "even"])
def test_few_certificates_are_false_wherever_the_bad_rows_lie(where: str) -> None:
    rng = stream(1, where)
    among = {"core": np.arange(400), "ring": np.arange(400, 800), "even": np.arange(800)}[where]
    only_last = Plan(1000, 0.05, 0.05, 400, 800, 100, 80, (Rung(800, 1.5),))
    false = 0
    for trial in range(400):
        bad = np.zeros(1000, dtype=bool)
        bad[rng.choice(among, 41, replace=False)] = True
        order = order_rows(SCORES, trial)
        rows = draw(only_last, order, trial)
        found = decide(only_last, order, rows, dict(zip(rows.tolist(), bad[rows].tolist(), strict=True)))
        false += len(found.kept) > 0 and bad[found.kept].mean() > 0.05
    assert false <= 20 + 2 * 4.4


def test_labels_of_a_nested_set_are_a_random_draw_from_it() -> None:
    order = order_rows(SCORES, 0)
    hits = np.zeros(1000)
    for seed in range(2000):
        hits[draw(PLAN, order, seed)] += 1
    assert hits[:400].mean() == pytest.approx(2000 * 100 / 400)
    assert hits[400:800].mean() == pytest.approx(2000 * 80 / 400)
    assert abs(hits[:200].mean() - hits[200:400].mean()) < 8 and hits[800:].sum() == 0


def test_rows_labelled_bad_are_not_kept_and_good_rows_of_the_pilot_are() -> None:
    bad = np.zeros(3000, dtype=bool)
    bad[::500] = True
    pilot = Pilot((0, 7), (True, False))
    plan = plan_selection(np.arange(3000.0) / 300 - 5, 200, 0.05, pilot=pilot)
    order = order_rows(np.arange(3000.0), 3, pilot)
    rows = draw(plan, order, 3)
    labels = dict(zip(rows.tolist(), bad[rows].tolist(), strict=True)) | {int(rows[0]): True}
    found = decide(plan, order, rows, labels, pilot)
    assert found.is_certified and 7 in found.kept and 0 not in found.kept and rows[0] not in found.kept
    assert not np.isin(rows, [0, 7]).any()


def test_labels_that_end_early_certify_the_sets_they_cover_and_name_what_is_missing() -> None:
    order = order_rows(SCORES, 0)
    rows = draw(PLAN, order, 0)
    some = {row: False for row in rows.tolist() if row < 450}
    found = decide(PLAN, order, rows, some)
    assert found.size == 400
    assert set(found.missing.tolist()) == {row for row in rows.tolist() if row >= 450}


def test_a_refusal_says_how_many_labels_or_that_none_would_do() -> None:
    order = order_rows(SCORES, 0)
    rows = draw(PLAN, order, 0)
    hopeless = decide(PLAN, order, rows, {row: row % 3 == 0 for row in rows.tolist()})
    assert not hopeless.is_certified and hopeless.more_labels is None and len(hopeless.kept) == 0
    core = [row for row in rows.tolist() if row < 300]
    near = decide(PLAN, order, rows, {row: row in core[:2] for row in rows.tolist()})
    assert not near.is_certified and near.more_labels is not None and len(core) < near.more_labels <= near.among


def test_other_rows_than_the_drawn_ones_are_refused() -> None:
    order = order_rows(SCORES, 0)
    with pytest.raises(DataError, match="not drawn by this plan"):
        decide(PLAN, order, order[:50], {})
    with pytest.raises(DataError, match="another set of rows"):
        draw(PLAN, order[:900], 0)
