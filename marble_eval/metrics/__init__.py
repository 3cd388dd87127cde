"""Scores of a whole split: arrays in, numbers out; and `Metric`, the record of one.

The reference comes before the estimate. A score is made once from all items of
a split, never as a mean over batches. ``weights`` say how often each item counts
and may have leading axes, so that a thousand bootstrap resamples are scored by
one matrix product. There is no score from nothing: an empty reference raises.
Shares lie in [0, 1]; percent are for tables.
"""

from marble_eval.metrics.metric import Metric, Unit, in_unit

__all__ = ["Metric", "Unit", "in_unit"]
