"""The validation score of every layer at every learning rate: what the choice was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marble_eval.leaderboard import metric_unit
from marble_eval.report.figures import style
from marble_eval.report.figures.series import main_metric, metric_label, shown, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marble_eval.results import Result

_SHORT = 4  # characters of a layer's name that stand level below their column


def grid_map(result: Result) -> Figure | None:
    """Draw the grid of a result."""
    layers = [each.layer for each in result.layers]
    settings = sorted({point.setting for point in result.grid})
    if len(layers) < 2 or len(settings) < 2:
        return None
    metric = main_metric(result)
    times = 100 if metric_unit(metric) == "percent" and result.protocol.frames is None else 1
    # Frames are chosen by what the kind says, which the record's remarks tell.
    what = metric_label(metric) if result.protocol.frames is None else "score"
    setting = "C" if result.probe.name == "logreg" else "learning rate"
    with style.context():
        width = max(style.COLUMN, 1.5 + 0.14 * len(layers))
        figure, axes = style.canvas(width, 0.95 + 0.19 * len(settings))
        scores = np.ma.masked_invalid(times * valid_scores(result, layers, settings))
        image = axes.imshow(scores, cmap=style.masked(style.MAP), aspect="auto", origin="lower")
        step = 1 if len(layers) <= 14 else 2
        upright = max(map(len, layers)) > _SHORT
        last = len(layers) - 1
        places = [*(at for at in range(0, last, step) if last - at >= step), last]
        axes.set_xticks(places, [shown(layers[at]) for at in places], rotation=90 if upright else 0)
        axes.set_yticks(range(len(settings)), [f"{each:g}" for each in settings])
        axes.tick_params(length=2)
        axes.spines[:].set_visible(False)
        chosen = (layers.index(result.chosen.layer), settings.index(result.chosen.setting))
        for colour, size in (("white", 8.0), ("black", 5.5)):  # seen on light and on dark
            axes.plot(
                *chosen, "o", markersize=size, markerfacecolor="none", markeredgecolor=colour,
                markeredgewidth=1.1, label="chosen",
            )  # fmt: skip
        axes.set_xlabel("layer (ring: chosen, over all seeds)")
        axes.set_ylabel(setting)
        style.entitle(figure, title(result, encoder=True))
        style.colour_bar(figure, image, axes, f"validation {what}")
    return figure


def valid_scores(result: Result, layers: list[str], settings: list[float]) -> np.ndarray:
    """Average the validation scores of a grid over the seeds that all its probes have."""
    cells: dict[tuple[int, int], dict[int, float]] = {}
    for point in result.grid:
        if point.layer in layers:
            where = (settings.index(point.setting), layers.index(point.layer))
            cells.setdefault(where, {})[point.seed] = point.valid
    common = set.intersection(*(set(each) for each in cells.values()))
    scores = np.full((len(settings), len(layers)), np.nan)
    for where, of_seed in cells.items():
        scores[where] = np.mean([of_seed[seed] for seed in (common or of_seed)])
    return scores
