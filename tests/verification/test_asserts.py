import pytest

from seedbed.errors import DataError
from seedbed.verification.asserts import checks, literal, names_in


@pytest.mark.parametrize(
    ("text", "questions", "condition"),
    [
        ("assert f(1) == 2", ("f(1)",), "_0 == 2"),
        ("assert sorted(f([3, 1])) == [1, 3]", ("f([3, 1])",), "sorted(_0) == [1, 3]"),
        ("assert f(g(1)) in (2, h(3))", ("f(g(1))", "h(3)"), "_0 in (2, _1)"),
        ("assert not A().b(1)[0].c", ("A().b(1)[0].c",), "not _0"),
        ("assert ''.join(f()) == 'x'", ("f()",), "''.join(_0) == 'x'"),
        ("assert sum(i * i for i in range(3)) == 5", (), "sum((i * i for i in range(3))) == 5"),
        ("assert [f(i) for i in range(2)] == [0, 1]", ("[f(i) for i in range(2)]",), "_0 == [0, 1]"),
    ],
)
def test_what_is_right_stays_out_of_the_questions(text: str, questions: tuple[str, ...], condition: str) -> None:
    check = checks(text)[0]
    assert (check.questions, check.condition, check.sealed) == (questions, condition, True)


def test_a_comparison_within_a_question_is_not_sealed() -> None:
    assert not checks("assert all(f(i) == i for i in range(3))")[0].sealed
    assert not checks("for i in range(3):\n    assert f(i) == i")[0].sealed


def test_a_function_that_is_called_like_a_builtin_is_the_programs_where_it_is_tested() -> None:
    defined = names_in("def sum(a, b):\n    return a + b\n\nclass abs: pass\n  def inner(): pass\n")
    assert defined == {"sum", "abs"}
    assert checks("assert sum(1, 2) == 3", defined=defined)[0].questions == ("sum(1, 2)",)
    assert checks("assert abs(f(1) - 2) < 1", defined=defined)[0].questions == ("f(1)",)


def test_a_literal_reads_back_as_its_value() -> None:
    values = [
        None,
        True,
        -3,
        1.5,
        float("-inf"),
        2j,
        b"x",
        "a'b",
        [1],
        (),
        (1,),
        {1},
        set(),
        frozenset({2}),
        {"k": [(1,)]},
    ]
    assert [eval(literal(value)) for value in values] == values
    with pytest.raises(DataError, match="no plain data"):
        literal(object())
