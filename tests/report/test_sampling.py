"""The report of a pool says what the budget was spent on, why, and whether the forecast held."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import yaml
from tests.report.pages import (
    alone,
    cells,
    comparison,
    comparison_directory,
    mean,
    outcome,
    pool,
    report_of,
    result,
    run_directory,
    sampled,
    sampled_directory,
    section,
    share,
)

from seedbed.report import write_report
from seedbed.report.words import amount, bare_amount

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def sampling(path, found=None):
    """The pool's section of a run's report."""
    return section(report_of(sampled_directory(path, found)), "sampling")


def options(part):
    """The plan's table: name to line."""
    return {line[0]: line for line in cells(plan_table(part))}


def plan_table(part):
    """The table of options."""
    return list(part.all("table"))[1]


def test_a_run_that_samples_nothing_has_no_such_section(tmp_path):
    for found in (result(), result() | {"sampling": None}):
        page = report_of(run_directory(tmp_path, found))
        assert "sampling" not in [part.attributes["id"] for part in page.all("section")]
        assert "What did the budget buy?" not in page.text


def test_the_headline_of_a_pool_says_what_was_solved_at_what_cost_and_whether_the_forecast_held(tmp_path):
    page = report_of(sampled_directory(tmp_path))
    said = page.one("p", "answer").text
    assert said.startswith("33 of 40 problems are solved, with 157 different right solutions, for 4.0e10 FLOPs.")
    assert "The forecast held: 150 [120, 180] different right solutions were forecast and 157 came out" in said
    assert "gain" not in page.one("div", "headline").text


@pytest.mark.parametrize(("came", "where"), [(99.0, "below the interval"), (201.0, "above the interval")])
def test_a_forecast_that_did_not_hold_is_said_as_plainly_as_one_that_did(tmp_path, came, where):
    page = report_of(sampled_directory(tmp_path, pool(came_out=came)))
    assert "The forecast did not hold" in page.one("p", "answer").text
    assert where in page.one("p", "answer").text
    assert "forecast missed" in page.one("dl", "tiles").text
    assert "forecast held" not in page.text


def test_a_gain_keeps_the_headline_and_the_pool_stands_beside_it(tmp_path):
    page = report_of(run_directory(tmp_path, result() | {"sampling": pool()}))
    assert page.one("p", "answer").text.startswith("Yes, clearly.")
    assert "problems solved, %" in page.one("dl", "tiles").text
    ids = [part.attributes["id"] for part in page.all("section")]
    assert ids.index("sampling") < ids.index("scores")


def test_one_student_trained_on_the_pool_is_told_with_its_score(tmp_path):
    found = result() | {"sampling": pool(), "gain": None}
    found["stages"] = found["stages"][:1]
    said = report_of(run_directory(tmp_path, found)).one("p", "answer").text
    assert "The student trained on it reaches 70.0 [" in said


def test_the_decision_names_what_was_chosen_why_and_the_better_teacher_with_its_probability(tmp_path):
    said = sampling(tmp_path).one("dl", "facts").text
    assert "adaptive : draw by draw" in said
    assert "17.5 from weak, 0.9 from strong" in said
    assert "best forecast, 150 [120, 180] different right solutions; the next best is fixed weak with 131" in said
    assert "the choice is not a clear one" in said
    assert "weak brings more with probability 0.91" in said
    assert "99 % of the budget; 5.2e9 FLOPs of it, 13 %, was the pilot" in said


def test_a_strategy_that_the_recipe_sets_against_the_plan_is_not_called_the_plans_choice(tmp_path):
    found = pool(strategy="cascade", chosen="fixed strong")
    said = sampling(tmp_path, found).one("dl", "facts").text
    assert "The recipe asks for it; the plan recommends adaptive, 150 [120, 180]" in said


def test_a_cheaper_way_that_is_nearly_as_good_is_not_said_to_have_the_best_forecast(tmp_path):
    found = pool(chosen="fixed weak")
    found["plan"]["recommended"] = "fixed weak"
    found["plan"]["options"][1]["spent"] = 2e10
    said = sampling(tmp_path, found).one("dl", "facts").text
    assert "is near the best of 3 ways to spend the budget, 150 [120, 180] of adaptive" in said
    assert "expected to cost least, 2.0e10 FLOPs against 3.8e10 FLOPs" in said
    assert "The recipe asks" not in said


def test_every_option_is_shown_with_its_forecast_and_only_the_chosen_one_with_an_outcome(tmp_path):
    part = sampling(tmp_path)
    lines = options(part)
    assert list(lines) == ["adaptive chosen", "fixed weak", "fixed strong"]
    assert lines["adaptive chosen"][3:] == ["150 [120, 180]", "157 forecast held", "3.8e10"]
    assert lines["fixed strong"][3:] == ["90 [70, 110]", "", "3.9e10"]
    assert [line.one("th").text for line in part.all("tr", "chosen")] == ["adaptive chosen"]
    drawn = list(plan_table(part).all("svg", "inline"))
    assert [len(list(one.all("g", "rim"))) for one in drawn] == [1, 0, 0]


def test_a_cell_draws_interval_forecast_and_outcome_in_their_order_on_one_scale(tmp_path):
    drawn = list(plan_table(sampling(tmp_path)).all("svg", "inline"))
    ends = [sorted(float(one.one("line", "doubt").attributes[x]) for x in ("x1", "x2")) for one in drawn]
    assert ends[0][1] == pytest.approx(182)
    assert ends[2][0] == pytest.approx(8)
    a_solution = (ends[0][1] - ends[2][0]) / (180 - 70)
    assert ends[1][0] == pytest.approx(8 + (100 - 70) * a_solution, abs=0.02)


def test_every_forecast_of_the_curves_is_a_place_on_a_band_with_its_numbers(tmp_path):
    picture = sampling(tmp_path).one("svg", "chart")
    assert len(list(picture.all("path", "band"))) == 2
    tips = [one.text for one in picture.all("title")]
    assert "weak: 8 draws, forecast 57.0 [49.0, 64.0] %" in tips
    assert "strong: 2 draws, forecast 66.0 [58.0, 73.0] %" in tips
    assert len([tip for tip in tips if ", forecast" in tip]) == 6
    assert any(tip.startswith("the whole pool, came out: 19.3 draws") for tip in tips)


def test_doubling_the_draws_is_the_same_way_along_the_chart_everywhere(tmp_path):
    way = sampling(tmp_path).one("svg", "chart").one("path", "broken").attributes["d"]
    across = [float(place.split()[0]) for place in way[1:].split("L")]
    steps = [after - before for before, after in pairwise(across)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.02)


def test_checks_of_a_fixed_plan_are_points_in_the_colour_of_its_teacher(tmp_path):
    checks = [
        {"k": 1, "actual": 0.25, "error": 0.01, "holds": True},
        {"k": 2, "actual": 0.31, "error": 0.06, "holds": True},
        {"k": 4, "actual": 0.35, "error": 0.13, "holds": False},
    ]
    part = sampling(tmp_path, pool(chosen="fixed weak", checks=checks))
    picture = part.one("svg", "chart")
    points = picture.one("g", "rim")
    assert "s1" in (points.attributes["class"] or "").split()
    assert [one.text.split(", ", 2)[2] for one in points.all("title")] == [
        "25.0 %, inside the interval",
        "31.0 %, inside the interval",
        "35.0 %, outside the interval",
    ]
    assert "the whole pool" not in picture.text
    said = part.one("dl", "facts").text
    assert "held at 2 of 3 numbers of draws" in said
    assert "off by 13.0 points at most" in said


def test_teachers_are_compared_on_the_pilot_where_later_draws_went_to_the_hard_problems(tmp_path):
    table = list(sampling(tmp_path).all("table"))[2]
    assert "Only the pilot's column compares them" in table.one("caption").text
    lines = {line[0].split()[0]: line for line in cells(table)}
    assert lines["weak"][0] == "weak pocket:weak"
    assert lines["weak"][1] == "700 of 40 problems"
    assert lines["weak"][2].startswith("25.0 [")
    assert lines["weak"][3].startswith("27.1 [")
    assert lines["strong"][5:] == ["2.4e8", "1.7e10", "61 / 44"]


def test_the_pool_is_told_with_what_a_solved_problem_and_a_different_solution_cost(tmp_path):
    lines = {line[0]: line for line in cells(sampling(tmp_path).one("table"))}
    assert lines["problems solved, %"][2] == "33 of 40"
    assert lines["cost of a solved problem"][1:] == ["1.2e9 [1.1e9, 1.4e9]", "FLOPs"]
    assert lines["cost of a different right solution"][1] == "2.5e8 [2.1e8, 3.3e8]"
    assert lines["right answers by wrong steps, %"][2] == "3 not checkable"


def test_without_a_pilot_nothing_is_said_to_have_been_forecast(tmp_path):
    page = report_of(sampled_directory(tmp_path, alone()))
    part = section(page, "sampling")
    assert "There was no pilot, and nothing was forecast." in part.text
    assert not list(part.all("svg", "chart"))
    assert "held" not in page.one("div", "headline").text
    assert [cell.text for cell in list(part.all("table"))[1].all("th")][:3] == [
        "teacher",
        "draws",
        "right, all draws, %",
    ]


def test_a_pool_that_solved_nothing_is_reported_and_its_costs_are_unknown_not_zero(tmp_path):
    none = outcome(solved=0, found=0, coverage=share(0, 40), unique=mean(0, 0, 0))
    none |= {"false_positives": None, "cost_per_solved": None, "cost_per_unique": None}
    page = report_of(sampled_directory(tmp_path, alone(outcome=none)))
    assert page.one("p", "answer").text.startswith("0 of 40 problems are solved")
    lines = {line[0]: line[1] for line in cells(section(page, "sampling").one("table"))}
    assert lines["cost of a solved problem"] == "–"
    assert lines["problems solved, %"].startswith("0.0 [0.0, ")


@pytest.mark.parametrize("goal", ["coverage", "student"])
def test_other_objectives_are_told_in_their_own_words(tmp_path, goal):
    told = mean(0.62, 0.55, 0.7) if goal == "coverage" else mean(52.3, 40.0, 61.0)
    found = pool(objective=goal, forecast=told, came_out=told["value"])
    for option in found["plan"]["options"]:
        option["forecast"] = told
    said = report_of(sampled_directory(tmp_path, found)).text
    wanted = "62.0 [55.0, 70.0] % solved were forecast and 62.0 % came out"
    other = "52 [40, 61] of worth to a student were forecast and 52 came out"
    assert (wanted if goal == "coverage" else other) in said


def test_names_of_teachers_and_plans_stay_text(tmp_path):
    found = pool(chosen=HOSTILE)
    found["plan"]["options"][0] |= {"name": HOSTILE, "draws": {HOSTILE: 3.0}}
    found["plan"] |= {"better": HOSTILE, "recommended": HOSTILE}
    for names in (found["teachers"], found["forecasts"], found["pilot"]["teachers"]):
        names[HOSTILE] = names.pop("weak")
    found["forecasts"][HOSTILE]["law"] = HOSTILE
    page = report_of(sampled_directory(tmp_path, found))
    assert not {element.name for element in page.all()} & {"script", "img"}
    assert not [name for element in page.all() for name in element.attributes if name.startswith("on")]
    assert section(page, "sampling").text.count(HOSTILE) > 8


def test_pictures_and_numbers_of_the_pool_are_told_to_those_who_cannot_see(tmp_path):
    part = sampling(tmp_path)
    for picture in part.all("svg"):
        named = picture.attributes.get("aria-label") or picture.attributes.get("aria-labelledby")
        assert picture.attributes.get("aria-hidden") or (picture.attributes["role"] == "img" and named)
    assert "57.0 [49.0, 64.0]" in part.one("svg", "chart").one("desc").text


def test_provenance_names_every_teacher_that_was_asked(tmp_path):
    said = section(report_of(sampled_directory(tmp_path)), "provenance").text
    assert "weak: pocket:weak" in said
    assert "strong: pocket:strong" in said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (1.234e11, "flops", "1.2e11 FLOPs"),
        (0.0, "flops", "0 FLOPs"),
        (12.3456, "usd", "12.35 usd"),
        (1234.5, "usd", "1,234.50 usd"),
        (0.0123, "usd", "0.012 usd"),
        (0.0000321, "usd", "0.000032 usd"),
        (12.34, "seconds", "12.3 s"),
        (0.0456, "seconds", "0.046 s"),
        (4321.0, "seconds", "4,321 s"),
        (None, "usd", "unknown"),
    ],
)
def test_a_cost_is_said_with_the_digits_its_unit_and_size_call_for(value, unit, said):
    assert amount(value, unit) == said


@pytest.mark.parametrize("power", range(-9, 13))
def test_no_cost_is_rounded_to_nothing(power):
    for unit in ("usd", "seconds", "flops"):
        shown = float(bare_amount(1.5 * 10.0**power, unit).replace(",", ""))
        assert shown == pytest.approx(1.5 * 10.0**power, rel=0.35)


def planned():
    """A comparison of a plan with each of its teachers alone."""
    found = comparison()
    arms = {"planned": pool(), "weak": alone(), "strong": alone(strategy="strong")}
    methods = dict(zip(arms, found["methods"].values(), strict=True))
    found |= {"methods": {name: one | {"sampling": arms[name]} for name, one in methods.items()}}
    gains = found["gains"]["s3"]["plain"]
    found |= {"itself": "planned", "baselines": ["weak", "strong"]}
    found["gains"] = {"planned": {"weak": gains, "strong": gains}, "weak": {"strong": gains}, "strong": {"weak": gains}}
    found["verdicts"] = {"planned": {"helps": False, "beaten": [], "not_beaten": ["weak", "strong"]}}
    return found


def test_a_comparison_shows_what_each_arm_drew_and_what_is_equal(tmp_path):
    page = report_of(comparison_directory(tmp_path, planned()))
    lines = {line[0].split()[0]: line for line in cells(section(page, "pools").one("table"))}
    assert list(lines) == ["planned", "weak", "strong"]
    assert lines["planned"][0] == "planned adaptive"
    assert lines["planned"][1:3] == ["700 weak, 72 strong", "4.0e10"]
    assert lines["planned"][-1] == "forecast held"
    assert lines["weak"][-1] == ""
    assert "equal in FLOPs, not in requests" in section(page, "caveats").text
    assert "any one teacher" in section(page, "methods").text
    assert re.search(r"does not clearly beat every baseline.*weak, \+1\.5", page.one("p", "answer").text)


def test_teachers_of_a_comparison_have_colours_and_shapes_of_their_own(tmp_path):
    found = planned()
    for one in found["methods"].values():
        one["stages"] = one["stages"][:1]
    page = report_of(comparison_directory(tmp_path, found))
    names = list(section(page, "rounds").all("ul", "legend"))[-1]
    looks = [one.attributes["class"] for one in names.all("svg", "swatch")]
    assert len(looks) == len(set(looks)) == 3


def test_a_comparison_of_methods_that_write_rows_has_no_pools(tmp_path):
    page = report_of(comparison_directory(tmp_path))
    assert "pools" not in [part.attributes["id"] for part in page.all("section")]
    assert "equal in requests" in section(page, "caveats").text


def test_an_unknown_price_gives_way_to_the_unit_that_the_pool_is_counted_in(tmp_path):
    found = sampled()
    found["spend"] |= {"usd": None, "unknown_price": 772}
    tiles = report_of(run_directory(tmp_path, found)).one("dl", "tiles").text
    assert "772 requests 4.0e10 FLOPs" in tiles
    assert "unknown" not in tiles


def test_how_any_teacher_is_reached_stays_out_of_the_page(tmp_path):
    path = sampled_directory(tmp_path)
    teachers = {name: {"model": "m", "endpoint": {"headers": {"x": f"secret-{name}"}}} for name in ("weak", "strong")}
    (path / "recipe.yaml").write_text(yaml.safe_dump({"name": "problems", "teachers": teachers}), encoding="utf-8")
    page = write_report(path).read_text(encoding="utf-8")
    assert "model: m" in page
    assert "secret" not in page
