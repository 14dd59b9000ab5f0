from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seedbed.errors import ConfigError
from seedbed.models.worlds import OUTSIDE, WORLDS, Dice, open_world
from seedbed.randomness import stream
from seedbed.synthesis.seeds import candidate_answers

every_world = pytest.mark.parametrize("name", sorted(WORLDS))
seeds = st.integers(0, 2**31)


@every_world
@settings(max_examples=80, deadline=None)
@given(seed=seeds)
def test_what_is_written_reads_back_as_the_same_attributes(name: str, seed: int) -> None:
    world, rng = open_world(name), np.random.default_rng(seed)
    dice = Dice(rng)
    context = world.write_context(dice)
    pinned = world.pins(context, world.gold_answer(context, dice))
    # Every value is as likely as any other here, so that the rare ones are written too.
    uniform = {
        choice.name: str(rng.choice(choice.values)) for choice in world.network.choices if choice.name not in pinned
    }
    attributes = world.network.draw(dice, {**world.possible(uniform | pinned), **pinned})
    row = world.write(attributes, dice, context)
    assert world.read(row) == attributes
    assert world.truth(row) == row[world.task.target]


@every_world
def test_gold_has_exactly_the_columns_of_its_task_and_right_answers(name: str) -> None:
    world = open_world(name)
    gold = world.gold(500, 3)
    assert tuple(gold.columns) == world.task.columns
    assert [world.truth(row) for row in gold.iter_rows(named=True)] == gold[world.task.target].to_list()


@every_world
def test_two_seeds_give_other_rows_and_one_seed_gives_a_prefix(name: str) -> None:
    world = open_world(name)
    assert world.gold(50, 1).equals(world.gold(80, 1).head(50))
    shared = world.gold(200, 1).join(world.gold(200, 2), on=list(world.task.columns), how="semi")
    assert shared.height < 40


@every_world
def test_noisy_gold_is_wrong_as_often_as_was_asked(name: str) -> None:
    world = open_world(name)
    gold = world.gold(900, 5, label_noise=0.2)
    wrong = sum(world.truth(row) != row[world.task.target] for row in gold.iter_rows(named=True))
    assert stats.binomtest(wrong, 900, 0.2).pvalue > 0.001


@every_world
def test_cells_of_gold_come_as_often_as_their_exact_probabilities_say(name: str) -> None:
    world, n = open_world(name), 3000
    cells = world.cell_probabilities()
    assert sum(cells.values()) == pytest.approx(1)
    counts = world.cell_counts(world.gold(n, 11))
    assert set(counts) <= set(cells)
    large = [cell for cell, p in cells.items() if p * n >= 10]
    seen = [*(counts[cell] for cell in large), n - sum(counts[cell] for cell in large)]
    due = [*(cells[cell] * n for cell in large), n * (1 - sum(cells[cell] for cell in large))]
    if due[-1] < 1:
        seen, due = seen[:-1], list(np.array(due[:-1]) * sum(seen[:-1]) / sum(due[:-1]))
    assert stats.chisquare(seen, due).pvalue > 1e-4


@every_world
def test_total_variation_of_gold_is_what_chance_leaves(name: str) -> None:
    world = open_world(name)
    expected = world.expected_total_variation(800)
    assert world.total_variation(world.gold(800, 21)) == pytest.approx(expected, rel=0.2)
    assert world.expected_total_variation(3200) < 0.6 * expected


@every_world
def test_rows_of_one_cell_are_far_from_gold_and_miss_the_rest(name: str) -> None:
    world = open_world(name)
    gold = world.gold(400, 2)
    cell = world.cell(gold.row(0, named=True))
    one = gold.filter(pl.Series([world.cell(row) == cell for row in gold.iter_rows(named=True)]))
    cells = world.cell_probabilities()
    assert world.total_variation(one) == pytest.approx(1 - cells[cell])
    missing = world.missing_tails(one, at_least=0.0)
    assert len(missing) == len(cells) - 1
    assert [p for _, p in missing] == sorted((p for _, p in missing), reverse=True)


@every_world
def test_a_text_of_another_kind_is_not_of_this_world(name: str) -> None:
    world = open_world(name)
    row = world.gold(1, 0).row(0, named=True)
    for text in ("", "The quick brown fox.", "Here is your text: " + row[world.task.written]):
        other = {**row, world.task.written: text}
        assert world.read(other) is None
        assert world.truth(other) is None
        assert world.cell(other) == OUTSIDE
    assert world.total_variation(pl.DataFrame([{**row, world.task.written: "?"}])) == pytest.approx(1)


@every_world
def test_a_narrower_writer_has_fewer_kinds_of_rows(name: str) -> None:
    world = open_world(name)
    sizes = []
    for narrowness in (0.0, 0.3, 0.6, 1.0):
        network = world.network.narrowed(narrowness, keep=("label",))
        p = np.array(list(network.probabilities(world.cell_attributes).values()))
        sizes.append(float(np.exp(-(p * np.log(p)).sum())))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


@every_world
def test_no_phrase_of_a_reason_hides_in_another_or_in_the_task(name: str) -> None:
    world = open_world(name)
    phrases = [phrase for choice in world.network.choices for phrase in choice.said.values()]
    around = [world.task.instruction, world.task.row, *world.task.labels.values()]
    assert not [(a, b) for a in phrases for b in [*phrases, *around] if a is not b and a in b]


def test_an_unknown_world_is_refused_with_the_names_of_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="reviews"):
        open_world("atlantis")


def test_dice_follow_their_table() -> None:
    dice = Dice(stream(0, "dice"))
    table = {"a": 0.7, "b": 0.3, "c": 0.0}
    drawn = [dice.draw(table) for _ in range(4000)]
    assert "c" not in drawn
    assert stats.binomtest(drawn.count("a"), 4000, 0.7).pvalue > 0.001


def test_an_answer_lies_in_its_passage_exactly_once_and_its_twin_too() -> None:
    world = open_world("facts")
    dice = Dice(stream(0, "twins"))
    for row in world.gold(300, 1).iter_rows(named=True):
        twin = world.other_answer(row["context"], row["answer"], dice)
        assert row["context"].count(row["answer"]) == row["context"].count(twin) == 1
        assert twin != row["answer"]


def test_every_name_and_number_of_a_passage_can_be_asked_for() -> None:
    world = open_world("facts")
    spans = [(text, span) for text in world.contexts(200, 2) for span in candidate_answers(text)]
    assert len(spans) > 1200
    assert [span for text, span in spans if world.pins(text, span) is None] == []


def test_a_claim_that_changes_two_things_is_not_of_this_world() -> None:
    world = open_world("claims")
    premise = (
        "Marta ordered 8 apples at the stall on Monday. On Friday, Ivan displayed 9 lamps at the square. "
        "Nobody was in a hurry. Chen unpacked 12 scarves at the arcade on Sunday."
    )
    relations = {
        "Marta ordered 8 apples.": "kept",
        "Marta requested 8 apples.": "synonym",
        "More than 7 apples were ordered by Marta.": "bound",
        "More than 8 apples were ordered by Marta.": "too_many",
        "The text reports that Ivan did not display 9 lamps.": "negated",
        "For all we know, Chen wrapped 12 scarves.": "opposite",
        "Ivan unpacked 12 scarves at the arcade on Sunday.": "swapped",
        "Chen unpacked 12 garments.": "wider",
        "Chen unpacked 12 scarves on Tuesday.": "day",
        "Chen unpacked 12 scarves at the stall.": "place",
        "Chen unpacked 12 scarves in secret.": "extra",
    }
    for claim, relation in relations.items():
        found = world.read({"premise": premise, "hypothesis": claim})
        assert found is not None and found["relation"] == relation
    assert world.read({"premise": premise, "hypothesis": "Ivan requested 8 apples."}) is None


def test_reading_goes_by_words_and_not_by_their_number() -> None:
    world = open_world("reviews")
    read = {
        "This inn was new to me. The room was good.": "positive",
        "This inn was new to me. The room was not good.": "negative",
        "This inn was new to me. Oh great, how good the room was.": "negative",
        "This inn was new to me. I expected a good room but it was bad.": "negative",
        "This inn was new to me. I expected a bad room but it was good.": "positive",
        "Tihs inn was new to me. The room was solid.": "positive",
    }
    assert {text: world.truth({"text": text}) for text in read} == read
    assert world.truth({"text": "This inn was new to me. The food was good."}) is None
