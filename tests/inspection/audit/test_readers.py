"""How far readers can be trusted."""

import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.audit.queue import Reading
from seedbed.inspection.audit.readers import error_rate, readers


def test_the_error_of_independent_readers_is_recovered_from_how_often_they_differ():
    rng = np.random.default_rng(0)
    covers = 0
    for _ in range(400):
        truth = rng.random(300) < 0.3
        one, two = (truth ^ (rng.random(300) < 0.12) for _ in range(2))
        found = error_rate(int((one != two).sum()), 300)
        covers += found.low <= 0.12 <= found.high
    assert 0.92 <= covers / 400 <= 0.98


def test_readers_that_differ_on_half_of_the_rows_say_nothing():
    found = error_rate(60, 100)
    assert (found.value, found.high) == (0.5, 0.5)
    with pytest.raises(DataError, match="read twice"):
        error_rate(0, 0)


def test_each_readers_confusion_is_counted_against_settled_rows():
    said = [
        ("a", "ann", "bad", "first"), ("a", "bo", "good", "second"), ("a", "cy", "bad", "adjudicated"),
        ("b", "ann", "good", "first"), ("b", "bo", "good", "second"),
        ("c", "ann", "good", "first"), ("c", "bo", "bad", "second"),
        ("d", "ann", "skip", "first"), ("d", "bo", "bad", "second"),
        ("e", "ann", "bad", "first"),
    ]  # fmt: skip
    found = readers([Reading(row, who, label, turn, seconds=3.0) for row, who, label, turn in said])
    ann, bo = found.readers
    assert (ann.name, ann.read, ann.skipped, ann.median_s) == ("ann", 5, 1, 3.0)
    assert ann.confusion == ((1, 0), (0, 1))
    assert bo.confusion == ((1, 0), (1, 0))
    assert (bo.misses.value, bo.misses.n, ann.misses.value) == (1.0, 1, 0.0)
    assert found.disagreement.value == pytest.approx(2 / 3)
    assert found.open_disputes == 1


def test_without_second_readings_nothing_is_claimed():
    found = readers([Reading("a", "ann", "bad")])
    assert (found.disagreement, found.error, found.readers[0].misses) == (None, None, None)


def test_misses_and_false_alarms_are_recovered_where_disputes_are_adjudicated():
    rng = np.random.default_rng(1)
    readings = []
    for row in range(4000):
        truth = rng.random() < 0.4
        flip = {"ann": 0.15 if truth else 0.05, "bo": 0.02}
        said = {who: truth ^ (rng.random() < flip[who]) for who in flip}
        for who, turn in (("ann", "first"), ("bo", "second")):
            readings.append(Reading(str(row), who, "bad" if said[who] else "good", turn))
        if said["ann"] != said["bo"]:
            readings.append(Reading(str(row), "cy", "bad" if truth else "good", "adjudicated"))
    ann = readers(readings).readers[0]
    assert ann.misses.value == pytest.approx(0.15, abs=0.02)
    assert ann.false_alarms.value == pytest.approx(0.05, abs=0.01)
