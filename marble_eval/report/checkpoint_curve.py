"""Score against the step of pre-training, from the results of a series of checkpoints."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from marble_eval.files.atomic_file import write_atomically
from marble_eval.results import Result

_BAR = 40  # signs for a score of 1
_COLUMNS = ("encoder", "task", "protocol", "step", "metric", "value", "low", "high", "layer")


def curve_text(results: Sequence[Result]) -> str:
    """Draw the main metric of every checkpoint as bars."""
    ordered = sorted(results, key=_step)
    metric = next(iter(ordered[0].metrics))
    width = max(len("step"), *(len(str(_step(each))) for each in ordered))
    lines = [f"  {'step':>{width}}   {metric} of the chosen layer, on test"]
    for each in ordered:
        score = each.metrics[metric]
        interval = f"[{100 * score.low:5.1f}, {100 * score.high:5.1f}]"
        bar = "█" * max(0, round(_BAR * score.value))
        lines.append(
            f"  {_step(each):>{width}}   {100 * score.value:5.1f} {interval} "
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
    writer.writerow(_COLUMNS)
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
