import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.audit.exchange import Layout, write
from seedbed.inspection.audit.queue import Queue, Reading
from seedbed.inspection.audit.risk import Evidence
from seedbed.inspection.audit.rules import Goal
from seedbed.inspection.audit.session import Audit, Plan
from seedbed.inspection.columns import Target, read_labels, read_voter, read_votes
from seedbed.inspection.guarantees.binomial import hypergeometric_tail, labels_for
from seedbed.inspection.guarantees.given import plan_given
from seedbed.inspection.guarantees.selection import decide, order_rows
from seedbed.inspection.inspect import Inspection, inspect
from seedbed.inspection.votes import Voter
from seedbed.randomness import stream
from seedbed.rows import read_table

VOTERS = [Voter(f"v{w}", "judge") for w in range(4)]


def world(seed: int, right: float, n: int = 3000, bad: float = 0.15) -> tuple[pl.DataFrame, np.ndarray]:
    """Rows of two writers, one worse, with four judges who are right so often and abstain on one row in ten."""
    rng = stream(seed, "world")
    writer = rng.random(n) < 0.5
    good = rng.random(n) >= np.where(writer, 1.5, 0.5) * bad
    columns = {}
    for w in range(4):
        hit = rng.random(n) < right
        said = np.where(hit, good, ~good).astype(int)
        columns[f"v{w}"] = [None if quiet else int(vote) for vote, quiet in zip(said, rng.random(n) < 0.1, strict=True)]
    rows = pl.DataFrame({"id": [f"r{i}" for i in range(n)], "writer": np.where(writer, "worse", "better"), **columns})
    return rows, good


def drawn(good: np.ndarray, n: int, seed: int = 0) -> dict[str, bool]:
    return {f"r{i}": bool(good[i]) for i in stream(seed, "labels").choice(len(good), n, replace=False).tolist()}


@pytest.fixture(scope="module")
def certified() -> tuple[Inspection, np.ndarray, dict[str, bool]]:
    rows, good = world(0, 0.93)
    labels = drawn(good, 600)
    return inspect(rows, VOTERS, labels=labels, target="defects <= 3% at 95%", slices="writer"), good, labels


def test_what_is_kept_holds_what_the_certificate_says(certified) -> None:
    found, good, _ = certified
    keep = (found.rows["verdict"] == "keep").to_numpy()
    assert found.is_certified and found.certificate["n_kept"] == keep.sum() > 1500
    assert (~good[keep]).mean() <= 0.03 < (~good).mean()
    assert found.statement.startswith(f"Of the {keep.sum():,} rows kept out of 3,000, at most 3% are bad")
    assert found.before.low <= (~good).mean() <= found.before.high
    assert (found.after.low, found.after.high) == (0.0, 0.03) and found.after.value <= 0.03


def test_a_row_that_a_human_read_gets_the_human_verdict(certified) -> None:
    found, _, labels = certified
    verdict = dict(found.rows.select("id", "verdict").iter_rows())
    assert {verdict[key] for key, good in labels.items() if good} == {"keep"}
    assert {verdict[key] for key, good in labels.items() if not good} == {"drop"}


def test_nats_and_the_slice_prior_sum_to_the_label_models_log_odds() -> None:
    rows, _ = world(1, 0.85, n=400)
    found = inspect(rows, VOTERS, slices="writer").rows
    nats = found.select(f"nats.{voter.name}" for voter in VOTERS).to_numpy().sum(axis=1)
    rest = found["log_odds"].to_numpy() - nats
    assert rest.min() < rest.max()
    for of in ("worse", "better"):
        assert np.ptp(rest[(found["writer"] == of).to_numpy()]) < 1e-6


def test_the_labels_that_certify_do_not_move_the_probabilities(certified) -> None:
    found, _, labels = certified
    selection = set(found.certificate["labels_selection"])
    assert len(selection) == 150 and found.certificate["n_certification"] == 450
    turned = {key: value if key in selection else not value for key, value in labels.items()}
    rows = found.rows.select("id", "writer", *(voter.name for voter in VOTERS))
    again = inspect(rows, VOTERS, labels=turned, target="defects <= 3% at 95%", slices="writer")
    assert again.rows["p_good"].to_list() == found.rows["p_good"].to_list() and not again.is_certified


def test_the_same_call_gives_the_same_certificate_and_another_seed_another_split(certified) -> None:
    found, _, labels = certified
    rows = found.rows.select("id", "writer", *(voter.name for voter in VOTERS))
    again = inspect(rows, VOTERS, labels=labels, target="defects <= 3% at 95%", slices="writer")
    other = inspect(rows, VOTERS, labels=labels, target="defects <= 3% at 95%", slices="writer", rng_seed=1)
    assert again.certificate == found.certificate and again.rows.equals(found.rows)
    assert other.certificate["labels_selection"] != found.certificate["labels_selection"]


def test_the_worse_writer_is_the_worst_slice_and_voters_are_measured(certified) -> None:
    found, _, _ = certified
    assert found.slices["slice"].to_list() == ["worse", "better"] and found.slices["rows"].sum() == 3000
    for line in found.voters.to_dicts():
        assert line["speaks"] == pytest.approx(0.9, abs=0.02)
        assert line["right_by_labels"] == pytest.approx(0.93, abs=0.04)


def test_without_labels_rows_are_ranked_and_nothing_is_kept() -> None:
    rows, good = world(2, 0.85, n=500)
    found = inspect(rows, VOTERS)
    score = found.rows["p_good"].to_numpy()
    assert not found.is_certified and found.before is None and "no human labels" in found.statement
    assert (found.rows["verdict"] == "keep").sum() == 0
    assert (score[good][:, None] > score[~good]).mean() > 0.9


def test_votes_that_say_nothing_certify_nothing_and_few_labels_are_named() -> None:
    rows, good = world(3, 0.5, n=1500)
    found = inspect(rows, VOTERS, labels=drawn(good, 400))
    assert not found.is_certified and "Nothing is certified: no set" in found.statement
    few = inspect(rows, VOTERS, labels=drawn(good, 100))
    assert "75 labels certify, of 100; it takes 199 labels or more" in few.statement


def test_labels_of_the_first_rows_are_refused_as_a_sample() -> None:
    rows, good = world(4, 0.95, n=2000, bad=0.02)
    first = {f"r{i}": bool(good[i]) for i in range(400)}
    found = inspect(rows, VOTERS, labels=first)
    assert not found.is_certified and "place in the file" in found.statement
    unsure = [i for i in range(2000) if rows.row(i)[2:].count(1) < 4][:300]
    assert "their votes" in inspect(rows, VOTERS, labels={f"r{i}": bool(good[i]) for i in unsure}).statement


def test_a_set_that_is_just_too_bad_seldom_passes_with_a_given_sample() -> None:
    plan = plan_given(np.full((2, 2000), 0.03), 300, 0.05)
    size, passed, false = plan.rungs[0].size, 0, 0
    for trial in range(200):
        rng = stream(trial, "given")
        bad = np.zeros(2000, dtype=bool)
        bad[rng.choice(size, int(0.05 * size) + 1, replace=False)] = True
        rows = rng.choice(2000, 300, replace=False)
        order = order_rows(np.arange(2000.0), trial)
        found = decide(plan, order, rows, dict(zip(rows.tolist(), bad[rows].tolist(), strict=True)))
        passed += found.tested[0].p_value <= 0.05
        false += bool(found.is_certified and bad[found.kept].mean() > 0.05)
    assert 0 < passed <= 10 + 2 * 3.1
    assert false <= 10 + 2 * 3.1


def test_a_given_plan_tests_no_set_that_cannot_pass_and_reaches_all_rows_when_they_are_clean() -> None:
    plan = plan_given(np.full((1, 1000), 1e-4), 500, 0.02)
    assert plan.rungs[-1].size == 1000 and (plan.n_core, plan.n_ring) == (500, 0)
    assert plan.rungs[0].size * 0.5 >= labels_for(0.02)
    assert hypergeometric_tail(0, round(plan.rungs[0].size * 0.5), int(0.02 * plan.rungs[0].size) + 1, 1000) <= 0.05
    with pytest.raises(ConfigError, match="too few labels"):
        plan_given(np.full((1, 1000), 0.01), 100, 0.02)


def test_evidence_is_read_however_it_is_written() -> None:
    rows = pl.DataFrame({"a": ["1", "0", "", None], "b": [True, False, None, True], "c": [1.0, 0.0, None, 0.0]})
    said = read_votes(rows, [Voter("a"), Voter("b"), Voter("c")]).said.reshape(4, 3)
    assert said.tolist() == [[1, 1, 1], [0, 0, 0], [2, 2, 2], [2, 1, 0]]


@pytest.mark.parametrize("text", ["2%", "defects < 2% at 95%", "defects <= 2 at 95%", "defects <= 2% at 100%", ""])
def test_a_target_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="write it like"):
        Target.read(text)


@pytest.mark.parametrize("text", ["v0", "v0=oracle", "=judge", "v0=judges:gpt"])
def test_evidence_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="kinds: execution, symbolic"):
        read_voter(text)


def test_bad_tables_are_refused_with_what_was_seen() -> None:
    rows, _ = world(5, 0.9, n=50)
    with pytest.raises(DataError, match="nowhere"):
        inspect(rows, [Voter("nowhere")])
    with pytest.raises(DataError, match=r"(better|worse)' at row 1"):
        inspect(rows, [Voter("writer")])
    with pytest.raises(DataError, match=r"such as \['x9'\]"):
        inspect(rows, VOTERS, labels={"r1": True, "x9": False})
    with pytest.raises(DataError, match="49 different ids"):
        inspect(rows.with_columns(id=pl.col("id").replace("r1", "r0")), VOTERS)
    with pytest.raises(DataError, match="inspected before"):
        inspect(inspect(rows, VOTERS).rows, VOTERS)
    with pytest.raises(DataError, match="1 repeats"):
        read_labels(pl.DataFrame({"id": ["a", "a"], "good": [1, 0]}))
    with pytest.raises(DataError, match="first for id 'b'"):
        read_labels(pl.DataFrame({"id": ["a", "b"], "good": ["1", ""]}))


def test_what_is_written_is_what_was_found(certified, tmp_path) -> None:
    found, _, _ = certified
    found.write(tmp_path)
    assert pl.read_parquet(tmp_path / "inspected.parquet").equals(found.rows)
    assert json.loads((tmp_path / "certificate.json").read_text())["statement"] == found.statement
    p = found.rows.select("p_lo", "p_good", "p_hi").to_numpy()
    assert ((p[:, 0] <= p[:, 1]) & (p[:, 1] <= p[:, 2])).all()
    assert ((p[:, 1] > 0.5) == (found.rows["log_odds"] > 0).to_numpy()).all()


@pytest.mark.parametrize("layout", ["jsonl", "csv"])
@pytest.mark.parametrize("goal", ["estimate", "find"])
def test_labels_of_an_audit_certify_where_they_were_drawn_evenly(tmp_path: Path, goal: Goal, layout: Layout) -> None:
    suspicion = np.where(np.arange(40) % 4 == 0, 3.0, -3.0)
    with Queue.at(tmp_path / "q.audit", {"n_rows": 40}) as queue:
        even = Evidence.of(40, suspicion if goal == "find" else None)
        audit = Audit([f"r{i}" for i in range(40)], even, queue, Plan(goal=goal, second=0.0))
        for step in range(12):
            asked = audit.next("ann")
            assert asked is not None
            audit.record(asked, Reading(asked.row, "ann", "bad" if step % 3 == 0 else "good", seconds=1.0))
        audit.undo("ann")
        text = write(audit.entries([{}] * 40), layout)
    (tmp_path / f"labels.{layout}").write_text(text, encoding="utf-8")
    table = read_table(str(tmp_path / f"labels.{layout}"))
    if goal == "find":
        with pytest.raises(DataError, match="drawn evenly"):
            read_labels(table)
    else:
        assert sorted(read_labels(table).values()) == [False] * 4 + [True] * 7
