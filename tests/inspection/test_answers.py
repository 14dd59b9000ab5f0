import numpy as np
import pytest

from seedbed.errors import DataError
from seedbed.inspection.answers import Answers
from seedbed.randomness import stream


def world(n: int, accuracies: list[float], rng_seed: int = 0) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Voters who are right at their own rate, and else say one of thirty wrong numbers."""
    rng = stream(rng_seed, "answers")
    W = len(accuracies)
    wrong = rng.integers(1, 31, (n, W))
    said = np.where(rng.random((n, W)) < accuracies, 0, wrong) + 100 * np.arange(n)[:, None]
    item = np.repeat(np.arange(n), W)
    return item, [f"v{w}" for w in range(W)] * n, said.ravel().astype(str).tolist(), [str(100 * i) for i in range(n)]


def test_the_posterior_is_that_of_bayes_rule_by_hand() -> None:
    model = Answers(correlation=0.0, rounds=1).fit([0, 0, 0], ["a", "b", "c"], ["7", "7", "8"])
    right, wrong = 4 / 6, (2 / 6) / 10
    weigh = {"7": right * right * wrong, "8": wrong * wrong * right, "none": 3 * wrong**3}
    total = sum(weigh.values())
    found = dict(zip(model.pair_answer_, np.exp(model.log_posterior_), strict=True))
    assert found == pytest.approx({"7": weigh["7"] / total, "8": weigh["8"] / total})
    assert np.exp(model.log_none_) == pytest.approx([weigh["none"] / total])


def test_each_voters_accuracy_is_found() -> None:
    rates = [0.9, 0.8, 0.7, 0.5, 0.3]
    item, voters, said, _ = world(800, rates)
    found = Answers(correlation=0.0).fit(item, voters, said).accuracy_
    assert [found[f"v{w}"] for w in range(5)] == pytest.approx(rates, abs=0.05)


def test_a_repair_is_right_as_often_as_it_says_where_voters_are_independent() -> None:
    item, voters, said, truth = world(2000, [0.7, 0.6, 0.5, 0.4])
    found = (
        Answers(correlation=0.0, wrong_answers=30, none_odds=28)
        .fit(item, voters, said)
        .repair(range(2000), ["?"] * 2000)
    )
    right = np.array([a == b for a, b in zip(found.value, truth, strict=True)])
    for low, high in ((0.3, 0.7), (0.7, 0.95), (0.95, 1.0)):
        inside = (found.p_value > low) & (found.p_value <= high)
        assert right[inside].mean() == pytest.approx(found.p_value[inside].mean(), abs=0.08)


def test_a_good_voter_outweighs_two_bad_ones_who_disagree() -> None:
    item, voters, said, truth = world(500, [0.95, 0.3, 0.3])
    found = Answers().fit(item, voters, said).repair(range(500), truth)
    assert np.mean([a == b for a, b in zip(found.value, truth, strict=True)]) > 0.93


def test_a_candidate_that_nobody_gave_is_not_believed_and_its_repair_is_named() -> None:
    model = Answers().fit([0, 0, 0, 1], ["a", "b", "c", "a"], ["7", "7", "7", "2"])
    found = model.repair([0, 0, 1], ["8", "7", None])
    assert found.value == ["7", "7", "2"]
    assert found.p_good[0] == 0
    assert found.p_good[1] == found.p_value[1] > 0.9
    assert found.p_good[2] == 0


def test_many_voters_are_worth_less_where_they_err_together() -> None:
    told = [Answers(correlation=rho).fit([0] * 8, list("abcdefgh"), ["7"] * 6 + ["8"] * 2) for rho in (0.0, 0.3)]
    none = [float(model.log_none_[0]) for model in told]
    assert none[1] > none[0]


def test_known_answers_settle_items_and_lower_who_was_wrong() -> None:
    item, voters, said, truth = world(200, [0.8, 0.8, 0.8])
    known = {0: "nobody said this", 1: truth[1]}
    model = Answers().fit(item, voters, said, known=known)
    assert model.log_none_[0] == 0
    assert model.log_none_[1] == -np.inf
    assert model.repair([1], [truth[1]]).p_good[0] == pytest.approx(float(truth[1] in said[3:6]))
    all_wrong = Answers().fit(item, voters, said, known=dict.fromkeys(range(100), "no"))
    assert max(all_wrong.accuracy_.values()) < min(model.accuracy_.values())


def test_an_item_without_answers_has_no_repair() -> None:
    found = Answers().fit([0, 2], ["a", "a"], ["1", "2"]).repair([1], ["1"])
    assert found.value == [None]
    assert found.p_value.tolist() == [0.0]


def test_answers_that_do_not_line_up_are_refused() -> None:
    with pytest.raises(DataError, match="needs an item"):
        Answers().fit([0, 1], ["a"], ["1"])
    with pytest.raises(DataError, match="no votes"):
        Answers().fit([0], ["a"], ["1"]).repair([3], ["1"])
    with pytest.raises(DataError, match="no item"):
        Answers().fit([0], ["a"], ["1"], known={-1: "1"})
