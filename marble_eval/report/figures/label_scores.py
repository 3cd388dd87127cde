"""How well each class, tag or dimension is told: one line of dots a label, best on top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marble_eval.kinds import KINDS, load_kind
from marble_eval.leaderboard.score_text import unit_suffix
from marble_eval.metrics.metric import Metric
from marble_eval.report.figures import style
from marble_eval.report.figures.series import label_shown, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from marble_eval.results import LabelScore, Result

MOST = 50  # labels in one figure


def label_scores(result: Result) -> Figure | None:
    """Draw the scores of a result's labels."""
    scored = [each for each in result.labels if _first(each) is not None]
    if len(scored) < 2:
        return None
    drawn = sorted(scored, key=lambda each: -each.n)[:MOST]
    drawn.sort(key=lambda each: (_first(each) or 0.0, each.name))
    with style.context():
        figure, axes = style.canvas(style.COLUMN, 0.95 + 0.128 * len(drawn))
        handles = []
        metrics = _metrics(result)
        for number, (metric, record) in enumerate(metrics.items()):
            times = 100 if record.unit == "percent" else 1
            values = [
                float("nan") if each.scores[metric] is None else times * (each.scores[metric] or 0)
                for each in drawn
            ]
            sign = style.sign(number)
            handles += axes.plot(
                values, range(len(drawn)), linestyle="none", marker=sign.marker,
                color=sign.color, label=f"labels {metric}",
            )  # fmt: skip
        axes.set_yticks(
            range(len(drawn)), [f"{label_shown(each.name)} ({each.n})" for each in drawn]
        )
        axes.set_ylim(-0.7, len(drawn) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="both")
        axes.set_axisbelow(True)
        names = [each.written + unit_suffix(each.unit) for each in metrics.values()]
        axes.set_xlabel("\n".join([f"test {' and '.join(names)}", *_left_out(result, drawn)]))
        if len(names) > 1:
            style.legend_above(figure, title(result, encoder=True), handles, names)
        else:
            style.entitle(figure, title(result, encoder=True))
    return figure


def _metrics(result: Result) -> dict[str, Metric]:
    """Return what labels are scored by, as the task's kind describes it."""
    name = result.task.kind
    known = {each.name: each for each in load_kind(name).label_metrics} if name in KINDS else {}
    return {each: known.get(each) or Metric(each, "1") for each in result.labels[0].scores}


def _first(label: LabelScore) -> float | None:
    return next(iter(label.scores.values()), None)


def _left_out(result: Result, drawn: list[LabelScore]) -> list[str]:
    """Say what the numbers in brackets are, and which labels are not drawn."""
    told = ["(in brackets: test tracks of the label)"]
    without = sum(_first(each) is None for each in result.labels)
    if without:
        told.append(f"{without} of {len(result.labels)} labels have no score")
    if len(drawn) + without < len(result.labels):
        told.append(f"{len(drawn)} of {len(result.labels)} labels: those with most test tracks")
    return told
