"""Which items two results treat differently: those that flipped, the largest change first.

What an item scores by itself, the task's kind says: by the metric itself where that is a
mean over items (a right class, part of a point for a near key) or counts events in a
track; else 1 for the right class, average precision of a track's tags, minus the error
of a regression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from marble_eval.metrics.metric import BY_RECORDING

if TYPE_CHECKING:
    from marble_eval.scores.rescoring import StoredScores

_LEAST = 1e-9  # of a change; below it lies rounding


def item_changes(first: StoredScores, second: StoredScores, metric: str) -> pd.DataFrame:
    """List the items that the two score differently.

    Parameters
    ----------
    first, second : StoredScores
        From `marble_eval.scores.comparison.pairing.on_common_items`.
    metric : str
        What the two are compared by; of whole recordings, the pieces are listed.

    Returns
    -------
    pandas.DataFrame
        Columns ``id``, ``group``, ``reference``, ``first`` and ``second`` (estimates of the
        first seed), ``score_first``, ``score_second`` (means over the seeds), ``change``;
        largest change first. Items with nothing to be scored are not there.
    """
    of_items = metric.removesuffix(BY_RECORDING)
    scores = [each.split.item_scores(of_items) for each in (first, second)]
    table = pd.DataFrame(
        {
            "id": first.items,
            "group": first.groups,
            "reference": first.references,
            "first": first.estimates[0],
            "second": second.estimates[0],
            "score_first": scores[0],
            "score_second": scores[1],
            "change": scores[1] - scores[0],
        }
    )
    changed = table[table["change"].abs() > _LEAST]
    order = np.lexsort([changed["id"], -changed["change"].abs()])
    return changed.iloc[order].reset_index(drop=True)
