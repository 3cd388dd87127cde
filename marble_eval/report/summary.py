"""A result as text: the table at the end of a run, and the layer curve.

Shares are shown in percent, as the papers print them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from marble_eval.leaderboard import in_unit, metric_unit, published_value

if TYPE_CHECKING:
    from pathlib import Path

    from marble_eval.results import MetricScore, Result

_ALL = 0.9995  # a ceiling that is printed as 100.0
_BAR = 40  # characters from 0 to 100 %
_NON_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)


def summary(result: Result, path: Path | None = None) -> str:
    """Describe a result in a few lines."""
    task, encoder, protocol = result.task, result.encoder, result.protocol
    width = max(12, *(len(each) + 1 for each in result.metrics))
    lines = [
        f"{task.name}@{task.version}   {encoder.name} ({encoder.revision})   {protocol.name}, "
        f"{protocol.track}, probe {result.probe.name}"
        + ("   embedded data" if task.embedded else ""),
        "",
        f"  {'metric':<{width}}{'value':>8}   {'95 % interval':<16}{'n':>6}   {'seeds ± sd':<14}"
        "published",
    ]
    for name, score in result.metrics.items():
        lines.append(f"  {name:<{width}}{_metric_cells(result, name, score)}")
    lines += ["", *_choice_lines(result), *_caveats(result)]
    if path is not None:
        lines += [f"  result    {path}", f"  items     {path.with_name('predictions.parquet')}"]
    return "\n".join(lines)


def _metric_cells(result: Result, name: str, score: MetricScore) -> str:
    published = published_value(result.encoder.name, result.task.column, name)
    said = f"{published.value:.1f}  {published.source}" if published else "-"
    unit, seeds = metric_unit(name), len(score.seed_values)
    value, low, high, sd = (
        in_unit(each, unit) for each in (score.value, score.low, score.high, score.seed_spread)
    )
    spread = f"{seeds} ± {sd:.2f}" if seeds > 1 else "1"
    interval = f"[{low:.1f}, {high:.1f}]"
    return f"{value:>8.1f}   {interval:<16}{score.n:>6}   {spread:<14}{said}"


def _choice_lines(result: Result) -> list[str]:
    chosen = result.chosen
    what = "C" if result.probe.name == "logreg" else "learning rate"
    tied = [each.layer for each in result.layers if each.tied and each.layer != chosen.layer]
    return [
        f"  chosen on validation: layer {chosen.layer}, {what} {chosen.setting:g}",
        f"  tied with it: {', '.join(tied) if tied else 'none'}",
        f"  {len(result.grid)} probes; {result.cost.clips_encoded} clips encoded in "
        f"{result.cost.extract_seconds:.1f} s, {result.cost.clips_cached} from the cache; "
        f"grid {result.cost.train_seconds:.1f} s",
    ]


def _caveats(result: Result) -> list[str]:
    counts = result.counts
    lines = [f"  scored {counts.scored} of {counts.expected} test tracks"]
    lines += _ceilings(result)
    lines += [f"  deviates: {each}" for each in result.protocol.deviations]
    lines += [f"  note: {each}" for each in result.remarks]
    if result.encoder.overlap:
        lines.append(f"  the weights may have seen this data: {result.encoder.overlap}")
    for what, licence in (("weights", result.encoder.licence), ("data", result.task.licence)):
        if _NON_COMMERCIAL.search(licence):
            lines.append(f"  licence of the {what}: {licence}; the scores inherit its terms")
    return lines


def _ceilings(result: Result) -> list[str]:
    """Say what references rounded to frames score, where that is less than everything."""
    rate = result.features.frame_rate
    below = [
        f"{name} {100 * each.ceiling:.1f}"
        for name, each in result.metrics.items()
        if each.ceiling is not None and each.ceiling < _ALL
    ]
    if rate is None or not below:
        return []
    return [f"  references rounded to {rate:g} frames a second: {', '.join(below)}"]


def layer_curve(result: Result) -> str:
    """Draw the test score of every layer as bars."""
    names = [each.layer for each in result.layers]
    width = max(len("layer"), *(len(each) for each in names))
    metric = next(iter(result.metrics))
    lines = [f"  {'layer':<{width}}   test {metric} (shown, not chosen from; * chosen, = tied)"]
    for each in result.layers:
        mark = "*" if each.layer == result.chosen.layer else "=" if each.tied else " "
        score = each.test
        bar = "█" * max(0, round(_BAR * score.value))
        interval = f"[{100 * score.low:5.1f}, {100 * score.high:5.1f}]"
        lines.append(f"  {each.layer:<{width}} {mark} {100 * score.value:5.1f} {interval} {bar}")
    return "\n".join(lines)
