"""Axes hold what they show, and labels keep clear of each other."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.pages import parse

from seedbed.report.axes import Plane, grid, number_axis, place_axis, round_step, share_axis, spread
from seedbed.report.charts import mark

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(st.lists(numbers, min_size=1, max_size=30))
def test_an_axis_holds_every_value_between_ticks_that_rise(values):
    axis = number_axis("x", values)
    less_than_a_pixel = 1e-6 + 1e-5 * (max(values) - min(values))
    assert axis.low <= min(values) + less_than_a_pixel
    assert axis.high >= max(values) - less_than_a_pixel
    places = [place for place, _ in axis.ticks]
    assert 2 <= len(places) <= 8
    assert places == sorted(places)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_an_axis_of_shares_never_leaves_0_to_100(values):
    axis = share_axis("%", values)
    assert 0 <= axis.low < axis.high <= 100


@pytest.mark.parametrize(("rough", "step"), [(0.7, 1), (1.1, 2), (0.03, 0.05), (6, 10), (20, 20)])
def test_steps_are_one_two_or_five_times_a_power_of_ten(rough, step):
    assert round_step(rough) == pytest.approx(step)


@given(st.lists(st.floats(0, 100), max_size=7))
def test_labels_keep_their_order_their_distance_and_their_room(places):
    moved = spread(places, 14, 0, 100)
    assert all(0 <= place <= 100 for place in moved)
    inline = sorted(moved)
    assert all(b - a >= 14 - 1e-9 for a, b in pairwise(inline))
    assert sorted(range(len(places)), key=lambda i: (places[i], moved[i])) == sorted(
        range(len(places)), key=lambda i: moved[i]
    )


def test_tick_texts_that_would_run_into_each_other_are_left_out():
    x = place_axis("round", [f"a long name {number}" for number in range(12)])
    plane = Plane(x, number_axis("y", [0, 1]), 30, 400, 20, 250)
    page = parse(f"<svg>{grid(plane)}</svg>")
    middles = [element for element in page.all("text") if element.attributes.get("text-anchor") == "middle"]
    assert 1 < len(middles) < 12


def test_every_slot_has_a_shape_of_its_own():
    assert len({mark(slot, 0, 0) for slot in range(1, 9)}) == 8
