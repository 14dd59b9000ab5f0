"""The report of a run says what happened, all of it, and nothing that it cannot stand for."""

from __future__ import annotations

import re
from itertools import pairwise

import polars as pl
import pytest
from tests.report.pages import (
    account,
    cells,
    examples,
    gain,
    parse,
    report_of,
    result,
    rows_of,
    run_directory,
    section,
    spend,
)

from seedbed.errors import ConfigError, DataError
from seedbed.report import write_report

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;</p></style>\u202eabc\ud800"
INTERVAL = re.compile(r"^[+−]?\d+(\.\d+)? \[[+−]?\d+(\.\d+)?, [+−]?\d+(\.\d+)?\]")


def test_the_headline_says_yes_with_gain_interval_and_number_of_rows(tmp_path):
    said = report_of(run_directory(tmp_path)).one("p", "answer").text
    assert said.startswith("Yes, clearly.")
    assert "+14.0 [" in said
    assert "200 test rows" in said


@pytest.mark.parametrize(
    ("found", "start"),
    [
        (gain(12, 10, 200), "Not clear."),
        (gain(10, 40, 200), "No, it clearly hurt."),
        (None, "There is no gain to report"),
    ],
)
def test_not_clear_and_worse_are_said_as_plainly_as_clear(tmp_path, found, start):
    page = report_of(run_directory(tmp_path, result() | {"gain": found}))
    assert page.one("p", "answer").text.startswith(start)


def test_a_simulated_teacher_is_called_a_simulation_before_any_number(tmp_path):
    known = result() | {"is_simulated": True, "teacher": {"model": "sim:reviews"}}
    text = report_of(run_directory(tmp_path, known)).text
    assert 0 < text.index("The teacher is a simulation") < text.index("Did it help?")
    assert "simulated usd" in text


def test_a_real_teacher_is_not_called_a_simulation(tmp_path):
    assert "simulat" not in report_of(run_directory(tmp_path)).text


def test_an_unfinished_run_says_so_first(tmp_path):
    page = report_of(run_directory(tmp_path, result() | {"complete": False}))
    assert page.one("p", "warning").text.startswith("This run is not complete")


def test_hostile_rows_are_shown_as_text(tmp_path):
    found = result() | {"name": HOSTILE, "stopped": [HOSTILE], "student": {"kind": HOSTILE}}
    found["evaluation"]["labels"] = [HOSTILE, "cross"]
    found["evaluation"]["slices"][0]["name"] = HOSTILE
    page = report_of(run_directory(tmp_path, found, shown=examples(HOSTILE)))
    names = {element.name for element in page.all()}
    assert not names & {"script", "img", "iframe", "object", "link", "a1"}
    assert not [name for element in page.all() for name in element.attributes if name.startswith("on")]
    quotes = [element.text for element in page.all("p", "quote")]
    assert quotes.count(HOSTILE.replace("\ud800", "\ufffd")) == 3


def test_the_page_can_load_nothing(tmp_path):
    page = report_of(run_directory(tmp_path))
    policy = next(m.attributes["content"] for m in page.all("meta") if m.attributes.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    for element in page.all():
        assert not set(element.attributes) & {"src", "srcset", "action", "xlink:href", "style"}
        assert (element.attributes.get("href") or "#").startswith("#")
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style


def test_every_score_and_gain_in_a_table_carries_its_interval(tmp_path):
    page = report_of(run_directory(tmp_path))
    checked = 0
    for table in page.all("table"):
        head = [cell.text for cell in table.one("thead").all("th")]
        for line in cells(table):
            for name, cell in zip(head, line, strict=False):
                if re.search(r"(accuracy|student|after,) %|gain, points", name):
                    assert cell == "–" or INTERVAL.match(cell), (name, cell)
                    checked += 1
    assert checked >= 10
    assert all(list(number.all("span", "ci")) for number in page.all("span", "num") if number.attributes.get("title"))


def test_the_accounting_table_adds_up_line_by_line_and_in_sum(tmp_path):
    lines = cells(section(report_of(run_directory(tmp_path)), "accounting").one("table"))
    counts = [[int(re.match(r"[\d,]+", cell).group().replace(",", "")) for cell in line[3:8]] for line in lines]
    assert all(requested == sum(parts) for requested, *parts in counts)
    assert [sum(column) for column in zip(*counts[:-1], strict=True)] == counts[-1]
    assert counts[-1][0] == 400


def test_counts_that_do_not_add_up_are_shown_as_a_fault(tmp_path):
    found = result()
    found["account"]["accepted"] -= 1
    said = section(report_of(run_directory(tmp_path, found)), "accounting").text
    assert "do not add up" in said
    assert "fault of the program" in said


def test_rows_rejected_by_a_later_step_are_counted_where_they_were_asked_for(tmp_path):
    found = result()
    check = {"verb": "verify", "round": 1, "complete": True, "spend": spend(502), "asked": account(100, 10, 0)}
    found["steps"].insert(3, check | {"name": "verify-1", "checked": 99})
    found["account"] |= {"accepted": found["account"]["accepted"] - 9, "rejected": {"verify": 9, "leak": 3}}
    path = run_directory(tmp_path, found)
    rows = rows_of("synthesise-1", account(300)) + rows_of("extrapolate-1", account(100, 10, 0))
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path / "data" / "evaluate-1.parquet")
    part = section(report_of(path), "accounting")
    lines = {line[0].split()[0]: line for line in cells(part.one("table"))}
    assert lines["extrapolate-1"][4] == "90"
    assert lines["verify-1"][:4] == ["verify-1 looked at 99 rows, rejected 0", "1", "100", ""]
    assert not list(part.all("p", "warning"))


def test_rows_that_contradict_the_result_are_shown_as_a_fault(tmp_path):
    path = run_directory(tmp_path)
    pl.DataFrame(rows_of("synthesise-1", account(300)), infer_schema_length=None).write_parquet(
        path / "data" / "evaluate-1.parquet"
    )
    said = section(report_of(path), "accounting").one("p", "warning").text
    assert "do not make the total" in said


def test_openings_of_the_test_part_stand_out_with_their_reasons(tmp_path):
    part = section(report_of(run_directory(tmp_path)), "gold")
    marked = [line.text for line in part.all("tr", "marked")]
    assert [line.split()[0] for line in marked] == ["test", "test"]
    assert "opened 1 time for “final evaluation”" in part.text
    assert "read 2 times to find and reject copies" in part.text
    assert "evaluate-1" in marked[1]


def test_a_run_that_never_opened_the_test_part_says_so(tmp_path):
    found = result()
    found["gold"]["reads"] = [{"split": "steer", "rows": 50, "why": "trained on", "step": "use_gold-1"}]
    assert "The log holds no opening of the test part." in report_of(run_directory(tmp_path, found)).text


def test_how_an_endpoint_is_reached_stays_out_of_the_page(tmp_path):
    text = write_report(run_directory(tmp_path)).read_text()
    assert "openai:some-model" in text
    assert "inside.example" not in text
    assert "secret-header" not in text


def test_what_was_used_paid_and_lost_is_told_apart(tmp_path):
    text = section(report_of(run_directory(tmp_path)), "provenance").text
    assert "402 used: 395 sent by this run, 7 already owned" in text
    assert "0.0402 usd for all of them, 0.0395 usd paid by this run" in text
    assert "1 answer never recorded because a process ended; at most 0.0003 usd" in text


def test_an_unknown_price_is_called_unknown(tmp_path):
    found = result()
    for one in (found, *found["stages"]):
        one["spend"] = spend(402) | {"usd": None, "unknown_price": 402}
    page = report_of(run_directory(tmp_path, found))
    assert "unknown usd" in section(page, "provenance").text
    assert "requests so far" in [axis.text for axis in page.all("text", "title")]


def test_a_run_without_evaluation_reports_what_there_is(tmp_path):
    found = result() | {"gain": None, "evaluation": {}}
    for stage in found["stages"]:
        stage["test"] = stage["truth"] = stage["select"] = None
    page = report_of(run_directory(tmp_path, found, shown=[]))
    assert [part.attributes["id"] for part in page.all("section")] == ["scores", "accounting", "gold", "provenance"]


def test_the_same_run_gives_the_same_bytes(tmp_path):
    path = run_directory(tmp_path)
    assert write_report(path).read_bytes() == write_report(path).read_bytes()


def test_headings_tables_and_pictures_are_told_to_those_who_cannot_see(tmp_path):
    page = report_of(run_directory(tmp_path))
    levels = [int(element.name[1]) for element in page.all() if re.fullmatch(r"h\d", element.name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(cell.attributes.get("scope") in ("row", "col") for cell in page.all("th"))
    for picture in page.all("svg"):
        named = picture.attributes.get("aria-label") or picture.attributes.get("aria-labelledby")
        assert picture.attributes.get("aria-hidden") or (picture.attributes["role"] == "img" and named)
    names = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(names) == len(set(names))
    assert {a.attributes["href"][1:] for a in page.all("a")} <= set(names)


def test_a_long_text_is_cut_and_says_so(tmp_path):
    page = report_of(run_directory(tmp_path, shown=examples("word " * 400)))
    assert "(700 of 2,000 characters)" in page.one("p", "quote").text


def test_a_directory_without_a_result_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(ConfigError, match="no finished run"):
        write_report(tmp_path)


@pytest.mark.parametrize("content", ["{broken", "{}"])
def test_a_result_of_another_kind_is_refused_and_nothing_is_written(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(DataError, match="not what this version writes"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_many_labels_keep_their_confusion_matrix_readable(tmp_path):
    found = result()
    labels = [f"a rather long label {number}" for number in range(30)]
    found["evaluation"] |= {"labels": labels, "confusion": [[9 * (a == b) for b in range(30)] for a in range(30)]}
    picture = section(report_of(run_directory(tmp_path, found)), "confusion").one("svg", "chart")
    assert len(list(picture.all("rect"))) == 900
    assert not list(picture.all("text", "strong"))
    assert "label 29 answered as a rather long label 29: 9 of 9" in picture.text


def test_the_page_is_one_whole_document(tmp_path):
    page = write_report(run_directory(tmp_path)).read_text()
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert [child.name for child in parse(page).all("html")] == ["html"]
