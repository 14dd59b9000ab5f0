import polars as pl
import pytest

from seedbed.errors import DataError
from seedbed.estimate import wilson
from seedbed.inspection.symbolic.arithmetic import first_error
from seedbed.inspection.tamper.plant import plant
from seedbed.inspection.tamper.sensitivity import sensitivity
from seedbed.inspection.tamper.solutions import SOLUTIONS, steps_of, still_adds_up

KEY = pl.DataFrame({"id": list("abcdefgh"), "defect": ["number", "number", "unit", "unit", None, None, None, None]})


def verdicts(by: str, p_good: list[float | None], ids: str = "abcdefgh") -> pl.DataFrame:
    return pl.DataFrame({"id": list(ids), "by": by, "p_good": p_good}, schema_overrides={"p_good": pl.Float64})


def test_recall_and_false_alarms_are_counted_for_each_verifier_and_defect() -> None:
    found = sensitivity(verdicts("judge", [0.1, 0.9, None, 0.2, 0.9, 0.9, 0.3, 0.8]), KEY)
    assert [(one.by, one.defect, one.flagged, one.abstained) for one in found] == [
        ("judge", "number", wilson(1, 2), 0),
        ("judge", "unit", wilson(1, 2), 1),
        ("judge", None, wilson(1, 4), 0),
    ]


def test_rows_a_verifier_was_not_asked_about_do_not_count() -> None:
    both = pl.concat([verdicts("one", [0.1], "a"), verdicts("two", [0.1, 0.6], "be")])
    assert [(one.by, one.defect, one.flagged.n) for one in sensitivity(both, KEY)] == [
        ("one", "number", 1),
        ("two", "number", 1),
        ("two", None, 1),
    ]


def test_a_prior_is_worth_no_more_than_its_strength() -> None:
    key = pl.DataFrame({"id": [str(at) for at in range(1000)], "defect": "number"})
    said = pl.DataFrame({"id": key["id"], "by": "x", "p_good": [0.0] * 900 + [1.0] * 100})
    (found,) = sensitivity(said, key)
    assert found.prior() == pytest.approx((10, 2)) and sum(found.prior(4)) == pytest.approx(6)


def test_a_verifier_that_recomputes_finds_every_proven_number_and_no_dropped_step() -> None:
    texts = [f"He has {a} + {a + 3} = {2 * a + 3}.\nHe eats 2, so {2 * a + 3} - 2 = {2 * a + 1}." for a in range(4, 84)]
    rows = pl.DataFrame({"id": [str(at) for at in range(80)], "solution": texts})
    made = plant(rows, SOLUTIONS, column="solution", share=0.5, is_still_right=still_adds_up)
    wrong = [first_error("", steps_of(text)).step is not None for text in made.rows["solution"]]
    said = pl.DataFrame({"id": made.rows["id"], "by": "recompute", "p_good": [0.0 if bad else 1.0 for bad in wrong]})
    share = {one.defect: one.flagged.value for one in sensitivity(said, made.key)}
    assert share == {"number": 1.0, "operator": 1.0, "swapped operands": 1.0, "dropped step": 0.0, None: 0.0}


def test_verdicts_that_do_not_fit_are_told() -> None:
    with pytest.raises(DataError, match="lack columns"):
        sensitivity(KEY, KEY)
    with pytest.raises(DataError, match="twice"):
        sensitivity(verdicts("judge", [0.1, 0.2], "aa"), KEY)
    with pytest.raises(DataError, match="no verdict is on a row"):
        sensitivity(verdicts("judge", [0.1], "z"), KEY)
