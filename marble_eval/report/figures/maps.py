"""Maps: encoders by task, layers by learning rate, classes by class.

Shades of encoders by task are relative within a column, from its worst to its best score, because
metrics differ in scale; the numbers are in the cells, the best of a column in bold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from marble_eval.leaderboard.score_text import score_text
from marble_eval.report.figures import style
from marble_eval.report.figures.series import (
    column_of,
    divided,
    label_shown,
    labels,
    main_metric,
    main_score,
    metric_label,
    scale,
    shown,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from marble_eval.results import Result

_CELL, _ROW = 0.36, 0.19  # inches
_SHORT_LAYER = 4  # characters of a layer's name that stand level below their column
_LINE = 0.115  # inches that a name of 7 pt takes
_NUMBERED = 12  # classes up to which the cells have room for numbers


def heat_map(results: Sequence[Result]) -> Figure | None:
    """Draw a heat map."""
    columns = [divided(group, column_of)[0] for group in divided(results, column_of)]
    rows = _rows(columns)
    if len(results) < 2:
        return None
    scores = np.full((len(rows), len(columns)), np.nan)
    for at, column in enumerate(columns):
        for result in column:
            scores[_row_of(rows, columns, result), at] = main_score(result).value
    higher = [column[0].metrics[main_metric(column[0])].higher_is_better for column in columns]
    names = labels([members[0] for members in rows.values()])
    heads = [_heading(column[0], columns) for column in columns]
    # A letter of 7 pt is about 0.062 inches wide.
    tall = 0.062 * max(len(line) for head in heads for line in head.split("\n"))
    wide = 0.062 * max(map(len, names))
    with style.context():
        width = max(style.COLUMN, 0.9 + wide + _CELL * len(columns))
        figure, axes = style.canvas(width, 0.4 + tall + _ROW * len(rows))
        image = axes.imshow(
            np.ma.masked_invalid(relative(scores, higher)),
            cmap=style.masked(style.MAP), vmin=0, vmax=1, aspect="auto",
        )  # fmt: skip
        units = [column[0].metrics[main_metric(column[0])].unit for column in columns]
        _write_cells(axes, image, scores, higher, units)
        axes.set_yticks(range(len(names)), names)
        axes.set_xticks(range(len(heads)), heads, rotation=90, ma="left")
        axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
        axes.spines[:].set_visible(False)
        bar = style.colour_bar(figure, image, axes, "within a column", ticks=[0, 1])
        bar.ax.set_yticklabels(["worst", "best"])
        if results[0].task.embedded:
            axes.set_xlabel("embedded data")
    return figure


def relative(scores: np.ndarray, higher_is_better: Sequence[bool]) -> np.ndarray:
    """Place scores between the worst and the best of their column."""
    low, high = np.nanmin(scores, axis=0), np.nanmax(scores, axis=0)
    span = np.where(high > low, high - low, 1.0)
    placed = np.where(high > low, (scores - low) / span, np.where(np.isnan(scores), np.nan, 0.5))
    return np.where(np.array(higher_is_better), placed, 1.0 - placed)


def _rows(columns: Sequence[Sequence[Result]]) -> dict[tuple[str | int, ...], list[Result]]:
    """Give each encoder a row, and a second result of one cell a row of its own."""
    found: dict[tuple[str | int, ...], list[Result]] = {}
    for column in columns:
        for result in column:
            found.setdefault(_owner(column, result), []).append(result)
    return dict(sorted(found.items(), key=lambda item: item[0]))


def _owner(column: Sequence[Result], result: Result) -> tuple[str | int, ...]:
    encoder = result.encoder
    same = [
        each
        for each in column
        if (each.encoder.name, each.encoder.revision, each.encoder.precision)
        == (encoder.name, encoder.revision, encoder.precision)
    ]
    place = next(at for at, each in enumerate(same) if each is result)
    step = -1 if encoder.step is None else encoder.step
    name = encoder.name
    return (name.casefold(), name, step, encoder.revision, encoder.precision, place)


def _row_of(
    rows: dict[tuple[str | int, ...], list[Result]],
    columns: Sequence[Sequence[Result]],
    result: Result,
) -> int:
    column = next(each for each in columns if any(other is result for other in each))
    return list(rows).index(_owner(column, result))


def _heading(result: Result, columns: Sequence[Sequence[Result]]) -> str:
    """Name a column; its version or data where another has the same name."""
    task = result.task
    same = [each[0].task for each in columns if each[0].task.name == task.name]
    version = f"@{task.version}" if len({each.version for each in same}) > 1 else ""
    data = f" ({task.data_digest[:6]})" if len({each.data_digest for each in same}) > 1 else ""
    return f"{shown(task.name)}{version}{data}\n{metric_label(result)}"


def _write_cells(
    axes: Axes,
    image: Any,
    scores: np.ndarray,
    higher_is_better: Sequence[bool],
    units: Sequence[str],
) -> None:
    for (row, column), score in np.ndenumerate(scores):
        if np.isnan(score):
            axes.text(column, row, "–", ha="center", va="center", color=style.GREY)
            continue
        of_column = scores[:, column]
        best = np.nanmax(of_column) if higher_is_better[column] else np.nanmin(of_column)
        axes.text(
            column, row, score_text(score, units[column]), ha="center", va="center",
            color=style.text_colour(image, float(image.get_array()[row, column])),
            weight="bold" if score == best else "normal",
        )  # fmt: skip


def grid_map(result: Result) -> Figure | None:
    """Draw the grid of a result."""
    layers = [each.layer for each in result.layers]
    settings = sorted({point.setting for point in result.grid})
    if len(layers) < 2 or len(settings) < 2:
        return None
    times = scale(result) if result.protocol.frames is None else 1
    # Frames are chosen by what the kind says, which the record's remarks tell.
    what = metric_label(result) if result.protocol.frames is None else "score"
    with style.context():
        width = max(style.COLUMN, 1.5 + 0.14 * len(layers))
        figure, axes = style.canvas(width, 0.95 + 0.19 * len(settings))
        scores = np.ma.masked_invalid(times * valid_scores(result, layers, settings))
        image = axes.imshow(scores, cmap=style.masked(style.MAP), aspect="auto", origin="lower")
        step = 1 if len(layers) <= 14 else 2
        upright = max(map(len, layers)) > _SHORT_LAYER
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
        axes.set_ylabel(result.probe.setting)
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


def confusion_map(result: Result) -> Figure | None:
    """Draw the confusion matrix of a result."""
    if not result.confusion:
        return None
    names = [label_shown(each.name) for each in result.labels]
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
