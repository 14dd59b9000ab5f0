"""Labels one after another: evidence that a defect rate is low, which may be looked at after every label."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from seedbed.errors import ConfigError, DataError
from seedbed.inspection.guarantees.binomial import check_rates


class DefectBet:
    """Wealth of a bettor who bets that fewer than `alpha` of the rows are bad.

    Were the rate above `alpha`, the wealth would not be expected to grow, and would ever reach 1 / delta with
    probability at most delta. So labelling may stop at any moment, also because of what was seen. That freedom costs:
    with a number of labels fixed beforehand, `binomial.upper_bound` needs fewer of them.

    Args:
        alpha: Rate to be certified, in (0, 1).
        delta: Risk of a false certificate, in (0, 1).
        n_rows: Size of the finite set that rows are drawn from without replacement; None: with replacement.
        expected: Defect rate that the bettor hopes for, below alpha; None is a quarter of alpha. A wrong hope costs
            labels, never validity. It counts as 50 labels and gives way to what is seen.

    Source:
        Waudby-Smith and Ramdas 2020, Estimating means of bounded random variables by betting, arXiv:2010.09686.
        Differs: the bet is the one that grows fastest for right-or-wrong rows of the expected rate, and without
        replacement the hypothesis is a whole number of bad rows, one more than alpha allows.
    """

    def __init__(
        self, alpha: float, delta: float = 0.05, *, n_rows: int | None = None, expected: float | None = None
    ) -> None:
        check_rates(alpha=alpha, delta=delta)
        if expected is not None and not 0 <= expected < alpha:
            raise ConfigError("the hoped-for rate lies below alpha", f"{expected}", f"give one in [0, {alpha})")
        self.alpha, self.delta, self.n_rows = alpha, delta, n_rows
        self._expected = alpha / 4 if expected is None else expected
        self._log_wealth = 0.0
        self._best = 0.0
        self.n = 0
        self.defects = 0

    @property
    def e_value(self) -> float:
        """Wealth now, starting from 1; may be infinite where every bad row that alpha allows could be ruled out."""
        return math.exp(min(self._log_wealth, 700.0))

    @property
    def is_certified(self) -> bool:
        """Whether the wealth has ever reached 1 / delta: then the rate is at most alpha, at risk delta."""
        return self._best >= -math.log(self.delta)

    def update(self, is_bad: bool) -> None:
        """Take the next label, of a row drawn at random.

        Raises:
            DataError: More labels than rows.
        """
        if self.n_rows is not None and self.n >= self.n_rows:
            raise DataError("every row was labelled already", f"{self.n} labels", "start a new bet for new rows")
        mean = self._least_mean()
        if mean <= 0:  # more bad rows were seen than alpha allows: nothing can be certified any more
            self._log_wealth = -math.inf
        elif mean >= 1:  # more bad rows would have to come than rows are left: the hypothesis is refuted
            self._log_wealth = math.inf if mean > 1 or not is_bad else self._log_wealth
        else:
            self._log_wealth += math.log1p(self._stake(mean) * (mean - is_bad))
        self.n += 1
        self.defects += bool(is_bad)
        self._best = max(self._best, self._log_wealth)

    def extend(self, labels: Iterable[bool]) -> DefectBet:
        """Take several labels in the order in which they were given."""
        for label in labels:
            self.update(bool(label))
        return self

    def _least_mean(self) -> float:
        """The smallest chance that the next row is bad, if the rate is above alpha."""
        if self.n_rows is None:
            return self.alpha
        least_bad = math.floor(self.alpha * self.n_rows + 1e-9) + 1
        return (least_bad - self.defects) / (self.n_rows - self.n)

    def _stake(self, mean: float) -> float:
        hoped = (50 * self._expected + self.defects) / (50 + self.n)
        # Short of 1 / (1 - mean), so that a defect costs much but never everything.
        return min(max(0.0, (mean - hoped) / (mean * (1 - mean))), 0.999 / (1 - mean))


def betting_bound(labels: Iterable[bool], delta: float = 0.05, n_rows: int | None = None) -> float:
    """Upper bound on the defect rate that holds at every moment at once, for labels that may be stopped at any time.

    Wider than `binomial.upper_bound` on the same labels; only for a number of labels that was not fixed beforehand.

    Args:
        labels: Whether each row is bad, in the order in which rows were drawn.
        delta: Risk that the bound is ever too low.
        n_rows: Size of the finite set, or None.

    Returns:
        A fraction in [0.001, 1], on a grid of 300 rates, each 2 % below the one before.
    """
    seen = [bool(label) for label in labels]
    bound = 1.0
    # From the top down to the first rate that stands: stopping there is what makes many tests as safe as one.
    for rate in np.geomspace(0.999, 0.001, 300):
        if not DefectBet(float(rate), delta, n_rows=n_rows).extend(seen).is_certified:
            break
        bound = float(rate)
    return bound
