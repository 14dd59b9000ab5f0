import contextlib
import json
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.verification.sandbox.plain import decode, encode, same

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.fractions()
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.booleans() | st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(HASHABLE, inner) | st.sets(HASHABLE),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_a_plain_value_comes_back_as_it_was(value: object) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert type(back) is type(value)
    assert back == value


def test_what_is_no_number_comes_back_as_no_number() -> None:
    # Not among the values above: it equals nothing, itself included.
    assert [repr(decode(json.loads(json.dumps(encode(value))))) for value in (math.nan, complex(0, math.nan))] == [
        "nan",
        "nanj",
    ]


@settings(max_examples=50, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_whatever_a_program_sends_is_a_value_or_refused(code: object) -> None:
    with contextlib.suppress(ValueError):
        decode(code)  # type: ignore[arg-type]


def test_an_object_or_endless_nesting_does_not_get_out() -> None:
    endless: list[object] = []
    endless.append(endless)
    for value in (object(), lambda: 1, range(3), endless):
        with pytest.raises(TypeError):
            encode(value)


def test_equal_means_as_python_has_it_but_for_floats() -> None:
    assert same([1, (2, {"a": 0.1 + 0.2})], [1, (2, {"a": 0.3})])
    assert same(float("nan"), float("nan"))
    assert same(1, 1.0) and same(Fraction(1, 3), 1 / 3) and same(True, 1)
    assert not same([1, 2], (1, 2))
    assert not same(0.31, 0.3)
    assert not same("0.3", 0.3)
    assert not same(10**400, 1.5)
    assert not same(1e-12, 0.0, tolerance=0)
