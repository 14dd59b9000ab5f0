"""Free answers: which answer of an item is right, so whether a row is good and what would repair it, in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from seedbed.errors import DataError
from seedbed.inspection.votes import Floats, Ints


@dataclass(frozen=True)
class Repair:
    """What the voters hold to be right, against a candidate."""

    p_good: Floats
    """(n,) probability that the candidate is right."""
    value: list[str | None]
    """(n,) most probable answer, None where no voter answered."""
    p_value: Floats
    """(n,) probability that `value` is right."""


class Answers:
    """Probability of every answer that was given to an item, and of none of them being right.

    Wrong answers rarely agree, so two voters with the same number are much stronger evidence than two with the same
    class; no list of classes is needed. A candidate's own answer counts only if its writer is among the voters.

    Where many voters share one wrong answer, as on items with an error in the gold, they look certain and are not.
    `correlation` holds that down; known answers teach who to believe.

    Args:
        right: Beta prior of each voter's accuracy, as right and wrong answers.
        wrong_answers: Least number of wrong answers that an item is thought to have.
        none_odds: Prior odds that no given answer is right, against any one of them.
        correlation: How much voters err together: n votes count as the power 1 / (1 + (n - 1) correlation).
        rounds: Most rounds of EM.
        tol: Mean change of the probabilities at which it stops.

    Source:
        Zhang, Chen, Zhou and Jordan 2014, arXiv:1406.3824 (one coin for each voter). Differs: the classes of an item
        are the answers it was given; a hypothesis that all are wrong; a prior and a common temper for the voters.
    """

    def __init__(
        self,
        *,
        right: tuple[float, float] = (4.0, 2.0),
        wrong_answers: float = 10.0,
        none_odds: float = 3.0,
        correlation: float = 0.3,
        rounds: int = 60,
        tol: float = 1e-5,
    ) -> None:
        self.right = right
        self.wrong_answers = wrong_answers
        self.none_odds = none_odds
        self.correlation = correlation
        self.rounds = rounds
        self.tol = tol

    def fit(
        self,
        items: Sequence[int] | Ints,
        voters: Sequence[str],
        answers: Sequence[str],
        *,
        known: Mapping[int, str] | None = None,
    ) -> Self:
        """Learn each voter's accuracy and each item's answers.

        Sets `accuracy_` by voter, and for each (item, answer) pair `pair_item_` (P,), `pair_answer_` and
        `log_posterior_` (P,); `log_none_` (I,) is the log probability that no given answer is right.

        Args:
            items: (V,) item of each answer, from 0.
            voters: (V,) who gave it.
            answers: (V,) what was said, in one canonical writing; leave out those who said nothing.
            known: Item to right answer, from trusted readers; one that nobody gave makes all given ones wrong.

        Raises:
            DataError: The three differ in length, or an item is below 0.
        """
        item = np.asarray(items, dtype=np.int64)
        if not (len(item) == len(voters) == len(answers)) or (item < 0).any():
            seen = f"{len(item)} items, {len(voters)} voters, {len(answers)} answers, least item {item.min(initial=0)}"
            raise DataError("each answer needs an item from 0 and a voter", seen)
        names, voter = np.unique(np.asarray(voters, dtype=str), return_inverse=True)
        self._n_items = max([int(item.max(initial=-1)), *(known or {})]) + 1
        pair = self._read(item, answers)
        self._settled = self._settle(known or {})
        votes = np.bincount(item, minlength=self._n_items)
        power = (1 / (1 + np.maximum(votes - 1, 0) * self.correlation))[item]
        # A voter who is wrong hits each of the item's wrong answers with the same probability.
        distinct = np.bincount(self.pair_item_, minlength=self._n_items)
        spread = np.log(np.maximum(distinct, self.wrong_answers))[item]
        rate = np.full(len(names), self.right[0] / sum(self.right))
        asked = np.bincount(voter, minlength=len(names)) + sum(self.right) - 2
        for _ in range(self.rounds):
            gain = power * (np.log(rate) - np.log1p(-rate))[voter] + power * spread
            self._weigh(np.bincount(pair, weights=gain, minlength=len(self.pair_item_)).astype(float))
            hits = np.bincount(voter, weights=np.exp(self.log_posterior_)[pair], minlength=len(names))
            last, rate = rate, (hits + self.right[0] - 1) / asked
            if np.abs(rate - last).max(initial=0) < self.tol:
                break
        self.accuracy_ = dict(zip(names.tolist(), rate.tolist(), strict=True))
        return self

    def _read(self, item: Ints, answers: Sequence[str]) -> Ints:
        """Number the distinct answers of each item; return the (V,) pair of each vote."""
        texts, code = np.unique(np.asarray(answers, dtype=str), return_inverse=True)
        pairs, place = np.unique(item * max(len(texts), 1) + code, return_inverse=True)
        self.pair_item_: Ints = pairs // max(len(texts), 1)
        self.pair_answer_: list[str] = texts[pairs % max(len(texts), 1)].tolist()
        keys = zip(self.pair_item_.tolist(), self.pair_answer_, strict=True)
        self._place = {key: place for place, key in enumerate(keys)}
        found: Ints = place.astype(np.int64)
        return found

    def _settle(self, known: Mapping[int, str]) -> tuple[Ints, Ints]:
        """Items that are known, and the pair that holds each one's answer, -1 where nobody gave it."""
        items = np.fromiter(known.keys(), dtype=np.int64)
        if (items < 0).any():
            raise DataError("a known answer belongs to no item", f"item {items.min()}", "number items from 0")
        places = [self._place.get((item, answer), -1) for item, answer in known.items()]
        return items, np.array(places, dtype=np.int64)

    def _weigh(self, scores: Floats) -> None:
        """Normalise over an item's answers and none of them, from the log odds of each answer against none."""
        item, N = self.pair_item_, self._n_items
        none = np.full(N, np.log(self.none_odds))
        top = none.copy()
        np.maximum.at(top, item, scores)
        total = np.bincount(item, weights=np.exp(scores - top[item]), minlength=N) + np.exp(none - top)
        normal = top + np.log(total)
        self.log_posterior_: Floats = scores - normal[item]
        self.log_none_: Floats = none - normal
        items, places = self._settled
        is_known = np.zeros(N, dtype=bool)
        is_known[items] = True
        self.log_posterior_[is_known[item]] = -np.inf
        self.log_none_[items] = np.where(places < 0, 0.0, -np.inf)
        self.log_posterior_[places[places >= 0]] = 0.0

    def repair(self, items: Sequence[int] | Ints, candidates: Sequence[str | None]) -> Repair:
        """Judge candidates against what the voters hold, and name the value that would repair each.

        Args:
            items: (n,) item of each candidate.
            candidates: (n,) its answer, in the same writing; None is none, which is never right.

        Raises:
            DataError: An item that `fit` did not see.
        """
        wanted = np.asarray(items, dtype=np.int64)
        if ((wanted < 0) | (wanted >= self._n_items)).any():
            raise DataError("a candidate's item has no votes", f"items {wanted.min()} to {wanted.max()}")
        # Pairs are sorted by item: within an item the best comes first.
        order = np.lexsort((-self.log_posterior_, self.pair_item_))
        first, at = np.unique(self.pair_item_[order], return_index=True)
        best = np.full(self._n_items, -1)
        best[first] = order[at]
        chosen = best[wanted]
        places = [
            -1 if text is None else self._place.get((item, text), -1)
            for item, text in zip(wanted.tolist(), candidates, strict=True)
        ]
        p = np.append(np.exp(self.log_posterior_), 0.0)
        value = [None if place < 0 else self.pair_answer_[place] for place in chosen.tolist()]
        return Repair(p[np.array(places, dtype=np.int64)], value, p[chosen])
