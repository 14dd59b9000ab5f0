import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.pocket.problems import write
from seedbed.verification.equations import equations_of, value_of
from seedbed.verification.steps import check_steps, step_key, text_key

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SEEDBED_DATA", ROOT.parent / "shared" / "data"))
DUCKS = "Janet's ducks lay 16 eggs per day. She eats three and bakes with four. She sells the rest for $2 per egg."
needs_gsm8k = pytest.mark.skipif(not (REAL / "gsm8k").exists(), reason="needs the real GSM8K files")


@pytest.mark.parametrize(
    ("text", "equations"),
    [
        ("She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.", ["16 - 3 - 4 = 9", "16 - 3 - 4 = 9"]),
        ("$2 * 9 = $18 a day", ["2 * 9 = 18"]),
        ("7 stickers/page * 6 pages = 42", ["7 * 6 = 42"]),
        ("10 x 1,248 = 12,480", ["10 * 1248 = 12480"]),
        ("3 × 4 ÷ 2 = 6", ["3 * 4 / 2 = 6"]),
        ("220 – 22 = 198 liters", ["220 - 22 = 198"]),
        ("10% of 50 = 5", ["10% * 50 = 5"]),
        ("He has 5 pens and 3 * 2 = 6 books, so 5 + 6 = 11.", ["3 * 2 = 6", "5 + 6 = 11"]),
        ("2 + 3 = 5 = 4 + 1", ["2 + 3 = 5"]),
        ("6 pets (4 + 2 = 6 pets)", ["4 + 2 = 6"]),
        ("1 1/2 * 60 = 90", ["(1 + 1 / 2) * 60 = 90"]),
        ("4 times 5 equals 20", ["4 * 5 = 20"]),
        ("3(4+1)=15", ["3 * (4 + 1) = 15"]),
        ("x = 5 + 3 = 8", ["5 + 3 = 8"]),
        ("14 hours = 14 * 60 = 840 minutes", ["14 * 60 = 840"]),
        ("5x = 20", []),
        ("no numbers = here", []),
    ],
)
def test_equations_are_found_among_words_and_units(text: str, equations: list[str]) -> None:
    assert [str(equation) for equation in equations_of(text).equations] == equations


@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        max_leaves=8,
    )
)
def test_a_side_is_worth_what_python_says(formula: str) -> None:
    chain = equations_of(f"<<{formula}+1=0>>")
    assert value_of(chain.equations[0].left) == eval(formula) + 1


def test_a_right_chain_passes_whatever_its_wording() -> None:
    marked = "She sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nShe makes 9 * 2 = $<<9*2=18>>18.\n#### 18"
    spoken = "3 + 4 = 7 eggs are used and 16 - 7 = 9 eggs are left. $2 x 9 eggs = $18. The answer is 18."
    assert check_steps(DUCKS, marked).p_good == check_steps(DUCKS, spoken).p_good == 0.95


@pytest.mark.parametrize(
    ("solution", "p_good", "reason"),
    [
        ("16 - 3 - 4 = 8. 8 * 2 = 16. The answer is 16.", 0.02, "false: 16 - 3 - 4 = 8"),
        ("16 - 3 = 13 - 4 = 9. 9 * 2 = 18. The answer is 18.", 0.02, "false: 16 - 3 = 13 - 4"),
        ("16 - 7 = <<16-7=9>>8. The answer is 8.", 0.02, "false: 16 - 7 = 8"),
        ("3 * 6 = 18. The answer is 18.", 0.2, "6 comes from nowhere in 3 * 6 = 18"),
        ("16 - 3 - 4 = 9. 9 * 2 = 18. The answer is 20.", 0.1, "the answer 20 is no equation's result"),
        ("16 - 3 - 4 = 9. 9 * 2 = 18. The answer is 9.", 0.1, "the answer 9 is used further in 9 * 2 = 18"),
        ("She makes 18 dollars. The answer is 18.", None, "no equation to check"),
        ("5x = 90, so x = 18. Then 6 * 3 = 18. The answer is 18.", None, "algebra"),
    ],
)
def test_the_first_bad_step_is_named(solution: str, p_good: float | None, reason: str) -> None:
    verdict = check_steps(DUCKS, solution)
    assert verdict.p_good == p_good
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    ("problem", "solution"),
    [
        ("He reads 3 pages a day for two weeks.", "2 * 7 = 14 days. 14 * 3 = 42. The answer is 42."),
        ("A coat of $80 is 25% off.", "80 * 0.25 = 20. 80 - 20 = 60. The answer is 60."),
        ("A coat of $80 is 25% off.", "80 * 75% = 60. The answer is 60."),
        ("Half of the 30 pupils left.", "30 / 2 = 15. The answer is 15."),
        ("A third of 30 pupils left.", "30 * 2/3 = 20 stayed. The answer is 20."),
        ("10 buses of 3 tons.", "10 / 3 = 3.33. The answer is 4."),
        ("There are 18 women for every 162 people.", "18 / 162 * 99 = 11 has 99 from nowhere, 99 + 1 = 100."),
    ],
)
def test_numbers_may_come_from_the_problem_its_units_and_its_percentages(problem: str, solution: str) -> None:
    is_given = "nowhere" not in solution
    assert (check_steps(problem, solution).p_good == 0.95) == is_given


def test_a_constant_is_allowed_only_where_its_unit_is_named() -> None:
    assert check_steps("She earns 30 a week.", "30 / 7 = 4.28. The answer is 4.28.").p_good == 0.95
    assert check_steps("She earns 30 a game.", "30 / 7 = 4.28. The answer is 4.28.").p_good == 0.2


def test_without_a_problem_the_origin_of_numbers_is_not_asked() -> None:
    assert check_steps("", "3 * 6 = 18. The answer is 18.").p_good == 0.95


def test_every_solution_of_the_pocket_problems_passes_and_every_broken_one_fails() -> None:
    for problem in write(100, rng_seed=11):
        assert check_steps(problem.text, problem.solution).p_good == 0.95
        result = problem.solution.rpartition(" = ")[2].partition(".")[0]
        broken = problem.solution.replace(f"= {result}.", f"= {int(result) + 1}.")
        assert check_steps(problem.text, broken).is_bad


def test_solutions_are_the_same_reasoning_whatever_the_words_and_the_order_of_operands() -> None:
    first = step_key("First 3 + 12 = 15 pens. Then 15 * 2 = 30, and 30 - 4 - 1 = 25.")
    assert first == step_key("12+3 = <<12+3=15>>15. $2 x 15.0 = $30.\n30 - 1 - 4 = 25 are left.")
    assert first != step_key("12 + 3 = 15. 15 + 15 = 30. 30 - 4 - 1 = 25.")
    assert step_key("2 + 3 = 5. 4 * 5 = 20.") == step_key("4 * 5 = 20. 2 + 3 = 5.")
    assert step_key("(2 + 3) * 4 = 20") != step_key("2 + 3 * 4 = 14")
    assert step_key("8 - 3 = 5") != step_key("3 - 8 = 5")


def test_solutions_in_words_alone_are_told_apart_by_their_words() -> None:
    assert step_key("It is seven.") == step_key("it is  seven!") != step_key("It is eight.")


def test_the_text_key_keeps_signs_of_arithmetic() -> None:
    keys = {text_key(f"3 {sign} 4 is 1.5") for sign in "+-*/"}
    assert len(keys) == 4
    assert text_key("So  3 + 4 = <<3+4=7>>7!") == text_key("so 3+4=7")
    assert text_key("It costs 1.5") != text_key("It costs 15")


@settings(max_examples=100)
@given(st.text("0123456789.,%+-*/()=<>$x of and\n", max_size=200))
def test_no_solution_makes_the_checker_raise(text: str) -> None:
    verdict = check_steps(DUCKS, text)
    assert verdict.p_good is None or 0 <= verdict.p_good <= 1
    assert step_key(text) == step_key(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "1=" * 20_000,
        "1+" * 20_000 + "=3",
        "9" * 50_000 + "=9",
        "a " * 50_000,
        "<<" * 50_000,
        "5 and " * 9000,
    ],
)
def test_hostile_solutions_take_bounded_time(text: str) -> None:
    check_steps(text, text)
    step_key(text)


def rows(name: str, count: int) -> list[Any]:
    with (REAL / "gsm8k" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]


@needs_gsm8k
def test_gold_solutions_of_gsm8k_nearly_all_pass() -> None:
    grades = Counter(check_steps(row["question"], row["answer"]).p_good for row in rows("train", 400))
    assert grades[0.95] / 400 > 0.88
    assert grades[0.02] / 400 < 0.02


@needs_gsm8k
def test_wrong_solutions_of_real_models_are_flagged_more_often_than_right_ones() -> None:
    flagged = {True: [0, 0], False: [0, 0]}
    for row in rows("model_solutions", 200):
        for model in ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"):
            verdict = check_steps(row["question"], row[model]["solution"])
            flagged[row[model]["is_correct"]][0] += verdict.is_bad
            flagged[row[model]["is_correct"]][1] += 1
    shares = {is_correct: bad / n for is_correct, (bad, n) in flagged.items()}
    assert shares[True] < 0.04
    assert shares[False] > 0.09
