"""The shape of the code, read from its syntax: who imports whom, and what is never written.

A module imports from its own layer or a lower one; inside a layer there is no circle.
Imports for the type checker alone may make circles inside a layer, since they are never
run, but do not point upwards either. Imports inside functions count like any other.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "marble_eval"

LAYERS = (
    ("errors", "names", "progress", "units"),
    ("files", "spec"),
    ("audio", "data", "decoding", "encoders", "one_thread"),
    ("metrics",),
    ("embedded", "kinds"),
    ("registry", "results", "scaffold"),
    ("features", "probes"),
    ("scores",),
    ("annotations", "comparison", "leaderboard"),
    ("report", "runs"),
    ("submission",),
    ("__main__", "cli"),
)
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}

SOURCES = sorted(PACKAGE.rglob("*.py"))
TASK_CODE = sorted(
    path for path in (ROOT / "tasks").rglob("*.py") if not path.name.startswith("test_")
)
SHIPPED = [
    *SOURCES,
    *TASK_CODE,
    ROOT / "configs/__init__.py",
    ROOT / "results/published/__init__.py",
]


class Import(NamedTuple):
    """One imported name: the module it is taken from, the name, and for whom."""

    module: str
    name: str
    line: int
    for_types: bool


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> list[Import]:
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")), path, for_types=False))


def _imports(node: ast.AST, path: Path, *, for_types: bool) -> Iterator[Import]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        for each in node.body:
            yield from _imports(each, path, for_types=True)
        for each in node.orelse:
            yield from _imports(each, path, for_types=for_types)
        return
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, "", node.lineno, for_types)
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            above = path.relative_to(ROOT).parts[: -node.level]
            module = ".".join([*above, *([module] if module else [])])
        for alias in node.names:
            yield Import(module, alias.name, node.lineno, for_types)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, path, for_types=for_types)


def unit_of(path: Path) -> str:
    """Return the package or module below marble_eval that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def unit_imported(each: Import) -> str | None:
    """Return the package or module below marble_eval that is imported; None if it is not ours."""
    first, *rest = each.module.split(".")
    if first != "marble_eval":
        return None
    return rest[0] if rest else each.name


def test_every_module_has_its_layer() -> None:
    found = {unit_of(path) for path in SOURCES} - {"__init__"}
    assert found == set(LAYER_OF)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_imports_from_its_layer_or_a_lower_one(path: Path) -> None:
    unit = unit_of(path)
    faults = []
    for each in imports_of(path):
        wanted = unit_imported(each)
        if wanted is None or wanted == "__version__":
            continue
        if unit == "__init__":
            # The public names are there for the type checker; at run time they come when used.
            if not each.for_types:
                faults.append(f"line {each.line}: {wanted} is imported at once")
        elif wanted not in LAYER_OF:
            faults.append(f"line {each.line}: {wanted} is no module of a layer")
        elif LAYER_OF[wanted] > LAYER_OF[unit]:
            faults.append(
                f"line {each.line}: {unit} (layer {LAYER_OF[unit]}) imports {wanted} "
                f"(layer {LAYER_OF[wanted]})"
            )
    assert faults == []


def test_there_is_no_circle_inside_a_layer() -> None:
    needs: dict[str, set[str]] = {}
    for path in SOURCES:
        unit = unit_of(path)
        for each in imports_of(path):
            wanted = unit_imported(each)
            if wanted in LAYER_OF and unit not in (wanted, "__init__") and not each.for_types:
                needs.setdefault(unit, set()).add(str(wanted))
    order = list(graphlib.TopologicalSorter(needs).static_order())  # raises on a circle
    assert order.index("errors") < order.index("registry") < order.index("cli")


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if LAYER_OF.get(unit_of(path)) == 0], ids=name_of
)
def test_the_lowest_layer_imports_nothing_of_others(path: Path) -> None:
    outside = [
        each.module
        for each in imports_of(path)
        if each.module.split(".")[0] not in {"marble_eval", *sys.stdlib_module_names}
    ]
    assert outside == []


@pytest.mark.parametrize("path", TASK_CODE, ids=name_of)
def test_a_task_s_code_stands_on_kinds_and_what_is_below_them(path: Path) -> None:
    wanted = [unit_imported(each) for each in imports_of(path)]
    too_high = [
        each for each in wanted if each is not None and LAYER_OF.get(each, 99) > LAYER_OF["kinds"]
    ]
    assert too_high == []


@pytest.mark.parametrize("path", [*SOURCES, *TASK_CODE], ids=name_of)
def test_nobody_imports_a_task_and_hydra_stays_at_the_edge(path: Path) -> None:
    modules = [each.module for each in imports_of(path)]
    assert not [each for each in modules if each.startswith("marble_eval.tasks")]
    if not path.is_relative_to(PACKAGE / "cli"):
        assert not [each for each in modules if each.split(".")[0] in ("hydra", "omegaconf")]


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_nothing_is_asserted_or_printed(path: Path) -> None:
    faults = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assert):
            faults.append(f"line {node.lineno}: assert is no check of input")
        if isinstance(node, ast.Name) and node.id == "print" and "cli" not in path.parts:
            faults.append(f"line {node.lineno}: print")
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            faults.append(f"line {node.lineno}: bare except")
    assert faults == []


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_a_module_opens_with_prose_and_is_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    told = ast.get_docstring(ast.parse(text))
    assert told, "no docstring"
    assert told.splitlines()[0].endswith((".", ":", "!", "?")), "the first line is no sentence"
    assert len(text.splitlines()) <= 400


def test_an_import_inside_a_function_is_seen(tmp_path: Path) -> None:
    """The reader above sees what it is there for."""
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\nelse:\n    import json\n"
        "def load():\n    from marble_eval.cli import main\n    return main\n"
    )
    assert imports_of(path) == [
        Import("typing", "TYPE_CHECKING", 1, False),
        Import("torch", "", 3, True),
        Import("json", "", 5, False),
        Import("marble_eval.cli", "main", 7, False),
    ]
    assert unit_imported(imports_of(path)[-1]) == "cli"


def test_looking_around_loads_no_torch() -> None:
    """A new process imports and does what needs no network; torch must stay out all along."""
    code = """
import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO

def check(what):
    if "torch" in sys.modules or "transformers" in sys.modules:
        sys.exit(f"{what} loads torch or transformers")

import marble_eval
check("import marble_eval")
marble_eval.task_names(), marble_eval.encoder_names(), marble_eval.load_task("GTZAN")
check("looking up names")
for name in ("registry", "leaderboard", "report", "results", "runs.identity", "data.splits",
             "cli", "cli.run", "cli.demo", "cli.doctor", "cli.tasks", "cli.encoders",
             "cli.cache", "cli.leaderboard"):
    import_module(f"marble_eval.{name}")
    check(f"import marble_eval.{name}")
from marble_eval.cli import main
for line in ("--help", "--version", "tasks", "tasks GTZAN", "encoders", "cache ls", "run --help"):
    with redirect_stdout(StringIO()):
        main(line.split())
    check(f"marble-eval {line}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
