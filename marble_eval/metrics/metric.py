"""What a metric is: a record of its name, direction, unit and written form.

A kind brings the metrics that it computes, and a task folder may bring its own in a
``task.py``. Whatever shows, compares or cites a score takes these facts from the record,
or from the result file that holds a copy of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np

    from marble_eval.spec import TaskSpec

#: "percent" for shares, stored in [0, 1] and shown as 74.8; "dB" and "1" are shown as stored.
Unit = Literal["percent", "dB", "1"]

#: How the names of metrics of whole recordings end, where items are pieces of them.
BY_RECORDING = "_by_recording"

_DECIMALS = 4


@dataclass(frozen=True)
class Metric:
    """A metric: what there is to know of it beside its values.

    Attributes
    ----------
    name : str
        As cards, records and the command line have it.
    unit : {"percent", "dB", "1"}
        How tables show it: shares in percent, anything else as it was computed.
    higher_is_better : bool
        Its direction.
    written : str
        Its name as papers write it; the name with spaces if empty.
    citation : str
        Key of an entry in ``methods.bib``, or an entry of BibTeX; empty for none.
    item_scores : callable or None
        ``(reference, estimate, spec)`` to one score an item, higher is better, nan where
        nothing can be said. None for the kind's own.
    biased : bool
        Whether copies of an item in a resample move it one way, so that its interval is
        moved back.
    ranked : bool
        Whether only the order of an output among the items counts.

    Examples
    --------
    >>> Metric("balanced_accuracy", "percent").written
    'balanced accuracy'
    """

    name: str
    unit: Unit
    higher_is_better: bool = True
    written: str = ""
    citation: str = ""
    item_scores: Callable[[np.ndarray, np.ndarray, TaskSpec], np.ndarray] | None = None
    biased: bool = False
    ranked: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a metric must have a name. Got none.")
        if self.unit not in get_args(Unit):
            raise ValueError(
                f"the unit of the metric {self.name} must be one of {', '.join(get_args(Unit))}. "
                f"Got {self.unit!r}."
            )
        if not self.written:
            object.__setattr__(self, "written", self.name.replace("_", " "))


def by_recording(metric: Metric) -> Metric:
    """Return the metric of whole recordings, where items are pieces of them."""
    written = f"{metric.written} by recording"
    return replace(metric, name=f"{metric.name}{BY_RECORDING}", written=written)


def in_unit(value: float, unit: str) -> float:
    """Give a stored score in the unit of the tables.

    Parameters
    ----------
    value : float
        As the metric gives it: accuracy as a share.
    unit : str
        Of the metric.

    Returns
    -------
    float
        Rounded to four decimals; never -0.0.

    Examples
    --------
    >>> in_unit(0.748276, "percent"), in_unit(-0.00000001, "1")
    (74.8276, 0.0)
    """
    # Adding 0.0 turns -0.0 into 0.0.
    return round(value * (100 if unit == "percent" else 1), _DECIMALS) + 0.0
