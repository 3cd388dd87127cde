"""Run the golden jobs with two trees and compare: `python -m tests.golden REVISION [--keep DIR]`.

What a run says of its time, place and duration is left out; everything else must be equal.
Exit code 1 names what is not. `--except REGEX` leaves out paths of values that are meant to
change; say which in the commit that changes them.
"""

from __future__ import annotations

import argparse
import csv
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pandas as pd

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: What differs between two runs of one tree: times, durations, paths, and digests of these.
VOLATILE = re.compile(r"(^|/)(created|cost|environment|\w*_seconds|submission\.json/files)(/|$)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+-]+")
LISTED = 60


def lay_out(tree: Path, into: Path) -> Path:
    """Copy a tree's packages to where a wheel would put them; return the folder for PYTHONPATH."""
    setup = tomllib.loads((tree / "pyproject.toml").read_text())["tool"]["setuptools"]
    shutil.copytree(tree / "marble_eval", into / "marble_eval", ignore=_no_caches)
    for name, folder in setup["package-dir"].items():
        shutil.copytree(tree / folder, into / Path(*name.split(".")), ignore=_no_caches)
    return into


def _no_caches(folder: str, names: list[str]) -> list[str]:
    return [each for each in names if each == "__pycache__"]


def execute(script: str, packages: Path, work: Path, *arguments: Path) -> None:
    """Run a script of this folder with one tree, in a home of its own, with one thread."""
    work.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "PYTHONPATH": str(packages),
        "MARBLE_EVAL_HOME": str(work / "home"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    with (work / f"{script}.log").open("w") as log:
        code = subprocess.run(
            [sys.executable, "-P", str(HERE / script), *map(str, arguments)],
            cwd=work,
            env=environment,
            stdout=log,
            stderr=log,
        ).returncode
    if code:
        tail = "\n".join((work / f"{script}.log").read_text().splitlines()[-15:])
        sys.exit(f"{script} failed with {packages}:\n{tail}")


def values_of(found: object, at: str) -> Iterator[tuple[str, object]]:
    """Yield every single value of nested mappings and lists, with its path."""
    if isinstance(found, dict):
        for name, each in found.items():
            yield from values_of(each, f"{at}/{name}")
    elif isinstance(found, list):
        for number, each in enumerate(found):
            yield from values_of(each, f"{at}/{number}")
    else:
        yield at, found


def values_in(file: Path, name: str) -> dict[str, object]:
    """Read a written file as values by path: JSON by member, tables by row, text by line."""
    if file.suffix == ".json":
        return dict(values_of(json.loads(file.read_text()), name))
    if file.suffix == ".parquet":
        return dict(values_of(pd.read_parquet(file).to_dict("list"), name))
    if file.suffix == ".csv":
        with file.open(newline="") as text:
            return dict(values_of(list(csv.DictReader(text)), name))
    return {f"{name}/{at}": line for at, line in enumerate(file.read_text().splitlines())}


def differences(older: Path, newer: Path, left_out: re.Pattern[str]) -> list[str]:
    """Say where two folders of outputs differ."""
    files = {
        str(each.relative_to(root))
        for root in (older, newer)
        for each in root.rglob("*")
        if each.is_file()
    }
    found = []
    for name in sorted(files):
        if VOLATILE.search(name) or left_out.search(name):
            continue
        one, other = older / name, newer / name
        if not (one.exists() and other.exists()):
            found.append(
                f"{name}: only in the {'older' if one.exists() else 'newer'} tree's outputs"
            )
        elif not filecmp.cmp(one, other, shallow=False):
            if one.suffix in (".bin", ".frames"):
                found.append(f"{name}: other bytes")
                continue
            before, after = values_in(one, name), values_in(other, name)
            found += [
                f"{path}: {before.get(path)!r} -> {after.get(path)!r}"
                for path in sorted({*before, *after})
                if TIME.sub("", repr(before.get(path))) != TIME.sub("", repr(after.get(path)))
                and not VOLATILE.search(path)
                and not left_out.search(path)
            ]
    return found


def kinds_of(found: list[str]) -> list[str]:
    """Count the differences whose paths are the same but for numbers and names of folders."""
    counts: dict[str, list[str]] = {}
    for each in found:
        path = re.sub(r"/\d+(?=/|:)", "/N", each.partition(": ")[0])
        counts.setdefault("/".join(path.split("/")[-3:]), []).append(each)
    return [f"{len(lines):5}  {lines[0][:300]}" for lines in counts.values()]


def main() -> int:
    """Compare the working tree with a revision."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("--keep", type=Path, default=Path(gettempdir()) / "marble-eval-golden")
    parser.add_argument("--except", dest="left_out", default="(?!)")
    parser.add_argument("--again", action="store_true", help="compare what the last run wrote")
    options = parser.parse_args()
    commit = subprocess.check_output(
        ["git", "rev-parse", "--short=12", options.revision], cwd=ROOT, text=True
    ).strip()
    older, newer = options.keep / commit, options.keep / f"working-tree-{ROOT.name}"
    if not (older / "done").exists():
        shutil.rmtree(older, ignore_errors=True)
        source = older / "source"
        source.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", commit], cwd=ROOT, check=True, capture_output=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
        packages = lay_out(source, older / "packages")
        card = source / "tasks" / "gtzan" / "task.yaml"
        execute("inputs.py", packages, older / "work", older / "inputs", card)
        (older / "out").mkdir()
        execute("jobs.py", packages, older / "work", older / "inputs", older / "out")
        (older / "done").touch()
    if not options.again:
        shutil.rmtree(newer, ignore_errors=True)
        packages = lay_out(ROOT, newer / "packages")
        (newer / "out").mkdir()
        execute("jobs.py", packages, newer / "work", older / "inputs", newer / "out")
    left_out = re.compile(options.left_out)
    found = differences(older / "out", newer / "out", left_out)
    stores = [each / "work" / "home" / "features" for each in (older, newer)]
    found += differences(stores[0], stores[1], left_out)
    listed = kinds_of(found)[:LISTED]
    sys.stdout.write("\n".join([*listed, f"{len(found)} differences from {commit}\n"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
