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
    from collections.abc import Mapping, Sequence

    from marble_eval.results import MetricScore, Result
    from marble_eval.scores.rescoring import StoredScores

HELP = """\
marble-eval score: compute metrics again from stored predictions, without model or data

usage: marble-eval score PATH [PATH ...] [--metric NAME ...] [--all] [--json] [--out FOLDER]

  PATH           a result.json, or a folder of results
  --metric NAME  only this metric, also one that the run did not compute; several may be named;
                 results that cannot have it are left out, and counted
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
    from marble_eval.results import results_below
    from marble_eval.scores.rescoring import possible_metrics, stored_scores

    parser = Arguments("score")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--metric", action="append", default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    if options.all and options.metric:
        raise SpecError("marble-eval score: must be given --all or --metric. Got both.")
    found = {each.path: each.result for place in options.paths for each in results_below(place)}
    if options.metric:
        able = {path: possible_metrics(result, path) for path, result in found.items()}
        found = _with_metrics(found, able, options.metric)
    if options.out is not None:
        _refuse_same(found, options.out)
    rows, records = [], []
    for path in found:
        stored = stored_scores(path)
        asked = [name for name in options.metric if name in able[path]] if options.metric else ()
        names = stored.metrics if options.all else asked or stored.result.metrics
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


def _with_metrics(
    found: dict[Path, Result], able: Mapping[Path, Sequence[str]], metrics: Sequence[str]
) -> dict[Path, Result]:
    """Keep the results that can have one of the metrics; refuse one that none can have."""
    from marble_eval.errors import near_misses

    known = sorted({name for names in able.values() for name in names})
    unknown = [name for name in metrics if name not in known]
    if unknown:
        raise SpecError(
            f"marble-eval score: predictions of no result here have a metric {unknown[0]!r}. "
            f"{near_misses(unknown[0], known)}"
        )
    kept = {
        path: result
        for path, result in found.items()
        if any(name in able[path] for name in metrics)
    }
    if len(kept) < len(found):
        tasks = dict.fromkeys(each.task.name for path, each in found.items() if path not in kept)
        sys.stderr.write(
            f"{len(found) - len(kept)} results left out, which cannot have it: {', '.join(tasks)}\n"
        )
    return kept


def _refuse_same(found: Mapping[Path, Result], root: Path) -> None:
    """Refuse two results that would be written to one folder."""
    taken: dict[Path, Path] = {}
    for path, result in found.items():
        other = taken.setdefault(_folder(path, result, root), path)
        if other != path:
            raise SpecError(
                f"marble-eval score: --out must have a folder for each result. Got {other} and "
                f"{path}, which would lie in one. Write them to two trees."
            )


def _folder(path: Path, result: Result, root: Path) -> Path:
    from marble_eval.results import result_folder

    return result_folder(
        root,
        encoder=result.encoder.name,
        revision=result.encoder.revision,
        task=result.task.name,
        version=result.task.version,
        variant=path.parent.name,
    )


def _rows(stored: StoredScores, scores: dict[str, MetricScore]) -> list[tuple[str, ...]]:
    from marble_eval.leaderboard.score_text import stored_interval, stored_text

    result = stored.result
    rows: list[tuple[str, ...]] = []
    for name, each in scores.items():
        unit = each.unit
        rows.append(
            (
                result.encoder.name,
                f"{result.task.name}@{result.task.version}",
                name,
                stored_text(each.value, unit),
                stored_interval(each.low, each.high, unit),
                each.counted,
                _beside(result.metrics.get(name), each, unit),
            )
        )
    return rows


def _beside(recorded: MetricScore | None, new: MetricScore, unit: str) -> str:
    from marble_eval.metrics.metric import in_unit

    if recorded is None:
        return "-"
    ends = ("value", "low", "high")
    if all(abs(getattr(recorded, each) - getattr(new, each)) <= _SAME for each in ends):
        return "same"
    value, low, high = (in_unit(getattr(recorded, each), unit) for each in ends)
    return f"differs: {value:.4f} [{low:.4f}, {high:.4f}]"


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
    from marble_eval.results import read_predictions, write_result

    result = stored.result
    folder = _folder(path, result, root)
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
