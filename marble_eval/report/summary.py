"""Results as text: the table at the end of a run, the curves over layers and checkpoints."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.files.atomic_file import write_atomically
from marble_eval.leaderboard import published_value
from marble_eval.leaderboard.score_text import score_text, stored_interval, stored_text

if TYPE_CHECKING:
    from marble_eval.results import MetricScore, Result, ScoreRange

_ALL = 0.9995  # a ceiling that is printed as 100.0
_BAR = 40  # characters for a score of 1
_CURVE = ("encoder", "task", "protocol", "step", "metric", "value", "low", "high", "layer")
_NON_COMMERCIAL = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)


def summary(result: Result, path: Path | None = None) -> str:
    """Describe a result in a few lines."""
    task, encoder, protocol = result.task, result.encoder, result.protocol
    wide = max(6, *(len(each.counted) for each in result.metrics.values()))
    width = max(12, *(len(each) + 1 for each in result.metrics))
    lines = [
        f"{task.name}@{task.version}   {encoder.name} ({encoder.revision})   {protocol.name}, "
        f"{protocol.track}, probe {result.probe.name}"
        + ("   embedded data" if task.embedded else ""),
        "",
        f"  {'metric':<{width}}{'value':>8}   {'95 % interval':<16}{'n':>{wide}}   "
        f"{'seeds ± sd':<14}published",
    ]
    for name, score in result.metrics.items():
        lines.append(f"  {name:<{width}}{_metric_cells(result, name, score, wide)}")
    lines += ["", *_choice_lines(result), *_caveats(result)]
    if path is not None:
        lines += [f"  result    {path}", f"  items     {path.with_name('predictions.parquet')}"]
    return "\n".join(lines)


def _metric_cells(result: Result, name: str, score: MetricScore, wide: int) -> str:
    published = published_value(result.encoder.name, result.task.column, name)
    said = "-"
    if published:
        said = f"{score_text(published.value, published.unit)}  {published.source}"
    unit, seeds = score.unit, len(score.seed_values)
    spread = f"{seeds} ± {stored_text(score.seed_spread, unit, decimals=2)}" if seeds > 1 else "1"
    value, interval = stored_text(score.value, unit), stored_interval(score.low, score.high, unit)
    return f"{value:>8}   {interval:<16}{score.counted:>{wide}}   {spread:<14}{said}"


def _choice_lines(result: Result) -> list[str]:
    chosen = result.chosen
    tied = [each.layer for each in result.layers if each.tied and each.layer != chosen.layer]
    return [
        f"  chosen on validation: layer {chosen.layer}, {result.probe.setting} {chosen.setting:g}",
        f"  tied with it: {', '.join(tied) if tied else 'none'}",
        f"  {len(result.grid)} probes; {result.cost.clips_encoded} clips encoded in "
        f"{result.cost.extract_seconds:.1f} s, {result.cost.clips_cached} from the cache; "
        f"grid {result.cost.train_seconds:.1f} s",
    ]


def _caveats(result: Result) -> list[str]:
    counts = result.counts
    lines = [f"  scored {counts.scored} of {counts.expected} test tracks"]
    lines += _ceilings(result)
    lines += [f"  deviates: {each}" for each in result.protocol.deviation_sentences]
    lines += [f"  note: {each}" for each in result.notes]
    if result.encoder.overlap:
        lines.append(f"  the weights may have seen this data: {result.encoder.overlap}")
    for what, licence in (("weights", result.encoder.licence), ("data", result.task.licence)):
        if excludes_commerce(licence):
            lines.append(f"  licence of the {what}: {licence}; the scores inherit its terms")
    return lines


def excludes_commerce(licence: str) -> bool:
    """Check whether a licence forbids commercial use, so that scores inherit that."""
    return _NON_COMMERCIAL.search(licence) is not None


def _ceilings(result: Result) -> list[str]:
    """Say what references rounded to frames score, where that is less than everything."""
    rate = result.features.frame_rate
    below = [
        f"{name} {stored_text(each.ceiling, each.unit)}"
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
    metric, main = next(iter(result.metrics.items()))
    longest = _longest(main.unit, [each.test.value for each in result.layers])
    lines = [f"  {'layer':<{width}}   test {metric} (shown, not chosen from; * chosen, = tied)"]
    for each in result.layers:
        mark = "*" if each.layer == result.chosen.layer else "=" if each.tied else " "
        score = each.test
        bar = "█" * max(0, round(_BAR * score.value / longest))
        lines.append(f"  {each.layer:<{width}} {mark} {score_columns(score, main.unit)} {bar}")
    return "\n".join(lines)


def _longest(unit: str, values: Sequence[float]) -> float:
    """Return the score of the longest bar: 1 for shares, else the largest."""
    return 1.0 if unit == "percent" else max([abs(each) for each in values if each] or [1.0])


def score_columns(score: ScoreRange | MetricScore, unit: str) -> str:
    """Write a score and its interval in columns, for a curve of bars."""
    value, low, high = (stored_text(each, unit) for each in (score.value, score.low, score.high))
    return f"{value:>5} [{low:>5}, {high:>5}]"


def curve_text(results: Sequence[Result]) -> str:
    """Draw the main metric of every checkpoint as bars."""
    ordered = sorted(results, key=_step)
    metric = next(iter(ordered[0].metrics))
    scores = [each.metrics[metric] for each in ordered]
    longest = _longest(scores[0].unit, [each.value for each in scores])
    width = max(len("step"), *(len(str(_step(each))) for each in ordered))
    lines = [f"  {'step':>{width}}   {metric} of the chosen layer, on test"]
    for each in ordered:
        score = each.metrics[metric]
        bar = "█" * max(0, round(_BAR * score.value / longest))
        lines.append(
            f"  {_step(each):>{width}}   {score_columns(score, score.unit)} "
            f"layer {each.chosen.layer:<4} {bar}"
        )
    return "\n".join(lines)


def write_curve(folder: Path, results: Sequence[Result]) -> Path:
    """Write the curve of every metric as CSV."""
    first = results[0]
    name = ".".join((first.encoder.name, first.task.name, first.protocol.name))
    path = folder / "curves" / f"{name.replace('/', '-')}.csv"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CURVE)
    for each in sorted(results, key=_step):
        what = (each.encoder.name, each.task.name, each.protocol.name, _step(each))
        for metric, score in each.metrics.items():
            values = (score.value, score.low, score.high)
            writer.writerow([*what, metric, *map(repr, map(float, values)), each.chosen.layer])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.getvalue().encode())
    return path


def _step(result: Result) -> int:
    if result.encoder.step is None:
        raise ValueError(f"a curve needs steps: {result.encoder.revision} has none.")
    return result.encoder.step
