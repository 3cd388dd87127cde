"""Score against the step of pre-training, a line for each encoder with several checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from marble_eval.report.figures import style
from marble_eval.report.figures.series import (
    arms,
    interval_label,
    main_metric,
    main_score,
    metric_label,
    shown,
    title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marble_eval.results import Result


_WIDE = 20  # last over first step from which the axis is logarithmic


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
        axes.set_ylabel(f"test {metric_label(main_metric(results[0]))}")
        bars = f"bars: {interval_label(results)}"
        axes.set_xlabel(f"step of pre-training ({bars})\nthe layer of each is chosen on validation")
        style.legend_above(figure, title(results[0]), handles, [shown(name) for name in lines])
    return figure


def _counted(steps: float, _place: int | None) -> str:
    return f"{steps / 1000:g}k" if steps >= 1000 else f"{steps:g}"
