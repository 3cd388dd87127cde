"""Scores from stored predictions: no model, no audio, no data set.

A result file names its predictions; from them the scores are computed by the same code
as in the run, so that they come out equal, and any other metric of the task's kind can
be asked for.
"""

from marble_eval.scores.rescoring.reading import relabelled, rescored, stored_scores
from marble_eval.scores.rescoring.recorded_task import (
    NOT_INSTALLED,
    possible_metrics,
    recorded_task,
)
from marble_eval.scores.rescoring.stored import StoredScores

__all__ = [
    "NOT_INSTALLED",
    "StoredScores",
    "possible_metrics",
    "recorded_task",
    "relabelled",
    "rescored",
    "stored_scores",
]
