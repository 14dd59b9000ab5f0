"""What each verifier found of the planted defects."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from seedbed.errors import DataError
from seedbed.estimate import Estimate, wilson


@dataclass(frozen=True)
class Sensitivity:
    """One verifier on one type of defect. Planted is not natural: these numbers are priors only."""

    by: str
    defect: str | None
    """Type of defect; None for the rows that nothing was done to."""
    flagged: Estimate
    """Share called bad. On planted rows this is recall; on untouched rows false alarms, real defects among them."""
    abstained: int
    """Rows asked about and left open; they count as not called bad."""

    def prior(self, strength: float = 10.0) -> tuple[float, float]:
        """Beta(a, b) for the share called bad, worth at most `strength` rows however many were planted.

        A thousand planted defects say no more about natural ones than a few do; the bound keeps them from outvoting
        what humans read.
        """
        worth = min(strength, float(self.flagged.n))
        return 1 + worth * self.flagged.value, 1 + worth * (1 - self.flagged.value)


def sensitivity(
    verdicts: pl.DataFrame, key: pl.DataFrame, *, threshold: float = 0.5, level: float = 0.95
) -> list[Sensitivity]:
    """Recall of each verifier on each type of planted defect, and its false alarms on untouched rows.

    Results are priors only. Planted defects are coarser than natural ones, so recall is mostly too high; untouched
    rows hold natural defects, so the false alarms are an upper bound.

    Args:
        verdicts: id, by, p_good (a probability in [0, 1]; null where the verifier abstains). Rows that are missing for
            a verifier were not asked about and do not count.
        key: From `plant`.
        threshold: A row is called bad where p_good is below it.
        level: Coverage of the intervals (Wilson), in (0, 1).

    Returns:
        By verifier, then type of defect in alphabetical order; untouched rows last.

    Raises:
        DataError: Columns are missing, a verifier judged a row twice, or no verdict is on a row of the key.
    """
    for name, table, columns in (("verdicts", verdicts, ("id", "by", "p_good")), ("the key", key, ("id", "defect"))):
        if missing := [column for column in columns if column not in table.columns]:
            raise DataError(f"{name} lack columns", f"missing {missing}; found {table.columns}", "name them so")
    if twice := int(verdicts.select(pl.struct("by", "id").is_duplicated().sum()).item()):
        raise DataError("a verifier judged a row twice", f"{twice} verdicts", "keep one verdict for each row")
    joined = verdicts.join(key.select("id", "defect"), on="id")
    if joined.is_empty():
        seen = f"{verdicts.height} verdicts, {key.height} rows in the key, none in common"
        raise DataError("no verdict is on a row of the key", seen, "inspect the rows that `plant` returned")
    counts = (
        joined.group_by("by", "defect")
        .agg(
            pl.len().alias("n"),
            (pl.col("p_good") < threshold).sum().alias("bad"),
            pl.col("p_good").is_null().sum().alias("open"),
        )
        .sort("by", "defect", nulls_last=True)
    )
    return [
        Sensitivity(by, defect, wilson(bad, n, level), left_open)
        for by, defect, n, bad, left_open in counts.iter_rows()
    ]
