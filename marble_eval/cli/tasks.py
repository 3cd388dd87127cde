"""`marble-eval tasks`: what can be solved, and whether the data is here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from marble_eval.cli.arguments import Arguments
from marble_eval.cli.table import brief, table
from marble_eval.registry import task_folders
from marble_eval.runs.task_data import data_folder

if TYPE_CHECKING:
    from marble_eval.registry import TaskFolder
    from marble_eval.spec import TaskSpec

HELP = """\
marble-eval tasks: the tasks, with kind, metric, size, licence, and what is missing here

usage: marble-eval tasks [NAME ...] [--json]

  NAME     one task in full: splits, sources, citation, where its README lies
  --json   the same as JSON

examples:
  marble-eval tasks
  marble-eval tasks GTZAN
  marble-eval tasks --json
"""


def main(argv: list[str]) -> int:
    """List the tasks."""
    parser = Arguments("tasks")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    folders = task_folders()
    if options.names:
        from marble_eval.registry import load_task

        shown = [folders[load_task(name).spec.name] for name in options.names]
    else:
        shown = list(folders.values())
    if options.json:
        sys.stdout.write(json.dumps([_facts(each) for each in shown], indent=1) + "\n")
    elif options.names:
        sys.stdout.write("\n\n".join(_page(each) for each in shown) + "\n")
    else:
        sys.stdout.write(_table(shown) + "\n")
    return 0


def _facts(task: TaskFolder) -> dict[str, Any]:
    spec = task.spec
    return {
        "name": spec.name,
        "aliases": list(spec.aliases),
        "version": spec.version,
        "kind": spec.kind,
        "metrics": list(spec.metrics),
        "labels": list(spec.labels),
        "counted": spec.counted,
        "tracks": dict(spec.sizes),
        "hours": spec.hours,
        "data set": spec.dataset or spec.name,
        "protocols": list(spec.protocols),
        "embedded": spec.embedded,
        "licence": spec.licence,
        "sources": [{"what": each.what, "address": each.address} for each in spec.sources],
        "provider": task.provider,
        "folder": str(task.folder),
        "data": _data(spec),
    }


def _data(spec: TaskSpec) -> str:
    """Say whether the task can be run here, or what to do."""
    if data_folder(spec).is_dir():
        return "here"
    if spec.embedded:
        return "made when it is run"
    return "data download, or task.root" if spec.downloads else "by hand, then task.root"


def _table(tasks: list[TaskFolder]) -> str:
    rows = [("task", "kind", "metric", "train/valid/test", "hours", "data", "licence", "summary")]
    for each in tasks:
        spec = each.spec
        sizes = "/".join(str(spec.sizes.get(name, "?")) for name in ("train", "valid", "test"))
        rows.append(
            (
                spec.name,
                spec.kind,
                next(iter(spec.metrics), ""),
                sizes,
                "?" if spec.hours is None else f"{spec.hours:g}",
                _data(spec),
                brief(spec.licence),
                spec.summary,
            )
        )
    return table(rows)


def _page(task: TaskFolder) -> str:
    facts = _facts(task)
    lines = [f"{facts['name']}@{facts['version']}: {task.spec.summary}"]
    lines += [
        f"  {name}: {facts[name]}"
        for name in (
            "kind",
            "metrics",
            "labels",
            "tracks",
            "hours",
            "data set",
            "protocols",
            "licence",
            "data",
        )
    ]
    lines += [f"  {each['what']}: {each['address']}" for each in facts["sources"]]
    lines += [f"  README: {task.folder / 'README.md'}", f"  from: {facts['provider']}", ""]
    return "\n".join(lines) + task.spec.citation.rstrip()
