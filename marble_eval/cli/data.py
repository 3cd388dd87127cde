"""`marble-eval data`: where a task's data is, how to get it, and whether a copy is whole."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marble_eval.cli.arguments import Arguments, assignments
from marble_eval.errors import MissingError, SpecError, ValidationError, near_misses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from marble_eval.registry import Task
    from marble_eval.runs.verification import Faulty, Verification

HELP = """\
marble-eval data: where a task's data is, how to get it, and whether a copy is whole

usage: marble-eval data list [--json]
       marble-eval data path task=NAME
       marble-eval data download task=NAME [task.root=FOLDER] [--dry-run] [--remove-archives]
       marble-eval data verify task=NAME [task.root=FOLDER] [task.splits=FOLDER]
                               [--decode] [--json]

  list       the data sets: their tasks, hours, licence, whether they are here
  path       the folder in which a task's data is looked for
  download   fetch what may be fetched: pinned, checked, resumed where it stopped; else
             say how to get it by hand
  verify     hold a copy against the task's card: missing, unreadable, extra and too short
             or long files, counts of splits and labels, artists in two splits

  --dry-run           sources, sizes, licence and disk space, and nothing else
  --remove-archives   delete each archive once it is unpacked
  --decode            decode compressed files to their end too (slow)
  --json              the same as JSON

examples:
  marble-eval data verify task=MTT task.root=/data/mtt
  marble-eval data download task=NSynthP --dry-run

exit codes: 0 the copy is as the card says, 3 there is none, 4 something is wrong with it
"""

_ACTIONS = ("list", "path", "download", "verify")
_LISTED = 10  # files of one fault in the table; --json has them all


def main(argv: list[str]) -> int:
    """List, find, fetch or verify data."""
    parser = Arguments("data")
    parser.add_argument("action", nargs="?", default="")
    parser.add_argument("words", nargs="*")
    for flag in ("--json", "--dry-run", "--decode", "--remove-archives"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_intermixed_args(argv)
    if options.action not in _ACTIONS:
        raise SpecError(
            f"marble-eval data: say what to do, {', '.join(_ACTIONS)}. Got {options.action!r}. "
            f"{near_misses(options.action, _ACTIONS)}"
        )
    given = assignments(options.words, ("task", "task.root", "task.splits"), "marble-eval data")
    if options.action == "list":
        return _list(as_json=options.json)
    from marble_eval.registry import load_task, task_names

    if "task" not in given:
        raise SpecError(
            f"marble-eval data {options.action}: name a task, task=NAME. "
            f"{near_misses('', task_names())}"
        )
    task = load_task(given["task"])
    root = Path(given["task.root"]).expanduser() if "task.root" in given else None
    splits = Path(given["task.splits"]).expanduser() if "task.splits" in given else None
    if options.action == "path":
        from marble_eval.runs.task_data import default_root

        sys.stdout.write(f"{root or default_root(task)}\n")
        return 0
    if options.action == "download":
        return _download(task, root, dry=options.dry_run, keep=not options.remove_archives)
    return _verify(task, root, splits, decode=options.decode, as_json=options.json)


def _list(*, as_json: bool) -> int:
    from marble_eval.cli.table import brief, table
    from marble_eval.registry import task_folders
    from marble_eval.runs.task_data import data_folder

    sets: dict[str, dict[str, Any]] = {}
    for each in task_folders().values():
        spec = each.spec
        name = spec.dataset or spec.name
        facts = sets.setdefault(
            name,
            {"data set": name, "tasks": [], "hours": None, "licence": spec.licence,
             "download": _way(spec.embedded, bool(spec.downloads))},
        )  # fmt: skip
        facts["tasks"].append(spec.name)
        facts["hours"] = max(facts["hours"] or 0, spec.hours or 0) or None
        facts["folder"] = str(data_folder(spec))
        facts["here"] = data_folder(spec).is_dir()
    if as_json:
        sys.stdout.write(json.dumps(list(sets.values()), indent=1) + "\n")
        return 0
    rows = [
        (
            each["data set"],
            " ".join(each["tasks"]),
            "" if each["hours"] is None else f"{each['hours']:g} h",
            "here" if each["here"] else each["download"],
            brief(each["licence"]),
        )
        for each in sets.values()
    ]
    sys.stdout.write(table([("data set", "tasks", "audio", "how", "licence"), *rows]) + "\n")
    return 0


def _way(embedded: bool, fetched: bool) -> str:
    if embedded:
        return "made when it is run"
    return "data download" if fetched else "by hand"


def _download(task: Task, root: Path | None, *, dry: bool, keep: bool) -> int:
    from marble_eval.data.downloads import carry_out, survey
    from marble_eval.runs.task_data import default_root

    spec = task.spec
    folder = root or default_root(task)
    sys.stdout.write(f"{spec.name}@{spec.version}: {spec.summary}\nlicence: {spec.licence}\n")
    for each in spec.sources:
        sys.stdout.write(f"{each.what}: {each.address}\n")
    if spec.instructions:
        sys.stdout.write(f"{spec.instructions.strip()}\n")
    if not spec.downloads:
        if spec.embedded:
            raise MissingError(
                f"{spec.name}: is made when it is run. Take marble-eval run task={spec.name}."
            )
        raise MissingError(
            f"{spec.name}: cannot be fetched by a program; get it as said above, put it into "
            f"{folder} or name its folder by task.root, and take marble-eval data verify."
        )
    plan = survey(spec.downloads, folder, keep_archives=keep)
    sys.stdout.write(plan.text() + "\n")
    sys.stdout.flush()
    if dry or plan.is_done:
        return 0
    from marble_eval.cli.progress import shown

    for outcome in carry_out(plan, shown()):
        sys.stdout.write(f"{outcome.address}: {outcome.version}\n")
    sys.stdout.write(f"next: marble-eval data verify task={spec.name} task.root={folder}\n")
    return 0


def _verify(
    task: Task, root: Path | None, splits: Path | None, *, decode: bool, as_json: bool
) -> int:
    from marble_eval.cli.progress import shown
    from marble_eval.registry.configuration import load_engine
    from marble_eval.runs.verification import verify

    found = verify(
        task, root, splits, decode=decode, readers=load_engine("local").readers, progress=shown()
    )
    if as_json:
        facts = {"good": found.good, **_plain(found)}
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
    else:
        sys.stdout.write(_report(found) + "\n")
    return 0 if found.good else ValidationError.exit_code


def _plain(found: Verification) -> dict[str, Any]:
    values = {each.name: getattr(found, each.name) for each in dataclasses.fields(found)}
    for name in ("missing", "unreadable", "wrong_length", "excused"):
        values[name] = [each._asdict() for each in values[name]]
    return values


def _report(found: Verification) -> str:
    lines = [f"{found.task} in {found.root}", ""]
    lines.append(f"  {'split':<8}{'expected':>10}{'found':>10}")
    for split, expected in found.expected.items():
        said = str(expected) if expected else "?"
        lines.append(f"  {split:<8}{said:>10}{found.found[split]:>10}")
    lines.append(f"  {found.hours:.2f} hours of audio" + ("" if found.decoded else _NOT_DECODED))
    lines += [*_label_lines(found.labels), ""]
    for what, tracks in (
        ("missing", found.missing),
        ("unreadable", found.unreadable),
        ("wrong length", found.wrong_length),
        ("excused", found.excused),
    ):
        lines += _faulty_lines(what, tracks)
    for what, names in (
        ("to know", found.remarks),
        ("rule broken", found.faults),
        ("artists or groups in two splits", found.astride),
        ("same audio in two splits", found.shared),
        ("extra files, which the task does not use", found.extra),
    ):
        if names:
            lines.append(f"{what}: {len(names)}")
            lines += [f"  {each}" for each in names[:_LISTED]]
            lines += _rest(len(names))
    lines.append("the copy is as the card says" if found.good else "the copy is not as it must be")
    return "\n".join(lines)


_NOT_DECODED = "; compressed files opened, not decoded (--decode reads them to their end)"


def _label_lines(labels: Mapping[str, Mapping[str, list[int]]]) -> list[str]:
    """Show the counts of labels by split; expected ones in brackets where they differ."""
    every = next(iter(labels.values()), {})
    names = [name for name in every if any(any(each[name]) for each in labels.values())]
    if not names:
        return []
    width = max(len(each) for each in ("label", *names))
    lines = ["", f"  {'label':<{width}}" + "".join(f"{split:>16}" for split in labels)]
    for name in names:
        cells = [_count(labels[split][name]) for split in labels]
        lines.append(f"  {name:<{width}}" + "".join(f"{each:>16}" for each in cells))
    return lines


def _count(counts: list[int]) -> str:
    found, *expected = counts
    return f"{found} ({expected[0]})" if expected and expected[0] != found else str(found)


def _faulty_lines(what: str, tracks: Sequence[Faulty]) -> list[str]:
    if not tracks:
        return []
    listed = [f"  {each.path} ({each.split}): {each.reason}" for each in tracks[:_LISTED]]
    return [f"{what}: {len(tracks)}", *listed, *_rest(len(tracks))]


def _rest(count: int) -> list[str]:
    return [f"  and {count - _LISTED} more; --json names them all"] if count > _LISTED else []
