"""Text of strangers stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.pages import parse

from seedbed.report.html import NOT_PRINTABLE, Markup, tag

# Signs that mean something in HTML are rare among all signs; half of every text is made of them.
texts = st.text(st.sampled_from("<>\"'&;=/!-# a") | st.characters(exclude_characters="\r"))


@given(texts)
def test_any_text_comes_back_as_the_text_of_its_element_and_opens_no_other(text):
    page = parse(tag("p", text))
    [only] = list(page.all())
    assert "".join(str(child) for child in only.children) == NOT_PRINTABLE.sub("\ufffd", text)


@given(texts)
def test_any_text_stays_within_its_attribute(text):
    [only] = list(parse(tag("p", "x", title=text)).all())
    assert only.attributes == {"title": NOT_PRINTABLE.sub("\ufffd", text)}


def test_markup_is_not_escaped_twice():
    assert tag("p", tag("b", "<"), " & ") == "<p><b>&lt;</b> &amp; </p>"


def test_half_a_surrogate_and_control_signs_can_be_written_as_utf_8():
    assert tag("p", "a\ud800b\x00c\x1bd").encode() == "<p>a\ufffdb\ufffdc\ufffdd</p>".encode()


def test_attributes_that_are_none_or_false_are_left_out_and_true_stands_bare():
    assert (
        tag("p", hidden=True, title=None, id=False, class_="a", aria_label="b")
        == '<p hidden class="a" aria-label="b"></p>'
    )


@pytest.mark.parametrize("name", ["p onload", "p>", "", "1p"])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        tag(name)


def test_numbers_are_written_for_readers_between_tags_and_for_machines_in_attributes():
    assert tag("line", x1=12.3456) == '<line x1="12.35"/>'
    assert tag("td", 1234567) == "<td>1,234,567</td>"
    assert isinstance(tag("p"), Markup)
