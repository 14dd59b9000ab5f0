"""Drafts become requests and rows; nothing asked for is lost."""

import pytest
from tests.worlds import SENTIMENT

from seedbed.request import Failure, Reply
from seedbed.rows import account
from seedbed.synthesis.drafts import LONGEST, Draft, Sampling, requests, rows

DRAFT = Draft("seed", {"label": "positive", "meaning": "m", "reasons": ""}, {"label": "positive"})


def test_the_same_prompt_is_drawn_anew():
    made = requests(SENTIMENT, [DRAFT, DRAFT, DRAFT], Sampling())
    assert [request.draw for request in made] == [0, 1, 2]
    assert len({request.key("m") for request in made}) == 3


def test_another_rng_seed_asks_anew_and_the_same_one_does_not():
    first, again, other = (requests(SENTIMENT, [DRAFT], Sampling(rng_seed=seed))[0].key("m") for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("reply", "status", "reason"),
    [
        (Reply("Good food."), "accepted", None),
        (Reply(" \n"), "rejected", "empty"),
        (Reply("I'm sorry, I can't do that."), "failed", "refused"),
        (Reply("x" * (LONGEST + 1)), "rejected", "too long"),
        (Failure("truncated", "length"), "failed", "truncated"),
        (Failure("terminal", "400: <b>"), "failed", "terminal"),
        (None, "pending", "budget"),
    ],
)
def test_every_reply_becomes_a_row_with_its_reason(reply, status, reason):
    (row,) = rows(SENTIMENT, [DRAFT], [reply], made_by="synthesise-1", round_=0).to_dicts()
    assert row["status"] == status and row["label"] == "positive"
    assert (row["why"] or "").startswith(reason or "")
    assert (row["text"] is not None) == (status == "accepted")


def test_rows_of_two_waves_have_different_ids():
    first = rows(SENTIMENT, [DRAFT], [Reply("a")], made_by="s", round_=0)
    second = rows(SENTIMENT, [DRAFT], [Reply("a")], made_by="s", round_=0, start=1)
    assert first["id"][0] != second["id"][0]


def test_failures_are_counted_by_class():
    replies = [Failure("terminal", "400"), Failure("terminal", "413"), Failure("exhausted", "503"), Reply("ok")]
    assert account(rows(SENTIMENT, [DRAFT] * 4, replies, made_by="s", round_=0))["failed"] == {
        "terminal": 2,
        "exhausted": 1,
    }
