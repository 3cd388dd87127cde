"""A package with a task, as its author would write it: built and installed by pip, and run.

Every command is a process of its own, with the installed package on its path; nothing of
the package's source is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from marble_eval.results import read_result
from tests.conftest import write_small_task

SOURCE = Path(__file__).parent / "package"


def copy_of_source(folder: Path, *, name: str, version: str) -> Path:
    """Copy the package's source, under another name if need be."""
    module = name.replace("-", "_")
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "marble_tones").rename(folder / module)
    project = folder / "pyproject.toml"
    text = project.read_text().replace("marble-tones", name).replace("marble_tones", module)
    project.write_text(text.replace('version = "0.3"', f'version = "{version}"'))
    return folder


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Install two packages that bring a task of one name, each into a folder of its own."""
    root = tmp_path_factory.mktemp("plugin")
    installations = []
    for name, version in (("marble-tones", "0.3"), ("other-tones", "1.1")):
        source = copy_of_source(root / "source" / name, name=name, version=version)
        command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
        command += ["--no-index", "--target", str(root / name), str(source)]
        environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        installations.append(process)
    for process in installations:
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told
    shutil.rmtree(root / "source")
    return root / "marble-tones", root / "other-tones"


def python(*words: str, sites: tuple[Path, ...], cwd: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(each) for each in sites)
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_its_task_is_listed_run_and_named_in_the_result(
    sites: tuple[Path, Path], tmp_path: Path
) -> None:
    here, _ = sites

    def typed(*words: str) -> str:
        done = python(*words, sites=(here,), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command = ("-m", "marble_eval")
    (facts,) = json.loads(typed(*command, "tasks", "Tones", "--json"))
    assert facts["provider"] == "marble-tones 0.3"
    assert Path(facts["folder"]) == here / "marble_tones" / "tasks" / "tones"

    # The data home is where a task of an installed package looks, as those of marble-eval do.
    typed("-m", "marble_tones.generate", str(tmp_path / "home" / "data" / "Tones"))
    options = ("encoder=mel", "protocol=quick", "seeds=1")
    assert "accuracy" in typed(*command, "run", "task=SineTones", *options)
    (path,) = (tmp_path / "results").rglob("result.json")
    result = read_result(path)
    assert (result.task.name, result.task.version) == ("Tones", 7)
    assert result.task.provider == "marble-tones 0.3"
    assert result.task.licence == "CC0-1.0"
    assert result.metrics["accuracy"].low > 0.25  # one of four


def test_it_is_in_the_table_of_tasks_and_gone_without_the_package(
    sites: tuple[Path, Path], tmp_path: Path
) -> None:
    here, _ = sites
    listed = python("-m", "marble_eval", "tasks", sites=(here,), cwd=tmp_path)
    (line,) = [each for each in listed.stdout.splitlines() if each.startswith("Tones ")]
    assert "24/8/8" in line
    assert "Sine tones, from a package of their own" in " ".join(listed.stdout.split())
    without = python("-m", "marble_eval", "tasks", "Tones", sites=(), cwd=tmp_path)
    assert without.returncode == 2 and "no task is called 'Tones'" in without.stderr


def test_two_packages_with_a_task_of_one_name_are_both_named(
    sites: tuple[Path, Path], tmp_path: Path
) -> None:
    small = write_small_task(tmp_path / "small")
    done = python("-m", "marble_eval", "tasks", sites=sites, cwd=tmp_path)
    assert done.returncode == 2
    assert "two tasks are called 'Tones': " in done.stderr
    first, second = (site / module / "tasks" / "tones" for site, module in
                     zip(sites, ("marble_tones", "other_tones"), strict=True))  # fmt: skip
    assert f"{first} (marble-tones 0.3)" in done.stderr
    assert f"{second} (other-tones 1.1)" in done.stderr
    assert done.stderr.endswith("Uninstall one.\n")
    # A task given as a folder needs nobody's name.
    load = f"import marble_eval; marble_eval.load_task({str(small)!r})"
    assert python("-c", load, sites=sites, cwd=tmp_path).returncode == 0
