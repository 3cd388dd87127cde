"""How sure a score is: intervals from resamples, paired tests, many tests at once, ranks.

Arrays in, numbers out; what a metric is, the caller knows.
"""

from marble_eval.statistics.multiplicity import holm
from marble_eval.statistics.pairs import bootstrap_p, paired_tie
from marble_eval.statistics.permutation import permutation_p, swaps
from marble_eval.statistics.ranks import RankRange, rank_ranges
from marble_eval.statistics.resampling import Interval, bootstrap_weights, percentile_interval

__all__ = [
    "Interval",
    "RankRange",
    "bootstrap_p",
    "bootstrap_weights",
    "holm",
    "paired_tie",
    "percentile_interval",
    "permutation_p",
    "rank_ranges",
    "swaps",
]
