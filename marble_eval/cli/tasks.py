"""`marble-eval tasks`: what can be solved, and whether the data is here."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from marble_eval.cli.arguments import Arguments
from marble_eval.home import home_folder
from marble_eval.registry import task_folders

if TYPE_CHECKING:
    from marble_eval.registry import TaskFolder

HELP = """\
marble-eval tasks: the tasks, with kind, metric, size and licence

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
    root = home_folder() / "data" / spec.name
    return {
        "name": spec.name,
        "aliases": list(spec.aliases),
        "version": spec.version,
        "kind": spec.kind,
        "metrics": list(spec.metrics),
        "labels": list(spec.labels),
        "tracks": dict(spec.sizes),
        "protocols": list(spec.protocols),
        "embedded": spec.embedded,
        "licence": spec.licence,
        "sources": [{"what": each.what, "address": each.address} for each in spec.sources],
        "provider": task.provider,
        "folder": str(task.folder),
        "data": "made by marble-eval demo" if spec.embedded else _data(root.is_dir()),
    }


def _data(there: bool) -> str:
    return "here" if there else "give task.root"


def _table(tasks: list[TaskFolder]) -> str:
    rows = [("task", "kind", "metric", "train/valid/test", "data", "summary")]
    for each in tasks:
        facts = _facts(each)
        sizes = "/".join(str(facts["tracks"].get(name, "?")) for name in ("train", "valid", "test"))
        rows.append(
            (
                facts["name"],
                facts["kind"],
                facts["metrics"][0],
                sizes,
                facts["data"],
                each.spec.summary,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _page(task: TaskFolder) -> str:
    facts = _facts(task)
    lines = [f"{facts['name']}@{facts['version']}: {task.spec.summary}"]
    lines += [
        f"  {name}: {facts[name]}"
        for name in ("kind", "metrics", "labels", "tracks", "protocols", "licence", "data")
    ]
    lines += [f"  {each['what']}: {each['address']}" for each in facts["sources"]]
    lines += [f"  README: {task.folder / 'README.md'}", f"  from: {facts['provider']}", ""]
    return "\n".join(lines) + task.spec.citation.rstrip()
