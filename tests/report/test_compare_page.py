"""The report of a comparison gives a verdict that its intervals bear."""

from __future__ import annotations

import re

from tests.report.pages import cells, comparison, comparison_directory, gain, report_of, section, share

from seedbed.compare import verdicts


def test_a_method_that_does_not_beat_every_baseline_is_said_not_to(tmp_path):
    said = report_of(comparison_directory(tmp_path)).one("p", "answer").text
    assert said.startswith("Not shown. s3 does not clearly beat every baseline.")
    assert "not clear whether it is better than plain, +1.5 [" in said
    assert "clearly beats gold" in said


def test_a_method_that_beats_every_baseline_is_said_to_with_its_gains(tmp_path):
    found = comparison({"s3": {"plain": gain(50, 5, 200), "gold": gain(40, 10, 200)}})
    said = report_of(comparison_directory(tmp_path, found)).one("p", "answer").text
    assert said.startswith("Yes, clearly. s3 beats every baseline")
    assert "plain, +22.5 [" in said


def test_a_method_that_is_clearly_worse_is_said_to_be(tmp_path):
    found = comparison({"s3": {"plain": gain(5, 50, 200), "gold": gain(40, 10, 200)}})
    assert "clearly worse than plain" in report_of(comparison_directory(tmp_path, found)).one("p", "answer").text


def test_without_baselines_nothing_is_claimed(tmp_path):
    found = comparison()
    found |= {"methods": {"s3": found["methods"]["s3"]}, "gains": {"s3": {}}}
    found["verdicts"] = verdicts(found["gains"], ["s3"])
    page = report_of(comparison_directory(tmp_path, found))
    assert page.one("p", "answer").text.startswith("Nothing can be said about s3")
    assert "These baselines were not run: plain, gold, plain+gold" in section(page, "caveats").text


def test_the_table_shows_every_gain_with_interval_and_in_words_whether_it_is_clear(tmp_path):
    table = section(report_of(comparison_directory(tmp_path)), "methods").one("table")
    head = [cell.text for cell in table.one("thead").all("th")]
    assert head == ["method", "rows", "requests", "usd", "test accuracy %", "over plain", "over gold"]
    lines = {line[0].split()[0]: line for line in cells(table)}
    assert re.fullmatch(r"\+1\.5 \[−\S+, \+\S+\] not clear", lines["s3"][5])
    assert lines["s3"][6].endswith("clear gain")
    assert lines["gold"][5].endswith("clear loss")
    assert lines["plain"][5] == "–"
    assert all(re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", line[4]) for line in lines.values())


def test_what_a_method_is_stays_text(tmp_path):
    assert "the recipe <itself>" in section(report_of(comparison_directory(tmp_path)), "methods").text


def test_one_seed_is_said_to_leave_doubt_out(tmp_path):
    text = section(report_of(comparison_directory(tmp_path, comparison() | {"rng_seeds": [0]})), "caveats").text
    assert "only: with one rng seed nothing is known" in text


def test_students_along_the_way_show_their_intervals_where_they_have_them(tmp_path):
    found = comparison()
    assert "Points without a bar" in section(report_of(comparison_directory(tmp_path, found)), "rounds").text
    for method in found["methods"].values():
        for stage in method["stages"]:
            stage["test"] = share(150, 200)
    part = section(report_of(comparison_directory(tmp_path, found)), "rounds")
    assert "Points without a bar" not in part.text
    marks = [one for picture in part.all("svg", "chart") for one in picture.all("path", "mark")]
    bars = [one for picture in part.all("svg", "chart") for one in picture.all("line", "doubt")]
    assert len(marks) == len(bars) > 0


def test_the_lines_of_the_accounting_add_up(tmp_path):
    lines = cells(section(report_of(comparison_directory(tmp_path)), "accounting").one("table"))
    for line in lines:
        requested, *parts = (int(cell.split()[0].replace(",", "")) for cell in line[1:6])
        assert requested == sum(parts)


def test_only_a_known_world_has_a_section_on_the_truth(tmp_path):
    found = comparison()
    names = [part.attributes["id"] for part in report_of(comparison_directory(tmp_path, found)).all("section")]
    assert "truth" not in names
    truth = {"total_variation": 0.4, "total_variation_of_gold": 0.1, "wrong_labels": 0.05, "missing_tails": 0.3}
    for stage in (*found["methods"]["s3"]["stages"], *found["methods"]["plain"]["stages"]):
        stage["truth"] = truth
    page = report_of(comparison_directory(tmp_path, found | {"is_simulated": True, "teacher": "sim:reviews"}))
    assert [line[0] for line in cells(section(page, "truth").one("table"))] == ["s3", "plain"]
    assert "The teacher is a simulation" in page.text
