"""Which class is taken for which: shares of each reference class, over all seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.report.figures import style
from marble_eval.report.figures.series import shown, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from marble_eval.results import Result

_LINE = 0.115  # inches that a name of 7 pt takes
_NUMBERED = 12  # classes up to which the cells have room for numbers


def confusion_map(result: Result) -> Figure | None:
    """Draw the confusion matrix of a result."""
    if not result.confusion:
        return None
    names = [shown(each.name) for each in result.labels]
    margin = 0.75 + 0.058 * max(map(len, names))
    side = min(max(style.COLUMN - margin - 0.45, _LINE * len(names)), style.PAGE - margin - 0.45)
    with style.context():
        figure, axes = style.canvas(side + margin + 0.45, side + margin)
        found = 100 * shares(np.array(result.confusion))
        image = axes.imshow(
            np.ma.masked_invalid(found), cmap=style.masked(style.SHARES), vmin=0, vmax=100
        )
        if len(names) <= _NUMBERED:
            _write_shares(axes, image, found)
        step = int(np.ceil(_LINE * len(names) / side - 1e-9))
        places = list(range(0, len(names), step))
        axes.set_xticks(places, [names[at] for at in places], rotation=90)
        axes.set_yticks(places, [names[at] for at in places])
        axes.tick_params(length=2)
        axes.spines[:].set_visible(True)
        axes.set_xlabel("estimate")
        axes.set_ylabel("reference" if step == 1 else f"reference (one class in {step} is named)")
        style.entitle(figure, title(result, encoder=True))
        style.colour_bar(figure, image, axes, "share of the reference (%)")
    return figure


def shares(counts: np.ndarray) -> np.ndarray:
    """Divide each row by its sum."""
    total = counts.sum(axis=1, keepdims=True)
    divided = counts / np.where(total, total, 1)
    return np.where(total > 0, divided, np.nan)


def _write_shares(axes: Axes, image: Any, found: np.ndarray) -> None:
    for (row, column), share in np.ndenumerate(found):
        if share >= 0.5:  # what rounds to nothing stays blank
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center",
                color=style.text_colour(image, float(share)),
            )  # fmt: skip
