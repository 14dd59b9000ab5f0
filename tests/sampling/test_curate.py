import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.errors import ConfigError, DataError
from seedbed.sampling.curate import BINS, counts, curate, equal_numbers


def pool(*rows: tuple[str, str, int, str | None, bool | None, str | None, bool | None]) -> pl.DataFrame:
    columns = ["problem_id", "model", "draw", "text", "correct", "key", "sound"]
    frame = pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"sound": pl.Boolean, "key": pl.String})
    return frame.with_columns(answer=pl.when(pl.col("text").is_not_null()).then(pl.lit("7")))


def big_pool(problems: int = 60, draws: int = 20, rng_seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(rng_seed)
    n = problems * draws
    chance = np.repeat(rng.beta(1, 1, problems), draws)
    return pl.DataFrame(
        {
            "problem_id": np.repeat([f"p{index}" for index in range(problems)], draws),
            "model": np.tile(["weak", "strong"], n // 2),
            "draw": np.tile(np.arange(draws), problems),
            "text": "so it is",
            "answer": "7",
            "correct": rng.random(n) < chance,
            "key": rng.integers(0, 8, n).astype(str),
            "sound": [None if value > 0.9 else bool(value > 0.1) for value in rng.random(n)],
        }
    )


def test_each_row_that_is_left_out_says_the_first_reason() -> None:
    rows = pool(
        ("a", "m", 0, "t", True, "k", True),
        ("a", "m", 1, None, False, None, None),
        ("a", "m", 2, "t", False, "k", True),
        ("a", "m", 3, "t", True, "j", False),
        ("a", "m", 4, "t", True, "i", None),
        ("a", "m", 5, "t", None, "h", True),
    )
    found = curate(rows, sound="known good", rng_seed=0)
    assert found["why"].to_list() == [
        None,
        "no text",
        "wrong answer",
        "unsound steps",
        "steps not checked",
        "answer not verified",
    ]
    assert found["status"].to_list() == ["kept", "failed", "rejected", "rejected", "rejected", "rejected"]


def test_a_reply_without_an_answer_is_told_apart_from_a_wrong_one() -> None:
    rows = pool(("a", "m", 0, "t", False, "k", True)).with_columns(answer=pl.lit(None, dtype=pl.String))
    assert curate(rows, rng_seed=0)["why"].to_list() == ["no answer"]


def test_what_could_not_be_checked_passes_unless_known_good_is_asked_for() -> None:
    rows = pool(("a", "m", 0, "t", True, "k", None), ("b", "m", 0, "t", True, "k", False))
    kept = {sound: curate(rows, sound=sound, rng_seed=0)["why"].null_count() for sound in ("any", "not known bad")}
    assert kept == {"any": 2, "not known bad": 1}


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 5),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
    st.sampled_from(["any", "not known bad", "known good"]),
    st.sampled_from(["none", "flatter", "equal"]),
)
def test_every_row_is_counted_once_and_the_limits_hold(
    rng_seed: int, per_problem: int | None, distinct: bool, sound: str, balance: str
) -> None:
    rows = big_pool(problems=20, draws=10, rng_seed=rng_seed)
    found = curate(
        rows,
        per_problem=per_problem,
        distinct=distinct,
        sound=sound,  # type: ignore[arg-type]
        balance=balance,  # type: ignore[arg-type]
        rng_seed=rng_seed,
    )
    kept = found.filter(pl.col("status") == "kept")
    assert counts(found)["rows"].sum() == rows.height
    assert found.select(rows.columns).equals(rows)
    assert kept["correct"].all()
    assert (kept["why"].null_count(), found["why"].null_count()) == (kept.height, kept.height)
    assert per_problem is None or kept.group_by("problem_id").len()["len"].max() in (None, *range(per_problem + 1))
    assert not distinct or kept.select("problem_id", "key").n_unique() == kept.height


def test_neither_the_order_of_the_pool_nor_rows_added_to_it_move_what_is_kept() -> None:
    rows = big_pool()
    names = ["problem_id", "model", "draw"]

    def kept(frame: pl.DataFrame) -> set[tuple[object, ...]]:
        found = curate(frame, per_problem=2, rng_seed=3)
        return set(found.filter(pl.col("status") == "kept").select(names).rows())

    alone = kept(rows)
    assert kept(rows.sample(fraction=1, shuffle=True, seed=1)) == alone
    others = rows.with_columns(problem_id="other " + pl.col("problem_id"))
    assert {row for row in kept(pl.concat([others, rows])) if not str(row[0]).startswith("other")} == alone


def test_another_rng_seed_keeps_other_rows_and_no_draw_is_preferred() -> None:
    rows = pl.concat(
        pool(*((f"p{problem}", "m", draw, "t", True, "same", True) for draw in range(4))) for problem in range(400)
    )
    first, second = (curate(rows, rng_seed=rng_seed).filter(pl.col("status") == "kept") for rng_seed in (0, 1))
    assert first.height == second.height == 400
    assert not first.equals(second)
    shares = first.group_by("draw").len()["len"] / 400
    assert shares.min() > 0.18 and shares.max() < 0.32  # type: ignore[operator]


def test_a_cap_takes_different_solutions_before_copies() -> None:
    rows = pool(*(("p", "m", draw, "t", True, "common" if draw < 30 else f"rare {draw}", True) for draw in range(32)))
    kept = curate(rows, per_problem=3, distinct=False, rng_seed=0).filter(pl.col("status") == "kept")
    assert set(kept["key"]) == {"common", "rare 30", "rare 31"}


def test_a_pool_whose_steps_nobody_checked_is_curated_by_its_answers() -> None:
    rows = pool(("a", "m", 0, "t", True, "k", None)).with_columns(sound=pl.lit(None), key=pl.lit(None))
    assert curate(rows, rng_seed=0)["status"].to_list() == ["kept"]
    assert curate(rows, sound="known good", rng_seed=0)["why"].to_list() == ["steps not checked"]


def test_rows_without_a_key_are_no_copies_of_each_other() -> None:
    rows = pool(*(("p", "m", draw, "t", True, None, True) for draw in range(3)))
    assert curate(rows, rng_seed=0)["status"].to_list() == ["kept"] * 3


def test_balancing_gives_each_bin_of_difficulty_as_many_rows() -> None:
    found = curate(big_pool(problems=200), distinct=False, sound="any", balance="equal", rng_seed=0)
    rates = found.with_columns(rate=pl.col("correct").mean().over("problem_id")).filter(pl.col("status") == "kept")
    bins = rates.with_columns(bin=(pl.col("rate") * BINS).ceil()).group_by("bin").len()
    assert bins.height == BINS
    assert bins["len"].n_unique() == 1


def test_flattening_only_cuts_the_bins_that_hold_more_than_the_median() -> None:
    rows = big_pool(problems=200)
    kept = {
        balance: curate(rows, sound="any", balance=balance, rng_seed=0)["why"].null_count()  # type: ignore[arg-type]
        for balance in ("none", "flatter", "equal")
    }
    assert kept["equal"] < kept["flatter"] < kept["none"]


def test_unverified_keeps_wrong_answers_too() -> None:
    rows = pool(("a", "m", 0, "t", False, "k", True), ("a", "m", 1, None, False, None, None))
    assert curate(rows, verified=False, rng_seed=0)["status"].to_list() == ["kept", "failed"]


@pytest.mark.parametrize("by", ["total", "problem"])
def test_two_pools_end_with_equal_numbers(by: str) -> None:
    pools = {
        "weak": curate(big_pool(draws=30), rng_seed=0),
        "strong": curate(big_pool(draws=10, rng_seed=1).filter(pl.col("problem_id") != "p3"), rng_seed=0),
    }
    even = equal_numbers(pools, by=by, rng_seed=0)  # type: ignore[arg-type]
    weak, strong = (frame.filter(pl.col("status") == "kept") for frame in even.values())
    assert weak.height == strong.height > 0
    assert {name: counts(frame)["rows"].sum() for name, frame in even.items()} == {"weak": 1800, "strong": 590}
    if by == "problem":
        per_problem = [dict(frame.group_by("problem_id").len().rows()) for frame in (weak, strong)]
        assert per_problem[0] == per_problem[1] and "p3" not in per_problem[0]
    else:
        assert strong.height == pools["strong"]["why"].null_count()


def test_an_empty_pool_stays_empty() -> None:
    found = curate(big_pool().clear(), per_problem=1, balance="equal", rng_seed=0)
    assert found.height == 0 and {"status", "why"} <= set(found.columns)


def test_wrong_settings_and_pools_are_refused_with_what_was_seen() -> None:
    rows = pool(("a", "m", 0, "t", True, "k", True))
    with pytest.raises(ConfigError, match="per_problem 0"):
        curate(rows, per_problem=0, rng_seed=0)
    with pytest.raises(ConfigError, match="strict"):
        curate(rows, sound="strict", rng_seed=0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="missing \\['key'\\]"):
        curate(rows.drop("key"), rng_seed=0)
    with pytest.raises(DataError, match="1 rows of 2 repeat another"):
        curate(pl.concat([rows, rows]), rng_seed=0)
    with pytest.raises(DataError, match="pool raw lacks columns"):
        equal_numbers({"raw": rows}, rng_seed=0)
