"""`marble-eval compare`: a paired test of two results, the items that flipped, what differs."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.cli.arguments import Arguments, output_file
from marble_eval.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from marble_eval.scores.comparison import Difference, Pairs, SettingChange

HELP = """\
marble-eval compare: do two results differ, by how much, and on which items?

usage: marble-eval compare A B [--task NAME ...] [--metric NAME] [--items [FILE]] [--common]
                           [--permutations N] [--json]
       marble-eval compare A B --config [--task NAME ...] [--json]

  A, B              a result.json, or a folder of results; paired by task
  --task NAME       only this task; several may be named
  --metric NAME     another metric than the task's main one; tasks without it are left out
  --items [FILE]    list every item that the two score differently, or write them as CSV
  --common          leave out test items that one of the two lacks
  --permutations N  of the permutation test (default 2000)
  --config          what differs in data, encoder, rules and versions, instead of scores
  --json            print JSON; items then need a FILE

The difference is B less A on the same test items, with a paired bootstrap interval. The
permutation test swaps the two estimates of items; items of one artist or song go together. Its
p values are adjusted by Holm over all tests made. The spread over seeds stands apart.

examples:
  marble-eval compare results/MERT-v1-95M results/MERT-v1-330M
  marble-eval compare results/a results/b --task GTZAN --items flipped.csv
"""

_TO_STDOUT = "-"


def main(argv: list[str]) -> int:
    """Compare two results, or two trees of them."""
    from marble_eval.scores.comparison import (
        PERMUTATIONS,
        cautions,
        configuration_changes,
        find_pairs,
    )

    parser = Arguments("compare")
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--task", action="append", default=[])
    parser.add_argument("--metric")
    parser.add_argument("--items", nargs="?", const=_TO_STDOUT)
    parser.add_argument("--common", action="store_true")
    parser.add_argument("--permutations", type=int)
    parser.add_argument("--config", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    _refuse_idle(options)
    if options.permutations is None:
        options.permutations = PERMUTATIONS
    if options.permutations < 1:
        raise SpecError(
            f"marble-eval compare: --permutations must be at least 1. Got {options.permutations}."
        )
    if options.items not in (None, _TO_STDOUT):
        output_file("compare", "--items", options.items)
    found = find_pairs(options.first, options.second, options.task)
    for side, alone in (("A", found.only_first), ("B", found.only_second)):
        if alone:
            sys.stderr.write(f"in {side} alone: {', '.join(alone)}\n")
    if options.config:
        changes = [configuration_changes(a.result, b.result) for a, b in found.pairs]
        sys.stdout.write(_configurations(found, changes, as_json=options.json))
        return 0
    for a, b in found.pairs:
        if differs := cautions(a.result, b.result):
            task = f"{a.result.task.name}@{a.result.task.version}"
            sys.stderr.write(f"note: {task}: other {', '.join(differs)}; see --config\n")
    differences, changed = _tested(_with_metric(found, options.metric), options)
    if options.json:
        values = [dataclasses.asdict(each) for each in differences]
        sys.stdout.write(json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_told(differences, changed, every=options.items == _TO_STDOUT) + "\n")
    if options.items not in (None, _TO_STDOUT):
        _write_items(differences, changed, Path(options.items))
        # What goes to stdout as JSON must stay JSON.
        stream = sys.stderr if options.json else sys.stdout
        stream.write(f"{options.items}\n")
    return 0


def _refuse_idle(options: Any) -> None:
    """Refuse options that would do nothing."""
    if options.config:
        given = {
            "--metric": options.metric is not None,
            "--items": options.items is not None,
            "--common": options.common,
            "--permutations": options.permutations is not None,
        }
        idle = [name for name, is_given in given.items() if is_given]
        if idle:
            raise SpecError(
                f"marble-eval compare: --config compares no scores. Got {idle[0]} as well. "
                f"Leave one of the two out."
            )
    if options.json and options.items == _TO_STDOUT:
        raise SpecError(
            "marble-eval compare: --items must be followed by a file where --json is given. "
            "Got none. Write --items FILE."
        )


def _with_metric(found: Pairs, metric: str | None) -> Pairs:
    """Keep the pairs that can be scored by a metric; all if none can, which is told later."""
    from marble_eval.scores.rescoring import possible_metrics

    if metric is None:
        return found
    able = [
        (a, b)
        for a, b in found.pairs
        if all(metric in possible_metrics(each.result, each.path) for each in (a, b))
    ]
    lacking = [a.result.task.name for a, b in found.pairs if (a, b) not in able]
    if not able or not lacking:
        return found
    sys.stderr.write(f"without {metric}: {', '.join(dict.fromkeys(lacking))}\n")
    return dataclasses.replace(found, pairs=tuple(able))


def _tested(found: Pairs, options: Any) -> tuple[list[Difference], list[pd.DataFrame]]:
    from marble_eval.scores.comparison import adjusted, difference_of, item_changes, on_common_items

    differences, changed = [], []
    for a, b in found.pairs:
        first, second, left_out = on_common_items(a.path, b.path, common=options.common)
        metric = options.metric or next(iter(a.result.metrics))
        differences.append(
            difference_of(
                first, second, metric, permutations=options.permutations, left_out=left_out
            )
        )
        changed.append(item_changes(first, second, metric))
    return adjusted(differences), changed


def _told(
    differences: Sequence[Difference], changed: Sequence[pd.DataFrame], *, every: bool
) -> str:
    from marble_eval.report import difference_overview, difference_text

    parts = [
        difference_text(each, items, every=every)
        for each, items in zip(differences, changed, strict=True)
    ]
    if len(differences) > 1:
        parts.append(difference_overview(differences))
    return "\n\n".join(parts)


def _configurations(found: Pairs, changes: Sequence[list[SettingChange]], *, as_json: bool) -> str:
    from marble_eval.report import configuration_text

    if not as_json:
        parts = [
            configuration_text(a.result, b.result, each)
            for (a, b), each in zip(found.pairs, changes, strict=True)
        ]
        return "\n\n".join(parts) + "\n"
    values = [
        {
            "task": f"{a.result.task.name}@{a.result.task.version}",
            "first": str(a.path),
            "second": str(b.path),
            "changes": [entry._asdict() for entry in each],
        }
        for (a, b), each in zip(found.pairs, changes, strict=True)
    ]
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _write_items(
    differences: Sequence[Difference], changed: Sequence[pd.DataFrame], path: Path
) -> None:
    """Write the items of every task as one table."""
    import pandas as pd

    from marble_eval.files.atomic_file import write_atomically
    from marble_eval.leaderboard import csv_bytes

    parts = [
        items.assign(task=each.task, metric=each.metric)
        for each, items in zip(differences, changed, strict=True)
    ]
    write_atomically(path, csv_bytes(pd.concat(parts, ignore_index=True)))
