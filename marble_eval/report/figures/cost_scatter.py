"""Score against cost: what a clip took to encode, on the machine of the run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from marble_eval.report.figures import style
from marble_eval.report.figures.series import (
    arms,
    interval_label,
    labels,
    main_metric,
    main_score,
    metric_label,
    title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marble_eval.results import Result

_WIDEST = 58  # characters below one column


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
        axes.set_ylabel(f"test {metric_label(main_metric(results[0]))}")
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
