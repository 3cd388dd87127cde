"""Score against layer, step of pre-training and cost, a line or mark for each encoder.

Of layers, the one that validation chose is ringed; test scores are shown and never chosen from. The
learned sum is separate at the right, and an encoder of one layer is a level line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from marble_eval.report.figures import style
from marble_eval.report.figures.series import (
    Score,
    arms,
    in_tables,
    interval_label,
    labels,
    main_score,
    metric_label,
    shown,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from marble_eval.results import Result

SERIES = 6  # lines in one figure that can be told apart
_SHORT = 3  # characters of a layer's name that stand level
_DODGE = 0.09  # layers between the intervals of two encoders
_WIDE = 20  # last over first step from which the axis is logarithmic
_WIDEST = 58  # characters below one column


def layer_curves(results: Sequence[Result]) -> Figure | None:
    """Draw the layer curves of a task."""
    depth = max(len(each.encoder.layers) for each in results)
    if depth < 2:
        return None
    several = [each for each in results if len(each.encoder.layers) > 1]
    gap = max(1.0, depth / 12)  # in layers: what a name on the axis takes
    place_of_sum = depth - 0.6 + gap if any(_sums(each) for each in several) else None
    right = depth - 0.8 + gap if place_of_sum is None else place_of_sum + 0.95 * gap
    with style.context():
        figure, axes = style.canvas(style.COLUMN, 2.5 + 0.07 * len(results))
        handles, levels = [], 0
        for number, result in enumerate(results):
            sign = style.sign(number)
            if len(result.encoder.layers) == 1:
                _draw_level(axes, result, sign, right + 0.25 * gap * levels)
                levels += 1
            else:
                shift = _DODGE * (several.index(result) - (len(several) - 1) / 2)
                _draw_curve(axes, result, sign, place_of_sum or 0.0, shift)
            handles.append(Line2D([], [], **sign._asdict()))
        ticks = _ticks(several, depth)
        if place_of_sum is not None:
            axes.axvline(
                place_of_sum - 0.6 * gap, color=style.GREY, linewidth=0.5, linestyle=(0, (1, 2))
            )
            ticks.append((place_of_sum, "sum"))
        if levels:
            ticks.append((right + 0.125 * gap * (levels - 1), "one\nlayer"))
        axes.set_xticks([place for place, _ in ticks], [name for _, name in ticks])
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.set_ylabel(f"test {metric_label(results[0])}")
        ringed = f"ring: chosen on validation; bars: {interval_label(results)}"
        axes.set_xlabel(f"layer ({ringed})\ntest scores are shown, not chosen from")
        style.legend_above(figure, title(results[0]), handles, labels(results))
    return figure


def _sums(result: Result) -> list[str]:
    """Name the learned sums: what was trained and is no layer of the encoder."""
    return [each.layer for each in result.layers if each.layer not in result.encoder.layers]


def _draw_curve(
    axes: Axes, result: Result, sign: style.Sign, place_of_sum: float, shift: float
) -> None:
    places = {layer: place for place, layer in enumerate(result.encoder.layers)}
    single = [
        (places[each.layer] + shift, in_tables(result, each.test))
        for each in result.layers
        if each.layer in places
    ]
    single.sort(key=lambda point: point[0])
    summed = [
        (place_of_sum + shift, in_tables(result, each.test))
        for each in result.layers
        if each.layer not in places
    ]
    _draw_points(axes, single, sign, result.encoder.name)
    _draw_points(axes, summed, sign._replace(linestyle="none"), result.encoder.name)
    for each in result.layers:
        if each.layer == result.chosen.layer:
            x = places.get(each.layer, place_of_sum) + shift
            _ring(axes, x, in_tables(result, each.test).value, sign)


def _draw_points(
    axes: Axes, points: Sequence[tuple[float, Score]], sign: style.Sign, name: str
) -> None:
    if not points:
        return
    scores = [score for _, score in points]
    axes.errorbar(
        [x for x, _ in points],
        [each.value for each in scores],
        yerr=arms(scores),
        elinewidth=0.6,
        label=f"curve {name}",
        **sign._asdict(),
    )


def _draw_level(axes: Axes, result: Result, sign: style.Sign, x: float) -> None:
    score = in_tables(result, result.layers[0].test)
    axes.axhline(score.value, linewidth=0.9, color=sign.color, linestyle=sign.linestyle, zorder=1)
    _draw_points(axes, [(x, score)], sign._replace(linestyle="none"), result.encoder.name)


def _ring(axes: Axes, x: float, y: float, sign: style.Sign) -> None:
    axes.plot(
        [x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=sign.color,
        markeredgewidth=0.9, label="chosen",
    )  # fmt: skip


def _ticks(results: Sequence[Result], depth: int) -> list[tuple[float, str]]:
    """Name the layers where all encoders agree on short names, else count them from 0."""
    names = {each.encoder.layers for each in results}
    step = 1 if depth <= 14 else 2 if depth <= 26 else 4
    common = next(iter(names)) if len(names) == 1 else ()
    if not common or max(map(len, common)) > _SHORT:
        common = tuple(map(str, range(depth)))
    return [(float(place), common[place]) for place in range(0, depth, step)]


def checkpoint_curve(results: Sequence[Result]) -> Figure | None:
    """Draw the score of every checkpoint."""
    of_encoder: dict[str, list[Result]] = {}
    for result in results:
        if result.encoder.step is not None:
            of_encoder.setdefault(result.encoder.name, []).append(result)
    lines = {
        name: sorted(members, key=lambda each: each.encoder.step or 0)
        for name, members in of_encoder.items()
        if len({each.encoder.step for each in members}) > 1
    }
    if not lines:
        return None
    with style.context():
        figure, axes = style.canvas(style.COLUMN, 2.3 + 0.08 * len(lines))
        handles = []
        for number, (name, members) in enumerate(lines.items()):
            scores, sign = [main_score(each) for each in members], style.sign(number)
            drawn = axes.errorbar(
                [each.encoder.step or 0 for each in members], [each.value for each in scores],
                yerr=arms(scores), elinewidth=0.6, label=f"steps {name}", **sign._asdict(),
            )  # fmt: skip
            handles.append(drawn.lines[0])
        steps = [each.encoder.step or 0 for members in lines.values() for each in members]
        if min(steps) > 0 and max(steps) >= _WIDE * min(steps):
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(_counted))
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.set_ylabel(f"test {metric_label(results[0])}")
        bars = f"bars: {interval_label(results)}"
        axes.set_xlabel(f"step of pre-training ({bars})\nthe layer of each is chosen on validation")
        style.legend_above(figure, title(results[0]), handles, [shown(name) for name in lines])
    return figure


def _counted(steps: float, _place: int | None) -> str:
    return f"{steps / 1000:g}k" if steps >= 1000 else f"{steps:g}"


def cost_scatter(results: Sequence[Result]) -> Figure | None:
    """Draw score against the time of extraction."""
    timed = [each for each in results if milliseconds(each) is not None]
    if len(timed) < 2:
        return None
    names = dict(zip(map(id, results), labels(results), strict=True))
    cached = [names[id(each)] for each in results if milliseconds(each) is None]
    devices = sorted({each.environment.device for each in timed})
    with style.context():
        figure, axes = style.canvas(style.COLUMN, 2.3 + 0.08 * len(timed))
        handles = []
        for number, result in enumerate(timed):
            score, sign = main_score(result), style.sign(number)
            drawn = axes.errorbar(
                [milliseconds(result) or 0.0], [score.value], yerr=arms([score]), elinewidth=0.6,
                color=sign.color, marker=sign.marker, linestyle="none", markersize=5,
                label=f"cost {result.encoder.name}",
            )  # fmt: skip
            handles.append(drawn.lines[0])
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid()
        axes.set_axisbelow(True)
        axes.set_ylabel(f"test {metric_label(results[0])}")
        bars = f"bars: {interval_label(timed)}"
        told = [f"extraction on {', '.join(devices)} (ms per clip); {bars}"]
        if cached:
            told.append(f"without a time, features from the cache: {', '.join(cached)}")
        axes.set_xlabel("\n".join(textwrap.fill(each, _WIDEST) for each in told))
        several = len(devices) > 1
        style.legend_above(figure, title(results[0]), handles, [
            names[id(each)] + (f" on {each.environment.device}" if several else "")
            for each in timed
        ])  # fmt: skip
    return figure


def milliseconds(result: Result) -> float | None:
    """Return what a clip took to encode, in milliseconds; None if none was."""
    cost = result.cost
    if not cost.clips_encoded or not cost.extract_seconds > 0:
        return None
    return 1000 * cost.extract_seconds / cost.clips_encoded
