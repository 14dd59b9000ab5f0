"""Numbers with their doubt: an interval for a share, a mean, a paired gain, and a gain over rng seeds.

Which one to use:

    wilson            a share of rows, such as accuracy on n independent rows
    share             the same from the rows themselves; `clusters` where rows share a passage
    mean_t            a mean of any scores, such as token F1; `clusters` where rows share a passage
    bootstrap         any other statistic, such as macro F1
    paired_gain       two students on the same rows
    gain_over_seeds   two methods on the same rows, each trained under several rng seeds
    mean_over_seeds   one method on the same rows, trained under several rng seeds
    mcnemar           is one of two students better at all: a p value and the counts behind it

The coverage of each is measured in tests/test_estimate.py; where it strays from the level, the docstring says so.
"""

from seedbed.estimate.number import Estimate, PairedTest
from seedbed.estimate.paired import mcnemar, paired_gain
from seedbed.estimate.rows import bootstrap, mean_t, share, wilson
from seedbed.estimate.seeds import gain_over_seeds, mean_over_seeds

__all__ = [
    "Estimate",
    "PairedTest",
    "bootstrap",
    "gain_over_seeds",
    "mcnemar",
    "mean_over_seeds",
    "mean_t",
    "paired_gain",
    "share",
    "wilson",
]
