"""Rows: ids, accounting, reading and writing."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import DataError
from seedbed.rows import account, frame, gold_rows, read_table, reject, write_jsonl, write_parquet
from tests.worlds import READING, SENTIMENT


def gold(texts, labels):
    return gold_rows(SENTIMENT, pl.DataFrame({"text": texts, "label": labels}))


def test_a_row_that_occurs_twice_has_two_ids_that_do_not_depend_on_its_neighbours():
    twice = gold(["a", "a", "b"], ["positive"] * 3)
    alone = gold(["b", "a"], ["positive"] * 2)
    assert twice["id"].n_unique() == 3
    assert set(alone["id"]) < set(twice["id"])


def test_columns_and_label_values_are_mapped():
    table = pl.DataFrame({"sentence": ["a", "b"], "y": [1, 0]})
    rows = gold_rows(
        SENTIMENT, table, columns={"text": "sentence", "label": "y"}, labels={"1": "positive", "0": "negative"}
    )
    assert rows.select("text", "label").rows() == [("a", "positive"), ("b", "negative")]


@pytest.mark.parametrize(
    ("table", "seen"),
    [
        ({"text": ["a"]}, "missing ['label']"),
        ({"text": ["a", " "], "label": ["positive"] * 2}, "1 rows have no `text`, first at row 2"),
        ({"text": ["a"], "label": ["good"]}, "'good' x 1"),
        ({"text": [], "label": []}, "0 rows"),
    ],
)
def test_gold_that_does_not_fit_says_what_was_seen(table, seen):
    with pytest.raises(DataError) as caught:
        gold_rows(SENTIMENT, pl.DataFrame(table, schema=dict.fromkeys(table, pl.String)))
    assert seen in caught.value.seen and caught.value.fix


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("gone.jsonl", None, "cannot be read"),
        ("empty.jsonl", b" \n", "empty"),
        ("broken.jsonl", b'{"text": "a"}\n{"text": ', "line 2"),
        ("list.jsonl", b"[1]\n", "not a JSON object"),
        ("latin.jsonl", b'{"text": "caf\xe9"}\n', "line 1: byte 0xe9"),
        ("latin.csv", b"text,label\ncaf\xe9,x\n", "line 2: byte 0xe9"),
        ("broken.parquet", b"no parquet", "not readable as Parquet"),
        ("rows.xlsx", b"zip", ".xlsx"),
        ("broken.json", b"{}", "not a list"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, problem):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(str(tmp_path / name))
    assert problem in str(caught.value)


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(tmp_path, ending):
    table = pl.DataFrame({"text": ['with "quotes", commas\nand lines', "café"], "label": ["positive", "negative"]})
    file = tmp_path / f"rows.{ending}"
    match ending:
        case "jsonl":
            write_jsonl(table, file)
        case "json":
            file.write_text(json.dumps(table.to_dicts()), encoding="utf-8")
        case "csv":
            table.write_csv(file)
        case _:
            table.write_parquet(file)
    assert read_table(str(file)).equals(table)


def test_a_column_whose_types_differ_is_read_as_text(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"label": 1}\n{"label": "x", "more": {"a": [1]}}\n')
    assert read_table(str(tmp_path / "rows.jsonl")).rows() == [("1", None), ("x", '{"a": [1]}')]


STATUS = st.sampled_from(["accepted", "rejected", "failed", "pending"])


@given(st.lists(st.tuples(STATUS, st.none() | st.sampled_from(["leak: x", "leak: y", "empty"])), max_size=30))
def test_every_count_adds_up(rows):
    found = account(frame(SENTIMENT, [{"id": str(i), "status": s, "why": w} for i, (s, w) in enumerate(rows)]))
    parts = found["accepted"] + found["pending"] + sum(found["rejected"].values()) + sum(found["failed"].values())
    assert found["requested"] == len(rows) == parts


def test_a_rejected_row_keeps_its_first_reason():
    rows = frame(SENTIMENT, [{"id": "a", "status": "accepted"}, {"id": "b", "status": "failed", "why": "refused: no"}])
    again = reject(reject(rows, {"a": "leak: 1", "b": "leak: 1"}), {"a": "near-copy: 2"})
    assert again["why"].to_list() == ["leak: 1", "refused: no"]


def test_equal_rows_are_equal_bytes(tmp_path):
    rows = gold(["a", "b"], ["positive", "negative"])
    write_parquet(rows, tmp_path / "one.parquet")
    write_parquet(pl.read_parquet(tmp_path / "one.parquet"), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_a_reading_task_needs_its_own_columns():
    with pytest.raises(DataError, match="lacks columns"):
        gold_rows(READING, pl.DataFrame({"context": ["a"], "question": ["b"]}))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_data_set_of_the_hub_library_is_read_with_its_label_names(tmp_path):
    """From a folder on disk: the loader is the real one, no hub is asked."""
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["negative", "positive"])}
    )
    made = datasets.Dataset.from_dict({"sentence": ["fine", "grim"], "label": [1, 0]}, features=features)
    (tmp_path / "data").mkdir()
    made.to_parquet(str(tmp_path / "data" / "train.parquet"))
    table = read_table(f"hf:{tmp_path / 'data'}@train")
    rows = gold_rows(SENTIMENT, table, columns={"text": "sentence"})
    assert rows.select("text", "label").rows() == [("fine", "positive"), ("grim", "negative")]
