"""Identity by content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.fingerprint import fingerprint
from seedbed.randomness import stream

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_equal_values_have_equal_names(value):
    assert fingerprint(value) == fingerprint(value)


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_different_lists_have_different_names(first, second):
    assert (fingerprint(first) == fingerprint(second)) == (first == second)


@pytest.mark.parametrize("value", [object(), float("nan"), {1: 2}, {"a": {1, 2}}])
def test_a_value_without_a_plain_identity_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        fingerprint(value)


def test_streams_of_two_purposes_are_independent():
    first, second = stream(0, "a").random(1000), stream(0, "b").random(1000)
    assert abs(((first - 0.5) * (second - 0.5)).mean()) < 0.01
