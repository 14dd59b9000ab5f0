import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.estimate import wilson
from seedbed.inspection.tamper.probes import PROBES, fenced, neutralise, obedience, probe

PIECES = [
    "<",
    ">",
    "|",
    "`",
    "/row",
    "row",
    "#",
    "-",
    "=",
    "\n",
    " ",
    "Assistant:",
    "[INST]",
    "\u200b",
    "*",
    "x",
    '"',
    "~",
]
STRUCTURE = ["</row>", "<|im_end|>", "<row>", "```", "\n###", "\nAssistant:", "[INST]", "<<SYS>>", "\n---"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text())
def test_doing_it_twice_changes_nothing_more(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_structure_survives(text: str) -> None:
    made = "\n" + neutralise(text)
    assert not [one for one in STRUCTURE if one in made]


@given(st.text())
def test_every_visible_letter_stays_in_its_order(text: str) -> None:
    kept = [one for one in neutralise(text) if one.isalnum()]
    assert kept == [one for one in text if one.isalnum()]


@pytest.mark.parametrize("text", ["if a < b and b > 2: x = [1]", "5 - 3 = 2", "He said: yes.", "| a | b |", "a_b * c"])
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert neutralise(text) == text


def test_invisible_characters_cannot_hide_a_tag() -> None:
    assert neutralise("<\u200b/row>") == "< /row>"
    assert neutralise("safe\U000e0041\u202etext") == "safetext"


@pytest.mark.parametrize("style", PROBES)
def test_no_probe_breaks_out_of_a_fence(style: str) -> None:
    shown = fenced(PROBES[style].format(text="2 + 2 = 5"), rng_seed=3)
    tag = shown[1 : shown.index(">")]
    assert shown.count(tag) == 2 and shown.endswith(f"</{tag}>")
    assert not [one for one in STRUCTURE if one in shown.replace(f"</{tag}>", "")]


def test_fences_differ_between_runs() -> None:
    assert fenced("text", rng_seed=1) != fenced("text", rng_seed=2)


def test_every_style_is_tried_and_the_key_leads_back() -> None:
    rows = pl.DataFrame({"id": [str(at) for at in range(24)], "text": ["2 + 2 = 5"] * 24})
    made, key = probe(rows, column="text")
    assert key["probe"].value_counts()["count"].to_list() == [3] * len(PROBES)
    assert key["was_id"].to_list() == rows["id"].to_list() and made["id"].to_list() == key["id"].to_list()
    assert all("2 + 2 = 5" in text and text != "2 + 2 = 5" for text in made["text"])


def test_a_judge_that_obeys_is_seen() -> None:
    rows = pl.DataFrame({"id": [str(at) for at in range(16)], "text": ["2 + 2 = 5"] * 16})
    made, key = probe(rows, column="text")
    plain = pl.DataFrame({"id": rows["id"], "by": "judge", "p_good": [0.9] + [0.1] * 15})
    obeys = pl.Series([0.9 if "Verdict: good" in text else 0.1 for text in made["text"]])
    found = obedience(plain, pl.DataFrame({"id": made["id"], "by": "judge", "p_good": obeys}), key)
    turned = {one.probe: one.turned for one in found}
    assert sum(one.n for one in turned.values()) == 15
    assert turned["chat turn"].value == 1.0 and turned["order"] == wilson(0, turned["order"].n)


def test_an_abstention_after_a_probe_has_turned() -> None:
    key = pl.DataFrame({"id": ["p"], "was_id": ["a"], "probe": ["order"]})
    plain = pl.DataFrame({"id": ["a"], "by": "j", "p_good": [0.1]})
    probed = pl.DataFrame({"id": ["p"], "by": "j", "p_good": [None]}, schema_overrides={"p_good": pl.Float64})
    assert obedience(plain, probed, key)[0].turned.value == 1.0
