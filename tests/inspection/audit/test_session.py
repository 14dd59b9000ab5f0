"""An audit from the first row to the rate."""

import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.audit.exchange import Entry
from seedbed.inspection.audit.queue import Queue, Reading
from seedbed.inspection.audit.risk import Evidence
from seedbed.inspection.audit.session import Audit, Plan

N = 120
BAD = np.arange(N) % 6 == 0
IDS = [f"r{place}" for place in range(N)]


@pytest.fixture
def audit(tmp_path):
    with Queue.at(tmp_path / "q.audit", {"n_rows": N}) as queue:
        yield Audit(IDS, Evidence.of(N, np.where(BAD, 1.0, -1.0)), queue, Plan(second=0.0))


def answer(audit, reader="ann", wrong=()):
    asked = audit.next(reader)
    label = "bad" if BAD[asked.place] != (asked.row in wrong) else "good"
    audit.record(asked, Reading(asked.row, reader, label, seconds=1.0))
    return asked


def test_a_row_that_was_shown_is_shown_again_until_it_is_read(audit):
    first = audit.next("ann")
    assert audit.next("ann") == first
    answer(audit)
    assert audit.next("ann") != first


def test_a_label_taken_back_brings_its_row_back_and_draws_no_other(audit):
    shown = [answer(audit) for _ in range(3)]
    audit.undo("ann")
    assert audit.next("ann") == shown[-1]
    assert len(audit.queue.draws()) == 3


def test_two_readers_get_different_rows(audit):
    assert audit.next("ann").row != audit.next("bo").row


def test_the_rate_covers_the_truth_and_needs_no_model_to_be_right(audit):
    for _ in range(60):
        answer(audit)
    found = audit.outcome()
    assert found.read == 60 and found.waiting == 0
    assert found.rate.low <= BAD.mean() <= found.rate.high
    assert found.rate.high - found.rate.low < 0.25


def test_reading_to_the_end_gives_the_rate_itself(audit):
    while audit.next("ann"):
        answer(audit)
    assert audit.outcome().rate.value == pytest.approx(BAD.mean())


def test_one_row_in_seven_or_so_is_read_twice_at_random_and_not_soon_by_the_same_reader(tmp_path):
    with Queue.at(tmp_path / "q.audit", {"n_rows": N}) as queue:
        audit = Audit(IDS, Evidence.of(N), queue, Plan(second=0.15, gap=10))
        asked = [answer(audit) for _ in range(110)]
    at = {one.row: number for number, one in enumerate(asked) if one.turn == "first"}
    again = [(number, one) for number, one in enumerate(asked) if one.turn == "second"]
    assert 6 <= len(again) <= 28
    assert len({one.row for _, one in again}) == len(again)
    assert all(number - at[one.row] > 10 for number, one in again)
    assert sorted(one.row for _, one in again) == sorted(
        row for row, number in at.items() if audit.is_read_twice(row) and number < at_end(asked, 10)
    )


def at_end(asked, gap):
    """Place in the order of the first reading that has `gap` first readings behind it and so is due again."""
    firsts = [number for number, one in enumerate(asked) if one.turn == "first"]
    return firsts[-gap]


def test_another_reader_gets_the_second_readings_at_once(tmp_path):
    with Queue.at(tmp_path / "q.audit", {"n_rows": N}) as queue:
        audit = Audit(IDS, Evidence.of(N), queue, Plan(second=1.0, gap=50))
        first = answer(audit, "ann")
        assert (audit.next("bo").row, audit.next("bo").turn) == (first.row, "second")
        answer(audit, "bo", wrong={first.row})
        settled = audit.next("cy", adjudicate=True)
        assert (settled.row, settled.turn) == (first.row, "adjudicated")
        audit.record(settled, Reading(first.row, "cy", "good"))
        assert audit.next("cy", adjudicate=True) is None
        assert audit.outcome().disputed == 0


def test_rows_handed_out_and_never_returned_are_told_and_bias_nothing_behind_them(audit):
    asked = audit.hand_out(10, "bo")
    assert len({one.row for one in asked}) == 10
    assert audit.hand_out(10, "bo") == asked
    for one in asked[:6]:
        audit.record(one, Reading(one.row, "bo", "bad" if BAD[one.place] else "good"))
    found = audit.outcome()
    assert (found.read, found.waiting, found.rate.n) == (6, 4, 6)


def test_labels_travel_to_another_machine_with_their_chances(audit, tmp_path):
    for _ in range(40):
        answer(audit)
    fields = [{"text": row} for row in IDS]
    with Queue.at(tmp_path / "other.audit", {"n_rows": N}) as queue:
        other = Audit(IDS, audit.evidence, queue, audit.plan)
        assert other.take(audit.entries(fields)) == 40
        assert other.outcome() == audit.outcome()
        assert other.take(audit.entries(fields)) == 0


def test_labels_without_a_chance_teach_the_model_and_count_in_no_rate(audit):
    before = audit.p_bad()
    audit.take([Entry(f"r{place}", {}, None, Reading(f"r{place}", "old", "bad")) for place in range(30)])
    assert audit.p_bad().mean() > before.mean()
    assert audit.outcome().rate is None and audit.outcome().read == 30


def test_a_label_for_an_unknown_row_is_refused_and_nothing_of_the_file_is_kept(audit):
    good, stray = (Entry(row, {}, None, Reading(row, "old", "bad")) for row in ("r1", "elsewhere"))
    with pytest.raises(DataError, match="does not have"):
        audit.take([good, stray])
    assert audit.queue.draws() == []


def test_ids_that_repeat_are_refused(tmp_path):
    with Queue.at(tmp_path / "q.audit", {}) as queue, pytest.raises(DataError, match="all different"):
        Audit(["a", "a"], Evidence.of(2), queue)
