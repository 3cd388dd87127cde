"""How sure a score is: intervals from resamples, paired tests, many tests at once, ranks.

Arrays in, numbers out; what a metric is, the caller knows.
"""

from marble_eval.scores.statistics.multiplicity import holm
from marble_eval.scores.statistics.pairs import bootstrap_p, tied_with_best
from marble_eval.scores.statistics.permutation import permutation_p, swaps
from marble_eval.scores.statistics.ranks import RankRange, rank_ranges
from marble_eval.scores.statistics.resampling import (
    Interval,
    bootstrap_interval,
    bootstrap_weights,
    left_out_weights,
)

__all__ = [
    "Interval",
    "RankRange",
    "bootstrap_interval",
    "bootstrap_p",
    "bootstrap_weights",
    "holm",
    "left_out_weights",
    "permutation_p",
    "rank_ranges",
    "swaps",
    "tied_with_best",
]
