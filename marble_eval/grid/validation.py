"""The validation score, by which checkpoint, setting and layer are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from marble_eval.registry import Task


def validation_score(task: Task, reference: np.ndarray) -> Callable[[np.ndarray], float]:
    """Give the function that scores a probe on validation.

    Parameters
    ----------
    task : Task
        Its kind's ``monitor`` is taken, or, where the folder brings its own
        decoding or score, the main metric by those.
    reference : np.ndarray [shape=(track,) or (track, output)]
        Targets of the validation split.

    Returns
    -------
    callable
        From outputs (track, output) to the score; to rise.
    """
    spec, kind = task.spec, task.kind
    if task.decode is kind.decode and task.score is kind.score:
        return lambda outputs: float(kind.monitor(reference, outputs, spec))

    def own_score(outputs: np.ndarray) -> float:
        return float(task.score(reference, task.decode(outputs, spec), spec)[spec.main_metric])

    return own_score
