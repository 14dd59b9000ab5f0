import numpy as np

from seedbed.inspection.tamper.prose import negate, swap_entity, swap_unit


def texts(operator, text: str, seed: int = 0) -> set[str]:
    return {edit.text for edit in operator(text, np.random.default_rng(seed))}


def test_a_statement_is_denied_and_a_denial_is_undone() -> None:
    assert texts(negate, "The cat is black.") == {"The cat is not black."}
    assert texts(negate, "It was not late.") == {"It was late."}
    assert texts(negate, "They don't know.") == {"They do know."}
    assert texts(negate, "She won't go, he can't.") == {"She will go, he can't.", "She won't go, he can."}
    assert texts(negate, "Is it late?") == texts(negate, "What is it?") == set()


def test_each_verb_of_a_text_is_its_own_candidate() -> None:
    assert texts(negate, "It is red and was blue.") == {"It is not red and was blue.", "It is red and was not blue."}


def test_a_name_is_replaced_by_another_of_the_same_text() -> None:
    text = "Yesterday Anna Lee met Tom. Tom gave her a book."
    made = set().union(*(texts(swap_entity, text, seed) for seed in range(5)))
    assert made == {
        "Yesterday Tom met Tom. Tom gave her a book.",
        "Yesterday Anna Lee met Anna Lee. Tom gave her a book.",
        "Yesterday Anna Lee met Tom. Anna Lee gave her a book.",
    }
    assert texts(swap_entity, "Only Anna is named here.") == set()


def test_a_unit_becomes_another_of_its_kind() -> None:
    made = set().union(*(texts(swap_unit, "It weighs 3 kg.", seed) for seed in range(20)))
    assert made == {"It weighs 3 pounds.", "It weighs 3 g.", "It weighs 3 tons."}
    assert texts(swap_unit, "It took hours, 3 kgs and 5 m/s.") == set()
