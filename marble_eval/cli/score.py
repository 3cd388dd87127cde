"""`marble-eval score`: metrics computed again from stored predictions, without a model."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from marble_eval.cli.arguments import Arguments
from marble_eval.cli.table import table
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    from marble_eval.rescoring import StoredScores
    from marble_eval.results import MetricScore

HELP = """\
marble-eval score: compute metrics again from stored predictions, without model or data

usage: marble-eval score PATH [PATH ...] [--metric NAME ...] [--all] [--json] [--out FOLDER]

  PATH           a result.json, or a folder of results
  --metric NAME  only this metric, also one that the run did not compute; several may be named
  --all          every metric that the predictions can give
  --json         print JSON
  --out FOLDER   write the results with these scores to another tree, predictions beside them;
                 nothing is changed where they lie

The scores of the record stand beside the new ones, and a difference is named.

examples:
  marble-eval score results/ --metric macro_f1
  marble-eval score results/MERT-v1-95M/0123abcd/GTZAN@1/marble-v1 --all
"""

_SAME = 1e-6  # of a score; float sums in another order differ by less


def main(argv: list[str]) -> int:
    """Compute metrics again."""
    from marble_eval.rescoring import stored_scores
    from marble_eval.results import results_below

    parser = Arguments("score")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--metric", action="append", default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    if options.all and options.metric:
        raise SpecError("marble-eval score: must be given --all or --metric. Got both.")
    found = [each.path for place in options.paths for each in results_below(place)]
    rows, records = [], []
    for path in dict.fromkeys(found):
        stored = stored_scores(path)
        names = stored.metrics if options.all else options.metric or stored.result.metrics
        scores = stored.scored(tuple(names))
        rows += _rows(stored, scores)
        records.append(_record(path, stored, scores))
        if options.out is not None:
            written = _write(path, stored, scores, options.out)
            sys.stderr.write(f"{written}\n")
    if options.json:
        sys.stdout.write(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    else:
        header = ("encoder", "task", "metric", "value", "95 % interval", "n", "of the record")
        sys.stdout.write(table([header, *rows]) + "\n")
    return 0


def _rows(stored: StoredScores, scores: dict[str, MetricScore]) -> list[tuple[str, ...]]:
    from marble_eval.leaderboard import metric_unit

    result = stored.result
    rows: list[tuple[str, ...]] = []
    for name, each in scores.items():
        scale = 100 if metric_unit(name) == "percent" else 1
        rows.append(
            (
                result.encoder.name,
                f"{result.task.name}@{result.task.version}",
                name,
                f"{scale * each.value:.1f}",
                f"[{scale * each.low:.1f}, {scale * each.high:.1f}]",
                str(each.n),
                _beside(result.metrics.get(name), each, scale),
            )
        )
    return rows


def _beside(recorded: MetricScore | None, new: MetricScore, scale: int) -> str:
    if recorded is None:
        return "-"
    ends = ("value", "low", "high")
    if all(abs(getattr(recorded, each) - getattr(new, each)) <= _SAME for each in ends):
        return "same"
    return (
        f"differs: {scale * recorded.value:.4f} "
        f"[{scale * recorded.low:.4f}, {scale * recorded.high:.4f}]"
    )


def _record(path: Path, stored: StoredScores, scores: dict[str, MetricScore]) -> dict[str, object]:
    result = stored.result
    return {
        "result": str(path),
        "encoder": result.encoder.name,
        "task": f"{result.task.name}@{result.task.version}",
        "scored_by": stored.task.provider,
        "metrics": {name: dataclasses.asdict(each) for name, each in scores.items()},
    }


def _write(path: Path, stored: StoredScores, scores: dict[str, MetricScore], root: Path) -> Path:
    """Write a result with these scores beside those it had, to another tree."""
    from marble_eval import __version__
    from marble_eval.results import read_predictions, result_folder, write_result

    result = stored.result
    folder = result_folder(
        root,
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        task=result.task.name,
        version=result.task.version,
        variant=path.parent.name,
    )
    if folder.resolve() == path.parent.resolve():
        raise SpecError(
            f"marble-eval score: --out must be another tree than the one that is read. Got {root}."
        )
    new = [name for name in scores if name not in result.metrics]
    said = f"scored again from predictions by marble-eval {__version__}"
    return write_result(
        folder,
        dataclasses.replace(
            result,
            metrics={**result.metrics, **scores},
            remarks=(*result.remarks, f"{said}: added {', '.join(new)}" if new else said),
        ),
        read_predictions(path),
    )
