"""What is believed of rows after some labels."""

import numpy as np
import pytest
from scipy.special import expit

from seedbed.errors import DataError
from seedbed.inspection.audit.risk import Evidence, RiskModel


def test_without_labels_the_evidence_alone_orders_the_rows():
    odds = np.array([-3.0, 2.0, 0.0, -1.0])
    found = RiskModel(Evidence.of(4, odds)).fit([], [])
    assert found.p_bad.argsort().tolist() == odds.argsort().tolist()


def test_labels_of_a_slice_move_its_other_rows_and_hardly_the_rest():
    evidence = Evidence.of(300, slices=np.repeat(["a", "b", "c"], 100))
    rows, bad = [*range(20), *range(100, 120)], [1] * 15 + [0] * 5 + [0] * 20
    p = RiskModel(evidence).fit(rows, bad).p_bad
    assert p[50] == pytest.approx(0.7, abs=0.1)
    assert p[150] < 0.1
    assert p[150] < p[250] < p[50]


def test_evidence_that_lies_is_believed_less_and_less():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 600)
    bad = rng.random(600) < 0.2
    model = RiskModel(Evidence.of(600, odds))
    spreads = [np.std(model.fit(np.arange(n), bad[:n]).p_bad) for n in (0, 60, 500)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_probabilities_are_calibrated_where_the_world_is_the_models():
    rng = np.random.default_rng(1)
    said, came = [], []
    for _ in range(10):
        slices = rng.integers(0, 20, 1500)
        odds = rng.normal(0, 1.5, 1500)
        bad = rng.random(1500) < expit(-2.0 + odds + rng.normal(0, 1, 20)[slices])
        said.append(RiskModel(Evidence.of(1500, odds, slices)).fit(np.arange(300), bad[:300]).p_bad[300:])
        came.append(bad[300:])
    p, rest = np.concatenate(said), np.concatenate(came)
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1)):
        within = (p >= low) & (p < high)
        assert p[within].mean() == pytest.approx(rest[within].mean(), abs=0.05)


def test_a_further_column_is_learned_with_its_sign():
    rng = np.random.default_rng(3)
    more = rng.normal(0, 5, (1000, 1))
    bad = rng.random(1000) < expit(-1 - more[:, 0] / 4)
    model = RiskModel(Evidence.of(1000, more=more))
    assert np.ptp(model.fit([], []).p_bad) < 1e-9
    p = model.fit(np.arange(300), bad[:300]).p_bad
    assert p[more[:, 0] < -5].min() > p[more[:, 0] > 5].max()


def test_evidence_that_speaks_only_at_its_extremes_is_bent_there():
    rng = np.random.default_rng(4)
    odds = rng.normal(0, 1, 3000)
    bad = rng.random(3000) < np.where(odds > 2, 0.8, 0.05)
    p = RiskModel(Evidence.of(3000, odds)).fit(np.arange(1000), bad[:1000]).p_bad
    middle, top = (odds > 0) & (odds < 0.8), odds > 2.2
    assert p[middle].mean() < 0.08 and p[top].mean() > 0.5


def test_over_confident_evidence_is_tempered_before_the_first_label():
    odds = np.random.default_rng(2).normal(0, 30, 500)
    p = RiskModel(Evidence.of(500, odds)).fit([], []).p_bad
    assert np.quantile(p, 0.1) > 0.02 and np.quantile(p, 0.9) < 0.98


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log_odds": [0.0, np.nan]}, "finite"),
        ({"log_odds": [0.0]}, "one value for each row"),
        ({"worth": [1.0, 0.0]}, "above 0"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(given, said):
    with pytest.raises(DataError, match=said):
        Evidence.of(2, **given)
