import polars as pl
import pytest

from seedbed.errors import BoundaryError, ConfigError, DataError
from seedbed.inspection.tamper.labels import flip
from seedbed.inspection.tamper.plant import plant
from seedbed.inspection.tamper.programs import PROGRAMS
from seedbed.inspection.tamper.solutions import SOLUTIONS, still_adds_up


def solved(n: int = 60) -> pl.DataFrame:
    texts = [
        f"He has {a} + {a + 3} = {2 * a + 3}.\nHe eats 2, so {2 * a + 3} - 2 = {2 * a + 1}." for a in range(4, n + 4)
    ]
    return pl.DataFrame({"id": [f"row {at}" for at in range(n)], "made_by": "m", "solution": texts})


def test_copies_are_hidden_under_new_ids_and_the_key_knows_them() -> None:
    rows = solved()
    made = plant(rows, SOLUTIONS, column="solution", share=0.2, is_still_right=still_adds_up)
    assert made.rows.height == made.key.height == 72 and made.rows.columns == rows.columns
    assert made.rows["id"].to_list() == made.key["id"].to_list()
    assert not set(made.rows["id"]) & set(rows["id"]) and made.rows["id"].n_unique() == 72
    assert made.key["defect"].drop_nulls().value_counts()["count"].to_list() == [3, 3, 3, 3] and made.short == {}


def test_undoing_the_edit_gives_the_original_back() -> None:
    rows = solved()
    made = plant(rows, SOLUTIONS, column="solution", share=0.5)
    before = dict(zip(rows["id"], rows["solution"], strict=True))
    for text, key in zip(made.rows["solution"], made.key.iter_rows(named=True), strict=True):
        original = before[key["was_id"]]
        if key["defect"] is None:
            assert text == original
        else:
            at, was, now = key["at"], key["was"], key["now"]
            assert text[:at] + was + text[at + len(now) :] == original != text


def test_copies_do_not_stand_together() -> None:
    made = plant(solved(200), SOLUTIONS, column="solution", share=0.25)
    places = [at for at, defect in enumerate(made.key["defect"]) if defect]
    assert min(places) < 40 and max(places) > 210


def test_an_rng_seed_decides_everything() -> None:
    one, same, other = (plant(solved(), SOLUTIONS, column="solution", share=0.2, rng_seed=seed) for seed in (0, 0, 1))
    assert one.rows.equals(same.rows) and one.key.equals(same.key) and not one.rows.equals(other.rows)


SOURCE = "def f(n):\n    found = 0\n    for i in range(n):\n        found = found + i\n    return found\n"


def runs_alike(original: str, tampered: str) -> bool:
    """Both really run, on a few inputs; whatever a tampered program raises is a difference."""

    def results(source: str) -> list[object]:
        space: dict[str, object] = {}
        exec(source, space)
        try:
            return [space["f"](n) for n in range(5)]  # type: ignore[operator]
        except (NameError, TypeError, ValueError, ZeroDivisionError):
            return ["raised"]

    return results(original) == results(tampered)


def test_a_planted_defect_of_a_program_is_one_when_it_runs() -> None:
    rows = pl.DataFrame({"id": [str(at) for at in range(9)], "program": [SOURCE] * 9})
    made = plant(rows, PROGRAMS, column="program", share=1.0, is_still_right=runs_alike)
    copies = made.rows.filter(made.key["defect"].is_not_null())["program"]
    assert len(copies) == 9 and not any(runs_alike(SOURCE, copy) for copy in copies)
    assert set(made.key["defect"].drop_nulls()) == {"off by one", "operator", "return"}


def test_programs_are_not_planted_unchecked() -> None:
    rows = pl.DataFrame({"id": ["a"], "program": [SOURCE]})
    with pytest.raises(ConfigError, match="each has to be checked"):
        plant(rows, PROGRAMS, column="program", share=1.0)


def test_what_cannot_be_made_is_said() -> None:
    rows = pl.DataFrame({"id": ["a", "b", "c"], "solution": ["no numbers", None, "1 + 2 = 3"]})
    made = plant(rows, SOLUTIONS[:1], column="solution", share=1.0)
    assert made.short == {"number": 2} and made.rows.height == 4
    assert plant(rows, SOLUTIONS[:1], column="solution", share=1.0, is_still_right=lambda *_: True).short == {
        "number": 3
    }


def test_flips_make_a_noisy_label_column() -> None:
    rows = pl.DataFrame({"id": [str(at) for at in range(50)], "label": ["x", "y"] * 25})
    made = plant(rows, [flip(["x", "y"])], column="label", share=0.1)
    assert made.rows.height == 55 and made.key.filter(pl.col("was") == pl.col("now")).is_empty()


def test_wrong_use_is_told() -> None:
    rows = solved(4)
    with pytest.raises(ConfigError):
        plant(rows, [], column="solution", share=0.1)
    with pytest.raises(ConfigError):
        plant(rows, SOLUTIONS, column="solution", share=0.0)
    with pytest.raises(DataError, match="lack a column"):
        plant(rows, SOLUTIONS, column="text", share=0.1)
    with pytest.raises(DataError, match="an id for each row"):
        plant(pl.concat([rows, rows]), SOLUTIONS, column="solution", share=0.1)

    def breaks(original: str, tampered: str) -> bool:
        raise KeyError(original + tampered)

    with pytest.raises(BoundaryError, match="the check of a planted defect"):
        plant(rows, SOLUTIONS, column="solution", share=0.5, is_still_right=breaks)
