"""Judges that are LLMs: asked in both orders, measured for their biases, and heard without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError
from seedbed.estimate import Estimate, mean_t, wilson
from seedbed.estimate.spread import normal_quantile
from seedbed.inspection.logistic_map import LaplaceFit, fit_logistic, read_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ABSTAINED, NOT_ASKED = -1, -2
RATE, PREFERENCE, BY_JUDGE, LENGTH = 2.0, 1.0, 0.5, 0.5
"""Prior spreads in log-odds: a judge's own rates, the preference that judges share, what one adds to it, length."""


@dataclass(frozen=True)
class OrderReport:
    """What a judge of pairs does when the two are shown the other way round."""

    inconsistent: Estimate
    """Share of pairs on which the two orders gave different winners."""
    position: Estimate
    """Share of answers that chose what was shown first, less a half; 0.1 is ten points too many."""


@dataclass(frozen=True)
class Verdicts:
    """Which judge said what of which row, and what could sway it."""

    said: Ints
    """(N, W) 1 for good, 0 for bad, -1 for an abstention, -2 where the judge was not asked."""
    own: NDArray[np.bool_]
    """(N, W) True where the judge is of the family of the row's generator."""
    length: Floats
    """(N,) log length of the row, centred; for a pair the log ratio of the first to the second. Zeros if unknown."""

    @classmethod
    def of(
        cls,
        said: ArrayLike,
        judge_families: Sequence[str],
        generator_families: Sequence[str] | ArrayLike,
        length: ArrayLike | None = None,
    ) -> Verdicts:
        """Read verdicts and compare each judge's family with each row's generator's.

        Args:
            said: (N, W) 1 for good, 0 for bad, -1 for an abstention, -2 where the judge was not asked.
            judge_families: (W,) family of each judge.
            generator_families: (N,) family of the model that wrote each row.
            length: (N,) log length of each row; None where it is not known.

        Raises:
            DataError: The lengths do not fit one another, or `said` holds another value.
        """
        table = np.asarray(said, dtype=np.int64)
        judges, writers = np.asarray(judge_families, dtype=str), np.asarray(generator_families, dtype=str)
        sizes = np.zeros(len(writers)) if length is None else np.asarray(length, dtype=float)
        if table.shape != (len(writers), len(judges)) or sizes.shape != writers.shape:
            seen = f"said {table.shape}, {len(judges)} judges, {len(writers)} generators, {len(sizes)} lengths"
            raise DataError("verdicts are an (N, W) table with a family for each row and column", seen)
        if not np.isin(table, (1, 0, ABSTAINED, NOT_ASKED)).all() or not np.isfinite(sizes).all():
            raise DataError("a verdict is 1, 0, -1 or -2 and a length finite", f"{np.unique(table)[:6].tolist()}")
        return cls(table, writers[:, None] == judges[None, :], sizes - (sizes.mean() if len(sizes) else 0.0))

    def without_own(self) -> Verdicts:
        """The same, with every judge not asked about rows of its own family: no bias, at the cost of its evidence."""
        return replace(self, said=np.where(self.own, NOT_ASKED, self.said))


@dataclass(frozen=True)
class JudgeBias:
    """How judges answer, given the truth and what sways them; fitted to rows with a human label."""

    fit: LaplaceFit
    n_judges: int
    self_preference: Estimate
    """Gamma: log-odds that a judge adds to calling a *bad* row good when its own family wrote it, the judges' mean."""
    self_preference_on_good: Estimate
    """The same for good rows. Where it exceeds the other, a judge reads its own family's good rows better."""
    length_effect: Estimate
    """Delta: log-odds added to calling a row good for each unit of log length."""

    def log_odds(self, verdicts: Verdicts, *, prior: float = 0.0) -> Floats:
        """(N,) log-odds of being good from all judges, with their biases removed.

        A verdict counts by how much likelier it is on a good than on a bad row *of this generator and length*, so a
        judge that likes its own family's rows says less about them. Judges are taken as independent: calibrate after.

        Args:
            verdicts: The same judges in the same order, on any rows.
            prior: Log-odds of a row being good before any judge is heard.
        """
        if verdicts.said.shape[1] != self.n_judges:
            raise DataError("the judges must be those that were fitted", f"{verdicts.said.shape[1]}, {self.n_judges}")
        good, bad = (_scores(verdicts, self.fit.mean, z) for z in (1, 0))
        yes = np.logaddexp(0.0, -bad) - np.logaddexp(0.0, -good)
        no = np.logaddexp(0.0, bad) - np.logaddexp(0.0, good)
        heard = np.where(verdicts.said == 1, yes, np.where(verdicts.said == 0, no, 0.0))
        return np.asarray(prior + heard.sum(axis=1))


def both_orders(original: ArrayLike, swapped: ArrayLike) -> Ints:
    """What a judge of pairs said in both orders, or an abstention where the orders disagree or one has no answer.

    Args:
        original: (N,) or (N, W) winner, 1 for the first output and 0 for the second, -1 for none.
        swapped: The same pairs shown the other way round, as the *same outputs*: 1 is still the first output.

    Returns:
        Same shape: 1, 0, or -1. Without this a judge that always takes what is shown first looks half right.
    """
    first, second = _answers(original), _answers(swapped)
    if first.shape != second.shape:
        raise DataError("both orders hold the same pairs", f"shapes {first.shape} and {second.shape}")
    return np.where(first == second, first, ABSTAINED)


def order_report(original: ArrayLike, swapped: ArrayLike, *, level: float = 0.95) -> OrderReport:
    """How often one judge changes its mind with the order, and towards which place.

    Args:
        original: (N,) winner, 1 for the first output and 0 for the second, -1 for none.
        swapped: (N,) the same pairs shown the other way round, as the same outputs.
        level: Coverage of the intervals.

    Raises:
        DataError: Fewer than two pairs were answered in both orders.
    """
    first, second = _answers(original), _answers(swapped)
    both = (first >= 0) & (second >= 0)
    if both.sum() < 2:
        raise DataError("position bias needs pairs answered in both orders", f"{int(both.sum())} such pairs")
    a, b = first[both], second[both]
    # Shown the other way round, the second output stands first.
    chose_first = (a + (1 - b)) / 2
    return OrderReport(wilson(int((a != b).sum()), len(a), level), mean_t(chose_first - 0.5, level=level))


def fit_judges(verdicts: Verdicts, known: Mapping[int, int], *, level: float = 0.95) -> JudgeBias:
    """How each judge answers on good and on bad rows, and what its own family and the length add to that.

        logit P(judge w says good | truth z) = b_w + q_w z + (g_z + g_wz) own + d length

    Needs rows with a human label, drawn without looking at the judges: a preference cannot be told from real quality
    without them. With few labels of own-family rows gamma stays near 0 and its interval says so.

    Args:
        verdicts: All rows.
        known: Row to 1 for good or 0 for bad.
        level: Coverage of the intervals.

    Returns:
        Biases, and log-odds of any rows without them.

    Source:
        Panickssery, Bowman and Feng 2024, arXiv:2404.13076 (self-preference); Dubois et al. 2024, arXiv:2404.04475
        (length removed by regression). Differs: conditional on the truth, so that a family that *is* better is not
        called preferred; normal priors, judges partly pooled.
    """
    rows, labels = read_known(known, len(verdicts.said))
    at, judge = np.nonzero(verdicts.said[rows] >= 0)
    answered, truth = rows[at], labels[at]
    W = verdicts.said.shape[1]
    scale = np.concatenate([[RATE] * (2 * W), [PREFERENCE] * 2, [LENGTH], [BY_JUDGE] * (2 * W)])
    # Before any label a judge is somewhat better than a coin: 70 % of good rows and 30 % of bad ones called good.
    centre = np.concatenate([[-0.85] * W, [1.7] * W, np.zeros(3 + 2 * W)])
    design = _design(verdicts, answered, judge, truth)
    fit = fit_logistic(design, verdicts.said[answered, judge].astype(float), centre, scale)
    reach, n = normal_quantile(level), len(rows)
    used = verdicts.own[answered, judge]
    bad, good = (_mean_effect(fit, 2 * W + z, _shares(judge[used & (truth == z)], W), z) for z in (0, 1))
    length = (float(fit.mean[2 * W + 2]), float(np.sqrt(fit.covariance([2 * W + 2])[0, 0])))
    three = [Estimate(m, m - reach * s, m + reach * s, n, "Laplace, in log-odds") for m, s in (bad, good, length)]
    return JudgeBias(fit, W, *three)


def own_family_gap(p: ArrayLike, truth: ArrayLike, own: ArrayLike, *, level: float = 0.95) -> Estimate:
    """By how much rows of the judge's own family look better than they are, beyond what other rows do.

    Args:
        p: (n,) probability or verdict of being good, in [0, 1].
        truth: (n,) 1 for good, 0 for bad; rows that were not used to fit `p`.
        own: (n,) True where the judge, or one of the judges, is of the generator's family.
        level: Coverage of the interval.

    Returns:
        Mean of p - truth over own rows less that over others, a fraction: 0.02 is two points of remaining bias.

    Raises:
        DataError: Fewer than two rows on either side.
    """
    excess = np.asarray(p, dtype=float) - np.asarray(truth, dtype=float)
    mine = np.asarray(own, dtype=bool)
    if min(mine.sum(), (~mine).sum()) < 2:
        seen = f"{int(mine.sum())} own rows, {int((~mine).sum())} others"
        raise DataError("a preference needs rows of the judge's family and others", seen)
    gap = float(excess[mine].mean() - excess[~mine].mean())
    variance = excess[mine].var(ddof=1) / mine.sum() + excess[~mine].var(ddof=1) / (~mine).sum()
    reach = normal_quantile(level) * float(np.sqrt(variance))
    return Estimate(gap, gap - reach, gap + reach, len(excess), "difference of means, normal")


def _answers(said: ArrayLike) -> Ints:
    answers = np.asarray(said, dtype=np.int64)
    if not np.isin(answers, (1, 0, ABSTAINED)).all():
        raise DataError("a winner is 1, 0, or -1 for none", f"{np.unique(answers)[:6].tolist()}")
    return answers


def _design(verdicts: Verdicts, rows: Ints, judge: Ints, truth: Floats) -> Floats:
    """(n, 4 W + 3): rate and sensitivity of each judge, shared preference on bad and good, length, each judge's own."""
    W = verdicts.said.shape[1]
    one = (judge[:, None] == np.arange(W)).astype(float)
    own = verdicts.own[rows, judge]
    bad, good = own * (1 - truth), own * truth
    shared = np.column_stack([bad, good, verdicts.length[rows]])
    return np.hstack([one, one * truth[:, None], shared, one * bad[:, None], one * good[:, None]])


def _scores(verdicts: Verdicts, mean: Floats, z: int) -> Floats:
    """(N, W) log-odds of each judge calling each row good if its truth were z: `_design` times `mean`, in one go."""
    W = verdicts.said.shape[1]
    alike, preference = mean[:W] + z * mean[W : 2 * W], mean[2 * W + z] + mean[2 * W + 3 + z * W :][:W]
    return np.asarray(alike + verdicts.own * preference + mean[2 * W + 2] * verdicts.length[:, None])


def _shares(judge: Ints, W: int) -> Floats:
    """(W,) share of the own-family verdicts that came from each judge; equal where there were none."""
    count = np.bincount(judge, minlength=W).astype(float)
    return np.asarray(count / count.sum() if count.sum() else np.full(W, 1 / W))


def _mean_effect(fit: LaplaceFit, shared: int, shares: Floats, z: int) -> tuple[float, float]:
    W = len(shares)
    which = np.concatenate([[shared], 2 * W + 3 + z * W + np.arange(W)])
    mix = np.concatenate([[1.0], shares])
    return float(mix @ fit.mean[which]), float(np.sqrt(mix @ fit.covariance(which) @ mix))
