from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from seedbed.errors import ConfigError, DataError
from seedbed.models.recorded import Recorded
from seedbed.request import Failure, Reply, Request

ROWS = [
    {"verb": "seed", "label": "good", "example": None, "reply": "a fine film"},
    {"verb": "seed", "label": "good", "example": None, "reply": "a great film"},
    {"verb": "seed", "label": "bad", "example": None, "reply": "a dull film"},
    {"verb": "extrapolate", "label": "bad", "example": " so dull \n", "reply": "so slow"},
]


def wire(folder: Path, rows: list[dict[str, str | None]] = ROWS) -> Recorded:
    path = folder / "replies.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Recorded(f"recorded:{path}")


def ask(recorded: Recorded, slots: Mapping[str, str], draw: int = 0) -> Reply | Failure:
    return asyncio.run(recorded.send(Request((("user", "any words"),), draw=draw, slots=slots)))


def text(recorded: Recorded, slots: Mapping[str, str], draw: int = 0) -> str:
    answer = ask(recorded, slots, draw)
    assert isinstance(answer, Reply)
    return answer.text


def test_a_reply_is_found_by_what_the_request_asked_for(tmp_path: Path) -> None:
    recorded = wire(tmp_path)
    assert text(recorded, {"verb": "seed", "label": "bad", "meaning": "the writer disliked it"}) == "a dull film"
    assert text(recorded, {"verb": "extrapolate", "label": "bad", "example": "so dull"}) == "so slow"


def test_rows_with_the_same_slots_are_successive_draws(tmp_path: Path) -> None:
    recorded = wire(tmp_path)
    slots = {"verb": "seed", "label": "good"}
    assert [text(recorded, slots, draw) for draw in (0, 1)] == ["a fine film", "a great film"]
    assert ask(recorded, slots, 2) == Failure("terminal", "no recorded reply for draw 2: the file holds 2")


def test_what_was_never_recorded_says_what_it_looked_for(tmp_path: Path) -> None:
    failure = ask(wire(tmp_path), {"verb": "seed", "label": "mixed"})
    assert failure == Failure("terminal", "no recorded reply for verb='seed', label='mixed', no example")


def test_a_recorded_reply_costs_nothing_now_and_its_tokens_are_unknown(tmp_path: Path) -> None:
    reply = ask(wire(tmp_path), {"verb": "seed", "label": "bad"})
    assert isinstance(reply, Reply)
    assert (reply.usd, reply.tokens_in, reply.tokens_out, reply.model) == (0.0, None, None, "recorded")


def test_a_row_that_states_more_slots_goes_first(tmp_path: Path) -> None:
    rows: list[dict[str, str | None]] = [
        {"label": "good", "context": None, "reply": "anywhere"},
        {"label": "good", "context": "here", "reply": "here only"},
    ]
    recorded = wire(tmp_path, rows)
    assert text(recorded, {"label": "good", "context": "here"}) == "here only"
    assert text(recorded, {"label": "good", "context": "there"}) == "anywhere"


def test_the_model_that_wrote_a_reply_is_named(tmp_path: Path) -> None:
    path = tmp_path / "replies.parquet"
    pl.DataFrame({"label": ["good"], "round": [1], "model": ["gpt-3.5"], "reply": ["fine"]}).write_parquet(path)
    reply = ask(Recorded(f"recorded:{path}"), {"label": "good", "round": "1"})
    assert isinstance(reply, Reply) and reply.model == "gpt-3.5"


def test_an_empty_recorded_reply_is_a_reply_and_a_missing_one_is_not(tmp_path: Path) -> None:
    rows: list[dict[str, str | None]] = [{"label": "good", "reply": ""}, {"label": "bad", "reply": None}]
    recorded = wire(tmp_path, rows)
    assert text(recorded, {"label": "good"}) == ""
    assert isinstance(ask(recorded, {"label": "bad"}), Failure)


@pytest.mark.parametrize("rows", [[{"label": "good", "text": "fine"}], [{"reply": "fine"}]])
def test_a_file_without_replies_or_slots_is_refused_at_once(tmp_path: Path, rows: list[dict[str, str | None]]) -> None:
    with pytest.raises(DataError, match="no recorded replies"):
        wire(tmp_path, rows)


def test_an_address_without_a_file_is_refused() -> None:
    with pytest.raises(ConfigError):
        Recorded("recorded:")
