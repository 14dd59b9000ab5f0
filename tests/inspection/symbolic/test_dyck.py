import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.inspection.symbolic.dyck import CLOSES, first_error, stack_after


def trace(question: str) -> list[str]:
    """A right trace for brackets that can be closed."""
    steps, read = ["We should process each input one by one.", "stack: empty"], ""
    for symbol in question:
        read += symbol
        steps.append(f"{symbol} ; stack: {' '.join(stack_after(read) or '') or 'empty'}")
    left = stack_after(question) or ""
    steps.append(f'Now, we have reached the end. The final stack is "{" ".join(left)}".')
    steps.append("We will need to pop out " + ", ".join(f'"{one}"' for one in left[::-1]) + " one by one.")
    closers = [CLOSES[one] for one in left[::-1]]
    steps.append("So, we need " + ", ".join(f'"{one}"' for one in closers) + f". So the answer is {' '.join(closers)}")
    return steps


@st.composite
def questions(draw: st.DrawFn) -> str:
    read = ""
    for _ in range(draw(st.integers(1, 25))):
        left = stack_after(read) or ""
        closes = bool(left) and draw(st.booleans())
        read += CLOSES[left[-1]] if closes else draw(st.sampled_from("([{<"))
    return read


@given(questions())
def test_a_right_trace_has_no_error(question: str) -> None:
    found = first_error(question, trace(question))
    assert found.step is None and found.checked >= len(question)


@given(questions(), st.data())
def test_a_changed_stack_is_found_where_it_was_changed(question: str, data: st.DataObject) -> None:
    steps = trace(question)
    at = data.draw(st.integers(2, 1 + len(question)))
    steps[at] += " ["
    assert first_error(question, steps).step == at


@given(questions(), st.data())
def test_a_bracket_left_out_is_found_where_reading_goes_on_with_another(question: str, data: st.DataObject) -> None:
    steps = trace(question)
    del steps[data.draw(st.integers(2, 1 + len(question)))]
    assert first_error(question, steps).step is not None


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [(4, "is", "is ["), (5, '"["', '"("'), (6, "need", 'need "]",'), (6, "answer is", "answer is >")],
)
def test_the_end_is_held_to_what_is_left(step: int, old: str, new: str) -> None:
    steps = trace("([")
    steps[step] = steps[step].replace(old, new)
    assert first_error("( [", steps).step == step


def test_all_that_is_left_need_not_be_listed() -> None:
    steps = ["( ; stack: (", "We will need to pop out all the elements in the stack.", "So the answer is )"]
    assert first_error("(", steps).step is None
    assert first_error("(", [steps[0], "We will need to pop out nothing."]).step == 1


def test_brackets_that_close_nothing_have_no_stack() -> None:
    assert stack_after("(]") is None and stack_after(")") is None and stack_after("([]") == "("
