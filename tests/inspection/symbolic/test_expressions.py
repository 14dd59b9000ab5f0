from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.inspection.symbolic.expressions import chains, value

expressions = st.recursive(
    st.integers(-30, 30).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
    max_leaves=12,
)


def sides(text: str) -> list[Fraction | None]:
    return [value(term, {}) for chain in chains(text) for term in chain]


@given(expressions)
def test_an_expression_has_the_value_that_python_gives_it(text: str) -> None:
    assert sides(f"0 + 0 = {text}") == [0, Fraction(eval(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3 * 4 = 14", [14, 14]),
        ("8 / 4 / 2 = 1", [1, 1]),
        ("-2 ** 2 = -4", [-4, -4]),
        ("7 - -7 * 4 = 35", [35, 35]),
        ("3 red apples + 4 apples = 7 apples.", [7, 7]),
        ("He pays $1,200 \u00d7 2 = $2,400 a year", [2400, 2400]),
        ("60 students x 2/3 = 40 students", [40, 40]),
        ("20% of 50 = 10", [10, 10]),
        ("we have 3 * (6 / 2 = 3) left", [3, 3]),
        ("3 * 4 = 12, then 12 + 5 = 17", [12, 12, 17, 17]),
        ("2 + 3 = 4 + 1 = 5", [5, 5, 5]),
    ],
)
def test_an_equation_is_read_out_of_prose(text: str, expected: list[int]) -> None:
    assert sides(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7",
        "y = x - 3 = 4",
        "he was left - 5 = 3 of them",
        "at 8:00 - 3 = 5:00",
        "1 hour 20 minutes = 80 minutes",
        "2 + 3 = 2 hours 30 minutes",
        "1 and 1/4 + 1/4 = 1.5",
        "5 million + 1 = 6 million",
        "7 / 0 = 0",
    ],
)
def test_what_may_mean_something_else_is_not_read(text: str) -> None:
    read = [[value(term, {}) for term in chain] for chain in chains(text)]
    assert all(sum(side is not None for side in chain) < 2 for chain in read)


def test_a_variable_has_the_value_that_it_was_given() -> None:
    (chain,) = chains("so A + B = 7")
    assert value(chain[0], {"A": Fraction(3), "B": Fraction(4)}) == 7
    assert value(chain[0], {"A": Fraction(3)}) is None


def test_huge_powers_and_endless_digits_are_refused_instead_of_computed() -> None:
    assert value(chains("9 ** 9 ** 9 = 1")[0][0], {}) is None
    assert value(chains("1 + 1 = " + "9" * 5000)[0][1], {}) is None


def test_rounding_is_given_half_a_unit_of_the_last_decimal() -> None:
    (chain,) = chains("10 / 3 = 3.33")
    assert chain[1].slack == Fraction(1, 200)
    assert chains("10 / 3 = 3")[0][1].slack == 0
