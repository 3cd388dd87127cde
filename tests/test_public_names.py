"""The names users import: they are there, they are what they say, and they come when used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import marble_eval

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "marble_eval"


def modules_with_public_names() -> list[str]:
    found = []
    for path in sorted(PACKAGE.rglob("__init__.py")):
        if "__all__ =" in path.read_text(encoding="utf-8"):
            found.append(".".join(path.parent.relative_to(ROOT).parts))
    return found


@pytest.mark.parametrize("module", modules_with_public_names())
def test_every_public_name_is_there_and_told(module: str) -> None:
    loaded = import_module(module)
    names = loaded.__all__
    assert sorted(set(names)) == sorted(names)
    for name in names:
        value = getattr(loaded, name)
        if inspect.isroutine(value) or inspect.isclass(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


def test_the_package_offers_what_its_readme_uses() -> None:
    assert set(marble_eval.__all__) == {
        "__version__",
        "encoder_names",
        "evaluate",
        "load_encoder",
        "load_task",
        "rescored",
        "task_names",
    }
    for name in marble_eval.__all__:
        assert getattr(marble_eval, name) is not None


def test_type_checkers_and_python_find_a_name_in_one_place() -> None:
    """The imports for the type checker and the table for run time say the same."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == marble_eval._HOME
    for name, module in seen.items():
        assert getattr(marble_eval, name) is getattr(import_module(str(module)), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'marble_eval' has no attribute 'evalute'"):
        marble_eval.evalute  # noqa: B018
    assert not hasattr(marble_eval, "Evaluate")


def test_a_star_brings_the_public_names() -> None:
    code = (
        "from marble_eval import *\n"
        "assert callable(evaluate) and callable(task_names) and __version__\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert marble_eval.__version__ == version("marble-eval") == project["version"]


def test_the_command_is_the_module_s_main() -> None:
    (point,) = entry_points(group="console_scripts", name="marble-eval")
    main = point.load()
    assert main is import_module("marble_eval.cli").main
    done = subprocess.run(
        [sys.executable, "-m", "marble_eval", "--version"], capture_output=True, text=True
    )
    assert done.stdout == f"marble-eval {marble_eval.__version__}\n"


def test_the_types_are_for_users_too() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_annotation_readers_are_found_under_the_name_scripts_know() -> None:
    """What was `marble_eval.annotations` before the data room was made still reads files."""
    code = (
        "from marble_eval.annotations.beat_files import read_beats\n"
        "from marble_eval.annotations.note_files import read_notes\n"
        "from marble_eval.annotations import chord_files, jams\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
