"""How sure a score is: intervals from resamples, paired tests, many tests at once, ranks.

Arrays in, numbers out; what a metric is, the caller knows.
"""

from marble_eval.scores.statistics.multiplicity import holm
from marble_eval.scores.statistics.pairs import bootstrap_p, paired_tie
from marble_eval.scores.statistics.permutation import permutation_p, swaps
from marble_eval.scores.statistics.ranks import RankRange, rank_ranges
from marble_eval.scores.statistics.resampling import (
    Interval,
    bootstrap_weights,
    percentile_interval,
)

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
