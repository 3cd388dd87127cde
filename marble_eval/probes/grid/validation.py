"""The validation score, by which checkpoint, setting and layer are chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from marble_eval.registry import Task


def validation_score(task: Task, reference: np.ndarray) -> Callable[[np.ndarray], float]:
    """Give the function that scores a probe on validation: the main metric, on the whole split.

    Parameters
    ----------
    task : Task
        Its decoding and score, the kind's or the folder's own.
    reference : np.ndarray [shape=(item,) or (item, output)]
        Targets of the validation split.

    Returns
    -------
    callable
        From outputs (item, output) to the score; to rise.
    """
    main = task.spec.main_metric
    spec = replace(task.spec, metrics=(main,))  # asked once an epoch, so for nothing else

    def score(outputs: np.ndarray) -> float:
        return float(
            task.track_kind.score(reference, task.track_kind.decode(outputs, spec), spec)[main]
        )

    return score
