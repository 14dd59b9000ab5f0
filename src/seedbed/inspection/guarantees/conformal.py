"""Keep single rows so that few of the kept are bad on average: conformal selection."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seedbed.errors import DataError
from seedbed.inspection.guarantees.binomial import Floats, check_rates


def conformal_p_values(scores: ArrayLike, labelled_scores: ArrayLike, labelled_bad: ArrayLike) -> Floats:
    """(N,) how surprising so good a score would be if the row were bad.

    Args:
        scores: (N,) badness of the rows to be judged; lower is better, any unit.
        labelled_scores: (n,) badness of the labelled rows, which were drawn from the same source and are not among the
            N; the scores were made without these labels.
        labelled_bad: (n,) whether each of them is bad.

    Returns:
        p-values in (0, 1]; small means good.

    Raises:
        DataError: Lengths differ, or a score is not finite.

    Source:
        Jin and Candès 2023, Selection by Prediction with Conformal p-values, arXiv:2210.01408.
    """
    asked, known = np.asarray(scores, dtype=float), np.asarray(labelled_scores, dtype=float)
    bad = np.asarray(labelled_bad, dtype=bool)
    if len(known) != len(bad) or not (np.isfinite(asked).all() and np.isfinite(known).all()):
        raise DataError(
            "one finite score for each row and one label for each labelled score",
            f"{len(known)} scores, {len(bad)} labels",
            "score every row; look for NaN",
        )
    below = np.searchsorted(np.sort(known[bad]), asked, side="right")
    found: Floats = (1 + below) / (len(known) + 1)
    return found


def conformal_selection(
    scores: ArrayLike, labelled_scores: ArrayLike, labelled_bad: ArrayLike, alpha: float
) -> NDArray[np.bool_]:
    """(N,) rows to keep so that at most `alpha` of the kept are bad *on average* over draws of the labels.

    An average is a weaker promise than a certificate: one draw in three may well lie above alpha. Use `selection` where
    this very set has to be good. It keeps more than that on few labels.

    Args:
        scores: (N,) badness; lower is better.
        labelled_scores: (n,) badness of labelled rows from the same source, not among the N.
        labelled_bad: (n,) whether each is bad.
        alpha: False-discovery rate among the kept, in (0, 1).

    Raises:
        ConfigError: alpha is outside (0, 1).
        DataError: See `conformal_p_values`.

    Source:
        Jin and Candès 2023, arXiv:2210.01408; Benjamini and Hochberg 1995, Controlling the False Discovery Rate.
    """
    check_rates(alpha=alpha)
    p = conformal_p_values(scores, labelled_scores, labelled_bad)
    if not len(p):
        return np.zeros(0, dtype=bool)
    order = np.sort(p)
    passed = np.flatnonzero(order <= alpha * np.arange(1, len(p) + 1) / len(p))
    return p <= order[passed[-1]] if len(passed) else np.zeros(len(p), dtype=bool)
